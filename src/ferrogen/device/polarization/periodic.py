"""Domains in a field that repeats itself: many equal cycles in one step, without stepping through them.

A cycle is a list of phases, each with a constant field. What a phase does to a domain's probability of being up is
affine, p -> keep p + gain, as a domain's history depends on its field alone (:mod:`.domains`); so is what a cycle does,
and n cycles are a power of it. Two kinds of domains:

* The local field never changes its sign. The history h runs on through all cycles, and n of them are the telescoped
  Weibull law: keep = exp[h^b - (h + n a)^b], a the cycle's sum of dt / tau.
* It does. The history restarts at every turn, so that after the first cycle all are alike: n equal affine maps.

Cycles may hold trains, which are cycles themselves: ten pulses one way, a hundred the other, and so on again
(:func:`nested_map`).

This is exact for fields that are the same in every cycle; the error of what changes them slowly is the caller's.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import argument_error, check_number
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE
from ferrogen.device.polarization.ensemble import DomainEnsemble

Array = NDArray[np.float64]

_LARGEST_LOGARITHM = 230.0  # of a history's power, which then stays finite; no domain is left long before


@dataclass(frozen=True, slots=True, eq=False)
class CycleMap:
    """What cycles do to domains: the probability of being up becomes ``keep * up + gain``.

    Attributes:
        keep: shape ``(cells, domains)``.
        gain: same shape.
        history: afterwards, as in :class:`.ensemble.DomainState`.
        direction: afterwards, likewise.
        lost: minus the logarithm of ``keep``.
    """

    keep: Array
    gain: Array
    history: Array
    direction: NDArray[np.int8]
    lost: Array


@dataclass(frozen=True, slots=True, eq=False)
class FieldTrain:
    """A part of a cycle that repeats itself.

    Attributes:
        fields: of its phases [V/m], shape ``(phases, cells)``.
        durations: of its phases [s].
        count: how often they come, at least 1.
    """

    fields: Array
    durations: tuple[float, ...]
    count: float


def cycle_map(
    ensemble: DomainEnsemble,
    history: Array,
    direction: NDArray[np.int8],
    fields: Array,
    durations: tuple[float, ...],
    cycles: float = 1.0,
    temperature: float = REFERENCE_TEMPERATURE,
) -> CycleMap:
    """Return what ``cycles`` equal cycles do.

    Args:
        ensemble: the domains.
        history: before, shape ``(cells, domains)``.
        direction: before, likewise.
        fields: of the phases [V/m], shape ``(phases, cells)``.
        durations: of the phases [s].
        cycles: at least 1; it need not be whole.
        temperature: [K].

    Raises:
        ArgumentError: shapes that do not fit, or a number that is unusable.
    """
    if fields.shape != (len(durations), ensemble.cells) or not np.all(np.isfinite(fields)):
        raise argument_error(
            "fields", f"be finite fields in V/m of shape ({len(durations)}, {ensemble.cells})", f"{fields.shape}"
        )
    for duration in durations:
        check_number("durations", duration, "s")
    check_number("temperature", temperature, "K")
    check_number("cycles", cycles, "cycles")
    if cycles < 1.0:
        raise argument_error("cycles", "be at least 1", cycles)
    attempts, signs = _attempts(ensemble, fields, durations, temperature)
    first = _one_cycle(history, direction, attempts, signs, ensemble.nucleation_exponent)
    if cycles == 1.0:
        return first
    turning = np.any(signs > 0, axis=0) & np.any(signs < 0, axis=0)
    again = first
    if turning.any():
        again = _one_cycle(first.history, first.direction, attempts, signs, ensemble.nucleation_exponent)
    return _repeated(first, again, turning, attempts.sum(axis=0), cycles - 1.0, ensemble.nucleation_exponent)


def nested_map(
    ensemble: DomainEnsemble,
    history: Array,
    direction: NDArray[np.int8],
    trains: Sequence[FieldTrain],
    cycles: float = 1.0,
    temperature: float = REFERENCE_TEMPERATURE,
) -> CycleMap:
    """Return what equal cycles do, each of which is a sequence of trains; arguments as in :func:`cycle_map`.

    Raises:
        ArgumentError: as :func:`cycle_map`.
    """
    check_number("cycles", cycles, "cycles")
    if cycles < 1.0:
        raise argument_error("cycles", "be at least 1", cycles)

    def one(history: Array, direction: NDArray[np.int8]) -> CycleMap:
        whole = CycleMap(np.ones_like(history), np.zeros_like(history), history, direction, np.zeros_like(history))
        for train in trains:
            part = cycle_map(
                ensemble, whole.history, whole.direction, train.fields, train.durations, train.count, temperature
            )
            whole = _then(whole, part)
        return whole

    first = one(history, direction)
    if cycles == 1.0:
        return first
    shape = history.shape
    up, down, attempts = np.zeros(shape, dtype=np.bool_), np.zeros(shape, dtype=np.bool_), np.zeros(shape)
    for train in trains:
        of_phases, signs = _attempts(ensemble, train.fields, train.durations, temperature)
        up |= np.any(signs > 0, axis=0)
        down |= np.any(signs < 0, axis=0)
        attempts += train.count * of_phases.sum(axis=0)
    turning = up & down
    again = one(first.history, first.direction) if turning.any() else first
    return _repeated(first, again, turning, attempts, cycles - 1.0, ensemble.nucleation_exponent)


def _then(first: CycleMap, second: CycleMap) -> CycleMap:
    return CycleMap(
        first.keep * second.keep, first.gain * second.keep + second.gain, second.history, second.direction,
        first.lost + second.lost,
    )  # fmt: skip


def _repeated(
    first: CycleMap, again: CycleMap, turning: NDArray[np.bool_], attempts: Array, more: float, nucleation: float
) -> CycleMap:
    """Return the first cycle with ``more`` of them behind it.

    Args:
        first: of them.
        again: what any later one does to domains whose local field turns.
        turning: which those are.
        attempts: dt / tau of a cycle, for the others: one long phase.
        more: further cycles.
        nucleation: exponent of the history.
    """
    run_on = np.minimum(first.history + more * attempts, _longest(nucleation))
    lost = np.where(turning, more * again.lost, _lost(first.history, run_on, nucleation))
    gain = np.where(first.direction > 0, -np.expm1(-lost), 0.0)
    # A geometric series of equal gains; where a cycle changes nothing at all, so many of them.
    share = -np.expm1(-np.maximum(again.lost, 1e-300))
    series = np.where(again.lost > 0.0, -np.expm1(-more * again.lost) / share, more)
    gain = np.where(turning, np.minimum(again.gain * series, 1.0), gain)
    after = np.where(turning, again.history, run_on)
    return _then(first, CycleMap(np.exp(-lost), gain, after, first.direction, lost))


def _attempts(
    ensemble: DomainEnsemble, fields: Array, durations: tuple[float, ...], temperature: float
) -> tuple[Array, NDArray[np.int8]]:
    """Return dt / tau of every phase and domain, and the sign of the local field; ``(phases, cells, domains)``."""
    local = fields[:, :, None] - ensemble.local_bias_field
    signs = np.sign(local).astype(np.int8)
    size = np.abs(local)
    with np.errstate(divide="ignore", over="ignore"):  # no field: an infinite barrier, and no attempt
        barrier = np.exp(ensemble.field_exponent * (np.log(ensemble.activation_field) - np.log(size)))
    slope = REFERENCE_TEMPERATURE / temperature
    scale = np.log(np.array(durations) / ensemble.attempt_time)[:, None, None]
    return np.exp(np.maximum(scale - slope * barrier, -700.0)) * (scale - slope * barrier > -700.0), signs


def _one_cycle(
    history: Array, direction: NDArray[np.int8], attempts: Array, signs: NDArray[np.int8], nucleation: float
) -> CycleMap:
    gain, total = np.zeros_like(history), np.zeros_like(history)
    for attempt, sign in zip(attempts, signs, strict=True):
        old = np.where(sign * direction < 0, 0.0, history)
        history = np.minimum(old + attempt, _longest(nucleation))
        lost = _lost(old, history, nucleation)
        gain = gain * np.exp(-lost) + np.where(sign > 0, -np.expm1(-lost), 0.0)
        total += lost
        direction = np.where(sign == 0, direction, sign)
    return CycleMap(np.exp(-total), gain, history, direction, total)


def _lost(old: Array, new: Array, nucleation: float) -> Array:
    """Return minus the logarithm of the chance not to switch while the history grows: new^b - old^b."""
    if nucleation == 1.0:
        return new - old
    if nucleation == 2.0:
        return (new - old) * (new + old)
    return np.asarray(new**nucleation - old**nucleation)


def _longest(nucleation: float) -> float:
    return math.exp(_LARGEST_LOGARITHM / max(nucleation, 1.0))
