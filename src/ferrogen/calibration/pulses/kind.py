"""The kind ``pulses``: figures of merit of programming curves, switching noise, switching parameters.

No measured curves of a hafnia junction under pulses were at hand: the fits are tested on synthetic ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferrogen.calibration.columns import Wanted
from ferrogen.calibration.conditions import is_set
from ferrogen.calibration.fit import Free, fit
from ferrogen.calibration.fragment import CardFragment, fitted
from ferrogen.calibration.kind import Kind, Request, Setting
from ferrogen.calibration.pulses.domains import DomainFit, fit_domains
from ferrogen.calibration.pulses.noise import Repeats, SwitchingNoise, fit_noise, repeats_of
from ferrogen.calibration.pulses.trains import Branch, read_trains, repeats_among
from ferrogen.calibration.result import Axis, Calibration, Panel, Series
from ferrogen.core.errors import ArgumentError, DataFileError
from ferrogen.core.streams import Purpose
from ferrogen.device.parameter import Parameter, Spread
from ferrogen.device.programming.figures import (
    exponential_curve,
    label_of_curvature,
    nonlinearity,
    programming_figures,
)

Array = NDArray[np.float64]

_DIRECTIONS = {"potentiation": True, "depression": False}
_LARGEST_NOISE = 0.5
_CURVATURES = (-60.0, 60.0)
_BAD_SHAPE = 0.05  # of the range: a larger misfit of NeuroSim's exponential makes its label a poor description


def calibrate_pulses(request: Request) -> Calibration:
    """Describe and fit potentiation and depression.

    Raises:
        DataFileError: a table that cannot be used, or one without both directions.
        ArgumentError: settings that do not fit the data.
    """
    trains = read_trains(request)
    branches = [branch for train in trains for branch in train]
    generator = request.streams.generator(Purpose.CALIBRATION)
    means: dict[str, Array] = {}
    groups: dict[str, Array] = {}
    warnings: list[str] = []
    for name, rising in _DIRECTIONS.items():
        kept, odd = repeats_among(branches, rising=rising)
        if not kept:
            raise DataFileError(f"There is no {name} in the data, but both directions are needed.")
        if odd:
            warnings.append(
                f"{odd} branches of {name} have other pulses than the most usual ones: left out of figures and noise."
            )
        groups[name] = np.stack([branch.conductance for branch in kept])
        means[name] = groups[name].mean(axis=0)
    low = min(float(curve.min()) for curve in means.values())
    high = max(float(curve.max()) for curve in means.values())
    record: dict[str, Any] = {"cycles": {name: int(group.shape[0]) for name, group in groups.items()}}
    summary = [_figures(request, means, groups, record, warnings)]
    own: dict[str, Parameter] = {}
    untold: list[str] = []
    _range(request, groups, low, high, own)
    _noise(request, trains, means, high - low, own, untold, summary, warnings, record)
    sections: dict[str, dict[str, Parameter]] = {"": own}
    programming = _programming(request, branches)
    if programming:
        sections["programming"] = programming
    panels = [_panel(groups, means)]
    residuals = _columns(groups, means)
    domains = _domains(request, trains, sections, untold, summary, warnings, record, generator)
    if domains is not None:
        panels.append(_domain_panel(trains[0], domains))
    return Calibration(
        kind="pulses",
        fragment=CardFragment(sections, tuple(dict.fromkeys(untold))),
        summary=tuple(summary),
        goodness={
            "misfit of NeuroSim's exponential, potentiation [1]": record["potentiation"]["misfit"],
            "misfit of NeuroSim's exponential, depression [1]": record["depression"]["misfit"],
            **({} if domains is None else {"rmse of the domain ensemble [1, of the window]": domains.result.rmse}),
        },
        warnings=tuple(dict.fromkeys(warnings)),
        record=record,
        residuals=residuals,
        panels=tuple(panels),
    )


def _figures(
    request: Request, means: dict[str, Array], groups: dict[str, Array], record: dict[str, Any], warnings: list[str]
) -> str:
    """Record linearity, labels with errors, asymmetry; return a sentence."""
    up, down = means["potentiation"], means["depression"]
    figures = programming_figures(up, down, request.number("least_step"))
    for name, straight in (("potentiation", figures.potentiation), ("depression", figures.depression)):
        label, error, misfit = _label(means[name], groups[name])
        record[name] = {
            "pulses": int(means[name].size - 1), "label": label, "label_standard_error": error, "misfit": misfit,
            "largest_deviation_from_line": straight.largest_deviation, "r_squared_of_line": straight.r_squared,
        }  # fmt: skip
        if misfit > _BAD_SHAPE:
            warnings.append(
                f"The {name} is not of NeuroSim's exponential shape (misfit {100 * misfit:.1f} % of the range): its"
                " label describes it poorly."
            )
        if groups[name].shape[0] == 1:
            warnings.append(f"There is one cycle of {name}: the error of its label is that of the fit, and too small.")
    errors = [record[name]["label_standard_error"] for name in _DIRECTIONS]
    record["asymmetry"] = {"value": figures.asymmetry, "standard_error": math.hypot(*errors)}
    record["dynamic_range"] = figures.dynamic_range
    record["effective_states"] = figures.effective_states
    return (
        f"Nonlinearity {record['potentiation']['label']:.2f} +- {errors[0]:.2f} (potentiation),"
        f" {record['depression']['label']:.2f} +- {errors[1]:.2f} (depression); asymmetry {figures.asymmetry:.2f};"
        f" range {figures.dynamic_range:.3g}; {figures.effective_states} states at least"
        f" {100 * request.number('least_step'):g} % apart."
    )


def _label(mean: Array, cycles: Array) -> tuple[float, float, float]:
    """Return NeuroSim's label of the mean curve, its standard error, and the misfit as a share of the range.

    Several cycles: the error is that of the mean of their labels. One cycle: that of a fit of the exponential.
    """
    whole = nonlinearity(mean)
    if cycles.shape[0] > 1:
        ends = cycles[:, -1] != cycles[:, 0]
        labels = [nonlinearity(curve).label for curve in cycles[ends]]
        error = float(np.std(labels, ddof=1)) / math.sqrt(len(labels)) if len(labels) > 1 else math.nan
        return whole.label, error, whole.residual
    curve = mean if mean[-1] > mean[0] else mean[::-1]
    span = float(curve[-1] - curve[0])
    start = min(max(whole.curvature, 0.99 * _CURVATURES[0]), 0.99 * _CURVATURES[1])
    free = [Free("first", 0.0, -2.0, 2.0), Free("range", 1.0, 0.1, 5.0), Free("curvature", start, *_CURVATURES)]

    def residuals(values: dict[str, float]) -> Array:
        shape = exponential_curve(values["curvature"], curve.size)
        return np.asarray((curve - curve[0]) / span - values["first"] - values["range"] * shape)

    found = fit(residuals, free, most_evaluations=200)
    error = found.standard_errors["curvature"]
    c = found.values["curvature"]
    slope = (label_of_curvature(c + 1e-3) - label_of_curvature(c - 1e-3)) / 2e-3
    return whole.label, abs(slope) * error, whole.residual


def _range(request: Request, groups: dict[str, Array], low: float, high: float, own: dict[str, Parameter]) -> None:
    """Add the ends of the range as on and off conductance."""
    note = f"{', '.join(table.name for table in request.tables)}: {{}} end of what the pulses reach, not of all states"
    up, down = groups["potentiation"][:, -1], groups["depression"][:, -1]
    for name, value, ends, end in (("on_conductance", high, up, "upper"), ("off_conductance", low, down, "lower")):
        error = float(ends.std(ddof=1)) / math.sqrt(ends.size) if ends.size > 1 else math.nan
        own[name] = fitted(value, "S", error, note=note.format(end), source=request.source)


def _noise(
    request: Request,
    trains: Sequence[Sequence[Branch]],
    means: dict[str, Array],
    window: float,
    own: dict[str, Parameter],
    untold: list[str],
    summary: list[str],
    warnings: list[str],
    record: dict[str, Any],
) -> None:
    """Add the switching noise, from repeats, or for one cycle from the deviation from a smooth curve."""
    repeats = []
    for train in trains:  # each about its own mean: what differs between devices is no switching noise
        for rising in _DIRECTIONS.values():
            kept, _ = repeats_among(train, rising=rising)
            if len(kept) > 1:
                repeats.append(repeats_of(np.stack([branch.conductance for branch in kept]), window))
    if not repeats:
        repeats = [_about_smooth(mean, window) for mean in means.values()]
        warnings.append("With one cycle the noise is that about a smooth curve: any other shape counts as noise.")
    try:
        noise = fit_noise(repeats)
    except ArgumentError as error:
        untold.append(f"The switching noise: {error}")
        return
    record["noise"] = {
        "switching": noise.switching, "switching_standard_error": noise.switching_error, "reading": noise.reading,
        "reading_standard_error": noise.reading_error, "cycle_to_cycle": noise.cycle_to_cycle,
    }  # fmt: skip
    summary.append(
        f"Switching noise {noise.switching:.4f} +- {noise.switching_error:.4f} of a full-range pulse, reading noise"
        f" {noise.reading:.5f} of the window; one step scatters by {100 * noise.cycle_to_cycle:.2f} % of the window."
    )
    _noise_parameter(request, noise, own, untold)


def _noise_parameter(request: Request, noise: SwitchingNoise, own: dict[str, Parameter], untold: list[str]) -> None:
    value = float(f"{noise.switching:.6g}")
    if not math.isfinite(noise.switching_error) or noise.switching_error > noise.switching:
        untold.append(
            f"The switching noise: it cannot be told from that of reading, {noise.reading:.4g} of the window."
        )
    elif value > _LARGEST_NOISE:
        untold.append(f"The switching noise of {value:.3g}: a card allows {_LARGEST_NOISE:g} at most.")
    else:
        note = f"{', '.join(table.name for table in request.tables)}: scatter of a full-range pulse"
        spread = Spread(kind="c2c", distribution="normal", value=value)
        own["switching_noise"] = fitted(
            value, "1", noise.switching_error, note=note, source=request.source, spread=spread
        )


def _about_smooth(curve: Array, window: float) -> Repeats:
    """Return the increments of one curve about those of the exponential that fits it."""
    shape = nonlinearity(curve)
    rising = exponential_curve(shape.curvature, curve.size)
    smooth = curve[0] + (curve[-1] - curve[0]) * (rising if curve[-1] > curve[0] else 1.0 - rising[::-1])
    steps, mean = np.diff(curve) / window, np.diff(smooth) / window
    freedom = (steps.size - 2.0) / steps.size
    return Repeats(mean, (steps - mean)[None, :] / math.sqrt(freedom), freedom)


def _programming(request: Request, branches: Sequence[Branch]) -> dict[str, Parameter]:
    """Return the pulses as they were, for the section [programming]."""
    up = next(branch for branch in branches if branch.rising)
    down = next(branch for branch in branches if not branch.rising)
    found: dict[str, Parameter] = {}

    def add(name: str, value: float, unit: str) -> None:
        found[name] = Parameter(
            value=float(f"{value:.6g}"), unit=unit, status="measured", source=request.source, note="of the pulses given"
        )

    if up.amplitude is not None and down.amplitude is not None:
        for name, amplitude in (("set", up.amplitude), ("reset", down.amplitude)):
            add(f"{name}_voltage", abs(float(amplitude[-1])), "V")
            add(f"first_{name}_voltage", abs(float(amplitude[0])), "V")
    if up.width is not None:
        add("pulse_width", float(up.width[0]), "s")
        add("last_pulse_width", float(up.width[-1]), "s")
    if is_set(request.number("gap")) and request.number("gap") > 0.0:
        add("pulse_gap", request.number("gap"), "s")
    if found:
        add("pulse_count", float(up.pulses), "1")
    return found


def _domains(
    request: Request,
    trains: Sequence[Sequence[Branch]],
    sections: dict[str, dict[str, Parameter]],
    untold: list[str],
    summary: list[str],
    warnings: list[str],
    record: dict[str, Any],
    generator: np.random.Generator,
) -> DomainFit | None:
    """Add the switching parameters of the first train, if amplitude, width and thickness are known."""
    first = trains[0]
    told = all(branch.amplitude is not None and branch.width is not None for branch in first)
    if request.word("domains") == "no":
        return None
    if request.sample.thickness is None or not told:
        untold.append("Switching parameters: they need columns of amplitude and width, and --thickness.")
        return None
    if len(trains) > 1:
        warnings.append(f"The switching parameters are those of the first of {len(trains)} trains.")
    gap = request.number("gap")
    fixed = {name: request.number(name) for name in ("attempt_time", "field_exponent", "nucleation_exponent")}
    found = fit_domains(
        first, request.sample.thickness, request.sample.kelvin, gap if is_set(gap) else 0.0, fixed, generator
    )
    result = found.result
    record["domains"] = result.record() | {
        "fixed": {name: value for name, value in fixed.items() if name not in result.values},
        "correlation_of_neighbours": found.correlation,
        "errors_times": found.inflation,
    }
    values = result.values
    errors = {name: error * found.inflation for name, error in result.standard_errors.items()}
    note = f"{request.tables[0].name}: rmse {result.rmse:.3g} of the window; errors times {found.inflation:.2g}"
    spread = Spread(kind="domain", distribution="lognormal", value=float(f"{values['activation_spread']:.4g}"))
    switching = {
        "activation_field": fitted(
            values["activation_field"],
            "V/m",
            errors["activation_field"],
            note=note,
            source=request.source,
            spread=spread,
        ),
        "local_bias_field": fitted(
            values["local_bias_field"], "V/m", errors["local_bias_field"], note=note, source=request.source
        ),
    }
    for name, unit in (("attempt_time", "s"), ("field_exponent", "1")):
        if name in values:
            switching[name] = fitted(values[name], unit, errors[name], note=note, source=request.source)
        else:
            untold.append(
                f"`{name}`: pulses of so few amplitudes and widths do not tell it; {fixed[name]:g} {unit} was taken,"
                " and the activation field belongs to that."
            )
    if not set(result.at_bound) & {"activation_field", "activation_spread"}:
        sections["switching"] = switching
        sections[""] |= {
            name: fitted(values[name], "S", errors[name], note=f"{note}; all domains switched", source=request.source)
            for name in ("on_conductance", "off_conductance")
            if name not in result.at_bound
        }
    summary.append(
        f"Domain ensemble: activation field {values['activation_field'] / 1e8:.3f} +-"
        f" {errors['activation_field'] / 1e8:.3f} MV/cm, width {values['activation_spread']:.3f} +-"
        f" {errors['activation_spread']:.3f} of ln, rms {100 * result.rmse:.2f} % of the window."
    )
    untold += result.warnings
    return found


def _panel(groups: dict[str, Array], means: dict[str, Array]) -> Panel:
    series = []
    for name, mean in means.items():
        shape = exponential_curve(nonlinearity(mean).curvature, mean.size)
        share = shape if mean[-1] > mean[0] else 1.0 - shape[::-1]
        model = mean[0] + (mean[-1] - mean[0]) * share
        label = f"{name}, mean of {groups[name].shape[0]}"
        series.append(Series(label, np.arange(mean.size), mean, model))
    return Panel("Programming curves, NeuroSim's exponential", Axis("pulse", "1"), Axis("conductance", "S"), series)


def _domain_panel(branches: Sequence[Branch], found: DomainFit) -> Panel:
    start = np.cumsum([0, *(branch.pulses for branch in branches)])
    series = [
        Series("domain ensemble" if k == 0 else "_", start[k] + np.arange(branch.pulses + 1), branch.conductance, model)
        for k, (branch, model) in enumerate(zip(branches, found.model, strict=True))
    ]
    return Panel("Domain ensemble", Axis("pulse", "1"), Axis("conductance", "S"), series)


def _columns(groups: dict[str, Array], means: dict[str, Array]) -> dict[str, Array]:
    rows = [
        (float(_DIRECTIONS[name]), float(cycle), np.arange(curve.size), curve, means[name])
        for name, group in groups.items()
        for cycle, curve in enumerate(group)
    ]
    sizes = [row[2].size for row in rows]
    return {
        "potentiation": np.repeat([row[0] for row in rows], sizes),
        "cycle": np.repeat([row[1] for row in rows], sizes),
        "pulse": np.concatenate([row[2] for row in rows]).astype(np.float64),
        "conductance [S]": np.concatenate([row[3] for row in rows]),
        "mean of cycles [S]": np.concatenate([row[4] for row in rows]),
        "residual [S]": np.concatenate([row[3] - row[4] for row in rows]),
    }


KIND = Kind(
    name="pulses",
    title="conductance after each pulse -> range, linearity, switching noise, switching parameters",
    columns=(
        Wanted("conductance", ("S", "Ohm", "A"), ("G", "resistance", "R", "current", "I"), several=True),
        Wanted("pulse", ("1",), ("pulse number", "number", "n"), optional=True),
        Wanted("amplitude", ("V",), ("voltage", "V", "pulse amplitude"), optional=True),
        Wanted("width", ("s",), ("pulse width", "pw"), optional=True),
    ),
    calibrate=calibrate_pulses,
    settings={
        "pulses_per_branch": Setting(math.nan, "of each branch, where nothing else tells", low=5.0, high=1e5),
        "read_voltage": Setting(math.nan, "that turns currents into conductances", unit="V", low=1e-4, high=10.0),
        "gap": Setting(math.nan, "at zero volts after each pulse", unit="s", low=0.0, high=1e3),
        "least_step": Setting(0.01, "share of the range by which states that count differ", low=1e-4, high=0.5),
        "domains": Setting("yes", "whether the switching parameters are fitted", choices=("yes", "no")),
        "attempt_time": Setting(3.6e-6, "of the domains, where not fitted", unit="s", low=1e-14, high=1.0),
        "field_exponent": Setting(3.3, "of Merz' law, where not fitted", low=0.3, high=10.0),
        "nucleation_exponent": Setting(1.0, "of the domains: 1 without memory", low=0.5, high=4.0),
    },
)  # fmt: skip
