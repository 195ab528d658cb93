"""The compact read model fitted to curves: a conductance each, and the voltage of the sinh common to all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.calibration.compare import Law, Tried, try_laws
from ferrogen.calibration.fit import Free, Residuals
from ferrogen.calibration.iv.curves import Curve, voltage_blocks
from ferrogen.device.transport.compact import effective_voltage

Array = NDArray[np.float64]

_VOLTAGES = (0.02, 20.0)
_MOST_OWN = 12  # curves up to which a voltage of its own is tried for each
_STEEPEST = 600.0  # V / V0, beyond which the sinh overflows
_LEAST_GAP = math.log(2.0)


@dataclass(frozen=True, slots=True)
class Compact:
    """The compact model of curves.

    Attributes:
        tried: laws, the best by AIC first.
        common: the law with one voltage for all curves.
        conductance: of each curve [S, or S/m^2].
        errors: their standard errors.
    """

    tried: list[Tried]
    common: Tried
    conductance: Array
    errors: Array


COMMON, OWN, POLAR = "one voltage", "a voltage a curve", "a voltage a polarity"


def compact_laws(curves: Sequence[Curve]) -> list[Law]:
    """Return the laws of ln|I| = ln[G V0 sinh(V / V0)] that are tried, the first with one V0 for all curves.

    One V0 for all is what a linear product of many cells needs; the others give one to each curve, or conductance and
    V0 to each polarity.
    """
    voltage = np.concatenate([curve.voltage for curve in curves])
    low = max(_VOLTAGES[0], float(np.abs(voltage).max()) / _STEEPEST)
    scale = Free("characteristic_voltage", min(max(0.4 * float(np.abs(voltage).max()), low), 10.0), low, 20.0,
                 logarithmic=True, unit="V")  # fmt: skip
    slopes = [float(np.median(curve.current / curve.voltage)) for curve in curves]
    conductances = [_conductance(f"conductance_{k + 1}", slope) for k, slope in enumerate(slopes)]
    laws = [Law(COMMON, _residuals(curves, COMMON), [*conductances, scale], starts=1)]
    if 1 < len(curves) <= _MOST_OWN:
        own = [_renamed(scale, f"characteristic_voltage_{k + 1}") for k in range(len(curves))]
        laws.append(Law(OWN, _residuals(curves, OWN), [*conductances, *own]))
    if (voltage > 0.0).any() and (voltage < 0.0).any() and len(curves) <= _MOST_OWN:
        polar = [
            _conductance(f"conductance_{k + 1}_{side}", slope)
            for k, slope in enumerate(slopes)
            for side in ("up", "down")
        ]
        both = [_renamed(scale, f"characteristic_voltage_{side}") for side in ("up", "down")]
        sided = [item for item in polar if _present(curves, item.name)]
        laws.append(Law(POLAR, _residuals(curves, POLAR), [*sided, *both]))
    return laws


def fit_compact_curves(curves: Sequence[Curve], generator: np.random.Generator) -> Compact:
    """Fit the compact model to curves at one temperature and compare its laws.

    Args:
        curves: at one temperature.
        generator: of further starts.
    """
    laws = compact_laws(curves)
    voltage = np.concatenate([curve.voltage for curve in curves])
    tried = try_laws(laws, voltage_blocks(voltage), generator)
    common = next(item for item in tried if item.name == COMMON)
    names = [f"conductance_{k + 1}" for k in range(len(curves))]
    return Compact(
        tried,
        common,
        np.array([common.result.values[name] for name in names]),
        np.array([common.result.standard_errors[name] for name in names]),
    )


def model_current(curve: Curve, conductance: float, characteristic_voltage: float) -> Array:
    """Return the compact model's current at the voltages of a curve, in the unit of its current."""
    return conductance * effective_voltage(curve.voltage, characteristic_voltage)


def split_states(conductance: Array) -> NDArray[np.bool_] | None:
    """Return which curves are in the on state, or None if the conductances are of one kind.

    They are of two kinds if the widest gap between their logarithms exceeds ln 2 and three standard deviations of
    either group.
    """
    logs = np.log(conductance)
    if logs.size < 2:
        return None
    ordered = np.sort(logs)
    k = int(np.diff(ordered).argmax())
    gap = float(ordered[k + 1] - ordered[k])
    groups = (ordered[: k + 1], ordered[k + 1 :])
    widest = max(float(group.std(ddof=1)) if group.size > 1 else 0.0 for group in groups)
    if gap < max(_LEAST_GAP, 3.0 * widest):
        return None
    return np.asarray(logs > ordered[k] + 0.5 * gap)


def _residuals(curves: Sequence[Curve], law: str) -> Residuals:
    data = np.concatenate([np.log(np.abs(curve.current)) for curve in curves])

    def residuals(values: dict[str, float]) -> Array:
        parts = []
        for k, curve in enumerate(curves):
            if law == POLAR:
                up = curve.voltage > 0.0
                for side, name in ((~up, "down"), (up, "up")):
                    if side.any():
                        scale = values[f"characteristic_voltage_{name}"]
                        shape = np.abs(effective_voltage(curve.voltage[side], scale))
                        parts.append(np.log(values[f"conductance_{k + 1}_{name}"] * shape))
                continue
            scale = values["characteristic_voltage" if law == COMMON else f"characteristic_voltage_{k + 1}"]
            parts.append(np.log(values[f"conductance_{k + 1}"] * np.abs(effective_voltage(curve.voltage, scale))))
        return np.asarray(data - np.concatenate(parts))  # voltages rise: the negative ones come first

    return residuals


def _present(curves: Sequence[Curve], name: str) -> bool:
    number, side = name.split("_")[1:]
    voltage = curves[int(number) - 1].voltage
    return bool((voltage > 0.0).any() if side == "up" else (voltage < 0.0).any())


def _conductance(name: str, slope: float) -> Free:
    start = max(slope, 1e-200)
    return Free(name, start, start * 1e-12, start * 1e6, logarithmic=True, unit="S")


def _renamed(item: Free, name: str) -> Free:
    return Free(name, item.start, item.low, item.high, logarithmic=item.logarithmic, unit=item.unit)
