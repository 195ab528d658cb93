"""Sample-and-hold between integrator and converter: k T / C noise, acquisition, droop.

Sampling a voltage on C through any resistance leaves noise of k T / C whatever the resistance (Sarpeshkar 1993,
doi:10.1109/101.261888). In the time t to acquire, the share exp(-t / (R C)) of the step is missed. While it waits for
its conversion, a leakage current I changes it by I t / C.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from ferrogen.core.constants import BOLTZMANN
from ferrogen.core.errors import check_number


@dataclass(frozen=True, slots=True)
class SampleHold:
    """A sample-and-hold; defaults are assumed (source: none).

    Attributes:
        capacitance: [F].
        resistance: of its switch [Ohm].
        leakage_current: [A], always of one direction: what waits longer droops further.
        swing: voltage that stands for the full scale [V].
        acquisition_time: [s].
    """

    capacitance: float = 1e-12
    resistance: float = 5e3
    leakage_current: float = 1e-13
    swing: float = 0.6
    acquisition_time: float = 5e-8

    def __post_init__(self) -> None:
        check_number("capacitance", self.capacitance, "F")
        check_number("swing", self.swing, "V")
        check_number("acquisition_time", self.acquisition_time, "s")
        check_number("resistance", self.resistance, "Ohm", may_vanish=True)
        check_number("leakage_current", self.leakage_current, "A", may_vanish=True)

    def noise(self, temperature: float) -> float:
        """Return the rms of the sampled noise as a share of the full scale, sqrt(k T / C) / swing."""
        check_number("temperature", temperature, "K", may_vanish=True)
        return math.sqrt(BOLTZMANN * temperature / self.capacitance) / self.swing

    def missed_share(self) -> float:
        """Return the share of a step that is not acquired in time."""
        tau = self.resistance * self.capacitance
        return math.exp(-self.acquisition_time / tau) if tau > 0.0 else 0.0

    def droop(self, time: Any) -> Any:
        """Return the change after holding for ``time`` [s], as a share of the full scale."""
        return time * (self.leakage_current / (self.capacitance * self.swing))

    def hold(self, x: Any, full_scale: float, time: Any = 0.0) -> Any:
        """Return values after acquisition (from zero) and a ``time`` [s] of holding, in the unit of ``full_scale``."""
        return x * (1.0 - self.missed_share()) - self.droop(time) * full_scale

    def energy(self) -> float:
        """Return the energy [J] of one full-scale sample, C V^2."""
        return self.capacitance * self.swing**2

    def latency(self) -> float:
        """Return the acquisition time [s]."""
        return self.acquisition_time


@dataclass(frozen=True, slots=True)
class IdealSampleHold:
    """A sample-and-hold that takes no time and changes nothing."""

    def noise(self, temperature: float) -> float:  # noqa: ARG002 (same call as SampleHold)
        """Return 0."""
        return 0.0

    def hold(self, x: Any, full_scale: float, time: Any = 0.0) -> Any:  # noqa: ARG002
        """Return ``x`` unchanged."""
        return x

    def energy(self) -> float:
        """Return 0 J."""
        return 0.0

    def latency(self) -> float:
        """Return 0 s."""
        return 0.0
