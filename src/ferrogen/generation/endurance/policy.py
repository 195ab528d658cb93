"""Policies of maintenance: what a chip does, unasked, to stay what it was."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ferrogen.core.errors import argument_error, check_number, is_whole

TASKS: Final = ("refresh", "converters", "gain", "latents")
"""What maintenance can consist of, in the order in which it is done."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What is done in maintenance.

    Attributes:
        name: as it was asked for: ``none``, ``full``, or tasks joined by ``+``.
        tasks: of :data:`TASKS`, in their order:

            * ``refresh``: tiles whose cells have strayed are erased and written again, pulse by pulse and verified;
            * ``converters``: input and output ranges of the decoder's converters are chosen anew;
            * ``gain``: one digital factor a layer undoes the common part of its cells' drift (known from phase-change
              memory as drift compensation: Joshi 2020, doi:10.1038/s41467-020-16108-9);
            * ``latents``: mean and deviation of every latent follow the readings in use, in the background.
    """

    name: str
    tasks: tuple[str, ...]

    @property
    def takes_turns(self) -> bool:
        """Whether there is anything to do at the turns of maintenance: latents are followed without."""
        return any(task != "latents" for task in self.tasks)


def parse_policy(text: str) -> Policy:
    """Return the policy that ``text`` names: ``none``, ``full``, or tasks joined by ``+``, e.g. ``latents+refresh``.

    Raises:
        ArgumentError: anything else.
    """
    parts = [part.strip() for part in text.split("+")]
    if parts == ["none"]:
        return Policy("none", ())
    if parts == ["full"]:
        return Policy("full", TASKS)
    if not all(part in TASKS for part in parts) or len(set(parts)) != len(parts):
        raise argument_error("policy", f"be 'none', 'full', or some of {', '.join(TASKS)} joined by '+'", repr(text))
    tasks = tuple(task for task in TASKS if task in parts)
    return Policy("full" if tasks == TASKS else "+".join(tasks), tasks)


@dataclass(frozen=True, slots=True)
class Maintenance:
    """When maintenance is done, and how. Latents are apart: their calibration follows them all the time.

    Attributes:
        every: cycles between two turns; None: at cycles that grow by the root of ten, from ``first`` on, as cells age
            with the logarithm of time. A change of temperature calls for a turn, too.
        first: of the growing cycles.
        reads: cycles between two calibrations of the latents, each from the readings of these cycles.
        refresh_threshold: a tile is written again if its cells' conductance is further from target than this, on
            average [levels].
    """

    every: int | None = None
    first: int = 1000
    reads: int = 2048
    refresh_threshold: float = 0.5

    def __post_init__(self) -> None:
        for name, least in (("every", 1), ("first", 1), ("reads", 16)):
            value = getattr(self, name)
            if not (name == "every" and value is None) and not is_whole(value, least):
                raise argument_error(name, f"be a whole number of at least {least}", repr(value))
        check_number("refresh_threshold", self.refresh_threshold, "levels", may_vanish=True)

    def turns(self, cycles: int, steps: tuple[int, ...]) -> list[int]:
        """Return the cycles, below ``cycles``, at which maintenance begins.

        Args:
            cycles: of the whole run.
            steps: cycles at which the temperature changes.
        """
        if self.every is not None:
            regular = set(range(self.every, cycles, self.every))
        else:
            grown = (round(self.first * 10.0 ** (k / 2.0)) for k in range(60))
            regular = {cycle for cycle in grown if cycle < cycles}
        return sorted(regular | {cycle for cycle in steps if 0 < cycle < cycles})
