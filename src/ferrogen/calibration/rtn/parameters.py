"""From fitted traps to the parameters of a card: areas, units, and what may not be put into one."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ferrogen.calibration.fragment import fitted
from ferrogen.calibration.samples import Sample
from ferrogen.device.parameter import Parameter, Spread

Array = NDArray[np.float64]

REFERENCE_AREA = 1e-14
"""Area [m^2] to which a card's number and amplitude of traps refer."""

_LARGEST_WIDTH = 3.0


def conductance(signal: Array, unit: str) -> Array:
    """Return a signal such that an increase is more conduction: resistances become conductances."""
    return np.asarray(1.0 / signal) if unit == "Ohm" else signal


def area_factor(sample: Sample) -> tuple[float, str]:
    """Return (reference area over the sample's, what to say about it)."""
    if sample.area is None:
        return 1.0, (
            "The electrode's area was not told: number and amplitude of traps are written as if it were 1e-14 m^2, the"
            " area to which a card refers them."
        )
    return REFERENCE_AREA / sample.area, ""


def number_parameter(mean: float, error: float, factor: float, *, note: str, source: str) -> Parameter:
    """Return ``traps_per_cell`` for the reference area, with its Poisson spread."""
    spread = Spread(kind="d2d", distribution="poisson")
    return fitted(mean * factor, "1", error * factor, note=note, source=source, spread=spread)


def amplitude_parameter(
    median: float, error: float, width: float, factor: float, *, note: str, source: str
) -> Parameter:
    """Return ``trap_amplitude`` for the reference area, with its log-normal spread."""
    spread = Spread(kind="trap", distribution="lognormal", value=float(f"{min(width, _LARGEST_WIDTH):.4g}"))
    return fitted(min(median / factor, 0.9), "1", error / factor, note=note, source=source, spread=spread)


def time_parameter(low: float, high: float, *, note: str, source: str) -> Parameter:
    """Return ``trap_time_constant``, log-uniform from ``low`` to ``high`` [s]; its value is their geometric mean."""
    spread = Spread(kind="trap", distribution="loguniform", low=float(f"{low:.4g}"), high=float(f"{high:.4g}"))
    return fitted(float(np.sqrt(low * high)), "s", float("nan"), note=note, source=source, spread=spread)
