"""The kind ``retention``: which law the loss of a stored state follows, and what is left after a storage time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferrogen.calibration.columns import Wanted
from ferrogen.calibration.compare import Tried, comparison, try_laws, verdict
from ferrogen.calibration.conditions import TEMPERATURES, distinct_temperatures, is_set
from ferrogen.calibration.derived import Draws, derived_interval
from ferrogen.calibration.fragment import CardFragment, assumed, fitted
from ferrogen.calibration.kind import Kind, Request, Setting
from ferrogen.calibration.result import Axis, Calibration, Panel, Series
from ferrogen.calibration.retention.bake import PROXY, calibrate_bake
from ferrogen.calibration.retention.curves import Curve, CurveSet, read_curves
from ferrogen.calibration.retention.laws import (
    LAWS,
    amplitude_name,
    predict,
    reference_time,
    retention_laws,
    time_blocks,
)
from ferrogen.core.errors import DataFileError
from ferrogen.core.streams import Purpose
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE
from ferrogen.device.parameter import Parameter
from ferrogen.device.reliability.arrhenius import slowdown
from ferrogen.device.reliability.extrapolation import Decay

Array = NDArray[np.float64]

TEN_YEARS = 10.0 * 365.25 * 86400.0
_NEAR = 5.0  # K from 300 K within which a time counts as one at 300 K
_LOOSE = 3.0  # standard deviation of the logarithm of a time beyond which it is not put into a card


def calibrate_retention(request: Request) -> Calibration:
    """Fit retention curves, or describe cells before and after a bake if the tables have no times.

    Raises:
        DataFileError: some tables have times and some have none, or values that cannot be used.
        ArgumentError: settings that do not fit the data.
    """
    timed = ["time" in table.units for table in request.tables]
    if all(timed):
        return _calibrate_curves(request)
    if any(timed):
        raise DataFileError("Some files have a column of times and some have none. Give one kind of file at a time.")
    return calibrate_bake(request)


def _calibrate_curves(request: Request) -> Calibration:
    data = read_curves(request)
    generator = request.streams.generator(Purpose.CALIBRATION)
    given = request.number("activation_energy")
    energy = given if is_set(given) else None
    own = request.word("amplitude") == "own" and len(data.curves) > 1
    laws = retention_laws(data, own=own, activation_energy=energy)
    tried = try_laws(laws, time_blocks(data.curves), generator)
    reference = reference_time(data.curves)
    horizon = request.number("storage_time")
    coldest = min(curve.temperature for curve in data.curves)
    at = request.number("storage_temperature")
    temperature = at if is_set(at) else coldest
    forecasts = {
        item.name: _forecast(item, data, own, energy, reference, horizon, temperature, generator) for item in tried
    }
    best = tried[0]
    low = min(item["low"] for item in forecasts.values())
    high = max(item["high"] for item in forecasts.values())
    last = _reach(data, best.result.values.get("activation_energy", energy or 0.0), temperature)
    kept = forecasts[best.name]
    parameters, not_identified = _card_parameters(request, tried, data, energy)
    fold = math.log10(horizon / last)
    # What the stretched exponential does not tell stands with the card's parameters, as not identified.
    own_warnings = best.result.warnings if best.name != "stretched" else ()
    warnings = [*data.notes, *verdict(tried)[1:], *own_warnings]
    if fold > 0.0:
        warnings.append(
            f"The value after {horizon:.3g} s lies {fold:.1f} decades beyond the last point ({last:.3g} s there): its"
            f" interval holds if the law goes on. Over all laws it spans {low:.3g} to {high:.3g} of the first value."
        )
    summary = [
        *verdict(tried)[:1],
        (
            f"After {horizon:.3g} s at {temperature:.4g} K {kept['value']:.4g} of the first value are left"
            f" ({kept['low']:.4g} to {kept['high']:.4g}, 95 %)."
        ),
    ]
    if "activation_energy" in best.result.values:
        error = best.result.standard_errors["activation_energy"]
        summary.append(f"Activation energy {best.result.values['activation_energy']:.3f} +- {error:.3f} eV.")
    model = _model(best, data, own, energy, reference)
    return Calibration(
        kind="retention",
        fragment=CardFragment({"reliability": parameters} if parameters else {}, tuple(not_identified)),
        summary=tuple(summary),
        goodness={
            f"rmse of the {item.name} law [{'1, of ln' if data.relative else '1'}]": item.result.rmse for item in tried
        },
        warnings=tuple(dict.fromkeys(warnings)),
        record={
            "laws": {item.name: item.record() for item in tried},
            "comparison": comparison(tried),
            "verdict": verdict(tried),
            "forecast": {
                "storage_time": horizon,
                "temperature": temperature,
                "share_of_first_value": forecasts,
                "envelope_of_laws": [low, high],
            },
            "cells": [_cells(curve) for curve in data.curves],
        },
        residuals=_columns(data, model),
        panels=(
            Panel(
                f"Retention, {best.name} law",
                Axis("time", "s", logarithmic=True),
                Axis("value", data.unit),
                [
                    Series(curve.label, curve.time, curve.value, own_model)
                    for curve, own_model in zip(data.curves, model, strict=True)
                ],
            ),
        ),
    )


def _reach(data: CurveSet, energy: float, temperature: float) -> float:
    """Return the longest time of the curves, as a time at a temperature [K] with the same loss [s]."""
    stretch = slowdown(energy, temperature)
    return max(float(curve.time.max()) * stretch / slowdown(energy, curve.temperature) for curve in data.curves)


def _law(name: str) -> Decay:
    return next(law for law in LAWS if law == name)


def _amplitude(values: dict[str, float], data: CurveSet, own: bool, temperature: float) -> float:  # noqa: FBT001
    nearest = min(range(len(data.curves)), key=lambda k: abs(data.curves[k].temperature - temperature))
    return values[amplitude_name(nearest, own=own)]


def _forecast(
    item: Tried,
    data: CurveSet,
    own: bool,  # noqa: FBT001
    energy: float | None,
    reference: float,
    horizon: float,
    temperature: float,
    generator: np.random.Generator,
) -> dict[str, float]:
    """Return the share of the first value that is left, with its 95 % interval."""
    first = min(float(curve.time.min()) for curve in data.curves)
    times = np.array([first, horizon])
    fixed = {} if energy is None else {"activation_energy": energy}

    def share(values: dict[str, float]) -> float:
        amplitude = _amplitude(values, data, own, temperature)
        begin, end = predict(_law(item.name), {**values, **fixed}, amplitude, times, temperature, reference)
        return float(end / begin) if begin > 0.0 else math.nan

    def all_shares(draws: Draws) -> Array:
        names = list(draws)
        rows = np.column_stack([draws[name] for name in names])
        return np.array([share(dict(zip(names, row.tolist(), strict=True))) for row in rows])

    value = share(item.result.values)
    interval = derived_interval(item.result, all_shares, generator, count=1000)
    return {"value": value, "low": interval.low, "high": interval.high, "level": interval.level}


def _card_parameters(
    request: Request, tried: list[Tried], data: CurveSet, energy: float | None
) -> tuple[dict[str, Parameter], list[str]]:
    """Return what goes into [reliability], and what does not and why. The card's law is the stretched exponential."""
    if request.word("device") == "rram":
        return {}, [PROXY]
    stretched = next(item for item in tried if item.name == "stretched")
    result = stretched.result
    temperatures = distinct_temperatures([curve.temperature for curve in data.curves])
    said: list[str] = []
    if tried[0].name != "stretched":
        said.append(
            f"The card's law is the stretched exponential, but the '{tried[0].name}' law describes the data better: the"
            " card's curve is the best of its kind only."
        )
    tau, error = result.values["retention_time"], result.standard_errors["retention_time"]
    if "retention_time" in result.at_bound or not error < _LOOSE * tau:
        return {}, [
            *said,
            (
                "The decay is too small to tell time and exponent of a stretched exponential: they are not put into the"
                " card. Measure longer, or hotter."
            ),
        ]
    fitted_energy = "activation_energy" in result.values
    if not fitted_energy and energy is None and abs(temperatures[0] - REFERENCE_TEMPERATURE) > _NEAR:
        return {}, [
            *said,
            (
                f"A card states its retention time at 300 K; the data are at {temperatures[0]:.4g} K only. Give an"
                " activation energy (--set 'activation_energy = 1 eV'), or data at a second temperature."
            ),
        ]
    note = f"{', '.join(table.name for table in request.tables)}: rmse {result.rmse:.3g}"
    longest = _reach(data, result.values.get("activation_energy", energy or 0.0), REFERENCE_TEMPERATURE)
    valid = {"storage_time": (0.0, min(longest, 1e11))}
    names = {"retention_time": "s", "retention_exponent": "1"}
    found = {
        name: fitted(
            result.values[name], unit, result.standard_errors[name], note=note, source=request.source, valid=valid
        )
        for name, unit in names.items()
    }
    if fitted_energy:
        found["retention_activation_energy"] = fitted(
            result.values["activation_energy"], "eV", result.standard_errors["activation_energy"],
            note=note, source=request.source,
        )  # fmt: skip
    elif energy is not None:
        found["retention_activation_energy"] = assumed(energy, "eV", note="given for the fit of the retention time")
    else:
        said.append("The activation energy of retention: all data are at one temperature.")
    return found, [*said, *result.warnings]


def _cells(curve: Curve) -> dict[str, Any]:
    """Return how cells differ: share kept from the first to the last time, loss of ln(value) per decade."""
    kept = curve.cells[-1] / curve.cells[0]
    decades = np.log10(curve.time)
    decades = decades - decades.mean()
    slope = -(decades @ np.log(curve.cells)) / float(decades @ decades)
    quantiles = [0.05, 0.5, 0.95]
    return {
        "curve": curve.label,
        "cells": int(kept.size),
        "share_kept_at_last_time": dict(
            zip(("p5", "median", "p95"), np.quantile(kept, quantiles).tolist(), strict=True)
        ),
        "loss_of_logarithm_per_decade": {
            "mean": float(slope.mean()),
            "standard_deviation": float(slope.std(ddof=1)) if slope.size > 1 else 0.0,
        },
    }


def _model(item: Tried, data: CurveSet, own: bool, energy: float | None, reference: float) -> list[Array]:  # noqa: FBT001
    values = item.result.values | ({} if energy is None else {"activation_energy": energy})
    return [
        predict(_law(item.name), values, values[amplitude_name(k, own=own)], curve.time, curve.temperature, reference)
        for k, curve in enumerate(data.curves)
    ]


def _columns(data: CurveSet, model: list[Array]) -> dict[str, Array]:
    value, found = np.concatenate([curve.value for curve in data.curves]), np.concatenate(model)
    return {
        "temperature [K]": np.concatenate([np.full(curve.time.shape, curve.temperature) for curve in data.curves]),
        "time [s]": np.concatenate([curve.time for curve in data.curves]),
        f"value [{data.unit}]": value,
        f"model [{data.unit}]": found,
        f"residual [{data.unit}]": value - found,
    }


KIND = Kind(
    name="retention",
    title="value over time -> law of the loss, value after ten years; before and after a bake -> spread of the change",
    columns=(
        Wanted("value", ("C/m^2", "S", "Ohm", "A", "1"),
               ("polarization", "remanent_polarization", "conductance", "resistance", "current", "P", "Pr", "G", "R"),
               several=True),
        Wanted("time", ("s",), ("t", "delay", "retention_time", "bake_time"), optional=True),
        Wanted("temperature", ("K",), optional=True),
    ),
    calibrate=calibrate_retention,
    settings={
        "temperatures": TEMPERATURES,
        "noise": Setting("auto", "is noise additive or proportional to the value; auto: by the unit",
                         choices=("auto", "additive", "relative")),
        "amplitude": Setting("common", "one amplitude for all curves, or one each", choices=("common", "own")),
        "activation_energy": Setting(math.nan, "where it is known and not to be fitted", unit="eV", low=0.0, high=3.0),
        "storage_time": Setting(TEN_YEARS, "to which the law is carried", unit="s", low=1e-9, high=1e11),
        "storage_temperature": Setting(math.nan, "at which; default: the lowest of the data",
                                       unit="K", low=77.0, high=1000.0),
        "levels": Setting(4.0, "programmed levels of cells before and after a bake", low=1.0, high=64.0),
        "bake_time": Setting(math.nan, "between the two readings, for the record", unit="s", low=0.0, high=1e11),
        "device": Setting("ftj", "what was measured", choices=("ftj", "capacitor", "rram")),
    },
)  # fmt: skip
