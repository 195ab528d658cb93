"""Kind ``waveform``: charge under any waveform of the voltage becomes [switching] and the background permittivity.

Records that are not fitted are predicted, which is the test that counts: with the charge offset of the fit, and with
one of their own, as where a charge counts from is the instrument's choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ferrogen.calibration.charge import (
    Record,
    charge_with_voltage,
    domain_free,
    guessed_start,
    kinetics_free,
    model_charge,
    rmse,
    thinned,
)
from ferrogen.calibration.columns import Wanted
from ferrogen.calibration.fit import FitResult, Free, fit, near
from ferrogen.calibration.fragment import CardFragment, assumed, fitted
from ferrogen.calibration.kind import Kind, Request, Setting
from ferrogen.calibration.misfit import misfit_sentences
from ferrogen.calibration.result import Axis, Calibration, Panel, Series
from ferrogen.calibration.switching import GRAIN_AREA, PRACTICAL
from ferrogen.calibration.table import Table
from ferrogen.calibration.time_series import read_series
from ferrogen.calibration.validation import CrossValidation, cross_validate
from ferrogen.core.errors import ArgumentError, DataFileError, argument_error
from ferrogen.core.streams import Purpose
from ferrogen.device.parameter import Parameter, Spread

Array = NDArray[np.float64]

ATTEMPT_TIME = 1e-6  # s: between the two HZO films of device.md 1.3 (0.44 and 3.6 us)
FIELD_EXPONENT = 3.5  # between those of the same films (4.2 and 3.3)
_SAMPLES = 900  # of a record: the error by thinning is reported, and is far below that of the model
_LEAST_SAMPLES = 20
STARTS = ("cycled", "up", "down")
_MOST_FOLDS = 16
_NOTICED = 1.0  # of the rmse: the largest error by thinning that is said aloud
MOST_EVALUATIONS = 150  # of a search: measured records need 10 to 60


@dataclass(frozen=True, slots=True)
class Prediction:
    """How well a fit describes a record: rmse [uC/cm^2] with the fit's charge offset and with one of its own."""

    name: str
    fitted: bool
    rmse: float
    rmse_own_offset: float
    worst: float

    def line(self) -> str:
        """Return it for a person."""
        return (
            f"  {self.name}: {'fitted' if self.fitted else 'predicted'}, rmse {self.rmse:.3g} uC/cm^2"
            f" ({self.rmse_own_offset:.3g} with a charge offset of its own, at worst {self.worst:.3g})"
        )


def _period(request: Request, table: Table) -> float:
    """Return the time that a table without times spans [s]: one loop at the frequency that was told; else 0."""
    if "time" in table.units:
        return 0.0
    if request.number("frequency") == 0.0:
        raise ArgumentError(
            f"'{table.name}' has no times, so setting `frequency` is needed: give that of the loop, e.g."
            " --set 'frequency = 1 kHz' (rows are then evenly spaced in time), or name the column of times."
        )
    return 1.0 / request.number("frequency")


def read_records(request: Request) -> list[Record]:
    """Read all files as records, each at all of its samples, or in very long ones at every so many.

    Raises:
        DataFileError: too few samples, or a time that does not rise.
        ArgumentError: the area is needed and was not given.
    """
    records = []
    for table in request.tables:
        series = read_series(table, period=_period(request, table))
        charge = series.charge
        if table.units["charge"] == "C":
            charge = charge / request.sample.needed_area()
        thick = request.sample.needed_thickness() if table.units["voltage"] == "V/m" else 1.0
        time, voltage = series.time, series.voltage * thick
        if time.size < _LEAST_SAMPLES:
            raise DataFileError(f"'{table.name}' has {time.size} samples; at least {_LEAST_SAMPLES} are needed.")
        if not np.ptp(voltage) > 0.0:
            raise DataFileError(f"'{table.name}': the voltage never changes, so there is nothing to learn from it.")
        start = request.word("start")
        charge, turned = charge_with_voltage(voltage, charge)
        records.append(
            Record(
                table.name, time, voltage, charge, series.mean_voltage * thick,
                guessed_start(voltage) if start == "auto" else start, request.sample.kelvin,
                " ".join(f"'{table.name}': {line}" for line in (turned, _skipped(series.step)) if line),
            )
        )  # fmt: skip
    return records


def _skipped(step: int) -> str:
    return "" if step == 1 else f"of so many rows every {step}th was taken, with the mean voltage between them."


def number_fitted(request: Request) -> int:
    """Return how many files are fitted; the others are predicted.

    Raises:
        ArgumentError: more than there are.
    """
    count = int(request.number("fitted")) or len(request.tables)
    if count > len(request.tables):
        raise argument_error("fitted", f"be at most the {len(request.tables)} files", count)
    return count


def charge_residuals(
    records: Sequence[Record], thickness: float, fixed: Mapping[str, float]
) -> Callable[[Mapping[str, float]], Array]:
    """Return residuals (data minus model, uC/cm^2) of records, each with the charge offset that suits it best."""

    def residuals(values: Mapping[str, float]) -> Array:
        parts = [item.charge - model_charge(item, {**fixed, **values}, thickness) for item in records]
        return np.concatenate([part - part.mean() for part in parts]) * PRACTICAL

    return residuals


def predict(
    records: Sequence[Record], values: Mapping[str, float], thickness: float, count: int
) -> tuple[list[Prediction], list[Array]]:
    """Return figures and residuals [uC/cm^2] of all records; the offset is that of the first ``count``, fitted ones."""
    raw = [(item.charge - model_charge(item, values, thickness)) * PRACTICAL for item in records]
    own = [float(part.mean()) for part in raw]
    offset = float(np.mean(own[:count]))
    shifts = [own[k] if k < count else offset for k in range(len(raw))]
    residuals = [part - shift for part, shift in zip(raw, shifts, strict=True)]
    found = [
        Prediction(item.name, k < count, rmse(residuals[k]), rmse(raw[k] - own[k]), float(np.abs(residuals[k]).max()))
        for k, item in enumerate(records)
    ]
    return found, residuals


def calibrate_waveform(request: Request) -> Calibration:
    """Fit the first records, predict the others.

    Raises:
        DataFileError: data that cannot be a waveform.
        ArgumentError: thickness or area is needed and was not given.
    """
    thickness = request.sample.needed_thickness()
    count = number_fitted(request)
    records = read_records(request)
    thin = [thinned(item, _SAMPLES) for item in records]
    fixed = {"nucleation_exponent": float(request.word("nucleation_exponent"))}
    free = domain_free(thin[:count], thickness)
    kinetics = kinetics_free(request.number("attempt_time"), request.number("field_exponent"))
    if request.word("kinetics") == "free":
        free += kinetics
    else:
        fixed |= {item.name: item.start for item in kinetics}
    trials = [(_fitted(request, used, free, fixed, thickness), used) for used in _with_starts(request, thin[:count])]
    best, used = min(trials, key=lambda trial: trial[0].rmse)
    values = {**fixed, **best.values}
    thin = [*used, *(_suited(request, item, values, thickness) for item in thin[count:])]
    told = [] if request.word("start") != "auto" else [
        f"'{item.name}' begins at {item.voltage[0]:.3g} V, far from its largest: the state there was told from the fit,"
        f" {new.start}. State --set start=up, down or cycled if it is known."
        for item, new in zip(records, thin, strict=True) if item.start == "cycled"
    ]  # fmt: skip
    records = [replace(item, start=new.start) for item, new in zip(records, thin, strict=True)]
    residuals = charge_residuals(thin[:count], thickness, fixed)
    pieces, owners = _pieces(thin[:count])
    validation = (
        cross_validate(residuals, near(best), pieces, records=owners, tolerance=1e-6, most_evaluations=MOST_EVALUATIONS)
        if np.unique(pieces).size > 2
        else None
    )
    predictions, left = predict(records, values, thickness, count)
    thinning = max(
        float(np.abs(np.interp(item.time, full.time, model_charge(full, values, thickness))
                     - model_charge(item, values, thickness)).max())
        for item, full in zip(thin, records, strict=True)
    ) * PRACTICAL  # fmt: skip
    reached = rmse(np.concatenate(left[:count]))
    about = (
        f"rmse {reached:.3g} uC/cm^2 on {', '.join(item.name for item in records[:count])};"
        f" nucleation exponent {fixed['nucleation_exponent']:g}"
    )
    held = [item for item in predictions if not item.fitted]
    lines = [f"Domain ensemble with local bias and linear background: {about}.", *(item.line() for item in predictions)]
    if validation is not None:
        lines.append(f"  pieces of the waveform left out of the fit: {validation.pooled:.3g} uC/cm^2")
    section, own = _parameters(request, records[:count], best, validation, fixed, about)
    return Calibration(
        kind="waveform",
        fragment=CardFragment(
            {"": own, "switching": section}, _not_identified(request, best), tuple(f"switching.{key}" for key in fixed)
        ),
        summary=tuple(lines),
        goodness={
            "rmse [uC/cm^2]": reached,
            **({"rmse of predicted records [uC/cm^2]": rmse(np.concatenate(left[count:]))} if held else {}),
            **({"rmse on pieces left out [uC/cm^2]": validation.pooled} if validation is not None else {}),
        },
        warnings=(
            *(item.remark for item in records if item.remark),
            *told,
            *misfit_sentences(
                np.concatenate([item.charge - item.charge.mean() for item in records[:count]]) * PRACTICAL,
                np.concatenate(left[:count]),
                "uC/cm^2",
            ),
            *_thinning_sentences(thinning, reached, thin),
            *best.warnings,
        ),
        record={
            "fit": best.record(),
            "fixed": fixed,
            "records": [
                {"name": item.name, "fitted": item.fitted, "rmse": item.rmse, "rmse_own_offset": item.rmse_own_offset,
                 "worst": item.worst, "samples": int(full.time.size), "start": full.start}
                for item, full in zip(predictions, records, strict=True)
            ],
            "left_out_pieces": None if validation is None else validation.record(),
            "error_by_thinning [uC/cm^2]": thinning,
        },
        residuals=record_columns(records, left, "record"),
        panels=tuple(_panel(*triple) for triple in zip(records, left, predictions, strict=True)),
    )  # fmt: skip


def _with_starts(request: Request, records: Sequence[Record]) -> list[list[Record]]:
    """Return the records with every state that those of unknown beginning may begin in."""
    if request.word("start") != "auto" or all(item.start != "cycled" for item in records):
        return [list(records)]
    return [
        [replace(item, start=start) if item.start == "cycled" else item for item in records] for start in STARTS
    ]  # fmt: skip


def _suited(request: Request, record: Record, values: Mapping[str, float], thickness: float) -> Record:
    """Return a predicted record in the state that suits it best, if nothing else tells where it begins."""
    choices = [one for (one,) in _with_starts(request, [record])]
    return min(choices, key=lambda item: float(np.std(item.charge - model_charge(item, values, thickness))))


def _fitted(
    request: Request, records: Sequence[Record], free: Sequence[Free], fixed: Mapping[str, float], thickness: float
) -> FitResult:
    return fit(
        charge_residuals(records, thickness, fixed),
        free,
        starts=int(request.number("starts")),
        generator=request.streams.generator(Purpose.CALIBRATION, 0),
        tolerance=1e-8,
        most_evaluations=MOST_EVALUATIONS,
    )


def _pieces(records: Sequence[Record]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return which samples are left out together, neighbouring pieces if there are many, and whose they are."""
    parts: list[NDArray[np.intp]] = []
    for item in records:
        first = parts[-1].max() + 1 if parts else 0
        parts.append(first + item.segments())
    pieces = np.concatenate(parts)
    number = int(pieces.max()) + 1
    owners = np.repeat(np.arange(len(parts)), [part.size for part in parts])
    return pieces * min(number, _MOST_FOLDS) // number, owners


def _thinning_sentences(thinning: float, reached: float, records: Sequence[Record]) -> list[str]:
    if thinning <= _NOTICED * reached:
        return []
    size = max(item.time.size for item in records)
    sentence = (
        f"The fit sees {size} samples of a record: that alone errs by up to {thinning:.2g} uC/cm^2, of an rmse of"
        f" {reached:.2g}. Give shorter records."
    )
    return [sentence]


def _parameters(
    request: Request,
    records: Sequence[Record],
    best: FitResult,
    validation: CrossValidation | None,
    fixed: Mapping[str, float],
    about: str,
) -> tuple[dict[str, Parameter], dict[str, Parameter]]:
    errors = {
        item.name: max(best.stated_errors()[item.name], 0.0 if validation is None else validation.jackknife(item.name))
        for item in best.free
    }
    largest = max(float(np.abs(item.voltage).max()) for item in records)
    valid = {"program_voltage": (0.0, largest)}
    tail = "; standard error: the larger of the residuals' and the delete-a-piece jackknife's" if validation else ""

    def one(name: str, note: str = "", spread: Spread | None = None) -> Parameter:
        unit = next(item.unit for item in best.free if item.name == name)
        return fitted(best.values[name], unit, errors[name], note=f"{note}{about}{tail}", source=request.source,
                      valid=valid, spread=spread)  # fmt: skip

    def spread(kind: str, name: str) -> Spread:
        width = float(f"{best.values[name]:.6g}")
        return Spread.model_validate({"kind": "domain", "distribution": kind, "value": width})

    def kinetic(name: str, unit: str) -> Parameter:
        if name in best.values:
            return one(name)
        return assumed(fixed[name], unit, note=f"held in the fit, which a single sweep rate cannot replace: {about}")

    section = {
        "remanent_polarization": one(
            "remanent_polarization", "switching part only, belongs to the fitted permittivity; "
        ),
        "activation_field": one(
            "activation_field", f"spread +- {errors['activation_width']:.2g}; ", spread("lognormal", "activation_width")
        ),
        "attempt_time": kinetic("attempt_time", "s"),
        "field_exponent": kinetic("field_exponent", "1"),
        "nucleation_exponent": assumed(fixed["nucleation_exponent"], "1", note=f"stated for the fit: {about}"),
        "local_bias_field": one(
            "local_bias_field", f"spread +- {errors['bias_deviation']:.2g} V/m; ", spread("normal", "bias_deviation")
        ),
        "domain_area": assumed(
            GRAIN_AREA, "m^2", note="a grain of 20 nm; the mean of many domains does not tell their number"
        ),
    }
    return section, {"ferroelectric_permittivity": one("permittivity", "background with all that is reversible; ")}


def _not_identified(request: Request, best: FitResult) -> tuple[str, ...]:
    held: tuple[str, ...] = ()
    if request.word("kinetics") == "given":
        sentence = (
            "attempt_time and field_exponent: one sweep rate tells a combination of them with activation_field; they"
            " were held. Give those of pulses: --set attempt_time=..., --set field_exponent=...."
        )
        held = (sentence,)
    correlated = tuple(text for text in best.warnings if "correlated" in text or "direction" in text)
    return (*held, "domain_area: the mean of many domains does not tell their number.", *correlated)


def record_columns(records: Sequence[Record], left: Sequence[Array], label: str) -> dict[str, Array]:
    """Return what is written of records and their residuals [uC/cm^2]; ``label`` names the column of their number."""
    charge = np.concatenate([item.charge for item in records]) * PRACTICAL
    residual = np.concatenate(left)
    return {
        label: np.concatenate([np.full(item.time.size, k + 1.0) for k, item in enumerate(records)]),
        "time [s]": np.concatenate([item.time for item in records]),
        "voltage [V]": np.concatenate([item.voltage for item in records]),
        "charge [uC/cm^2]": charge,
        "model [uC/cm^2]": charge - residual,
        "residual [uC/cm^2]": residual,
    }


def _panel(record: Record, left: Array, figures: Prediction) -> Panel:
    model = record.charge - left / PRACTICAL
    title = f"{record.name}: {'fitted' if figures.fitted else 'predicted'}, rmse {figures.rmse:.3g} µC/cm²"
    return Panel(
        title, Axis("time", "s"), Axis("charge", "C/m^2"), (Series("", record.time, record.charge, model),)
    )  # fmt: skip


COLUMNS = (
    Wanted("time", ("s",), ("t",)),
    Wanted("voltage", ("V", "V/m"), ("V", "Vplus", "U", "field", "E")),
    Wanted("charge", ("C/m^2", "C"), ("Q", "P", "P1", "polarization", "polarisation", "D")),
)

SETTINGS = {
    "fitted": Setting(0.0, "how many files are fitted, the others are predicted (0: all)", low=0.0, high=1e4),
    "attempt_time": Setting(ATTEMPT_TIME, "of the switching, from pulses", "s", low=1e-15, high=1.0),
    "field_exponent": Setting(FIELD_EXPONENT, "of the switching, from pulses", low=0.5, high=10.0),
    "kinetics": Setting("given", "attempt_time and field_exponent: given or free", choices=("given", "free")),
    "nucleation_exponent": Setting("2", "1 (Markov domains) or 2", choices=("1", "2")),
    "start": Setting("auto", "state at the start", choices=("auto", *STARTS)),
    "starts": Setting(1.0, "searches, the first from the stated start", low=1.0, high=100.0),
}

KIND = Kind(
    name="waveform",
    title="charge under any voltage waveform -> [switching], permittivity",
    columns=COLUMNS,
    calibrate=calibrate_waveform,
    settings=SETTINGS,
)
