"""Fatigue: remanent polarisation lost to cycling.

P_r(N) = P_r / [1 + (N / N_f)^m], or P_r [1 - c log10(N / N_0)] beyond N_0 (section 5 of the device reference).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import argument_error, check_number
from ferrogen.device.reliability.arrhenius import (
    check_energy,
    check_exponent,
    check_scale,
    counts,
    from_logarithm,
    slowdown,
)
from ferrogen.device.reliability.spec import ReliabilitySpec


@dataclass(frozen=True, slots=True)
class Fatigue:
    """Loss by a power law that bends at a number of cycles.

    Attributes:
        cycles: after which half of the polarisation is lost, at 300 K [1].
        exponent: m [1].
        activation_energy: of the number of cycles [eV].
    """

    cycles: float
    exponent: float
    activation_energy: float = 0.0

    def __post_init__(self) -> None:
        check_scale("cycles", self.cycles, "cycles")
        check_exponent("exponent", self.exponent)
        check_energy(self.activation_energy)


def fatigue_of(spec: ReliabilitySpec) -> Fatigue:
    """Return the fatigue that a card's section describes."""
    return Fatigue(spec.fatigue_cycles.value, spec.fatigue_exponent.value, spec.cycling_activation_energy.value)


def fatigue_factor(law: Fatigue, cycles: ArrayLike, temperature: float = 300.0) -> NDArray[np.float64]:
    """Return the remanent polarisation after ``cycles`` [1] over that of the fresh, woken film.

    Raises:
        ArgumentError: a negative or infinite number of cycles, or a temperature [K] out of range.
    """
    number = counts("cycles", cycles, "cycles") / (law.cycles * slowdown(law.activation_energy, temperature))
    with np.errstate(over="ignore"):  # an infinite power leaves nothing, which is right
        return np.asarray(1.0 / (1.0 + number**law.exponent))


def cycles_to_loss(law: Fatigue, kept: float, temperature: float = 300.0) -> float:
    """Return after how many cycles only a share ``kept`` (0 to 1) of the polarisation is left.

    Raises:
        ArgumentError: ``kept`` does not lie between 0 and 1, or a temperature [K] out of range.
    """
    if not 1e-300 < kept < 1.0:
        raise argument_error("kept", "lie between 0 and 1", kept)
    half = law.cycles * slowdown(law.activation_energy, temperature)
    logarithm = math.log(half) + math.log(1.0 / kept - 1.0) / law.exponent
    return from_logarithm(logarithm, "kept", kept, "cycles")


def logarithmic_fatigue(cycles: ArrayLike, onset: float, loss_per_decade: float) -> NDArray[np.float64]:
    """Return the remanent polarisation over its fresh value when it falls with the logarithm of the cycles.

    Args:
        cycles: [1].
        onset: cycles after which it begins to fall [1].
        loss_per_decade: share of the fresh value lost in a tenfold number of cycles; never less than nothing is left.

    Raises:
        ArgumentError: a value out of range.
    """
    check_scale("onset", onset, "cycles")
    check_number("loss_per_decade", loss_per_decade, "1", may_vanish=True)
    number = np.maximum(counts("cycles", cycles, "cycles") / onset, 1.0)
    return np.asarray(np.maximum(1.0 - loss_per_decade * np.log10(number), 0.0))
