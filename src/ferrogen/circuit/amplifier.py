"""Transimpedance amplifier with gated integrator: the noise it adds to a window's mean current, and its range."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import check_number
from ferrogen.device.noise.electronic import shot_density, thermal_density, window_bandwidth


@dataclass(frozen=True, slots=True)
class Amplifier:
    """A transimpedance amplifier; its noise is averaged by an integrating window of length T.

    The noise bandwidth of a window is B = 1 / (2 T), and the mean-square noise current
    i^2 = (4 k T_K / R) B + 2 q I B + (2 pi e_n C)^2 B^3 / 3: thermal, shot, and voltage noise on the line's
    capacitance.

    Attributes:
        feedback_resistance: [Ohm].
        voltage_noise: input-referred, [V/sqrt(Hz)].
        input_capacitance: of the bit line and input [F].
    """

    feedback_resistance: float = 1e6
    voltage_noise: float = 5e-9
    input_capacitance: float = 1e-12

    def __post_init__(self) -> None:
        check_number("feedback_resistance", self.feedback_resistance, "Ohm")
        check_number("voltage_noise", self.voltage_noise, "V/sqrt(Hz)", may_vanish=True)
        check_number("input_capacitance", self.input_capacitance, "F", may_vanish=True)

    def noise_current(self, duration: float, temperature: float, current: ArrayLike) -> NDArray[np.float64]:
        """Return the rms noise [A] of a window's mean for a ``duration`` [s], temperature [K] and mean current [A].

        Raises:
            ArgumentError: a duration that is not positive, or a temperature below zero.
        """
        bandwidth = window_bandwidth(duration)
        thermal = thermal_density(temperature, self.feedback_resistance) * bandwidth
        shot = shot_density(current) * bandwidth
        line = (2.0 * math.pi * self.voltage_noise * self.input_capacitance) ** 2 * bandwidth**3 / 3.0
        return np.asarray(np.sqrt(thermal + shot + line))


@dataclass(frozen=True, slots=True)
class IdealAmplifier:
    """An amplifier without noise (not even the shot noise of the cells)."""

    def noise_current(self, duration: float, temperature: float, current: ArrayLike) -> NDArray[np.float64]:  # noqa: ARG002
        """Return zeros shaped like ``current``."""
        return np.zeros(np.shape(current))


@dataclass(frozen=True, slots=True)
class Integrator:
    """A gated integrator: what exceeds its full scale is lost."""

    def saturate(self, current: Any, full_scale: Any) -> Any:
        """Clip a window's mean current to +-``full_scale`` [A]."""
        return current.clip(-full_scale, full_scale)


@dataclass(frozen=True, slots=True)
class IdealIntegrator:
    """An integrator that never saturates."""

    def saturate(self, current: Any, full_scale: Any) -> Any:  # noqa: ARG002 (same call as Integrator)
        """Return ``current`` unchanged."""
        return current


AnyAmplifier = Amplifier | IdealAmplifier
AnyIntegrator = Integrator | IdealIntegrator
