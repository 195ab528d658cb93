"""Imprint: a stored state builds up an internal field that favours it, with the logarithm of the time.

    E_imp(t, T) = S (T / 300 K) ln[1 + t / t_i(T)],    t_i(T) = t_i exp[E_a / k (1 / T - 1 / 300 K)]

is the law measured on HZO from 23 to 260 C (Chojecki 2021, doi:10.1063/5.0053185). It is what charges do that are
released over barriers spread evenly in energy from E_a upwards: within a time t all barriers up to k T ln(t / attempt
time) have been passed, so that the slope in ln t goes as T and the onset is thermally activated. Such barriers give
Ein(t / t_i) = gamma + ln(t / t_i) + E_1(t / t_i) in place of the logarithm (:func:`imprint_from_barriers`); the two
differ by at most Euler's constant, i.e. 0.58 S.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from ferrogen.core.errors import check_number
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE
from ferrogen.device.reliability.arrhenius import check_energy, check_scale, counts, from_logarithm, slowdown
from ferrogen.device.reliability.spec import ReliabilitySpec

_SMALL = 1e-8  # below it Ein(x) is x to double precision, and the sum of gamma, logarithm and E_1 cancels


@dataclass(frozen=True, slots=True)
class Imprint:
    """How a stored state is imprinted.

    Attributes:
        field: S, gained when the logarithm of the time grows by one, at 300 K [V/m].
        time: t_i at 300 K [s].
        activation_energy: of that time [eV].
    """

    field: float
    time: float
    activation_energy: float = 0.0

    def __post_init__(self) -> None:
        check_number("field", self.field, "V/m", may_vanish=True)
        check_scale("time", self.time, "s")
        check_energy(self.activation_energy)


def imprint_of(spec: ReliabilitySpec) -> Imprint:
    """Return the imprint that a card's section describes."""
    return Imprint(spec.imprint_field.value, spec.imprint_time.value, spec.imprint_activation_energy.value)


def imprint_field(law: Imprint, time: ArrayLike, temperature: float = 300.0) -> NDArray[np.float64]:
    """Return the field [V/m] that a state has gained in its own favour after a storage time [s] at a temperature [K].

    Raises:
        ArgumentError: a negative or infinite time, or a temperature out of range.
    """
    onset = law.time * slowdown(law.activation_energy, temperature)
    slope = law.field * temperature / REFERENCE_TEMPERATURE
    return np.asarray(slope * np.log1p(counts("time", time, "s") / onset))


def imprint_from_barriers(law: Imprint, time: ArrayLike, temperature: float = 300.0) -> NDArray[np.float64]:
    """Return the field [V/m] of charges released over evenly spread barriers: the law above before its short form.

    Raises:
        ArgumentError: a negative or infinite time, or a temperature [K] out of range.
    """
    x = counts("time", time, "s") / (law.time * slowdown(law.activation_energy, temperature))
    safe = np.maximum(x, _SMALL)
    entire = np.where(x < _SMALL, x, np.euler_gamma + np.log(safe) + special.exp1(safe))
    return np.asarray(law.field * temperature / REFERENCE_TEMPERATURE * entire)


def equivalent_storage(law: Imprint, time: float, temperature: float) -> float:
    """Return the time [s] at 300 K that imprints as much as ``time`` [s] at ``temperature`` [K] does.

    Raises:
        ArgumentError: a negative or infinite time, a temperature out of range, or no float holds the result.
    """
    onset = law.time * slowdown(law.activation_energy, temperature)
    exponent = temperature / REFERENCE_TEMPERATURE * math.log1p(float(counts("time", time, "s")) / onset)
    if exponent < 1.0:
        return law.time * math.expm1(exponent)
    logarithm = math.log(law.time) + exponent + math.log(-math.expm1(-exponent))
    return from_logarithm(logarithm, "time", time, "s")
