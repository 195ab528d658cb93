"""What a run of endurance is: everything that its numbers follow from."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, Literal

from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.core.errors import argument_error, check_number, is_whole
from ferrogen.device.card import DeviceCard
from ferrogen.generation.endurance.policy import Maintenance, Policy
from ferrogen.generation.generator import Sampling
from ferrogen.generation.model import VAE
from ferrogen.sampler.latents import SamplerSpec

Reading = Literal["read-operations", "program-erase"]
Polarity = Literal["against-set", "along-set"]

MOST_CYCLES: Final = 10**9
_LEAST_IMAGES: Final = 64


@dataclass(frozen=True, slots=True)
class EnduranceSpec:
    """A run.

    Attributes:
        model: a VAE, with its name in ``model_name``.
        model_name: for the record.
        card: device card.
        point: operating point at cycle 0.
        seed: of the chip.
        chip: size, programming and periphery.
        sampler: how latents are read.
        cycles: how many.
        reading: what a cycle is: ``read-operations`` (sample and decode once) or ``program-erase`` (erase and write all
            cells; after so many, the chip samples and decodes).
        sampling: which cells make the noise: the weights' own (``shared``) or others (``dedicated``).
        polarity: of the sample voltage, against the direction of set pulses or along it. Traps near the top electrode,
            as the shipped card's, are pulled to its Fermi level by a read against them.
        temperature_steps: (cycle, temperature [K]) from which on the chip is at another temperature.
        policies: one arm of the run each; the first is what the others are compared with.
        maintenance: when and how.
        start_gain: whether commissioning, which calibrates latents and converters, sets the decoder's gains, too.
        images: at every checkpoint.
        per_decade: checkpoints in a tenfold number of cycles.
        features: ``mnist``, or ``none`` for images that are no digits (then without image scores).

    Raises:
        ArgumentError: a value that makes no sense.
        ValidityError: a point or temperature outside the card's validity.
    """

    model: VAE = field(repr=False)
    model_name: str
    card: DeviceCard
    point: OperatingPoint
    seed: int = 0
    chip: ChipSpec = field(default_factory=ChipSpec)
    sampler: SamplerSpec = field(default_factory=SamplerSpec)
    cycles: int = 100_000
    reading: Reading = "read-operations"
    sampling: Sampling = "shared"
    polarity: Polarity = "against-set"
    temperature_steps: tuple[tuple[int, float], ...] = ()
    policies: tuple[Policy, ...] = ()
    maintenance: Maintenance = field(default_factory=Maintenance)
    start_gain: bool = True
    images: int = 1000
    per_decade: int = 3
    features: Literal["mnist", "none"] = "mnist"

    def __post_init__(self) -> None:
        for name, least, most in (
            ("cycles", 1, MOST_CYCLES),
            ("images", _LEAST_IMAGES, 100_000),
            ("per_decade", 1, 100),
        ):
            if not is_whole(getattr(self, name), least, most):
                raise argument_error(name, f"be a whole number from {least} to {most}", repr(getattr(self, name)))
        for name, allowed in (
            ("reading", ("read-operations", "program-erase")),
            ("sampling", ("shared", "dedicated")),
            ("polarity", ("against-set", "along-set")),
            ("features", ("mnist", "none")),
        ):
            if getattr(self, name) not in allowed:
                raise argument_error(name, f"be one of {', '.join(allowed)}", repr(getattr(self, name)))
        names = [policy.name for policy in self.policies]
        if not names or len(set(names)) != len(names):
            raise argument_error("policies", "name at least one policy, each once", names)
        self._check_temperatures()

    def _check_temperatures(self) -> None:
        self.point.check(self.card)
        last = 0
        for cycle, temperature in self.temperature_steps:
            if not is_whole(cycle, last + 1):
                raise argument_error("temperature_steps", "be at rising cycles above zero", cycle)
            check_number("temperature_steps", temperature, "K")
            self.card.check("temperature", temperature, "temperature_steps")
            last = cycle

    def temperature(self, cycle: int) -> float:
        """Return the temperature [K] after ``cycle`` cycles; a step at a cycle is in force after so many."""
        return [self.point.temperature, *(t for step, t in self.temperature_steps if step <= cycle)][-1]

    def checkpoints(self) -> list[int]:
        """Return after how many cycles the chip is looked at: 1, the last, and evenly in the logarithm between.

        Cycle 0, the chip as programmed, comes before them.
        """
        count = math.ceil(self.per_decade * math.log10(self.cycles)) if self.cycles > 1 else 0
        grid = (round(10.0 ** (k / self.per_decade)) for k in range(count + 1))
        return [0, *sorted({cycle for cycle in grid if cycle <= self.cycles} | {self.cycles})]

    def turns(self) -> list[int]:
        """Return the cycles at which maintenance begins, for policies with any."""
        return self.maintenance.turns(self.cycles, tuple(cycle for cycle, _ in self.temperature_steps))

    def spans(self, first: int, last: int) -> list[tuple[int, float]]:
        """Return the cycles from ``first`` to ``last`` as stages of one temperature: (cycles, temperature [K])."""
        edges = [first, *(cycle for cycle, _ in self.temperature_steps if first < cycle < last), last]
        return [(stop - start, self.temperature(start)) for start, stop in itertools.pairwise(edges) if stop > start]

    def description(self) -> dict[str, Any]:
        """Return the spec as plain values, ready for JSON: equal descriptions give equal records."""
        state = hashlib.sha256()
        for name, value in sorted(self.model.state_dict().items()):
            state.update(name.encode() + str(tuple(value.shape)).encode() + value.detach().numpy().tobytes())
        card = hashlib.sha256(self.card.model_dump_json().encode()).hexdigest()
        return {
            "ferrogen": version("ferrogen"),
            "model": Path(self.model_name).name,
            "model_sha256": state.hexdigest(),
            "card": self.card.name,
            "card_sha256": card,
            "point": asdict(self.point),
            "seed": self.seed,
            "chip": repr(self.chip),
            "sampler": asdict(self.sampler),
            "fidelity": "statistical",
            "cycles": self.cycles,
            "reading": self.reading,
            "sampling": self.sampling,
            "polarity": self.polarity,
            "temperature_steps": [list(step) for step in self.temperature_steps],
            "policies": [policy.name for policy in self.policies],
            "maintenance": asdict(self.maintenance),
            "start_gain": self.start_gain,
            "images": self.images,
            "per_decade": self.per_decade,
            "features": self.features,
        }

    def identity(self) -> str:
        """Return the content hash of the spec, which names the run."""
        return identity_of(self.description())


def identity_of(description: dict[str, Any]) -> str:
    """Return the content hash of a description."""
    return hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:16]
