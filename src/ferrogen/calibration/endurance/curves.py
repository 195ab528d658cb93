"""Endurance curves from tables, and the laws they are tried with: wake-up, fatigue, both, neither."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.calibration.compare import Law
from ferrogen.calibration.conditions import distinct_temperatures, file_temperatures, shown_temperature
from ferrogen.calibration.fit import Free, Residuals, fit
from ferrogen.calibration.kind import Request
from ferrogen.calibration.validation import profile
from ferrogen.core.errors import DataFileError
from ferrogen.device.reliability.arrhenius import check_temperature
from ferrogen.device.reliability.fatigue import Fatigue, fatigue_factor
from ferrogen.device.reliability.wake_up import WakeUp, wake_up_factor

Array = NDArray[np.float64]

_LEAST_POINTS = 4
_MOST_CYCLES = 1e20
WAKE_UP = ("wake_up_share", "wake_up_cycles", "wake_up_exponent")
FATIGUE = ("fatigue_cycles", "fatigue_exponent")
LAWS: Mapping[str, tuple[str, ...]] = {
    "constant": (),
    "wake-up": WAKE_UP,
    "fatigue": FATIGUE,
    "wake-up and fatigue": WAKE_UP + FATIGUE,
}


@dataclass(frozen=True, slots=True)
class Curve:
    """What was left after cycles.

    Attributes:
        label: of the curve.
        temperature: [K].
        cycles: rising, shape ``(points,)``.
        devices: positive values, shape ``(points, devices)``.
        value: mean over devices, shape ``(points,)``.
    """

    label: str
    temperature: float
    cycles: Array
    devices: Array
    value: Array


def read_curves(request: Request) -> tuple[list[Curve], str]:
    """Return the endurance curves of all tables and the unit of their values.

    A column of negative states makes the value half of the window between both.

    Raises:
        DataFileError: tables in different units, cycles in seconds, fewer than four points, values of both signs.
        ArgumentError: temperatures that cannot be used.
    """
    units = {table.units["value"] for table in request.tables}
    if len(units) > 1:
        raise DataFileError(f"The files hold values in different units ({', '.join(sorted(units))}). Fit them apart.")
    curves: list[Curve] = []
    for table, stated in zip(request.tables, file_temperatures(request), strict=True):
        if table.units["cycles"] != "1":
            raise DataFileError(f"'{table.name}': a curve of endurance is over cycles, not over seconds.")
        columns = table.read()
        cycles, values = columns["cycles"], columns["value"]
        if (cycles < 0.0).any() or (cycles > _MOST_CYCLES).any():
            raise DataFileError(f"'{table.name}': a number of cycles is negative or above {_MOST_CYCLES:g}.")
        if "negative_value" in columns:
            low = columns["negative_value"]
            if low.shape != values.shape:
                raise DataFileError(f"'{table.name}': there must be as many columns `negative_value` as `value`.")
            values = 0.5 * np.abs(values - low)
        elif (values < 0.0).all():
            values = -values
        if not (values > 0.0).all():
            raise DataFileError(f"'{table.name}': the values must all be of one sign and not zero. Leave out the dead.")
        temperature = columns.get("temperature", np.full(cycles.shape, stated))
        levels = distinct_temperatures(temperature.tolist())
        for k, level in enumerate(levels):
            check_temperature(level)
            above = np.inf if k + 1 == len(levels) else levels[k + 1]
            inside = (temperature >= level) & (temperature < above)
            order = np.argsort(cycles[inside], kind="stable")
            shown = shown_temperature(level)
            label = shown if len(request.tables) == 1 else f"{table.name}, {shown}"
            own = values[inside][order]
            curves.append(Curve(label, level, cycles[inside][order], own, own.mean(axis=1)))
    for curve in curves:
        if np.unique(curve.cycles).size < _LEAST_POINTS:
            raise DataFileError(f"The curve '{curve.label}' has fewer than {_LEAST_POINTS} numbers of cycles.")
    return curves, units.pop()


def predict(values: Mapping[str, float], cycles: Array, temperature: float) -> Array:
    """Return the value after cycles: woken value x wake-up x fatigue; what ``values`` lacks does not act."""
    found = np.full(cycles.shape, values["value"])
    energy = values.get("activation_energy", 0.0)
    if "wake_up_share" in values:
        wake = WakeUp(values["wake_up_share"], values["wake_up_cycles"], values["wake_up_exponent"], energy)
        found = found * wake_up_factor(wake, cycles, temperature)
    if "fatigue_cycles" in values:
        fatigue = Fatigue(values["fatigue_cycles"], values["fatigue_exponent"], energy)
        found = found * fatigue_factor(fatigue, cycles, temperature)
    return found


def residuals_of(curves: Sequence[Curve], fixed: Mapping[str, float]) -> Residuals:
    """Return data minus model as shares of the largest value."""
    scale = max(float(curve.value.max()) for curve in curves)

    def residuals(values: dict[str, float]) -> Array:
        return np.concatenate(
            [(curve.value - predict({**values, **fixed}, curve.cycles, curve.temperature)) / scale for curve in curves]
        )

    return residuals


def parameters(curves: Sequence[Curve], unit: str, *, energy: bool) -> dict[str, Free]:
    """Return every parameter with a start that follows from the data."""
    top = max(float(curve.value.max()) for curve in curves)
    first = float(np.mean([curve.value[0] for curve in curves]))
    last = max(float(curve.cycles.max()) for curve in curves)
    peak = max(float(np.mean([curve.cycles[curve.value.argmax()] for curve in curves])), 1.0)
    found = [
        Free("value", top, 0.05 * top, 20.0 * top, logarithmic=True, unit=unit),
        Free("wake_up_share", min(max(1.0 - first / top, 0.02), 0.9), 0.0, 0.95),
        Free("wake_up_cycles", min(max(peak**0.5, 1.0), 1e11), 1e-3, 1e12, logarithmic=True),
        Free("wake_up_exponent", 0.7, 0.05, 5.0, logarithmic=True),
        Free("fatigue_cycles", min(max(2.0 * last, 2.0), 9e17), 1.0, 1e18, logarithmic=True),
        Free("fatigue_exponent", 0.7, 0.05, 5.0, logarithmic=True),
        *([Free("activation_energy", 0.3, 0.0, 3.0, unit="eV")] if energy else []),
    ]
    return {item.name: item for item in found}


def endurance_laws(curves: Sequence[Curve], unit: str, activation_energy: float | None) -> list[Law]:
    """Return the laws to be tried, those with more parameters than the data can bear left out.

    Args:
        curves: at any temperatures.
        unit: of the values.
        activation_energy: of the cycles, where it is known [eV]; None fits it if there are several temperatures.
    """
    several = len(distinct_temperatures([curve.temperature for curve in curves])) > 1
    free = parameters(curves, unit, energy=several and activation_energy is None)
    fixed = {} if activation_energy is None else {"activation_energy": activation_energy}
    points = sum(curve.cycles.size for curve in curves)
    laws = []
    for name, terms in LAWS.items():
        own = [free["value"], *(free[term] for term in terms)]
        if terms and "activation_energy" in free:
            own.append(free["activation_energy"])
        if points > len(own) + 2:
            laws.append(Law(name, residuals_of(curves, fixed), own, starts=4))
    return laws


def least_fatigue_cycles(
    curves: Sequence[Curve], unit: str, *, wake_up: bool, exponent: float, energy: float | None
) -> float:
    """Return the number of cycles below which half of the value is not lost, at 95 % confidence, for an exponent.

    For curves that end before fatigue: the lower end of the two-sided 90 % profile-likelihood interval.

    Args:
        curves: that show no fatigue.
        unit: of the values.
        wake_up: they show wake-up.
        exponent: of fatigue, which such data cannot tell.
        energy: activation energy of the cycles [eV]; None for zero.
    """
    free = parameters(curves, unit, energy=False)
    fixed = {"fatigue_exponent": exponent, "activation_energy": energy or 0.0}
    residuals = residuals_of(curves, fixed)
    last = max(float(curve.cycles.max()) for curve in curves)
    far = Free("fatigue_cycles", min(max(1e3 * last, 10.0), 9e17), 1.0, 1e18, logarithmic=True)
    own = [free["value"], *(free[name] for name in (WAKE_UP if wake_up else ())), far]
    return profile(residuals, fit(residuals, own), "fatigue_cycles", level=0.9, tolerance=0.01).low
