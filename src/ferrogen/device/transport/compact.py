"""The compact read model: parallel domains and a sinh characteristic common to all states.

I(V, s) = [s G_on + (1 - s) G_off] V0 sinh(V / V0). The domains' areas add; that V0 does not depend on the state was
measured by Berdan 2020 (doi:10.1038/s41928-020-0405-0) and is what makes a linear product possible.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.arrays import finite_array
from ferrogen.core.errors import argument_error

_LARGEST_EXPONENT = 600.0  # of the sinh, which overflows at 710


def conductance(
    switched_fraction: ArrayLike, on_conductance: ArrayLike, off_conductance: ArrayLike
) -> NDArray[np.float64]:
    """Return the small-signal conductance [S] of cells whose share ``switched_fraction`` (0 to 1) is switched on."""
    s = np.asarray(switched_fraction, dtype=np.float64)
    on, off = np.asarray(on_conductance, dtype=np.float64), np.asarray(off_conductance, dtype=np.float64)
    return np.asarray(s * on + (1.0 - s) * off)


def averaged_conductance(
    switched_fraction: ArrayLike, on_conductance: ArrayLike, off_conductance: ArrayLike
) -> NDArray[np.float64]:
    """Return the conductance [S] if all electrons see the mean barrier: G_off (G_on / G_off)^s.

    The other limit than :func:`conductance`, for domains much narrower than the film is thick; which one is nearer to a
    sum over domains, :func:`.read_model.law_errors` says.
    """
    s = np.asarray(switched_fraction, dtype=np.float64)
    on, off = np.asarray(on_conductance, dtype=np.float64), np.asarray(off_conductance, dtype=np.float64)
    return np.asarray(off * (on / off) ** s)


def effective_voltage(voltage: ArrayLike, characteristic_voltage: float) -> NDArray[np.float64]:
    """Return V0 sinh(V / V0) [V]: at that voltage an ohmic cell of the same conductance carries the same current.

    Raises:
        ArgumentError: a voltage [V] that is not finite, or so large that the sinh overflows.
    """
    v = finite_array("voltage", voltage, "V")
    if (np.abs(v) > _LARGEST_EXPONENT * characteristic_voltage).any():
        limit = _LARGEST_EXPONENT * characteristic_voltage
        raise argument_error("voltage", f"stay within {limit:g} V", f"{np.abs(v).max():g} V")
    return np.asarray(characteristic_voltage * np.sinh(v / characteristic_voltage))


def read_current(
    voltage: ArrayLike,
    switched_fraction: ArrayLike,
    on_conductance: ArrayLike,
    off_conductance: ArrayLike,
    characteristic_voltage: float,
) -> NDArray[np.float64]:
    """Return the read current [A] at ``voltage`` [V]; all arguments broadcast."""
    return conductance(switched_fraction, on_conductance, off_conductance) * effective_voltage(
        voltage, characteristic_voltage
    )
