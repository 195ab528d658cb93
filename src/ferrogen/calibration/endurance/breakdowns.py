"""``endurance`` of breakdowns: Weibull (and log-normal) lifetimes by maximum likelihood, survivors censored."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from ferrogen.calibration.conditions import distinct_temperatures, file_temperatures, is_set
from ferrogen.calibration.fragment import CardFragment, assumed, fitted
from ferrogen.calibration.kind import Request
from ferrogen.calibration.result import Axis, Calibration, Panel, Series
from ferrogen.core.errors import DataFileError
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE
from ferrogen.device.parameter import Parameter
from ferrogen.device.reliability.acceleration import AcceleratedFit, fit_accelerated, life_in_use
from ferrogen.device.reliability.arrhenius import slowdown
from ferrogen.device.reliability.lifetime import Failures, Interval, failures, fit_lifetime, life_interval

Array = NDArray[np.float64]

_SCALE = -math.expm1(-1.0)  # the share that has failed by the Weibull scale
_NEAR = 5.0  # K
_TWO_SIDED = float(ndtri(0.975))
_SHARES = (0.001, 0.01, 0.5)


@dataclass(frozen=True, slots=True)
class Breakdowns:
    """Junctions that were tested until they broke down, or the test ended.

    Attributes:
        data: times (or cycles) and whether they failed.
        voltage: of each [V], or None.
        temperature: of each [K].
        unit: ``s`` or ``1`` (cycles).
    """

    data: Failures
    voltage: Array | None
    temperature: Array
    unit: str


def read_breakdowns(request: Request) -> Breakdowns:
    """Read times or cycles of breakdown.

    Raises:
        DataFileError: different units, a column ``failed`` of other than 0 and 1, voltages in some files only.
        ArgumentError: fewer than three failures, a time that is not positive, temperatures that cannot be used.
    """
    units = {table.units["cycles"] for table in request.tables}
    if len(units) > 1:
        raise DataFileError("Some files count seconds and some count cycles. Give one kind of file at a time.")
    times, failed, volts, heat = [], [], [], []
    for table, stated in zip(request.tables, file_temperatures(request), strict=True):
        columns = table.read()
        own = columns["cycles"]
        dead = columns.get("failed", np.ones_like(own))
        if not np.isin(dead, (0.0, 1.0)).all():
            raise DataFileError(f"'{table.name}': `failed` must be 1 for a breakdown and 0 for a survivor.")
        times.append(own)
        failed.append(dead == 1.0)
        if "voltage" in columns:
            volts.append(np.abs(columns["voltage"]))
        heat.append(columns.get("temperature", np.full(own.shape, stated)))
    if volts and len(volts) < len(times):
        raise DataFileError("Some files have a column of voltages and some have none.")
    data = failures(np.concatenate(times), np.concatenate(failed))
    return Breakdowns(data, np.concatenate(volts) if volts else None, np.concatenate(heat), units.pop())


def calibrate_breakdowns(request: Request) -> Calibration:
    """Fit lifetimes, at one condition or at several voltages (and temperatures).

    Raises:
        DataFileError: a table that cannot be used.
        ArgumentError: data without a maximum of the likelihood, conditions that cannot be told apart.
    """
    tests = read_breakdowns(request)
    volts = None if tests.voltage is None else np.unique(tests.voltage)
    heats = distinct_temperatures(tests.temperature.tolist())
    if volts is not None and volts.size > 1:
        return _accelerated(request, tests, several_temperatures=len(heats) > 1)
    if len(heats) > 1:
        raise DataFileError("Breakdowns at several temperatures need several voltages, too. Fit them apart.")
    weibull = fit_lifetime(tests.data)
    lognormal = fit_lifetime(tests.data, "lognormal")
    life, shape = life_interval(weibull, _SCALE), _shape(1.0 / weibull.scale, math.sqrt(weibull.covariance[1, 1]))
    unit = "s" if tests.unit == "s" else "cycles"
    given = request.number("voltage")
    voltage = float(volts[0]) if volts is not None else given if is_set(given) else None
    found, missing = _card(request, tests, life, shape, voltage, heats[0], None)
    gain = 2.0 * (weibull.log_likelihood - lognormal.log_likelihood)
    lives = {f"{share:g}": _record(life_interval(weibull, share)) for share in _SHARES}
    warnings = [] if gain > -2.0 else [f"A log-normal law describes the times better (AIC by {-gain:.1f})."]
    count = int(tests.data.failed.sum())
    if count < 20:
        warnings.append(
            f"With {count} failures the most likely shape is high by about {100 * _bias(count):.0f} % on average"
            " (Thoman, Bain and Antle 1969); it is not corrected."
        )
    panel, columns = _weibull_plot(tests.data, np.full(tests.data.time.shape, weibull.location), weibull.scale, unit)
    return Calibration(
        kind="endurance",
        fragment=CardFragment({"reliability": found} if found else {}, tuple(missing)),
        summary=(_summary(tests, life, shape, unit),),
        goodness={"log-likelihood, Weibull [1]": weibull.log_likelihood, "AIC, log-normal less Weibull [1]": gain},
        warnings=tuple(warnings),
        record={
            "weibull": {"scale": _record(life), "shape": _record(shape), "failures": count, "tested": _tested(tests)},
            "lognormal": {"location": lognormal.location, "deviation": lognormal.scale},
            "life_until_share_failed": lives,
        },
        residuals=columns,
        panels=(panel,),
    )


def _accelerated(request: Request, tests: Breakdowns, *, several_temperatures: bool) -> Calibration:
    if tests.voltage is None:  # not reached: only called with voltages
        raise DataFileError("There is no column of voltages.")
    heat = tests.temperature if several_temperatures else None
    model = fit_accelerated(tests.data, tests.voltage, heat)
    power = fit_accelerated(tests.data, tests.voltage, heat, power_law=True)
    gain = 2.0 * (model.log_likelihood - power.log_likelihood)
    lowest = float(tests.voltage.min())
    at = REFERENCE_TEMPERATURE if several_temperatures else None
    life = life_in_use(model, lowest, _SCALE, at).life
    shape = _shape(1.0 / model.scale, math.sqrt(model.covariance[-1, -1]))
    found, missing = _card(request, tests, life, shape, lowest, float(tests.temperature.mean()), model)
    given = request.number("voltage")
    use = None
    if is_set(given):
        use = life_in_use(model, given, 0.01, at)
    location = np.array(
        [
            math.log(life_in_use(model, float(v), _SCALE, None if at is None else float(t)).life.estimate)
            for v, t in zip(tests.voltage, tests.temperature, strict=True)
        ]
    )
    unit = "s" if tests.unit == "s" else "cycles"
    panel, columns = _weibull_plot(tests.data, location, model.scale, unit)
    summary = [
        _summary(tests, life, shape, unit) + f" The scale is that at {lowest:g} V.",
        f"The logarithm of the life falls by {model.acceleration:.3g} +- {model.acceleration_error:.2g} per volt.",
    ]
    if model.activation_energy is not None:
        summary.append(
            f"Activation energy {model.activation_energy:.3f} +- {math.sqrt(model.covariance[2, 2]):.3f} eV."
        )
    if use is not None:
        summary.append(
            f"1 % have failed at {given:g} V after {use.life.estimate:.3g} {unit}"
            f" ({use.life.low:.3g} to {use.life.high:.3g}, 95 %)."
        )
    warnings = [use.extrapolation] if use is not None and use.extrapolation else []
    if gain < -2.0:
        warnings.append(f"A power law in the voltage describes the lives better (AIC by {-gain:.1f}).")
    elif gain < 2.0:
        warnings.append("Exponential and power law in the voltage cannot be told apart; they differ far from the test.")
    return Calibration(
        kind="endurance",
        fragment=CardFragment({"reliability": found} if found else {}, tuple(missing)),
        summary=tuple(summary),
        goodness={"log-likelihood, Weibull [1]": model.log_likelihood, "AIC, power law less exponential [1]": gain},
        warnings=tuple(warnings),
        record={
            "weibull": {"scale": _record(life), "shape": _record(shape), "tested": _tested(tests)},
            "acceleration": {"value": model.acceleration, "standard_error": model.acceleration_error},
            "activation_energy": model.activation_energy,
            "life_in_use": None if use is None else _record(use.life) | {"voltage": given, "share_failed": 0.01},
        },
        residuals=columns,
        panels=(panel,),
    )


def _card(
    request: Request,
    tests: Breakdowns,
    life: Interval,
    shape: Interval,
    voltage: float | None,
    temperature: float,
    model: AcceleratedFit | None,
) -> tuple[dict[str, Parameter], list[str]]:
    """Return what goes into [reliability], and sentences on what does not."""
    note = f"{', '.join(table.name for table in request.tables)}: {int(tests.data.failed.sum())} failures"
    source = request.source
    found = {"breakdown_shape": fitted(shape.estimate, "1", _error(shape), note=note, source=source)}
    missing: list[str] = []
    per_cycle = request.number("stress_per_cycle")
    energy = None if model is None else model.activation_energy
    given = request.number("activation_energy")
    known = energy is not None or is_set(given)
    seconds = 1.0 if tests.unit == "s" else per_cycle if is_set(per_cycle) else math.nan
    stretch = 1.0
    if energy is None and abs(temperature - REFERENCE_TEMPERATURE) > _NEAR:
        stretch = 1.0 / slowdown(given, temperature) if known else math.nan
    if math.isnan(seconds):
        missing.append("The breakdown time in s: cycles were counted. Give --set 'stress_per_cycle = 1 us'.")
    if math.isnan(stretch):
        missing.append(
            f"The breakdown time at 300 K: the test was at {temperature:.4g} K. Give"
            " --set 'activation_energy = 0.6 eV'."
        )
    if voltage is None:
        missing.append("The breakdown voltage. Give --set 'voltage = 3 V', or a column of voltages.")
    if voltage is not None and math.isfinite(seconds * stretch):
        time = life.estimate * seconds * stretch
        found["breakdown_voltage"] = assumed(voltage, "V", note="of the test", source=source)
        found["breakdown_time"] = fitted(time, "s", time * _error(life) / life.estimate, note=note, source=source)
    if model is not None and model.acceleration > 0.0:
        found["breakdown_acceleration"] = fitted(
            model.acceleration, "1/V", model.acceleration_error, note=note, source=source
        )
    else:
        missing.append("The acceleration of breakdown by voltage: the tests were at one voltage, or do not show any.")
    if model is not None and energy is not None and energy >= 0.0:
        error = math.sqrt(model.covariance[2, 2])
        found["breakdown_activation_energy"] = fitted(energy, "eV", error, note=note, source=source)
    elif is_set(given):
        found["breakdown_activation_energy"] = assumed(given, "eV", note="given")
    else:
        missing.append("The activation energy of breakdown: the tests were at one temperature.")
    return found, missing


def _shape(shape: float, log_error: float) -> Interval:
    reach = math.exp(_TWO_SIDED * log_error)
    return Interval(shape, shape / reach, shape * reach, 0.95)


def _error(interval: Interval) -> float:
    """Return the standard error that an interval stands for, from its width in the logarithm."""
    return interval.estimate * math.log(interval.high / interval.low) / (2.0 * _TWO_SIDED)


def _bias(count: int) -> float:
    return 1.37 / (count - 1.92)  # fits their table of unbiasing factors to 1 % from 5 failures on


def _record(item: Interval) -> dict[str, float]:
    return {"estimate": item.estimate, "low": item.low, "high": item.high, "level": item.level}


def _tested(tests: Breakdowns) -> int:
    return int(tests.data.time.size)


def _summary(tests: Breakdowns, life: Interval, shape: Interval, unit: str) -> str:
    return (
        f"{int(tests.data.failed.sum())} of {tests.data.time.size} junctions broke down: Weibull scale"
        f" {life.estimate:.4g} {unit} ({life.low:.3g} to {life.high:.3g}), shape {shape.estimate:.3f}"
        f" ({shape.low:.2f} to {shape.high:.2f}), 95 %."
    )


def _weibull_plot(
    data: Failures, location: Array, scale: float, unit: str
) -> tuple[Panel, dict[str, Sequence[float] | Array | Any]]:
    """Return the Weibull plot: survivors by Kaplan and Meier, times as multiples of the scale at their stress."""
    relative = np.log(data.time) - location
    order = np.lexsort((~data.failed, relative))
    z, dead = relative[order], data.failed[order]
    at_risk = np.arange(z.size, 0, -1)
    steps = np.where(dead, 1.0 - 1.0 / at_risk, 1.0)
    after = np.cumprod(steps)
    before = np.concatenate([[1.0], after[:-1]])
    middle = 0.5 * (before + after)[dead]
    y, model = np.log(-np.log(middle)), z[dead] / scale
    panel = Panel(
        "Breakdown, Weibull plot",
        Axis("time over scale", "1", logarithmic=True),
        Axis("ln(-ln(share alive))", "1"),
        [Series("breakdowns", np.exp(z[dead]), y, model)],
    )
    columns = {
        f"time [{unit}]": data.time[order][dead],
        "time over scale [1]": np.exp(z[dead]),
        "ln(-ln(share alive)) [1]": y,
        "model [1]": model,
        "residual [1]": y - model,
    }
    return panel, columns
