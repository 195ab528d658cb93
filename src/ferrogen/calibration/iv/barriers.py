"""Barriers from the curves of one state: Gruverman, Brinkman, Simmons, and the integral they approximate.

In all of them thickness and mass stand together as thickness x sqrt(mass), in the exponent as in the prefactor. The
curves fix that product and the heights; the mass rests on the thickness that was told.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ferrogen.calibration.compare import Law, Tried, try_laws
from ferrogen.calibration.fit import Free
from ferrogen.calibration.iv.curves import Curve, CurveSet, voltage_blocks
from ferrogen.core.errors import ArgumentError
from ferrogen.device.transport.barrier import Barrier, trapezoid_profile
from ferrogen.device.transport.direct import brinkman, gruverman, simmons
from ferrogen.device.transport.wkb import tunnel_current

Array = NDArray[np.float64]
Density = Callable[[Array, Barrier, float], Array]
"""(voltage [V], barrier, temperature [K]) -> current density [A/m^2]."""

_LARGEST_HEIGHT = 6.0  # eV, of a card's barriers
_CLEAR = 0.05  # eV by which a barrier must exceed the voltage at the start of a search
INTEGRAL = "integral"

_FORMS: dict[str, tuple[Density, float]] = {
    # name -> current density, and the least height over the largest voltage
    "Gruverman": (lambda v, barrier, _: gruverman(v, barrier), 1.0),
    "Brinkman": (lambda v, barrier, _: brinkman(v, barrier), 2.0),
    "Simmons": (lambda v, barrier, _: simmons(v, barrier), 1.0),
    INTEGRAL: (lambda v, barrier, t: tunnel_current(trapezoid_profile(barrier, v), v, t), 0.0),
}


def barrier_laws(data: CurveSet, curves: Sequence[Curve], thickness: float) -> tuple[list[Law], list[str], Array]:
    """Return the forms that can hold up to the largest voltage, sentences on those that cannot, and the voltages.

    Args:
        data: of which the curves are; says whether currents are densities.
        curves: of one state at one temperature; their logarithms are fitted together.
        thickness: of the barrier [m].
    """
    voltage = np.concatenate([curve.voltage for curve in curves])
    logs = np.concatenate([np.log(np.abs(data.density(curve))) for curve in curves])
    temperature = float(np.mean([curve.temperature for curve in curves]))
    largest = float(np.abs(voltage).max())
    laws, said = [], []
    for name, (form, share) in _FORMS.items():
        least = share * largest + _CLEAR
        if share and least >= _LARGEST_HEIGHT:
            said.append(f"{name} holds for no barrier up to 6 eV at {largest:g} V; give a smaller largest_voltage.")
            continue
        laws.append(_law(name, form, voltage, logs, temperature, thickness, least, known=data.area is not None))
    return laws, said, voltage


def fit_barriers(
    data: CurveSet, curves: Sequence[Curve], thickness: float, generator: np.random.Generator
) -> tuple[list[Tried], list[str]]:
    """Fit all forms to the curves of one state; best by AIC first. Arguments as for :func:`barrier_laws`."""
    laws, said, voltage = barrier_laws(data, curves, thickness)
    return try_laws(laws, voltage_blocks(voltage, 4), generator), said


def barrier_of(values: dict[str, float], thickness: float) -> Barrier:
    """Return the barrier that fitted values describe."""
    top = values.get("top_barrier_height", values.get("mean_barrier_height", math.nan))
    bottom = values.get("bottom_barrier_height", values.get("mean_barrier_height", math.nan))
    return Barrier(top, bottom, thickness, values["tunnelling_mass"])


def barrier_current(name: str, values: dict[str, float], voltage: Array, temperature: float, thickness: float) -> Array:
    """Return the current density that a fitted form gives [A/m^2] (times the free factor, if there is one)."""
    form, _ = _FORMS[name]
    return values.get("area_factor", 1.0) * form(voltage, barrier_of(values, thickness), temperature)


def _law(
    name: str, form: Density, voltage: Array, logs: Array, temperature: float, thickness: float, least: float, *,
    known: bool,
) -> Law:  # fmt: skip
    def shape(values: dict[str, float]) -> Array:
        try:
            found = np.abs(form(voltage, barrier_of(values, thickness), temperature))
        except ArgumentError:  # outside of where the form holds: no solution there
            return np.full(voltage.shape, np.nan)
        with np.errstate(divide="ignore"):
            return np.where(found > 0.0, np.log(found), np.nan)

    def residuals(values: dict[str, float]) -> Array:
        return logs - shape(values) - math.log(values.get("area_factor", 1.0))

    heights = ["mean_barrier_height"] if name == "Simmons" else ["top_barrier_height", "bottom_barrier_height"]
    free = [Free(key, max(2.0, least), 0.1, _LARGEST_HEIGHT, unit="eV") for key in heights]
    free.append(Free("tunnelling_mass", 0.2, 0.01, 5.0, logarithmic=True))
    free, middle = _start(free, shape, logs, least, fixed_scale=known)
    if not known:
        free.append(Free("area_factor", middle, middle * 1e-40, middle * 1e40, logarithmic=True, unit="m^2"))
    # One search: the grid has found the valley. With the scale free that is one without a bottom: not far along it.
    return Law(name, residuals, free, evaluations=300 if known else 60)


def _start(
    free: list[Free], shape: Callable[[dict[str, float]], Array], logs: Array, least: float, *, fixed_scale: bool
) -> tuple[list[Free], float]:
    """Return the parameters started at the best of a grid of heights and masses, and the scale that fits there."""
    best, chosen, middle = math.inf, free, 1.0
    for height in np.linspace(max(least, 0.3), _LARGEST_HEIGHT - 0.1, 10):
        for mass in np.geomspace(0.011, 4.9, 14):
            values = {item.name: float(mass if item.name == "tunnelling_mass" else height) for item in free}
            left = logs - shape(values)
            if not np.isfinite(left).all():
                continue
            offset = 0.0 if fixed_scale else float(left.mean())
            cost = float(np.sum((left - offset) ** 2))
            if cost < best:
                best = cost
                chosen = [replace(item, start=values[item.name]) for item in free]
                middle = math.exp(min(max(offset, -500.0), 500.0))
    return chosen, middle
