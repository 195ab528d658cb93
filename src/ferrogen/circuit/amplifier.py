"""Transimpedance amplifier with gated integrator: the noise it adds to a window's mean current, and its range.

:class:`Integrator` only clips; an integrator with a capacitor (k T / C noise, leakage, finite gain) is
:class:`.readout.integrator.CapacitiveIntegrator`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.constants import BOLTZMANN
from ferrogen.core.errors import argument_error, check_number
from ferrogen.device.noise.electronic import shot_density, thermal_density, window_bandwidth

_ROOM = 300.0  # K; the bias current is designed there


@dataclass(frozen=True, slots=True)
class Amplifier:
    """A transimpedance amplifier; its noise is averaged by an integrating window of length T.

    The noise bandwidth of a window is B = 1 / (2 T), and the mean-square noise current
    i^2 = (4 k T_K / R) B + 2 q I B + (2 pi e_n C)^2 B^3 / 3: thermal, shot, and voltage noise on the line's
    capacitance.

    Its bias follows from the voltage noise: a differential pair has e_n^2 = 8 k T gamma / g_m, and each of its sides
    draws g_m / (g_m / I_D).

    Attributes:
        feedback_resistance: the gain [Ohm].
        voltage_noise: input-referred, [V/sqrt(Hz)].
        input_capacitance: of the bit line and input [F].
        bandwidth: of its single pole [Hz]; infinite: it settles at once.
        offset_voltage: standard deviation of the input offset from amplifier to amplifier [V]. It drives the line's
            cells backwards, too: the error is V (1 / R + sum of the lines' G). Double sampling removes it (Enz and
            Temes 1996, doi:10.1109/5.542410), so the sample mode does not see it.
        swing: largest output [V]; infinite: it never saturates.
        noise_gain: whether the voltage noise also drives the line's cells, e_n (1 / R + sum of G) sqrt(B) in the
            multiply mode. Off by default, where it would add 0.2 % to the noise of a full 128-row tile.
        supply: [V]; assumed (source: none).
        transconductance_efficiency: g_m / I_D [1/V]; assumed, moderate inversion (Silveira 1996, doi:10.1109/4.535416).
        excess_noise: gamma of the pair's transistors [1]; assumed, 2/3 of long channels.
    """

    feedback_resistance: float = 1e6
    voltage_noise: float = 5e-9
    input_capacitance: float = 1e-12
    bandwidth: float = math.inf
    offset_voltage: float = 0.0
    swing: float = math.inf
    noise_gain: bool = False
    supply: float = 1.2
    transconductance_efficiency: float = 15.0
    excess_noise: float = 2.0 / 3.0

    def __post_init__(self) -> None:
        check_number("feedback_resistance", self.feedback_resistance, "Ohm")
        check_number("voltage_noise", self.voltage_noise, "V/sqrt(Hz)", may_vanish=True)
        check_number("input_capacitance", self.input_capacitance, "F", may_vanish=True)
        check_number("offset_voltage", self.offset_voltage, "V", may_vanish=True)
        check_number("supply", self.supply, "V")
        check_number("transconductance_efficiency", self.transconductance_efficiency, "1/V")
        check_number("excess_noise", self.excess_noise, "1")
        for name, unit in (("bandwidth", "Hz"), ("swing", "V")):
            if getattr(self, name) != math.inf:
                check_number(name, getattr(self, name), unit)

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

    def line_noise_current(self, duration: float, line_conductance: ArrayLike) -> NDArray[np.float64]:
        """Return the rms [A] that the voltage noise drives through cells of ``line_conductance`` [S] on the line.

        Zero unless ``noise_gain`` is set. For a window of ``duration`` [s]: e_n (1 / R + G) sqrt(B).
        """
        lines = np.asarray(line_conductance, dtype=np.float64)
        if not self.noise_gain:
            return np.zeros(lines.shape)
        density = self.voltage_noise * (1.0 / self.feedback_resistance + lines)
        return np.asarray(density * math.sqrt(window_bandwidth(duration)))

    @property
    def time_constant(self) -> float:
        """Of the pole [s], 1 / (2 pi bandwidth)."""
        return 0.0 if self.bandwidth == math.inf else 0.5 / (math.pi * self.bandwidth)

    def settling_error(self, time: float) -> float:
        """Return the share of a step that is missing after ``time`` [s], exp(-t / tau)."""
        check_number("time", time, "s", may_vanish=True)
        tau = self.time_constant
        return 0.0 if tau == 0.0 else math.exp(-time / tau)

    def window_gain(self, duration: float) -> float:
        """Return the gain of a window's mean after a step at its start: 1 - (tau / T) (1 - exp(-T / tau))."""
        check_number("duration", duration, "s")
        ratio = self.time_constant / duration
        return 1.0 if ratio == 0.0 else 1.0 + ratio * math.expm1(-1.0 / ratio)

    def draw(self, shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[np.float64]:
        """Draw the input offsets [V] of amplifiers: normal, mean zero."""
        return self.offset_voltage * generator.standard_normal(shape)

    def offset_current(self, offset: Any, line_conductance: Any) -> Any:
        """Return the current [A] an ``offset`` [V] stands for, with cells of ``line_conductance`` [S] on the line."""
        return offset * (1.0 / self.feedback_resistance + line_conductance)

    @property
    def largest_current(self) -> float:
        """The current [A] beyond which the output saturates, swing / R."""
        return self.swing / self.feedback_resistance

    def limit(self, current: Any) -> Any:
        """Clip currents [A] to what the output can show."""
        if self.swing == math.inf:
            return current
        return current.clip(-self.largest_current, self.largest_current)

    def bias_current(self) -> float:
        """Return the current [A] drawn from the supply, for the stated voltage noise at 300 K.

        An amplifier without voltage noise is an idealisation that no bias can build; it is counted as drawing nothing.
        """
        if self.voltage_noise == 0.0:
            return 0.0
        transconductance = 8.0 * BOLTZMANN * _ROOM * self.excess_noise / self.voltage_noise**2
        return 2.0 * transconductance / self.transconductance_efficiency

    def energy(self, duration: float) -> float:
        """Return the energy [J] of one amplifier for ``duration`` [s], supply times bias times time."""
        check_number("duration", duration, "s", may_vanish=True)
        return self.supply * self.bias_current() * duration

    def latency(self, error: float = 1e-3) -> float:
        """Return the time [s] after which less than ``error`` of a step is missing."""
        if not 0.0 < error < 1.0:
            raise argument_error("error", "lie between 0 and 1", error)
        return self.time_constant * math.log(1.0 / error)


@dataclass(frozen=True, slots=True)
class IdealAmplifier:
    """An amplifier without noise (not even the shot noise of the cells), offset, delay or energy."""

    def noise_current(self, duration: float, temperature: float, current: ArrayLike) -> NDArray[np.float64]:  # noqa: ARG002
        """Return zeros shaped like ``current``."""
        return np.zeros(np.shape(current))

    @property
    def offset_voltage(self) -> float:
        """It has none."""
        return 0.0

    @property
    def noise_gain(self) -> bool:
        """It has no noise to gain."""
        return False

    def line_noise_current(self, duration: float, line_conductance: ArrayLike) -> NDArray[np.float64]:  # noqa: ARG002
        """Return zeros shaped like ``line_conductance``."""
        return np.zeros(np.shape(line_conductance))

    @property
    def largest_current(self) -> float:
        """It has no limit."""
        return math.inf

    def window_gain(self, duration: float) -> float:  # noqa: ARG002
        """Return 1."""
        return 1.0

    def draw(self, shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[np.float64]:  # noqa: ARG002
        """Return zeros."""
        return np.zeros(shape)

    def offset_current(self, offset: Any, line_conductance: Any) -> Any:  # noqa: ARG002
        """Return zeros."""
        return 0.0 * line_conductance

    def limit(self, current: Any) -> Any:
        """Return ``current`` unchanged."""
        return current

    def energy(self, duration: float) -> float:  # noqa: ARG002
        """Return 0 J."""
        return 0.0

    def latency(self, error: float = 1e-3) -> float:  # noqa: ARG002
        """Return 0 s."""
        return 0.0


@dataclass(frozen=True, slots=True)
class Integrator:
    """A gated integrator: what exceeds its full scale is lost."""

    def saturate(self, current: Any, full_scale: Any) -> Any:
        """Clip a window's mean current to +-``full_scale`` [A]."""
        return current.clip(-full_scale, full_scale)

    def noise_current(self, duration: float, temperature: float, full_scale: float) -> float:  # noqa: ARG002
        """Return 0 A: this one's reset is perfect."""
        return 0.0

    def gain(self, duration: float) -> float:  # noqa: ARG002
        """Return 1: this one does not leak."""
        return 1.0

    def energy(self, charge: float, supply: float) -> float:
        """Return the energy [J] of integrating a ``charge`` [C]: it comes from the ``supply`` [V]."""
        return charge * supply


@dataclass(frozen=True, slots=True)
class IdealIntegrator:
    """An integrator that never saturates."""

    def saturate(self, current: Any, full_scale: Any) -> Any:  # noqa: ARG002 (same call as Integrator)
        """Return ``current`` unchanged."""
        return current

    def noise_current(self, duration: float, temperature: float, full_scale: float) -> float:  # noqa: ARG002
        """Return 0 A."""
        return 0.0

    def gain(self, duration: float) -> float:  # noqa: ARG002
        """Return 1."""
        return 1.0

    def energy(self, charge: float, supply: float) -> float:  # noqa: ARG002
        """Return 0 J."""
        return 0.0


AnyAmplifier = Amplifier | IdealAmplifier
