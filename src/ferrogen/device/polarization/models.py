"""The three models behind one door: a field goes in, the polarisation comes out.

Each is parameters plus a start; ``respond`` never changes it, so the same waveform gives the same answer every time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE
from ferrogen.device.polarization.domains import DomainEnsemble, follow, initial_state
from ferrogen.device.polarization.landau import LandauParameters, follow_landau
from ferrogen.device.polarization.preisach import PreisachParameters, follow_preisach, saturated_state
from ferrogen.device.waveforms import Waveform


class PolarizationModel(Protocol):
    """Anything that answers a field with a polarisation."""

    def respond(self, field: Waveform) -> NDArray[np.float64]:
        """Return the polarisation after each step [C/m^2], shape ``(steps,)``, from the model's own start.

        Args:
            field: its values are fields [V/m].
        """
        ...


@dataclass(frozen=True, slots=True)
class DomainModel:
    """The mean over the cells of a domain ensemble.

    Attributes:
        ensemble: the domains.
        temperature: [K].
        up: share of domains that are up at the start.
        key: of random flips; without one probabilities are followed.
        threads: over which cells are spread.
    """

    ensemble: DomainEnsemble
    temperature: float = REFERENCE_TEMPERATURE
    up: float = 0.0
    key: np.uint64 | None = None
    threads: int = 1

    def respond(self, field: Waveform) -> NDArray[np.float64]:
        """Return the mean polarisation of all cells after each step [C/m^2]."""
        out, _ = follow(
            self.ensemble,
            initial_state(self.ensemble, self.up, key=self.key),
            field.voltages,
            field.durations,
            temperature=self.temperature,
            key=self.key,
            threads=self.threads,
        )
        return np.asarray(out.mean(axis=0))


@dataclass(frozen=True, slots=True)
class PreisachModel:
    """A Preisach cell that comes from negative saturation."""

    parameters: PreisachParameters

    def respond(self, field: Waveform) -> NDArray[np.float64]:
        """Return the polarisation after each step [C/m^2]."""
        start = saturated_state(self.parameters)
        return np.asarray(follow_preisach(self.parameters, start, field.voltages, field.durations)[0][0])


@dataclass(frozen=True, slots=True)
class LandauModel:
    """A Landau-Khalatnikov film that starts in its lower well."""

    parameters: LandauParameters

    def respond(self, field: Waveform) -> NDArray[np.float64]:
        """Return the polarisation after each step [C/m^2]."""
        start = -self.parameters.remanent_polarization
        return np.asarray(follow_landau(self.parameters, start, field.voltages, field.durations)[0][0])
