"""The laws a retention curve is tried with: in the logarithm of time, a power of it, a stretched exponential.

At several temperatures the curves are one master curve whose time is stretched by exp[E / k (1 / T - 1 / 300 K)]. The
curves of the laws are those of :mod:`ferrogen.device.reliability.extrapolation`; here they get parameters by name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from ferrogen.calibration.compare import Law
from ferrogen.calibration.conditions import distinct_temperatures
from ferrogen.calibration.fit import Free, Residuals
from ferrogen.calibration.retention.curves import Curve, CurveSet
from ferrogen.device.reliability.arrhenius import slowdown
from ferrogen.device.reliability.extrapolation import Decay, decay_curve

Array = NDArray[np.float64]

LAWS: tuple[Decay, ...] = get_args(Decay)
_TIMES = (1e-9, 1e30)  # bounds of a card's retention time [s]
_EXPONENTS = (0.01, 2.0)
_FLOOR = 1e-12


def reference_time(curves: Sequence[Curve]) -> float:
    """Return the geometric mean of all times [s], at which power and logarithmic law state their value."""
    return float(np.exp(np.mean(np.concatenate([np.log(curve.time) for curve in curves]))))


def predict(
    law: Decay, values: Mapping[str, float], amplitude: float, time: Array, temperature: float, reference: float
) -> Array:
    """Return a law's curve.

    Args:
        law: ``logarithmic``, ``power`` or ``stretched``.
        values: its parameters; ``activation_energy`` may be missing, and is then zero.
        amplitude: value at ``reference`` and 300 K, or at time zero for ``stretched``.
        time: [s].
        temperature: [K].
        reference: time at which the value is stated [s].
    """
    log_time = np.log(time) - math.log(slowdown(values.get("activation_energy", 0.0), temperature))
    if law == "stretched":
        shape = [math.log(amplitude), math.log(values["retention_exponent"]), math.log(values["retention_time"])]
        return decay_curve(law, log_time, np.array(shape))
    log_time = log_time - math.log(reference)
    if law == "power":
        return decay_curve(law, log_time, np.array([math.log(amplitude), values["power_exponent"]]))
    slope = amplitude * values["loss_per_decade"] / math.log(10.0)
    return decay_curve(law, log_time, np.array([amplitude, slope]))


def amplitude_name(curve: int, *, own: bool) -> str:
    """Return the name of the amplitude of a curve, which is common to all curves unless each has its own."""
    return f"value_{curve + 1}" if own else "value"


def retention_laws(data: CurveSet, *, own: bool, activation_energy: float | None) -> list[Law]:
    """Return the three laws for some curves.

    Args:
        data: the curves.
        own: every curve has an amplitude of its own.
        activation_energy: where it is known [eV]; None fits it if there are several temperatures, and else leaves it.
    """
    curves = data.curves
    reference = reference_time(curves)
    several = len(distinct_temperatures([curve.temperature for curve in curves])) > 1
    energy = [Free("activation_energy", 0.5, 0.0, 3.0, unit="eV")] if several and activation_energy is None else []
    fixed = {} if activation_energy is None else {"activation_energy": activation_energy}
    count = len(curves) if own else 1
    tops = [float(max(item.value.max() for item in (curves[k : k + 1] if own else curves))) for k in range(count)]
    amplitudes = [
        Free(amplitude_name(k, own=own), top, top * 1e-6, top * 1e3, logarithmic=True, unit=data.unit)
        for k, top in enumerate(tops)
    ]
    last = max(float(curve.time.max()) for curve in curves)
    shapes: dict[Decay, list[Free]] = {
        "logarithmic": [Free("loss_per_decade", 0.02, -2.0, 2.0)],
        "power": [Free("power_exponent", 0.02, -2.0, 3.0)],
        "stretched": [
            Free("retention_time", min(30.0 * last, 1e29), *_TIMES, logarithmic=True, unit="s"),
            Free("retention_exponent", 0.3, *_EXPONENTS, logarithmic=True),
        ],
    }
    return [
        Law(law, _residuals(law, data, reference, fixed, own=own), [*amplitudes, *shapes[law], *energy], starts=4)
        for law in LAWS
    ]


def _residuals(law: Decay, data: CurveSet, reference: float, fixed: Mapping[str, float], *, own: bool) -> Residuals:
    scale = max(float(curve.value.max()) for curve in data.curves)

    def residuals(values: dict[str, float]) -> Array:
        parts = []
        for k, curve in enumerate(data.curves):
            amplitude = values[amplitude_name(k, own=own)]
            found = predict(law, {**values, **fixed}, amplitude, curve.time, curve.temperature, reference)
            if data.relative:
                parts.append(np.log(curve.value) - np.log(np.maximum(found, _FLOOR * amplitude)))
            else:
                parts.append((curve.value - found) / scale)
        return np.concatenate(parts)

    return residuals


def time_blocks(curves: Sequence[Curve], count: int = 5) -> NDArray[np.intp]:
    """Return the block of each point: ``count`` blocks of times, the last of which is the test of extrapolation."""
    times = np.concatenate([curve.time for curve in curves])
    edges = np.quantile(np.log(times), np.linspace(0.0, 1.0, count + 1)[1:-1])
    return np.asarray(np.searchsorted(edges, np.log(times), side="right"), dtype=np.intp)
