"""The kind ``iv``: the compact read model with its spread, barriers, activation energies, the law of the current."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferrogen.calibration.columns import Wanted
from ferrogen.calibration.compare import Tried, comparison, verdict
from ferrogen.calibration.conditions import TEMPERATURES
from ferrogen.calibration.fragment import CardFragment, fitted
from ferrogen.calibration.iv.activation import ActivationPoint, activation_energies, apparent_permittivities
from ferrogen.calibration.iv.barriers import barrier_current, fit_barriers
from ferrogen.calibration.iv.compact import COMMON, Compact, fit_compact_curves, model_current, split_states
from ferrogen.calibration.iv.curves import Curve, CurveSet, read_curves
from ferrogen.calibration.iv.leakage import ACTIVATED, TEXTBOOK, TUNNELLING, compare_leakage
from ferrogen.calibration.kind import Kind, Request, Setting
from ferrogen.calibration.result import Axis, Calibration, Panel, Series
from ferrogen.core.streams import Purpose
from ferrogen.device.parameter import Parameter, Spread

Array = NDArray[np.float64]

_REJECTED = 10.0  # difference of AIC beyond which a law has no support (Burnham and Anderson 2002, section 2.6)
_GOOD = 0.5  # rms of ln I up to which a barrier is put into a card
_SHOWN_SIGN = {1.0: "+", -1.0: "-"}
_SIGNS = {"positive": 1.0, "negative": -1.0}
Sections = dict[str, dict[str, Parameter]]


def calibrate_iv(request: Request) -> Calibration:
    """Fit current-voltage curves.

    Raises:
        DataFileError: a curve without enough usable points, or tables that do not go together.
        ArgumentError: settings that do not fit the data.
    """
    data = read_curves(request)
    generator = request.streams.generator(Purpose.CALIBRATION)
    reference = data.reference()
    compact = fit_compact_curves(reference, generator)
    on = split_states(compact.conductance)
    sections: Sections = {"": {}}
    untold: list[str] = []
    summary: list[str] = []
    warnings: list[str] = []
    if any(curve.sizes for curve in data.curves):
        warnings.append("The currents are positive at both polarities: they were taken to be sizes.")
    record: dict[str, Any] = {"points_left_out": {curve.label: curve.dropped for curve in data.curves}}
    panels = [_compact_panel(data, reference, compact)]
    _compact(request, data, reference, compact, on, sections[""], untold, summary, warnings, record)
    thermal = _activation(request, data, sections, untold, summary, warnings, record, panels, generator)
    _barriers(request, data, reference, on, sections, untold, summary, record, panels, generator, thermal=thermal)
    values = compact.common.result.values
    model = [
        model_current(curve, float(compact.conductance[k]), values["characteristic_voltage"])
        for k, curve in enumerate(reference)
    ]
    return Calibration(
        kind="iv",
        fragment=CardFragment({key: item for key, item in sections.items() if item}, tuple(dict.fromkeys(untold))),
        summary=tuple(summary),
        goodness={"rmse of the compact model [1, of ln]": compact.common.result.rmse},
        warnings=tuple(dict.fromkeys(warnings)),
        record=record,
        residuals={
            "curve": np.repeat(np.arange(len(reference)), [curve.voltage.size for curve in reference]).astype(float),
            "voltage [V]": np.concatenate([curve.voltage for curve in reference]),
            f"current [{data.unit}]": np.concatenate([curve.current for curve in reference]),
            f"compact model [{data.unit}]": np.concatenate(model),
            "residual [1, of ln]": np.concatenate(
                [np.log(curve.current / own) for curve, own in zip(reference, model, strict=True)]
            ),
        },
        panels=tuple(panels),
    )


def _note(request: Request, rmse: float) -> str:
    return f"{', '.join(table.name for table in request.tables)}: rmse {rmse:.3g} of the logarithm"


def _compact(
    request: Request,
    data: CurveSet,
    curves: Sequence[Curve],
    compact: Compact,
    on: NDArray[np.bool_] | None,
    own: dict[str, Parameter],
    untold: list[str],
    summary: list[str],
    warnings: list[str],
    record: dict[str, Any],
) -> None:
    """Add the compact read model."""
    result = compact.common.result
    scale, error = result.values["characteristic_voltage"], result.standard_errors["characteristic_voltage"]
    largest = max(float(np.abs(curve.voltage).max()) for curve in curves)
    note = _note(request, result.rmse)
    valid = {"read_voltage": (0.0, min(largest, 10.0))}
    own["characteristic_voltage"] = fitted(scale, "V", error, note=note, source=request.source, valid=valid)
    summary.append(
        f"Compact model of {len(curves)} curves up to {largest:g} V: V0 = {scale:.3f} +- {error:.3f} V, rms"
        f" {result.rmse:.2g} of ln I."
    )
    warnings += [line for line in verdict(compact.tried) if compact.tried[0].name != COMMON]
    if compact.tried[0].name != COMMON:
        warnings.append(
            "One characteristic voltage for all states and polarities is a simplification here: see the comparison."
        )
    state = request.word("state")
    groups = {} if on is None else {"on": on, "off": ~on}
    if on is None and state != "auto":
        groups = {state: np.ones(len(curves), dtype=bool)}
    elif on is None:
        untold.append("Which state the curves are of: say --set state=on or --set state=off.")
    conductances: dict[str, Any] = {}
    for name, inside in groups.items():
        logs = np.log(compact.conductance[inside])
        mean = float(np.exp(logs.mean()))
        width = float(logs.std(ddof=1)) if logs.size > 1 else None
        own_error = float(np.sqrt(np.sum((compact.errors[inside] / compact.conductance[inside]) ** 2)) / logs.size)
        whole = mean * math.hypot(own_error, 0.0 if width is None else width / math.sqrt(logs.size))
        conductances[name] = {
            "median": mean,
            "standard_error": whole,
            "spread_of_logarithm": width,
            "curves": logs.size,
        }
        devices = request.word("curves") == "devices"
        spread = None
        if width is not None and devices:
            spread = Spread(kind="d2d", distribution="lognormal", value=min(float(f"{width:.4g}"), 3.0))
        elif devices:
            untold.append(f"The spread of the {name} state from device to device: there is one curve.")
        if data.unit == "A":
            own[f"{name}_conductance"] = fitted(
                mean, "S", whole, note=f"{note}; of the area that was measured", source=request.source, spread=spread
            )
        elif request.sample.area is not None:
            area = request.sample.area
            own[f"{name}_conductance"] = fitted(
                mean * area, "S", whole * area, note=f"{note}; of {area:g} m^2", source=request.source, spread=spread
            )
        else:
            untold.append(f"The {name} conductance of a cell: the currents are densities; give --area.")
    if conductances:
        shown = ", ".join(f"{name} {item['median']:.3g}" for name, item in conductances.items())
        unit = "S" if data.unit == "A" else "S/m^2"
        summary.append(f"Conductance at small voltages: {shown} {unit}.")
    record["compact"] = {
        "comparison": comparison(compact.tried),
        "laws": {item.name: item.record() for item in compact.tried},
        "verdict": verdict(compact.tried),
        "states": conductances,
        "conductance": {curve.label: float(value) for curve, value in zip(curves, compact.conductance, strict=True)},
    }


def _activation(
    request: Request,
    data: CurveSet,
    sections: Sections,
    untold: list[str],
    summary: list[str],
    warnings: list[str],
    record: dict[str, Any],
    panels: list[Panel],
    generator: np.random.Generator,
) -> bool:
    """Add activation energies and the law of leakage; return whether tunnelling is rejected."""
    thickness = request.sample.thickness
    expected, factor = request.number("optical_permittivity"), request.number("permittivity_factor")
    if thickness is not None:
        apparent = apparent_permittivities(data, thickness)
        record["apparent_permittivity"] = [
            {
                "temperature": item.temperature, "sign": item.sign, "value": item.value,
                "standard_error": item.standard_error, "excludes_optical": item.excludes(expected, factor),
            }
            for item in apparent
        ]  # fmt: skip
        if apparent:
            shown = ", ".join(
                f"{item.value:.3g} +- {item.standard_error:.1g} ({item.temperature:.4g} K, {_SHOWN_SIGN[item.sign]})"
                for item in apparent
            )
            excluded = all(item.excludes(expected, factor) for item in apparent)
            fate = "rejected" if excluded else "not rejected by it alone"
            summary.append(
                f"Poole-Frenkel needs the optical permittivity {shown}, where {expected:g} is expected: {fate}."
            )
    if len(data.temperatures) < 2:
        untold.append("Activation energies, and with them thermal laws: all curves are at one temperature.")
        return False
    energies = {name: activation_energies(data, sign) for name, sign in _SIGNS.items()}
    record["activation_energy_over_bias"] = {
        name: [point.record() for point in points] for name, points in energies.items()
    }
    for name, points in energies.items():
        if points:
            values = [point.energy for point in points]
            low, high = min(values), max(values)
            summary.append(
                f"Activation energy at {name} bias: median {float(np.median(values)):.3f} eV, from {low:.3f} to"
                f" {high:.3f} eV over {len(points)} voltages."
            )
    drawn = [_energy_series(name, points) for name, points in energies.items() if points]
    if drawn:
        panels.append(Panel("Activation energy", Axis("voltage", "V"), Axis("energy", "eV"), drawn, residuals=False))
    if thickness is None or data.area is None:
        untold.append("The law of the leakage: it needs --thickness and, for currents in A, --area.")
        return False
    thermal = False
    chosen = request.word("polarity")
    record["leakage"] = {}
    for name, sign in _SIGNS.items():
        if not energies[name]:
            continue
        tried = compare_leakage(data, sign, thickness, expected, generator, traps=request.word("single_traps") == "yes")
        record["leakage"][name] = {
            "comparison": comparison(tried), "verdict": verdict(tried), "laws": {t.name: t.record() for t in tried}
        }  # fmt: skip
        best = tried[0]
        summary.append(f"At {name} bias: {verdict(tried)[0]}")
        worse = {item.name: item.result.aic - best.result.aic for item in tried}
        rejected = [law for law in (TEXTBOOK, TUNNELLING) if worse.get(law, 0.0) > _REJECTED]
        if rejected:
            shown = " and ".join(f"{law} (AIC worse by {worse[law]:.0f})" for law in rejected)
            summary.append(f"Rejected at {name} bias: {shown}.")
        thermal = thermal or TUNNELLING in rejected
        warnings += verdict(tried)[1:]
        needed = best.result.values.get("optical_permittivity", expected)
        if not expected / factor <= needed <= expected * factor:
            summary.append(
                f"It needs an optical permittivity of {needed:.3g}, not that of the film: it describes, but does not"
                " explain."
            )
        activated = next((item for item in tried if item.name == ACTIVATED), None)
        if activated is not None:
            energy = activated.result.values["leakage_activation_energy"]
            error = activated.result.standard_errors["leakage_activation_energy"]
            summary.append(
                f"Activated sinh at {name} bias: {energy:.3f} +- {error:.3f} eV, rms"
                f" {activated.result.rmse:.2g} of ln I."
            )
        if activated is not None and (name == chosen or not energies[chosen]):
            sections["transport"] = sections.get("transport", {}) | _leakage_parameters(request, activated)
            warnings += activated.result.warnings
    if all(energies.values()):
        untold.append(
            f"The asymmetry of the leakage: a card's is the same at both polarities; taken is that at {chosen} bias."
        )
    return thermal


def _energy_series(name: str, points: Sequence[ActivationPoint]) -> Series:
    return Series(name, [abs(point.voltage) for point in points], [point.energy for point in points], None)


def _leakage_parameters(request: Request, item: Tried) -> dict[str, Parameter]:
    units = {"leakage_conductance": "S/m^2", "leakage_voltage": "V", "leakage_activation_energy": "eV"}
    note = _note(request, item.result.rmse)
    return {
        name: fitted(
            item.result.values[name], unit, item.result.standard_errors[name], note=note, source=request.source
        )
        for name, unit in units.items()
    }


def _barriers(
    request: Request,
    data: CurveSet,
    curves: Sequence[Curve],
    on: NDArray[np.bool_] | None,
    sections: Sections,
    untold: list[str],
    summary: list[str],
    record: dict[str, Any],
    panels: list[Panel],
    generator: np.random.Generator,
    *,
    thermal: bool,
) -> None:
    """Add the barriers of each state, unless the current is thermally activated."""
    thickness = request.sample.thickness
    if request.word("barriers") == "no":
        return
    if thickness is None:
        untold.append("Barriers: they need --thickness (and --area, or the prefactor is free).")
        return
    if thermal:
        untold.append("Barriers: the current is thermally activated, and does not tunnel.")
        return
    states = {"all": list(curves)}
    if on is not None:
        states = {name: [c for c, inside in zip(curves, mask, strict=True) if inside]
                  for name, mask in (("on", on), ("off", ~on))}  # fmt: skip
    record["barriers"] = {}
    for name, own in states.items():
        tried, said = fit_barriers(data, own, thickness, generator)
        best = tried[0]
        values, errors = best.result.values, best.result.standard_errors
        product = thickness * math.sqrt(values["tunnelling_mass"])
        share = 0.5 * errors["tunnelling_mass"] / values["tunnelling_mass"]
        record["barriers"][name] = {
            "comparison": comparison(tried), "verdict": verdict(tried), "laws": {t.name: t.record() for t in tried},
            "thickness_root_mass": {"value": product, "standard_error": product * share},
        }  # fmt: skip
        heights = ", ".join(
            f"{key.removesuffix('_barrier_height')} {value:.2f} +- {errors[key]:.2f} eV"
            for key, value in values.items() if key.endswith("height")
        )  # fmt: skip
        summary.append(
            f"Barrier ({name}, {best.name}): {heights}, mass {values['tunnelling_mass']:.3g}; rms"
            f" {best.result.rmse:.2g} of ln I."
        )
        untold += [
            *said,
            (
                f"Thickness and mass apart ({name}): only thickness x sqrt(mass) = {1e9 * product:.3f} +-"
                f" {1e9 * product * share:.3f} nm is identified; the mass rests on the thickness given."
            ),
            *([] if data.area is not None else ["The prefactor of tunnelling: the area is not known."]),
            *best.result.warnings,
        ]
        model = [
            np.abs(barrier_current(best.name, values, curve.voltage, curve.temperature, thickness)) for curve in own
        ]
        panels.append(
            Panel(
                f"{best.name} barrier, {name}",
                Axis("voltage", "V"),
                Axis("current density" if data.area is not None else "current", "A/m^2" if data.area else "A", True),  # noqa: FBT003
                [
                    Series(curve.label, curve.voltage, np.abs(data.density(curve)), found)
                    for curve, found in zip(own, model, strict=True)
                ],
            )
        )
        good = best.result.rmse < _GOOD and not best.result.at_bound and data.area is not None
        if good and name in ("all", "on"):
            sections["transport"] = sections.get("transport", {}) | _barrier_parameters(request, best)


def _barrier_parameters(request: Request, best: Tried) -> dict[str, Parameter]:
    values, errors = best.result.values, best.result.standard_errors
    note = f"{best.name}, {_note(request, best.result.rmse)}"
    found = {}
    for name, unit in (("top_barrier_height", "eV"), ("bottom_barrier_height", "eV"), ("tunnelling_mass", "1")):
        key = name if name in values else "mean_barrier_height"
        found[name] = fitted(values[key], unit, errors[key], note=note, source=request.source)
    return found


def _compact_panel(data: CurveSet, curves: Sequence[Curve], compact: Compact) -> Panel:
    scale = compact.common.result.values["characteristic_voltage"]
    return Panel(
        "Compact read model",
        Axis("voltage", "V"),
        Axis("size of the current", data.unit, logarithmic=True),
        [
            Series(
                curve.label, curve.voltage, np.abs(curve.current),
                np.abs(model_current(curve, float(compact.conductance[k]), scale)),
            )
            for k, curve in enumerate(curves)
        ],
    )  # fmt: skip


KIND = Kind(
    name="iv",
    title="currents over voltage -> compact read model, barriers, activation energies, law of the leakage",
    columns=(
        Wanted("voltage", ("V",), ("V", "bias", "U", "Vplus")),
        Wanted("current", ("A", "A/m^2"), ("I", "current density", "leakage current density", "J"), several=True),
        Wanted("temperature", ("K",), optional=True),
    ),
    calibrate=calibrate_iv,
    settings={
        "temperatures": TEMPERATURES,
        "largest_voltage": Setting(math.nan, "beyond which points are left out", unit="V", low=1e-3, high=1e3),
        "floor": Setting(math.nan, "current (density) below which points are left out; default: thrice that near 0 V",
                         low=0.0, high=1e12),
        "offset": Setting("keep", "whether the current near 0 V is taken off", choices=("keep", "subtract")),
        "state": Setting("auto", "which state the curves are of, if of one", choices=("auto", "on", "off")),
        "curves": Setting("devices", "whether curves differ by device (a d2d spread) or are repeats",
                          choices=("devices", "repeats")),
        "polarity": Setting("positive", "whose leakage goes into the card", choices=("positive", "negative")),
        "barriers": Setting("yes", "whether barriers are fitted where a thickness is given", choices=("yes", "no")),
        "single_traps": Setting("no", "whether tunnelling through single traps is tried, too (a minute)",
                                choices=("yes", "no")),
        "optical_permittivity": Setting(4.5, "expected of the film, for Poole-Frenkel", low=1.0, high=100.0),
        "permittivity_factor": Setting(1.5, "by which it may be off", low=1.0, high=10.0),
    },
)  # fmt: skip
