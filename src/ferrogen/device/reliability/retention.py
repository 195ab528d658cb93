"""Retention from the switching law: a stored state decays in its own depolarisation field.

The domains switch as under any voltage, but the field is the one that they make themselves (device equations 1.9, 3.3):

    E(t) = E_dep(P(t), -kappa P(t)) + E_imp(t) P(0) / P_r - V_bi / (stack's thickness)

with kappa the share of the polarisation that interface charge compensates and E_imp the imprint, which favours the
stored state. Charge is taken to follow the polarisation, as storage is longer than its time constants. The decay slows
itself: domains that have switched back lower the field on the others, hence the logarithmic tails.

The equation is integrated with exact steps in a frozen field, the field taken at the middle of the step (second order),
and a step is cut until half steps agree with it: steps then grow with the logarithm of the time by themselves.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import argument_error, check_number
from ferrogen.device.card import DeviceCard
from ferrogen.device.electrostatics.spec import InterfaceSpec
from ferrogen.device.electrostatics.stack import Stack, ferroelectric_field, stack_of
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE
from ferrogen.device.polarization.domains import DomainEnsemble, DomainState, advance, polarization
from ferrogen.device.reliability.arrhenius import check_temperature, counts
from ferrogen.device.reliability.imprint import Imprint, imprint_field

_FIRST_STEP = 1e-3  # of the attempt time: nothing switches sooner
_GROWTH = 4.0  # largest factor from one step to the next
_MOST_STEPS = 20_000

FieldLaw = Callable[[NDArray[np.float64], float], NDArray[np.float64]]
"""Field [V/m] of every cell from its polarisation [C/m^2] and the time [s]."""


@dataclass(frozen=True, slots=True)
class Storage:
    """In what a state is stored.

    Attributes:
        stack: the layers, which make the depolarisation field.
        compensated_share: of the polarisation that interface charge compensates [1].
        imprint: how the stored state is imprinted; None for not at all.
        temperature: [K].
    """

    stack: Stack
    compensated_share: float = 0.0
    imprint: Imprint | None = None
    temperature: float = REFERENCE_TEMPERATURE

    def __post_init__(self) -> None:
        if not 0.0 <= self.compensated_share <= 1.0:
            raise argument_error("compensated_share", "lie between 0 and 1", self.compensated_share)
        check_temperature(self.temperature)


def storage_of(card: DeviceCard, imprint: Imprint | None, temperature: float = REFERENCE_TEMPERATURE) -> Storage:
    """Return the storage at a temperature [K] that a card describes, at zero volts.

    Raises:
        CardError: the card has no section [interface].
        ArgumentError: a temperature out of range.
    """
    share = card.require(InterfaceSpec).compensated_share.value
    return Storage(stack_of(card), share, imprint, temperature)


@dataclass(frozen=True, slots=True)
class RetentionCurve:
    """How a stored polarisation decays.

    Attributes:
        time: [s], shape ``(times,)``.
        polarization: [C/m^2], shape ``(cells, times)``.
        start: polarisation at time 0 [C/m^2], shape ``(cells,)``.
        field: in the ferroelectric at these times [V/m], shape ``(cells, times)``.
        state: of the domains at the last time.
        steps: that were accepted.
        rejected: that were cut and done again.
    """

    time: NDArray[np.float64]
    polarization: NDArray[np.float64]
    start: NDArray[np.float64]
    field: NDArray[np.float64]
    state: DomainState
    steps: int
    rejected: int


def storage_field(ensemble: DomainEnsemble, state: DomainState, storage: Storage) -> FieldLaw:
    """Return the law of the field [V/m] for a state that begins to be stored."""
    start = polarization(ensemble, state) / np.maximum(ensemble.remanent_polarization, np.finfo(np.float64).tiny)

    def field(p: NDArray[np.float64], time: float) -> NDArray[np.float64]:
        own = ferroelectric_field(storage.stack, 0.0, p, -storage.compensated_share * p)
        if storage.imprint is None:
            return own
        return own + float(imprint_field(storage.imprint, time, storage.temperature)) * start

    return field


def retain(
    ensemble: DomainEnsemble, state: DomainState, storage: Storage, times: ArrayLike, *, tolerance: float = 1e-5
) -> RetentionCurve:
    """Follow a stored state, as the mean over many cells with these domains.

    Args:
        ensemble: the domains, those of an aged junction if it is aged.
        state: when storage begins; it is not changed. Probabilities of domains, so the decay is the expected one.
        storage: layers, charge, imprint and temperature.
        times: at which the polarisation is wanted [s], positive and rising, shape ``(times,)``.
        tolerance: largest error of one step, of the remanent polarisation.

    Raises:
        ArgumentError: times that do not rise, a tolerance out of range.
    """
    wanted = counts("times", times, "s", positive=True)
    if wanted.ndim != 1 or wanted.size == 0 or np.any(np.diff(wanted) <= 0.0):
        raise argument_error("times", "rise, with one axis and at least one time", f"of shape {wanted.shape}")
    if not 1e-10 <= tolerance <= 0.1:
        raise argument_error("tolerance", "lie between 1e-10 and 0.1 of the remanent polarisation", tolerance)
    law = storage_field(ensemble, state, storage)
    scale = np.maximum(ensemble.remanent_polarization, np.finfo(np.float64).tiny)
    now, step = 0.0, min(_FIRST_STEP * ensemble.attempt_time, float(wanted[0]))
    start = polarization(ensemble, state)
    out = np.empty((ensemble.cells, wanted.size))
    fields = np.empty_like(out)
    accepted = rejected = 0
    for k, target in enumerate(wanted):
        while now < target:
            whole = step >= target - now
            size = float(target - now) if whole else step
            once = _midpoint(ensemble, state, law, now, size, storage.temperature)
            half = _midpoint(ensemble, state, law, now, 0.5 * size, storage.temperature)
            twice = _midpoint(ensemble, half, law, now + 0.5 * size, 0.5 * size, storage.temperature)
            change = np.abs(polarization(ensemble, twice) - polarization(ensemble, once)) / scale
            error = float(change.max()) / 3.0  # of the half steps, for a method of second order
            factor = min(_GROWTH, 0.9 * (tolerance / max(error, 1e-300)) ** (1.0 / 3.0))
            if error <= tolerance:
                state = twice
                now = float(target) if whole else now + size
                accepted += 1
                step = max(step, size * factor) if whole else size * factor
            else:
                rejected += 1
                step = size * max(factor, 0.1)
            if accepted + rejected > _MOST_STEPS:
                raise argument_error("tolerance", f"be reachable in {_MOST_STEPS} steps", tolerance, "Allow more.")
        out[:, k] = polarization(ensemble, state)
        fields[:, k] = law(out[:, k], now)
    return RetentionCurve(wanted, out, start, fields, state, accepted, rejected)


def _midpoint(
    ensemble: DomainEnsemble, state: DomainState, law: FieldLaw, now: float, size: float, temperature: float
) -> DomainState:
    """Advance in the field that the polarisation makes in the middle of the step."""
    first = law(polarization(ensemble, state), now)
    middle = advance(ensemble, state, first, 0.5 * size, temperature=temperature)
    field = law(polarization(ensemble, middle), now + 0.5 * size)
    return advance(ensemble, state, field, size, temperature=temperature)


def depolarization_per_polarization(storage: Storage) -> float:
    """Return the field that a polarisation of 1 C/m^2 makes against itself, what is compensated taken off [m/F].

    Raises:
        ArgumentError: never for a valid storage.
    """
    zero = ferroelectric_field(storage.stack, 0.0, 0.0, 0.0)
    one = ferroelectric_field(storage.stack, 0.0, 1.0, -storage.compensated_share)
    return float(zero - one)


def decades(first: float, last: float, per_decade: int = 4) -> NDArray[np.float64]:
    """Return times [s] spaced evenly in their logarithm, both ends included.

    Raises:
        ArgumentError: times that are not positive or do not rise.
    """
    check_number("first", first, "s")
    check_number("last", last, "s")
    if last <= first or per_decade < 1:
        raise argument_error("last", f"be later than `first` ({first:g} s)", f"{last:g} s")
    count = max(2, math.ceil(math.log10(last / first) * per_decade) + 1)
    return np.asarray(np.geomspace(first, last, count))
