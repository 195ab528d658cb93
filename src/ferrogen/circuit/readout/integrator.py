"""A gated integrator with a capacitor: what its range, its reset, its leakage and its amplifier's gain do.

The capacitor is taken from a programmable bank, so that a full-scale current fills the swing in one window:
C = I T / V. Resetting it leaves a noise charge sqrt(k T_K C), on average over the window a current
sqrt(k T_K C) / T = sqrt(k T_K I / (V T)). In a double sample the reset happens once and its noise cancels (Enz and
Temes 1996, doi:10.1109/5.542410). Charge leaks with a time constant tau, which leaves (tau / T)(1 - exp(-T / tau)) of a
constant current's. An amplifier of gain A makes it lossy and small: 1 / (1 + 1 / A).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ferrogen.core.constants import BOLTZMANN
from ferrogen.core.errors import check_number


@dataclass(frozen=True, slots=True)
class CapacitiveIntegrator:
    """A gated integrator; defaults are assumed (source: none).

    Attributes:
        swing: voltage of the full scale [V].
        leakage_time: time constant of the capacitor's leakage [s]; infinite: none.
        amplifier_gain: at zero frequency [1]; infinite: ideal.
        reset_noise: whether k T / C noise of the reset is added to a product.
    """

    swing: float = 0.6
    leakage_time: float = 1.0
    amplifier_gain: float = 1e4
    reset_noise: bool = True

    def __post_init__(self) -> None:
        check_number("swing", self.swing, "V")
        for name, unit in (("leakage_time", "s"), ("amplifier_gain", "1")):
            if getattr(self, name) != math.inf:
                check_number(name, getattr(self, name), unit)

    def capacitance(self, duration: float, full_scale: float) -> float:
        """Return the capacitor [F] that a full scale [A] fills in a window of ``duration`` [s]."""
        check_number("duration", duration, "s")
        check_number("full_scale", full_scale, "A")
        return full_scale * duration / self.swing

    def saturate(self, current: Any, full_scale: Any) -> Any:
        """Clip a window's mean current to +-``full_scale`` [A]."""
        return current.clip(-full_scale, full_scale)

    def noise_current(self, duration: float, temperature: float, full_scale: float) -> float:
        """Return the rms [A] that the reset adds to a window's mean at a ``temperature`` [K]."""
        check_number("temperature", temperature, "K", may_vanish=True)
        if not self.reset_noise:
            return 0.0
        return math.sqrt(BOLTZMANN * temperature * self.capacitance(duration, full_scale)) / duration

    def gain(self, duration: float) -> float:
        """Return the share of a constant current's charge that is there at the end of a window of ``duration`` [s]."""
        check_number("duration", duration, "s")
        u = duration / self.leakage_time
        kept = 1.0 if u == 0.0 else -math.expm1(-u) / u
        return kept / (1.0 + 1.0 / self.amplifier_gain)

    def energy(self, charge: float, supply: float) -> float:
        """Return the energy [J] of integrating a ``charge`` [C]: it comes from the ``supply`` [V]."""
        return charge * supply
