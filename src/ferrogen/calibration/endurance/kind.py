"""The kind ``endurance``: wake-up and fatigue over cycles, or the distribution of breakdowns."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferrogen.calibration.columns import Wanted
from ferrogen.calibration.compare import Tried, comparison, simplest, try_laws, verdict
from ferrogen.calibration.conditions import TEMPERATURES, distinct_temperatures, is_set
from ferrogen.calibration.derived import Draws, derived_interval
from ferrogen.calibration.endurance.breakdowns import calibrate_breakdowns
from ferrogen.calibration.endurance.curves import (
    FATIGUE,
    WAKE_UP,
    Curve,
    endurance_laws,
    least_fatigue_cycles,
    predict,
    read_curves,
)
from ferrogen.calibration.fragment import CardFragment, assumed, fitted
from ferrogen.calibration.kind import Kind, Request, Setting
from ferrogen.calibration.result import Axis, Calibration, Panel, Series
from ferrogen.core.errors import ArgumentError, DataFileError
from ferrogen.core.streams import Purpose
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE
from ferrogen.device.parameter import Parameter
from ferrogen.device.reliability.fatigue import Fatigue, cycles_to_loss

Array = NDArray[np.float64]

_NEAR = 5.0  # K from 300 K
_LOOSE = 3.0  # standard deviation of a logarithm beyond which a number is not put into a card
_BLOCKS = 5
_DRAWS = 1000
_ASSUMED_EXPONENTS = (0.5, 1.0, 2.0)  # of fatigue, for limits


def calibrate_endurance(request: Request) -> Calibration:
    """Fit curves over cycles, or breakdowns if the tables have no values.

    Raises:
        DataFileError: some tables have values and some have none, or values that cannot be used.
        ArgumentError: settings that do not fit the data.
    """
    valued = ["value" in table.units for table in request.tables]
    if not any(valued):
        return calibrate_breakdowns(request)
    if not all(valued):
        raise DataFileError("Some files have a column of values and some have none. Give one kind of file at a time.")
    curves, unit = read_curves(request)
    given = request.number("activation_energy")
    energy = given if is_set(given) else None
    laws = endurance_laws(curves, unit, energy)
    if not laws:
        raise DataFileError("There are too few points to fit any law of endurance.")
    tried = try_laws(laws, _blocks(curves), request.streams.generator(Purpose.CALIBRATION))
    best = _choose(tried)
    values = best.result.values | ({} if energy is None else {"activation_energy": energy})
    life, said = _life(request, best, curves, energy)
    limits, missing = _missing(best, curves, unit, energy)
    parameters, untold = _card_parameters(request, best, curves, energy)
    model = [predict(values, curve.cycles, curve.temperature) for curve in curves]
    woken = best.result.values["value"]
    return Calibration(
        kind="endurance",
        fragment=CardFragment({"reliability": parameters} if parameters else {}, (*missing, *untold)),
        summary=(
            *verdict(tried)[:1],
            *([] if best is tried[0] else [f"Taken is '{best.name}': the data do not need, or tell, more."]),
            f"Woken value {woken:.4g} +- {best.result.standard_errors['value']:.2g} {unit}.",
            *said,
        ),
        goodness={f"rmse of '{item.name}' [1, of the largest value]": item.result.rmse for item in tried},
        warnings=(*verdict(tried)[1:], *best.result.warnings),
        record={
            "laws": {item.name: item.record() for item in tried},
            "comparison": comparison(tried),
            "verdict": verdict(tried),
            "cycles_to_criterion": life,
            "least_fatigue_cycles_by_exponent": limits,
            "devices": [
                {
                    "curve": curve.label,
                    "devices": int(curve.devices.shape[1]),
                    "deviation_of_last_over_largest": _spread(curve.devices[-1] / curve.devices.max(axis=0)),
                }
                for curve in curves
            ],
        },
        residuals=_columns(curves, model, unit),
        panels=(
            Panel(
                f"Endurance, {best.name}",
                Axis("cycles", "1", logarithmic=True),
                Axis("value", unit),
                [
                    Series(curve.label, np.maximum(curve.cycles, 0.1), curve.value, own)
                    for curve, own in zip(curves, model, strict=True)
                ],
            ),
        ),
    )


def _choose(tried: Sequence[Tried]) -> Tried:
    """Return the simplest law that AIC does not tell from the best, of those whose cycles the data do determine."""
    determined = [
        item
        for item in tried
        if all(
            name not in item.result.at_bound and item.result.standard_errors[name] < _LOOSE * item.result.values[name]
            for name in ("wake_up_cycles", "fatigue_cycles")
            if name in item.result.values
        )
    ]
    return simplest(determined or tried)


def _blocks(curves: Sequence[Curve]) -> NDArray[np.intp]:
    cycles = np.log1p(np.concatenate([curve.cycles for curve in curves]))
    edges = np.quantile(cycles, np.linspace(0.0, 1.0, _BLOCKS + 1)[1:-1])
    return np.asarray(np.searchsorted(edges, cycles, side="right"), dtype=np.intp)


def _life(
    request: Request, best: Tried, curves: Sequence[Curve], energy: float | None
) -> tuple[dict[str, Any] | None, list[str]]:
    """Return after how many cycles the criterion is reached, with its 95 % interval, and sentences on it."""
    if "fatigue_cycles" not in best.result.values:
        return None, ["The data end before fatigue: no lifetime follows from them."]
    kept = request.number("criterion")
    temperature = min(curve.temperature for curve in curves)

    def cycles(values: dict[str, float]) -> float:
        own = values.get("activation_energy", energy or 0.0)
        try:
            return cycles_to_loss(Fatigue(values["fatigue_cycles"], values["fatigue_exponent"], own), kept, temperature)
        except ArgumentError:  # beyond all numbers
            return math.inf

    def all_cycles(draws: Draws) -> Array:
        names = list(draws)
        rows = np.column_stack([draws[name] for name in names])
        found = [math.log(cycles(dict(zip(names, row.tolist(), strict=True)))) for row in rows]
        return np.minimum(found, 1e3)

    value = cycles(best.result.values)
    generator = request.streams.generator(Purpose.CALIBRATION, 1)
    interval = derived_interval(best.result, all_cycles, generator, count=_DRAWS)
    low, high = (math.exp(min(end, 700.0)) for end in (interval.low, interval.high))
    last = max(float(curve.cycles.max()) for curve in curves)
    said = [
        (
            f"{100 * kept:g} % of the woken value are left after {value:.3g} cycles ({low:.2g} to {high:.2g}, 95 %)"
            f" at {temperature:.4g} K."
        )
    ]
    if value > last:
        said.append(
            f"That lies {math.log10(value / last):.1f} decades beyond the last point: it holds if the law goes on."
        )
    return {"kept": kept, "cycles": value, "low": low, "high": high, "level": 0.95, "temperature": temperature}, said


def _missing(
    best: Tried, curves: Sequence[Curve], unit: str, energy: float | None
) -> tuple[dict[str, float], list[str]]:
    """Return limits and sentences for wake-up or fatigue that the data do not show."""
    said = []
    if "wake_up_share" not in best.result.values:
        said.append("Wake-up: the data show none that a law without it would not describe as well.")
    if "fatigue_cycles" in best.result.values:
        return {}, said
    energy = best.result.values.get("activation_energy", energy)
    wake_up = "wake_up_share" in best.result.values
    limits = {
        f"{exponent:g}": least_fatigue_cycles(curves, unit, wake_up=wake_up, exponent=exponent, energy=energy)
        for exponent in _ASSUMED_EXPONENTS
    }
    last = max(float(curve.cycles.max()) for curve in curves)
    shown = ", ".join(f"{number:.2g} (exponent {exponent})" for exponent, number in limits.items())
    said.append(
        f"Fatigue: the data end at {last:.3g} cycles, before it. Half of the value is lost after more than {shown}"
        " cycles, at 95 % confidence."
    )
    return limits, said


def _card_parameters(
    request: Request, best: Tried, curves: Sequence[Curve], energy: float | None
) -> tuple[dict[str, Parameter], list[str]]:
    """Return what goes into [reliability]; the number of cycles of a card is that at 300 K."""
    result = best.result
    names = [name for name in (*WAKE_UP, *FATIGUE) if name in result.values]
    temperatures = distinct_temperatures([curve.temperature for curve in curves])
    fitted_energy = "activation_energy" in result.values
    said: list[str] = []
    if not names:
        return {}, said
    if not fitted_energy and energy is None and abs(temperatures[0] - REFERENCE_TEMPERATURE) > _NEAR:
        return {}, [
            (
                f"A card states cycles at 300 K; the data are at {temperatures[0]:.4g} K only. Give an activation"
                " energy (--set 'activation_energy = 0.3 eV'), or data at a second temperature."
            )
        ]
    note = f"{', '.join(table.name for table in request.tables)}: rmse {result.rmse:.3g} of the largest value"
    last = max(float(curve.cycles.max()) for curve in curves)
    found: dict[str, Parameter] = {}
    for name in names:
        value, error = result.values[name], result.standard_errors[name]
        if name in result.at_bound or not error < _LOOSE * max(value, 1e-3):
            said.append(f"`{name}`: the data do not determine it ({value:.3g} with the standard error {error:.2g}).")
            continue
        valid = {"cycles": (0.0, min(last, 1e15))}
        found[name] = fitted(value, "1", error, note=note, source=request.source, valid=valid)
    if fitted_energy:
        error = result.standard_errors["activation_energy"]
        found["cycling_activation_energy"] = fitted(
            result.values["activation_energy"], "eV", error, note=note, source=request.source
        )
    elif energy is not None:
        found["cycling_activation_energy"] = assumed(energy, "eV", note="given for the fit of the cycles")
    else:
        said.append("The activation energy of cycling: all data are at one temperature.")
    return found, said


def _spread(ratio: Array) -> float:
    return float(ratio.std(ddof=1)) if ratio.size > 1 else 0.0


def _columns(curves: Sequence[Curve], model: list[Array], unit: str) -> dict[str, Array]:
    value, found = np.concatenate([curve.value for curve in curves]), np.concatenate(model)
    return {
        "temperature [K]": np.concatenate([np.full(curve.cycles.shape, curve.temperature) for curve in curves]),
        "cycles [1]": np.concatenate([curve.cycles for curve in curves]),
        f"value [{unit}]": value,
        f"model [{unit}]": found,
        f"residual [{unit}]": value - found,
    }


KIND = Kind(
    name="endurance",
    title="value over cycles -> wake-up, fatigue, lifetime; breakdown times or cycles -> Weibull shape and scale",
    columns=(
        Wanted("cycles", ("1", "s"), ("cycle", "number of cycles", "N", "cycles to breakdown", "time to breakdown",
                                      "breakdown time", "time", "t")),
        Wanted("value", ("C/m^2", "S", "V", "A", "1"),
               ("remanent_polarization", "polarization", "window", "memory window", "conductance", "Pr", "P", "G"),
               optional=True, several=True),
        Wanted("negative_value", ("C/m^2", "S", "V", "A", "1"), ("negative remanent polarization",),
               optional=True, several=True),
        Wanted("failed", ("1",), ("failure", "broken", "event"), optional=True),
        Wanted("voltage", ("V",), ("stress voltage", "V"), optional=True),
        Wanted("temperature", ("K",), optional=True),
    ),
    calibrate=calibrate_endurance,
    settings={
        "temperatures": TEMPERATURES,
        "activation_energy": Setting(math.nan, "of cycles or breakdown time, where it is known", unit="eV",
                                     low=0.0, high=3.0),
        "criterion": Setting(0.5, "share of the woken value at which life ends", low=0.01, high=0.99),
        "voltage": Setting(math.nan, "of the breakdown test; or, with a column of voltages, of use", unit="V",
                           low=0.01, high=100.0),
        "stress_per_cycle": Setting(math.nan, "time under voltage in one cycle, to turn cycles of breakdown into s",
                                    unit="s", low=1e-12, high=1e6),
    },
)  # fmt: skip
