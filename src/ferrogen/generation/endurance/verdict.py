"""Stable or not, by stated criteria, and why not.

A criterion fails where the whole 95 % interval lies beyond its limit: what so few images cannot tell is not held
against the chip. Two questions are kept apart: whether something is lost between programming and the first image, and
whether anything changes between the first image and the last.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

from ferrogen.generation.endurance.records import Record

LATENT_LIMIT: Final = 0.05
"""By which the latents' mean, standard deviation and correlation from one image to the next may be off."""

FRECHET_LIMIT: Final = 0.10
"""By which the Frechet distance may grow."""

_LATENTS: Final = {
    "latent_mean": ("mean of the latents", 0.0),
    "latent_deviation": ("standard deviation of the latents", 1.0),
    "latent_lag_1": ("correlation of the latents from image to image", 0.0),
}


@dataclass(frozen=True, slots=True)
class Failure:
    """A criterion that a checkpoint fails first.

    Attributes:
        criterion: which.
        cycle: after how many cycles.
        says: one sentence.
    """

    criterion: str
    cycle: int
    says: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one arm.

    Attributes:
        policy: its name.
        stable: nothing fails between the first checkpoint and the last.
        intact: the Frechet distance of the first checkpoint is that of the chip as programmed.
        failures: each criterion's first one, the change from programming to the first image included.
        summary: one paragraph.
    """

    policy: str
    stable: bool
    intact: bool
    failures: tuple[Failure, ...]
    summary: str


def judge(policy: str, programmed: Record, checkpoints: list[Record]) -> Verdict:
    """Judge an arm.

    Args:
        policy: its name.
        programmed: the chip as programmed.
        checkpoints: of the arm, at least one.
    """
    first, last = checkpoints[0], checkpoints[-1]
    lost = _growth("before the first image", programmed, first)
    found = [failure for failure in map(_latents, checkpoints) if failure is not None][:1]
    grown = (_growth("in use", first, record) for record in checkpoints[1:])
    found += [failure for failure in grown if failure is not None][:1]
    failures = ([lost] if lost is not None else []) + found
    stable, intact = not found, lost is None
    words = "stable" if stable and intact else "stable, but degraded before the first image" if stable else "not stable"
    parts = [f"policy {policy}: {words} over {last['cycle']:,} cycles."]
    parts += [failure.says for failure in failures] or [_values(programmed, last)]
    if not found and (growth := _not_excluded(first, checkpoints[1:])) > FRECHET_LIMIT:
        parts.append(f"So few images cannot exclude that the Frechet distance grew by up to {growth:.0%} in use.")
    if failures:
        parts.append(_why(programmed, first, last))
    return Verdict(policy, stable, intact, tuple(failures), " ".join(parts))


def _latents(record: Record) -> Failure | None:
    if record["latent_deviation"] is None:
        return Failure("latents", record["cycle"], f"After {record['cycle']:,} cycles the latents are silent.")
    for name, (words, wanted) in _LATENTS.items():
        score = record[name]
        if score is None or score["low"] is None:
            continue
        if score["low"] > wanted + LATENT_LIMIT or score["high"] < wanted - LATENT_LIMIT:
            says = f"After {record['cycle']:,} cycles the {words} is {_interval(score)}, not {wanted:g}."
            return Failure(name, record["cycle"], says)
    return None


def _growth(when: str, before: Record, after: Record) -> Failure | None:
    """Compare two Frechet distances; their errors are taken as independent (first order)."""
    old, new = before["frechet_distance"], after["frechet_distance"]
    if old is None or new is None or None in (*old.values(), *new.values()):
        return None
    ratio = new["value"] / old["value"]
    spread = math.hypot(*((score["high"] - score["low"]) / (2.0 * score["value"]) for score in (old, new)))
    if ratio * (1.0 - spread) <= 1.0 + FRECHET_LIMIT:
        return None
    says = (
        f"The Frechet distance grew {when} from {_interval(old)} to {_interval(new)} (after {after['cycle']:,} cycles)."
    )
    return Failure(f"frechet_distance {when}", after["cycle"], says)


def _not_excluded(first: Record, later: list[Record]) -> float:
    """Return the largest growth of the Frechet distance since the first checkpoint that intervals allow for [1]."""
    old, most = first["frechet_distance"], 0.0
    for new in (record["frechet_distance"] for record in later):
        if old is not None and new is not None and None not in (*old.values(), *new.values()):
            spread = math.hypot(*((score["high"] - score["low"]) / (2.0 * score["value"]) for score in (old, new)))
            most = max(most, new["value"] / old["value"] * (1.0 + spread) - 1.0)
    return most


def _values(programmed: Record, last: Record) -> str:
    if last["frechet_distance"] is None or programmed["frechet_distance"] is None:
        return f"Standard deviation of the latents {_interval(last['latent_deviation'])}."
    return (
        f"Frechet distance {_interval(programmed['frechet_distance'])} as programmed,"
        f" {_interval(last['frechet_distance'])} at the end; standard deviation of the latents"
        f" {_interval(last['latent_deviation'])}."
    )


def _why(programmed: Record, first: Record, last: Record) -> str:
    """Say what became of the cells, and of the decoder for latents that are the same at every checkpoint."""
    return (
        f"Cells: {first['cells_astray']:.0%} of the weights' are more than half a level off at the first image,"
        f" {last['cells_astray']:.0%} at the end ({programmed['cells_astray']:.0%} as programmed);"
        f" error of a pixel for fixed latents {programmed['image_error']:.3f} as programmed,"
        f" {first['image_error']:.3f} at the first image, {last['image_error']:.3f} at the end."
    )


def _interval(score: dict[str, Any]) -> str:
    low, high = score["low"], score["high"]
    if low is None or high is None:
        return f"{score['value']:.3g}"
    return f"{score['value']:.2f} [{low:.2f}, {high:.2f}]"
