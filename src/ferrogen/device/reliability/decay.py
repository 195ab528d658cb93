"""Empirical laws of retention: what measured curves are usually described with, beside the physical one.

A power law P_0 (t / t_0)^-n and a stretched exponential P_0 exp[-(t / tau)^b]; for HfO2 at room temperature the latter
fits beyond 100 s and the former does not (Appl. Phys. Lett. 118, 082901 (2021)). Section 5 of the device reference.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import argument_error
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
class StretchedExponential:
    """Share kept exp[-(t / tau)^b].

    Attributes:
        time: tau at 300 K [s].
        exponent: b [1].
        activation_energy: of that time [eV].
    """

    time: float
    exponent: float
    activation_energy: float = 0.0

    def __post_init__(self) -> None:
        check_scale("time", self.time, "s")
        check_exponent("exponent", self.exponent)
        check_energy(self.activation_energy)


@dataclass(frozen=True, slots=True)
class PowerLaw:
    """Share kept (t / t_0)^-n from t_0 onwards, and all of it before.

    Attributes:
        time: t_0 at 300 K [s].
        exponent: n [1].
        activation_energy: of that time [eV].
    """

    time: float
    exponent: float
    activation_energy: float = 0.0

    def __post_init__(self) -> None:
        check_scale("time", self.time, "s")
        check_exponent("exponent", self.exponent)
        check_energy(self.activation_energy)


def decay_of(spec: ReliabilitySpec) -> StretchedExponential:
    """Return the stretched exponential that a card's section describes."""
    return StretchedExponential(
        spec.retention_time.value, spec.retention_exponent.value, spec.retention_activation_energy.value
    )


def share_kept(
    law: StretchedExponential | PowerLaw, time: ArrayLike, temperature: float = 300.0
) -> NDArray[np.float64]:
    """Return the share of the polarisation that is kept after a time [s] at a temperature [K].

    Raises:
        ArgumentError: a negative or infinite time, or a temperature out of range.
    """
    scaled = counts("time", time, "s") / (law.time * slowdown(law.activation_energy, temperature))
    if isinstance(law, PowerLaw):
        return np.asarray(np.maximum(scaled, 1.0) ** -law.exponent)
    with np.errstate(over="ignore"):  # an infinite exponent keeps nothing, which is right
        return np.asarray(np.exp(-(scaled**law.exponent)))


def time_until(law: StretchedExponential | PowerLaw, kept: float, temperature: float = 300.0) -> float:
    """Return when [s] only a share ``kept`` (between 0 and 1) is left.

    Raises:
        ArgumentError: a share or temperature [K] out of range.
    """
    if not 0.0 < kept < 1.0:
        raise argument_error("kept", "lie between 0 and 1", kept)
    scale = law.time * slowdown(law.activation_energy, temperature)
    loss = -math.log(kept)
    in_scale = loss / law.exponent if isinstance(law, PowerLaw) else math.log(loss) / law.exponent
    return from_logarithm(math.log(scale) + in_scale, "kept", kept, "s")
