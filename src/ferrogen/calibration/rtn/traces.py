"""Calibration from traces: every column of every table is one record of one cell."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import welch

from ferrogen.calibration.fragment import CardFragment, fitted
from ferrogen.calibration.kind import Request
from ferrogen.calibration.result import Axis, Calibration, Panel, Series
from ferrogen.calibration.rtn.bias import TrapPosition, trap_position
from ferrogen.calibration.rtn.dwell import Dwells
from ferrogen.calibration.rtn.parameters import (
    amplitude_parameter,
    area_factor,
    conductance,
    number_parameter,
    time_parameter,
)
from ferrogen.calibration.rtn.timelag import time_lag
from ferrogen.calibration.rtn.trace import TraceFit, fit_trace
from ferrogen.calibration.table import Table
from ferrogen.core.errors import DataFileError, argument_error
from ferrogen.core.streams import Purpose
from ferrogen.core.units import parse_quantity
from ferrogen.device.noise.rtn.closed_form import sampled_lorentzian
from ferrogen.device.parameter import Parameter, Spread

Array = NDArray[np.float64]

_MOST_SAMPLES = 5_000_000
_MOST_TRACES = 64
_UNEVEN = 0.01  # of the interval
_LEAST_FOR_SPREAD = 3  # traps below which no distribution is fitted
_SHOWN = 4  # traces with panels
_LAG_BINS = 96  # a side of the time-lag plot that is kept


@dataclass(frozen=True, slots=True)
class _Record:
    label: str
    file: int
    x: Array
    unit: str
    interval: float | None


def _interval(table: Table, time: Array | None, given: float) -> float | None:
    if not math.isnan(given):
        return given
    if time is None:
        return None
    steps = np.diff(time)
    interval = float(np.median(steps))
    if interval <= 0.0 or np.any(np.abs(steps - interval) > _UNEVEN * abs(interval) + 1e-6 * float(np.ptp(time))):
        raise DataFileError(
            f"'{table.path}': the times do not rise in equal steps (median {interval:g} s). Telegraph noise is fitted"
            " to samples at equal intervals; resample, or give the interval (--set 'interval = 1 ms')."
        )
    return interval


def _records(request: Request) -> list[_Record]:
    records = []
    for file, table in enumerate(request.tables):
        columns = table.read(_MOST_SAMPLES)
        signal = columns["signal"].reshape(len(columns["signal"]), -1)
        unit = table.units["signal"]
        if unit == "Ohm" and not np.all(signal > 0.0):
            raise DataFileError(
                f"'{table.path}' has a resistance that is not positive. Correct or leave out such rows."
            )
        interval = _interval(table, columns.get("time"), request.number("interval"))
        for k in range(signal.shape[1]):
            label = table.name if signal.shape[1] == 1 else f"{table.name}, trace {k + 1}"
            records.append(_Record(label, file, conductance(signal[:, k], unit), unit, interval))
    if len(records) > _MOST_TRACES:
        raise DataFileError(
            f"There are {len(records)} traces, more than {_MOST_TRACES}. If a row is a cell, say so (--set 'layout ="
            " cells'); else give fewer columns."
        )
    return records


def _voltages(request: Request) -> list[float]:
    text = request.word("voltages").strip()
    if not text:
        return []
    parts = [part.strip() for part in text.split(",")]
    if len(parts) != len(request.tables):
        raise argument_error("voltages", f"be {len(request.tables)} voltages between commas, one a file", repr(text))
    return [parse_quantity(part, "V", "voltages") for part in parts]


def calibrate_traces(request: Request) -> Calibration:
    """Fit every trace, and put what its traps have in common into a card fragment.

    Raises:
        DataFileError: uneven times, resistances that are not positive, too many traces.
        ArgumentError: a trace that cannot be analysed, or settings that do not fit the files.
    """
    records, voltages = _records(request), _voltages(request)
    fits = [
        fit_trace(
            record.x,
            request.streams.generator(Purpose.CALIBRATION, k),
            interval=record.interval,
            most_traps=round(request.number("most_traps")),
            drift=request.word("drift") == "yes",
            least_switches=round(request.number("least_switches")),
        )
        for k, record in enumerate(records)
    ]
    positions = _positions(request, records, fits, voltages)
    # the same cell at several voltages is one cell: its first record stands for it
    kept = [k for k, record in enumerate(records) if len(set(voltages)) < 2 or record.file == 0]
    parameters, not_identified = _card(request, [records[k] for k in kept], [fits[k] for k in kept], positions)
    warnings = [f"{record.label}: {note}" for record, fit in zip(records, fits, strict=True) for note in fit.notes]
    if any(record.unit == "Ohm" for record in records):
        warnings.append("Resistances were turned into conductances: levels and amplitudes are in S.")
    panels = tuple(
        panel for record, fit in list(zip(records, fits, strict=True))[:_SHOWN] for panel in _panels(record, fit)
    )
    return Calibration(
        kind="rtn",
        fragment=CardFragment({"": parameters} if parameters else {}, tuple(not_identified)),
        summary=tuple(_line(record, fit) for record, fit in zip(records, fits, strict=True)),
        goodness={f"noise of {record.label} [signal]": fit.noise for record, fit in zip(records, fits, strict=True)},
        warnings=tuple(dict.fromkeys(warnings)),
        record={
            "traces": [_plain(record, fit) for record, fit in zip(records, fits, strict=True)],
            "positions": [asdict(position) for position in positions],
        },
        residuals=_residuals(records[0], fits[0]),
        panels=panels,
    )


def _line(record: _Record, fit: TraceFit) -> str:
    found = "; ".join(
        f"amplitude {trap.amplitude:.4g} +- {trap.amplitude_error:.1g}, low {trap.time_low:.3g} {fit.time_unit}"
        f" (ln +- {trap.log_error_low:.2f}), high {trap.time_high:.3g} {fit.time_unit}"
        f" (ln +- {trap.log_error_high:.2f}), {trap.switches} switches{'' if trap.identified else ', not identified'}"
        for trap in fit.traps
    )
    verdict = "" if fit.has_levels or not fit.traps else "; a continuous background explains the trace better"
    return f"{record.label}: {len(fit.traps)} traps, noise {fit.noise:.3g}{': ' if found else ''}{found}{verdict}."


def _positions(
    request: Request, records: list[_Record], fits: list[TraceFit], voltages: list[float]
) -> list[TrapPosition]:
    if len(set(voltages)) < 2:
        return []
    used = [k for k, fit in enumerate(fits) if fit.traps]
    positions = []
    # traps are matched over the voltages by the order of their amplitudes
    for m in range(min((len(fits[k].traps) for k in used), default=0)):
        traps = [fits[k].traps[m] for k in used if fits[k].traps[m].identified]
        volts = [voltages[records[k].file] for k in used if fits[k].traps[m].identified]
        if len(set(volts)) > 1:
            errors = [math.hypot(trap.log_error_low, trap.log_error_high) for trap in traps]
            low, high = [trap.time_low for trap in traps], [trap.time_high for trap in traps]
            positions.append(trap_position(volts, low, high, errors, request.sample.kelvin))
    return positions


def _card(
    request: Request, records: list[_Record], fits: list[TraceFit], positions: list[TrapPosition]
) -> tuple[dict[str, Parameter], list[str]]:
    factor, remark = area_factor(request.sample)
    lost = [remark] if remark else []
    parameters: dict[str, Parameter] = {}
    count = np.array([len(fit.traps) if fit.has_levels else 0 for fit in fits])
    good = [(fit, trap) for fit in fits if fit.has_levels for trap in fit.traps if trap.identified]
    where = f"{len(records)} traces, {len(good)} identified traps"
    if len(fits) >= _LEAST_FOR_SPREAD and count.sum():
        mean = float(count.mean())
        error = math.sqrt(mean / len(fits))
        note = f"mean over {where}; traps that did not switch are not counted"
        parameters["traps_per_cell"] = number_parameter(mean, error, factor, note=note, source=request.source)
    else:
        lost.append(f"traps_per_cell: {len(fits)} traces are too few for a mean number.")
    if len(good) < _LEAST_FOR_SPREAD:
        lost.append(f"trap_amplitude, trap_time_constant: {len(good)} identified traps are too few for a distribution.")
    else:
        ratio = np.array([trap.amplitude / abs(float(fit.level.max())) for fit, trap in good])
        logs = np.log(ratio)
        median, width = float(np.exp(np.median(logs))), float(logs.std(ddof=1))
        error = median * 1.2533 * width / math.sqrt(len(good))  # a median's, of a normal distribution
        note = f"relative to the highest level; {where}; small amplitudes are hidden by noise"
        parameters["trap_amplitude"] = amplitude_parameter(
            median, error, width, factor, note=note, source=request.source
        )
        times = np.array([trap.time_constant for _, trap in good])
        if any(record.interval is None for record in records):
            lost.append("trap_time_constant: the sampling interval is not known, so time constants are in reads only.")
        elif float(times.max()) > float(times.min()):
            note = f"smallest and largest of {where}, at the read voltage; records see no others"
            parameters["trap_time_constant"] = time_parameter(
                float(times.min()), float(times.max()), note=note, source=request.source
            )
    sure = [position for position in positions if not position.note]
    lost.extend(f"Trap {k}: {position.note}" for k, position in enumerate(positions, 1) if position.note)
    if sure:
        level = np.array([position.level for position in sure])
        error = float(np.sqrt(np.mean([position.level_error**2 for position in sure]) / len(sure)))
        half = float(np.ptp(level)) / 2.0
        parameters["trap_level"] = fitted(
            float(level.mean()), "eV", error, source=request.source,
            note=f"from the bias dependence of {len(sure)} traps",
            spread=Spread(kind="trap", distribution="uniform", value=half) if half else None,
        )  # fmt: skip
        if request.sample.thickness is not None:
            depth = np.array([position.relative_depth for position in sure]) * request.sample.thickness
            error = float(np.sqrt(np.mean([p.relative_depth_error**2 for p in sure]) / len(sure)))
            parameters["trap_depth"] = fitted(
                float(depth.mean()), "m", error * request.sample.thickness, source=request.source,
                note="relative depth from the bias dependence times the thickness: as if all voltage dropped there",
            )  # fmt: skip
        else:
            lost.append("trap_depth: the thickness was not told; relative depths are in calibration.json.")
    elif not positions:
        lost.append("trap_level, trap_depth: need traces at several voltages (--set 'voltages = ...').")
    return parameters, lost


def _plain_dwells(dwells: Dwells) -> dict[str, Any]:
    return {
        "completed": int(dwells.completed.shape[0]),
        "cut_off": int(dwells.censored.shape[0]),
        "mean": dwells.mean,
        "log_error": dwells.log_error,
        "share_of_time_cut_off": dwells.censored_share,
    }


def _plain(record: _Record, fit: TraceFit) -> dict[str, Any]:
    lag = time_lag(record.x, fit.noise, bins=_LAG_BINS)
    thin = max(1, math.ceil(lag.centres.shape[0] / _LAG_BINS))
    return {
        "label": record.label,
        "unit": "S" if record.unit == "Ohm" else record.unit,
        "samples": int(record.x.shape[0]),
        "interval": record.interval,
        "time_unit": fit.time_unit,
        "noise": fit.noise,
        "drift": fit.drift,
        "levels": fit.level,
        "level_errors": fit.level_error,
        "has_levels": fit.has_levels,
        "criterion": fit.criterion,
        "background_criterion": fit.background_criterion,
        "error_source": fit.error_source,
        "traps": [
            {name: value for name, value in asdict(trap).items() if name not in ("low", "high")}
            | {"dwells_low": _plain_dwells(trap.low), "dwells_high": _plain_dwells(trap.high)}
            for trap in fit.traps
        ],
        "time_lag": {
            "centres": lag.centres[::thin],
            "density": lag.density[::thin, ::thin],
            "levels": lag.levels,
            "weights": lag.weights,
        },
    }


def trap_spectrum(fit: TraceFit, frequency: Array, interval: float) -> Array:
    """Return the one-sided spectrum of a fit: sampled Lorentzians of its traps plus white noise."""
    total = np.full(frequency.shape[0], 2.0 * interval * fit.noise**2)
    for trap in fit.traps:
        # the chain on the grid has exactly these rates
        total += trap.amplitude**2 * sampled_lorentzian(frequency, 1.0 / trap.time_low, 1.0 / trap.time_high, interval)
    return total


def _panels(record: _Record, fit: TraceFit) -> list[Panel]:
    interval = 1.0 if record.interval is None else record.interval
    time_unit, frequency_unit = ("s", "Hz") if record.interval is not None else ("1", "1")
    each = "" if record.interval is not None else " [reads]"
    segment = max(32, min(record.x.shape[0] // 8, 1 << 14))
    frequency, power = welch(record.x, fs=1.0 / interval, nperseg=segment)
    frequency, power = frequency[1:-1], power[1:-1]
    edges = np.unique(np.round(np.geomspace(1, frequency.shape[0] + 1, 40)).astype(int))
    sizes = np.diff(edges)
    middle = np.exp(np.add.reduceat(np.log(frequency), edges[:-1] - 1) / sizes)
    binned = np.add.reduceat(power, edges[:-1] - 1) / sizes
    panels = [
        Panel(
            f"{record.label}: spectrum",
            Axis(
                "Frequency" if record.interval is not None else "Frequency [1/read]", frequency_unit, logarithmic=True
            ),
            Axis("Power density [signal^2 / frequency]", "1", logarithmic=True),
            (Series("trace", middle, binned, trap_spectrum(fit, middle, interval)),),
            residuals=False,
        )
    ]
    for k, trap in enumerate(fit.traps, 1):
        series = []
        for label, own, mean in (("low", trap.low, trap.time_low), ("high", trap.high, trap.time_high)):
            lengths = np.sort(own.completed)
            if lengths.shape[0] >= 2:
                left = 1.0 - np.arange(lengths.shape[0]) / lengths.shape[0]
                series.append(Series(label, lengths, left, np.exp(-(lengths - interval) / mean)))
        if series:
            panels.append(
                Panel(
                    f"{record.label}: dwell times of trap {k}",
                    Axis(f"Dwell time{each}", time_unit, logarithmic=True),
                    Axis("Share of completed dwells that are longer", "1", logarithmic=True),
                    tuple(series),
                    residuals=False,
                )
            )
    return panels


def _residuals(record: _Record, fit: TraceFit) -> dict[str, Array]:
    interval = 1.0 if record.interval is None else record.interval
    model = fit.chains.offset + fit.path @ fit.chains.amplitude
    model = model + fit.chains.drift * np.linspace(-1.0, 1.0, record.x.shape[0])
    unit = "s" if record.interval is not None else "reads"
    return {
        f"time [{unit}]": np.arange(record.x.shape[0]) * np.float64(interval),
        "signal": record.x,
        "most likely level": np.asarray(model),
    }
