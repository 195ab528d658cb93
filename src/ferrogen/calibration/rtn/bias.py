"""Level and depth of a trap from its time constants at several voltages.

Detailed balance: tau_c / tau_e = exp[(E_T - q V x) / kT], with E_T the level above the Fermi level at zero bias and x
the share of the voltage that drops between electrode and trap (Kirton & Uren, Adv. Phys. 38, 367 (1989),
doi:10.1080/00018738900101122; degeneracy 1). So ln(tau_c / tau_e) is a straight line in the voltage. That x is not
negative says which of the two states is occupied.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ferrogen.core.constants import BOLTZMANN_EV
from ferrogen.core.errors import argument_error, check_number


@dataclass(frozen=True, slots=True)
class TrapPosition:
    """Where a trap lies.

    Attributes:
        level: above the electrode's Fermi level at zero bias [eV].
        level_error: standard error [eV].
        relative_depth: share of the voltage between electrode and trap.
        relative_depth_error: standard error.
        occupied_is_low: whether the trap is occupied while the signal is at its low level.
        chi_square: of the straight line, per degree of freedom; NaN with two voltages, where any line fits.
        note: empty, or why the numbers are doubtful.
    """

    level: float
    level_error: float
    relative_depth: float
    relative_depth_error: float
    occupied_is_low: bool
    chi_square: float
    note: str


def trap_position(
    voltage: ArrayLike, time_low: ArrayLike, time_high: ArrayLike, log_error: ArrayLike, temperature: float
) -> TrapPosition:
    """Fit level and relative depth of one trap.

    Args:
        voltage: at each measurement [V], at least two different ones.
        time_low: mean dwell time at the low level of the signal, in any unit.
        time_high: mean dwell time at the high level, in the same unit.
        log_error: standard error of ln(time_high / time_low) at each measurement.
        temperature: [K].

    Raises:
        ArgumentError: fewer than two voltages, times or errors that are not positive, arrays of different length.
    """
    check_number("temperature", temperature, "K")
    v, low, high, error = (np.atleast_1d(np.asarray(a, float)) for a in (voltage, time_low, time_high, log_error))
    if not v.shape == low.shape == high.shape == error.shape or np.unique(v).shape[0] < 2:
        raise argument_error("voltage", "hold at least two different values in V, one for each pair of times", v)
    for name, values in (("time_low", low), ("time_high", high), ("log_error", error)):
        if not np.all(np.isfinite(values) & (values > 0.0)):
            raise argument_error(name, "hold positive, finite numbers", values)
    thermal = BOLTZMANN_EV * temperature
    # if the trap is occupied at the low level, it captures from the high one: tau_c = time_high
    y = np.log(high / low)
    design = np.stack([np.ones_like(v), -v], axis=1) / thermal
    weighted = design / error[:, None]
    matrix = np.linalg.inv(weighted.T @ weighted)
    theta = matrix @ weighted.T @ (y / error)
    freedom = v.shape[0] - 2
    chi = float(np.sum(((y - design @ theta) / error) ** 2) / freedom) if freedom else float("nan")
    occupied_is_low = bool(theta[1] >= 0.0)
    level, depth = theta if occupied_is_low else -theta
    errors = np.sqrt(np.diagonal(matrix) * (max(1.0, chi) if freedom else 1.0))
    note = ""
    if abs(depth) < 2.0 * errors[1]:
        note = "The time constants hardly depend on the voltage: which state is occupied is not identified."
    elif depth > 1.0 + 2.0 * errors[1]:
        note = "The relative depth exceeds one: more than the level's shift in the voltage changes the time constants."
    return TrapPosition(float(level), float(errors[0]), float(depth), float(errors[1]), occupied_is_low, chi, note)
