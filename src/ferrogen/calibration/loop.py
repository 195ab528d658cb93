"""Kind ``loop``: polarisation loops become [switching] (domain ensemble) or [hysteresis] (Preisach).

The first loops are fitted, the others predicted, at their own frequency, amplitude and temperature. Three things
beside the film shape a measured loop and are handled by name: leakage (from direct-current tables; a loop alone does
not tell it from switching), the lag of the amplifier, and that many instruments take off the mean current, which closes
the loop.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ferrogen.calibration.charge import (
    Record,
    domain_free,
    kinetics_free,
    model_charge,
    plausible_sizes,
    recorded,
    rmse,
)
from ferrogen.calibration.columns import Wanted
from ferrogen.calibration.fit import FitResult, Free, fit
from ferrogen.calibration.fragment import CardFragment, assumed, fitted
from ferrogen.calibration.kind import Kind, Request, Setting
from ferrogen.calibration.leakage import LeakageTable, leakage_at, load_leakage
from ferrogen.calibration.misfit import misfit_sentences
from ferrogen.calibration.result import Axis, Calibration, Panel, Series
from ferrogen.calibration.switching import GRAIN_AREA, PRACTICAL
from ferrogen.calibration.waveform import COLUMNS, MOST_EVALUATIONS, number_fitted, read_records, record_columns
from ferrogen.calibration.waveform import SETTINGS as WAVEFORM_SETTINGS
from ferrogen.core.errors import argument_error
from ferrogen.core.streams import Purpose
from ferrogen.core.units import parse_quantity
from ferrogen.device.parameter import Parameter, Spread
from ferrogen.device.polarization.loops import loop_figures
from ferrogen.device.polarization.preisach import PreisachParameters, follow_preisach, saturated_state

Array = NDArray[np.float64]
Values = Mapping[str, float]

_CLOSED = 0.02  # of the loop's span: an instrument that takes off the mean current leaves less
_SAME_AREA = 0.02  # by which charge and integrated current may differ
_LONGEST_LAG = 0.2  # of a period


@dataclass(frozen=True, slots=True)
class LoopSetting:
    """What is the same for all loops of one calibration."""

    thickness: float
    preisach: bool
    tables: tuple[LeakageTable, ...]
    activation: float
    closed: str
    cycles: int = field(default=2)

    def is_closed(self, record: Record) -> bool:
        """Whether the instrument took off the mean current of this loop."""
        if self.closed != "auto":
            return self.closed == "yes"
        return bool(abs(record.charge[-1] - record.charge[0]) < _CLOSED * np.ptp(record.charge))

    def charge(self, record: Record, values: Values) -> Array:
        """Return the modelled charge density of a loop, up to a constant [C/m^2]."""
        leak = None
        if self.tables:
            leak = leakage_at(self.tables, record.mean_voltage, record.temperature, self.activation)
        closed = self.is_closed(record)
        if not self.preisach:
            return model_charge(record, values, self.thickness, leak=leak, closed=closed, cycles=self.cycles)
        parameters = PreisachParameters(
            values["saturation_polarization"],
            values["saturation_polarization"] * values["remanence_ratio"],
            values["coercive_field"],
            values["bias_field"],
        )
        fields = record.mean_voltage / self.thickness
        state = saturated_state(parameters)
        for _ in range(self.cycles):
            before, state = follow_preisach(parameters, state, fields, record.durations)
        after, _ = follow_preisach(parameters, state, fields, record.durations)
        whole = np.concatenate([[before[0, -1]], after[0]])
        return recorded(whole, record, values, self.thickness, leak=leak, closed=closed)

    def residuals(self, record: Record, values: Values) -> Array:
        """Return data minus model with the offset that suits best [uC/cm^2]."""
        left = record.charge - self.charge(record, values)
        return np.asarray(left - left.mean()) * PRACTICAL


@dataclass(frozen=True, slots=True)
class LoopReport:
    """One loop, measured and modelled: rmse and span in uC/cm^2, remanence in C/m^2, coercive voltages in V."""

    name: str
    fitted: bool
    frequency: float
    amplitude: float
    temperature: float
    span: float
    rmse: float
    rmse_own_lag: float
    own_lag: float
    remanence: tuple[float, float]
    coercive_up: tuple[float, float]
    coercive_down: tuple[float, float]

    def line(self) -> str:
        """Return it for a person."""
        own = (
            "" if math.isnan(self.own_lag) else f", {self.rmse_own_lag:.3g} with a lag of its own {self.own_lag:.2g} s"
        )
        return (
            f"  {self.name} ({self.frequency:.4g} Hz, {self.amplitude:.3g} V, {self.temperature:.0f} K):"
            f" {'fitted' if self.fitted else 'predicted'}, rmse {self.rmse:.3g} uC/cm^2 of {self.span:.3g}{own};"
            f" coercive {self.coercive_up[0]:.2f}/{self.coercive_down[0]:.2f} V,"
            f" model {self.coercive_up[1]:.2f}/{self.coercive_down[1]:.2f} V"
        )


def calibrate_loop(request: Request) -> Calibration:
    """Fit the first loops, predict the others.

    Raises:
        DataFileError: data that cannot be loops.
        ArgumentError: thickness or area is needed and was not given, or a setting does not fit.
    """
    count = number_fitted(request)
    records = _with_temperatures(request, read_records(request))
    setting = _setting(request)
    used = records[:count]
    free, fixed = _free(request, setting, used)

    def residuals(values: Values) -> Array:
        return np.concatenate([setting.residuals(item, {**fixed, **values}) for item in used])

    generator = request.streams.generator(Purpose.CALIBRATION, 0)
    best = fit(
        residuals,
        free,
        starts=int(request.number("starts")),
        generator=generator,
        tolerance=1e-8,
        most_evaluations=MOST_EVALUATIONS,
    )
    values = {**fixed, **best.values}
    reports = [_report(setting, item, values, k < count) for k, item in enumerate(records)]
    left = [setting.residuals(item, values) for item in records]
    about = (
        f"rmse {best.rmse:.3g} uC/cm^2 on {', '.join(item.name for item in used)}; leakage"
        f" {', '.join(item.name for item in setting.tables) or 'left out'}"
    )
    held = [item for item in reports if not item.fitted]
    predicted = rmse(np.concatenate(left[count:])) if held else math.nan
    title = "Preisach" if setting.preisach else "Domain ensemble with local bias"
    warnings = [item.remark for item in records if item.remark]
    measured = np.concatenate([item.charge - item.charge.mean() for item in used]) * PRACTICAL
    warnings += [*misfit_sentences(measured, best.residuals, "uC/cm^2"), *best.warnings, *_area_warnings(request)]
    if not setting.tables:
        warnings.append(
            "Leakage is left out: what flows through the film is taken for switching. Give a direct-current table:"
            " --set 'leakage = dc.tsv at 27 degC'."
        )
    return Calibration(
        kind="loop",
        fragment=CardFragment(
            _sections(request, setting, used, best, fixed, about),
            _not_identified(request, best),
            tuple(f"switching.{name}" for name in fixed),
        ),
        summary=(f"{title}: {about}.", *(item.line() for item in reports)),
        goodness={"rmse [uC/cm^2]": best.rmse, **({"rmse of predicted loops [uC/cm^2]": predicted} if held else {})},
        warnings=tuple(warnings),
        record={"fit": best.record(), "fixed": fixed, "loops": [_plain(item) for item in reports]},
        residuals=record_columns(records, left, "loop"),
        panels=tuple(_panel(*triple) for triple in zip(records, left, reports, strict=True)),
    )


def _area_warnings(request: Request) -> list[str]:
    """Return a sentence a file whose charge is not the integral of its current over the area that was given."""
    sentences = []
    for table in request.tables:
        units = table.units
        if (
            not {"current", "time"} <= units.keys()
            or units["charge"] == "C"
            or (units["current"] == "A" and not request.sample.area)
        ):
            continue
        data = table.read()
        density = data["current"] / (request.sample.needed_area() if units["current"] == "A" else 1.0)
        mean, rise = 0.5 * (density[1:] + density[:-1]), np.diff(data["charge"]) / np.diff(data["time"])
        mean, rise = mean - mean.mean(), rise - rise.mean()
        ratio = float(mean @ rise) / max(float(mean @ mean), 1e-300)
        if abs(ratio - 1.0) > _SAME_AREA:
            sentences.append(
                f"'{table.name}': the charge grows by {ratio:.3g} of what the current over the area that was given"
                " brings: the instrument assumed another area. Charges were taken as they stand; divide by the ratio"
                " for those of the true area."
            )
    return sentences


def _setting(request: Request) -> LoopSetting:
    text = request.word("leakage")
    tables = () if text == "none" else tuple(load_leakage(text, request.sample.area))
    return LoopSetting(
        request.sample.needed_thickness(), request.word("model") == "preisach", tables,
        request.number("leakage_activation"), request.word("closed"),
    )  # fmt: skip


def _with_temperatures(request: Request, records: list[Record]) -> list[Record]:
    text = request.word("temperatures").strip()
    if not text:
        return records
    parts = [parse_quantity(part.strip(), "K", "temperatures") for part in re.split("[;,]", text)]
    if len(parts) != len(records) or min(parts) <= 0.0:
        raise argument_error(
            "temperatures", f"be {len(records)} positive temperatures, one a file, parted by commas", repr(text)
        )
    return [replace(item, temperature=kelvin) for item, kelvin in zip(records, parts, strict=True)]


def _free(request: Request, setting: LoopSetting, used: Sequence[Record]) -> tuple[list[Free], dict[str, float]]:
    fixed: dict[str, float] = {}
    if setting.preisach:
        largest, span = plausible_sizes(list(used), setting.thickness)
        free = [
            Free("saturation_polarization", 0.4 * span, 0.02 * span, 3.0 * span, logarithmic=True, unit="C/m^2"),
            Free("remanence_ratio", 0.7, 0.01, 0.999),
            Free("coercive_field", 0.4 * largest, 0.01 * largest, largest, logarithmic=True, unit="V/m"),
            Free("bias_field", 0.0, -0.9 * largest, 0.9 * largest, unit="V/m"),
            Free("permittivity", 30.0, 1.0, 500.0, logarithmic=True),
        ]
    else:
        fixed["nucleation_exponent"] = float(request.word("nucleation_exponent"))
        free = domain_free(list(used), setting.thickness)
        kinetics = kinetics_free(request.number("attempt_time"), request.number("field_exponent"))
        if request.word("kinetics") == "free":
            free += kinetics
        else:
            fixed |= {item.name: item.start for item in kinetics}
    if request.word("lag") == "fitted":
        free.append(_lag(used[0]))
    return free, fixed


def _lag(record: Record) -> Free:
    period = float(record.time[-1] - record.time[0])
    return Free("lag", 5e-3 * period, 1e-5 * period, _LONGEST_LAG * period, logarithmic=True, unit="s")


def _report(setting: LoopSetting, record: Record, values: Values, was_fitted: bool) -> LoopReport:  # noqa: FBT001
    left = setting.residuals(record, values)
    own_lag, own_rmse = math.nan, math.nan
    if "lag" in values:
        own = fit(lambda v: setting.residuals(record, {**values, **v}), [_lag(record)], tolerance=1e-6)
        own_lag, own_rmse = own.values["lag"], own.rmse
    middle = 0.5 * (record.charge.max() + record.charge.min())
    measured, modelled = (
        _figures(record, record.charge - middle - part) for part in (np.zeros_like(left), left / PRACTICAL)
    )
    return LoopReport(
        record.name, was_fitted, 1.0 / float(record.time[-1] - record.time[0]), float(np.abs(record.voltage).max()),
        record.temperature, float(np.ptp(record.charge)) * PRACTICAL, rmse(left), own_rmse, own_lag,
        *((a, b) for a, b in zip(measured, modelled, strict=True)),
    )  # fmt: skip


def _figures(record: Record, charge: Array) -> tuple[float, float, float]:
    """Return the remanence [C/m^2] and the two coercive voltages [V] of a loop."""
    found = loop_figures(record.voltage, charge)
    remanence = 0.5 * (found.positive_remanence - found.negative_remanence)
    return remanence, found.positive_coercive_field, found.negative_coercive_field


def _sections(
    request: Request,
    setting: LoopSetting,
    used: Sequence[Record],
    best: FitResult,
    fixed: Values,
    about: str,
) -> dict[str, dict[str, Parameter]]:
    largest = max(float(np.abs(item.voltage).max()) for item in used)
    valid = {"program_voltage": (0.0, largest)}
    found, errors = best.values, best.stated_errors()

    def one(value: float, unit: str, error: float, note: str = "", spread: Spread | None = None) -> Parameter:
        return fitted(value, unit, error, note=f"{note}{about}", source=request.source, valid=valid, spread=spread)

    def own(name: str, unit: str, note: str = "", spread: Spread | None = None) -> Parameter:
        return one(found[name], unit, errors[name], note, spread)

    background = {"ferroelectric_permittivity": own("permittivity", "1", "background with all that is reversible; ")}
    if setting.preisach:
        saturation, ratio = found["saturation_polarization"], found["remanence_ratio"]
        share = math.hypot(errors["saturation_polarization"] / saturation, errors["remanence_ratio"] / ratio)
        return {
            "": background,
            "hysteresis": {
                "saturation_polarization": own("saturation_polarization", "C/m^2"),
                "remanent_polarization": one(saturation * ratio, "C/m^2", saturation * ratio * share),
                "coercive_field": own("coercive_field", "V/m"),
                "bias_field": own("bias_field", "V/m"),
                "relaxation_time": assumed(1e-9, "s", note="a loop at one frequency does not tell it"),
            },
        }

    def spread(kind: str, name: str) -> Spread:
        width = float(f"{found[name]:.6g}")
        return Spread.model_validate({"kind": "domain", "distribution": kind, "value": width})

    def kinetic(name: str, unit: str) -> Parameter:
        return own(name, unit) if name in found else assumed(fixed[name], unit, note=f"held in the fit: {about}")

    return {
        "": background,
        "switching": {
            "remanent_polarization": own("remanent_polarization", "C/m^2", "belongs to the fitted permittivity; "),
            "activation_field": own(
                "activation_field", "V/m", f"spread +- {errors['activation_width']:.2g}; ",
                spread("lognormal", "activation_width"),
            ),
            "attempt_time": kinetic("attempt_time", "s"),
            "field_exponent": kinetic("field_exponent", "1"),
            "nucleation_exponent": assumed(fixed["nucleation_exponent"], "1", note=f"stated for the fit: {about}"),
            "local_bias_field": own(
                "local_bias_field", "V/m", f"spread +- {errors['bias_deviation']:.2g} V/m; ",
                spread("normal", "bias_deviation"),
            ),
            "domain_area": assumed(
                GRAIN_AREA, "m^2", note="a grain of 20 nm; the mean of many domains does not tell their number"
            ),
        },
    }  # fmt: skip


def _not_identified(request: Request, best: FitResult) -> tuple[str, ...]:
    correlated = tuple(text for text in best.warnings if "correlated" in text or "direction" in text)
    if request.word("model") == "preisach":
        return ("relaxation_time: a loop at one frequency does not tell it.", *correlated)
    held: tuple[str, ...] = ()
    if request.word("kinetics") == "given":
        sentence = (
            "attempt_time and field_exponent: loops at one frequency tell a combination of them with activation_field;"
            " they were held."
        )
        held = (sentence,)
    return (*held, "domain_area: the mean of many domains does not tell their number.", *correlated)


def _plain(item: LoopReport) -> dict[str, object]:
    return {
        "name": item.name, "fitted": item.fitted, "frequency": item.frequency, "amplitude": item.amplitude,
        "temperature": item.temperature, "span": item.span, "rmse": item.rmse, "rmse_own_lag": item.rmse_own_lag,
        "own_lag": item.own_lag, "remanence_measured_model": list(item.remanence),
        "coercive_up_measured_model": list(item.coercive_up), "coercive_down_measured_model": list(item.coercive_down),
    }  # fmt: skip


def _panel(record: Record, left: Array, report: LoopReport) -> Panel:
    model = record.charge - left / PRACTICAL
    title = f"{record.name}: {'fitted' if report.fitted else 'predicted'}, rmse {report.rmse:.3g} µC/cm²"
    return Panel(
        title, Axis("voltage", "V"), Axis("charge", "C/m^2"), (Series("", record.voltage, record.charge, model),)
    )  # fmt: skip


KIND = Kind(
    name="loop",
    title="polarisation loops -> [switching] or [hysteresis], permittivity",
    columns=(
        replace(COLUMNS[0], optional=True),
        *COLUMNS[1:],
        Wanted("current", ("A", "A/m^2"), ("I", "I1", "J"), optional=True),
    ),
    calibrate=calibrate_loop,
    settings={
        **WAVEFORM_SETTINGS,
        "fitted": Setting(1.0, "how many files are fitted, the others are predicted (0: all)", low=0.0, high=1e4),
        "start": Setting("cycled", "state at the start", choices=("cycled", "up", "down", "auto")),
        "model": Setting("domains", "domains or preisach", choices=("domains", "preisach")),
        "leakage": Setting("none", "none, or 'FILE at TEMPERATURE; ...' of direct-current tables", text=True),
        "leakage_activation": Setting(0.0, "energy of the leakage, if one table is given", "eV", low=0.0, high=3.0),
        "frequency": Setting(0.0, "of loops in tables without times, one loop a file", "Hz", low=0.0, high=1e9),
        "lag": Setting("fitted", "of the instrument", choices=("fitted", "none")),
        "closed": Setting("auto", "the instrument takes off the mean current", choices=("auto", "yes", "no")),
        "temperatures": Setting("", "one a file, in order, e.g. '31 degC, 127 degC'", text=True),
    },
)
