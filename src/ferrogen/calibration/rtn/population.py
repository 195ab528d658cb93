"""Calibration from repeated reads of many cells: a row is a cell, and the table is read in chunks."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from ferrogen.calibration.fragment import CardFragment
from ferrogen.calibration.kind import Request
from ferrogen.calibration.result import Axis, Calibration, Panel, Series
from ferrogen.calibration.rtn.cells import CellTable, cell_table, collect_cells
from ferrogen.calibration.rtn.ensemble import draw_numbers, simulate_cells
from ferrogen.calibration.rtn.matching import EnsembleFit, EnsembleIntervals, ensemble_intervals, fit_ensemble
from ferrogen.calibration.rtn.parameters import (
    amplitude_parameter,
    area_factor,
    conductance,
    number_parameter,
    time_parameter,
)
from ferrogen.calibration.table import Table
from ferrogen.core.errors import DataFileError
from ferrogen.device.parameter import Parameter

Array = NDArray[np.float64]

_CHECK_CELLS = 600
_CORRELATED = 0.9
_LOOSE = 0.7  # standard error of a logarithm beyond which a parameter counts as not identified


def _chunk(table: Table, signal: Array) -> Array:
    unit = table.units["signal"]
    if unit == "Ohm" and not np.all(signal > 0.0):
        raise DataFileError(f"'{table.path}' has a resistance that is not positive. Correct or leave out such rows.")
    return conductance(signal.reshape(len(signal), -1), unit)


def read_cells(request: Request) -> CellTable:
    """Reduce all tables, row by row, to one table of cells.

    Raises:
        DataFileError: a resistance that is not positive.
        ArgumentError: rows that are too short, or files of different numbers of reads.
    """
    return collect_cells(_chunk(table, part["signal"]) for table in request.tables for part in table.chunks())


def calibrate_population(request: Request) -> Calibration:
    """Fit the trap ensemble that the cells were drawn from.

    Raises:
        DataFileError: as :func:`read_cells`.
        ArgumentError: fewer than 20 cells.
    """
    table = read_cells(request)
    fit = fit_ensemble(table, request.streams, scrambled=request.number("scrambled"))
    intervals = ensemble_intervals(table, fit, request.streams)
    model = cell_table(
        simulate_cells(fit.ensemble, draw_numbers(_CHECK_CELLS, table.reads, request.streams, 9)), table.averages
    )
    given = request.number("interval")
    interval = None if math.isnan(given) else given
    parameters, lost = _card(request, fit, intervals, interval)
    warnings = [
        f"The ensemble misses the matched numbers by more than their errors (misfit {fit.misfit:.2g})."
    ] if fit.misfit > 1.5 else []  # fmt: skip
    warnings.extend(f"`{name}` ended on a bound of the search." for name in fit.at_bound)
    if interval is None:
        warnings.append("The interval between reads is not known: times are in reads.")
    found = zip(intervals.names, intervals.low, intervals.high, strict=True)
    return Calibration(
        kind="rtn",
        fragment=CardFragment({"": parameters}, tuple(lost)),
        summary=(
            (
                f"{table.count} cells, {table.reads} reads each: median sigma/G {np.median(table.deviation):.4g}"
                f" (ensemble {np.median(model.deviation):.4g}), slope of the spectrum {table.slope:.3f}"
                f" ({model.slope:.3f})."
            ),
            *(
                f"{name}: {getattr(fit.ensemble, name):.4g} ({low:.3g} to {high:.3g}, 90 %)"
                for name, low, high in found
            ),
        ),
        goodness={"misfit [1]": fit.misfit, "slope error [1]": model.slope - table.slope},
        warnings=tuple(warnings),
        record={
            "ensemble": asdict(fit.ensemble),
            "intervals": asdict(intervals),
            "matched_numbers": fit.moments,
            "decay": {
                "averages": list(table.averages),
                "measured": table.median_decay,
                "ensemble": model.median_decay,
                "white": [k**-0.5 for k in table.averages],
            },
            "slope": {"measured": table.slope, "ensemble": model.slope},
        },
        residuals={
            "mean": table.mean,
            "sigma over mean [1]": table.deviation,
            **{f"std({k}) / std(1) [1]": table.decay[:, j] for j, k in enumerate(table.averages)},
        },
        panels=_panels(table, model),
    )


def _card(
    request: Request, fit: EnsembleFit, intervals: EnsembleIntervals, interval: float | None
) -> tuple[dict[str, Parameter], list[str]]:
    factor, remark = area_factor(request.sample)
    lost = [remark] if remark else []
    ensemble = fit.ensemble
    error = dict(zip(intervals.names, intervals.log_error, strict=True))
    low, high = (dict(zip(intervals.names, ends, strict=True)) for ends in (intervals.low, intervals.high))

    def within(name: str) -> str:
        return f"90 % interval {low[name]:.3g} to {high[name]:.3g} (bootstrap over cells)"

    parameters = {
        "traps_per_cell": number_parameter(
            ensemble.traps_per_cell, ensemble.traps_per_cell * float(error["traps_per_cell"]), factor,
            note=f"ensemble of cells, misfit {fit.misfit:.2g}; {within('traps_per_cell')}", source=request.source,
        ),
        "trap_amplitude": amplitude_parameter(
            ensemble.amplitude, ensemble.amplitude * float(error["amplitude"]), ensemble.amplitude_width, factor,
            note=f"ensemble of cells; {within('amplitude')}", source=request.source,
        ),
    }  # fmt: skip
    if interval is None:
        lost.append(
            f"trap_time_constant: the interval between reads is not known; {ensemble.shortest:.3g} to"
            f" {ensemble.longest:.3g} reads."
        )
    else:
        parameters["trap_time_constant"] = time_parameter(
            ensemble.shortest * interval, ensemble.longest * interval, source=request.source,
            note=f"ensemble of cells, in reads: shortest {within('shortest')}, longest {within('longest')}",
        )  # fmt: skip
    lost.append(
        "trap_level, trap_depth: one read voltage does not tell them; the ensemble's levels lie within"
        f" {ensemble.level_width:.3g} kT of the Fermi level at that voltage."
    )
    lost.extend(
        f"{name}: known to a factor of {math.exp(float(error[name])):.2g} only (one standard error)."
        for name in intervals.names
        if error[name] > _LOOSE
    )
    matrix = intervals.correlation
    lost.extend(
        f"{intervals.names[i]} and {intervals.names[j]} are correlated ({matrix[i, j]:.2f}): they are not identified"
        " one without the other."
        for i in range(len(intervals.names) - 1)
        for j in range(i)
        if abs(matrix[i, j]) > _CORRELATED
    )
    return parameters, lost


def _panels(table: CellTable, model: CellTable) -> tuple[Panel, ...]:
    order = np.sort(table.deviation)
    share = (np.arange(order.shape[0]) + 0.5) / order.shape[0]
    expected = np.searchsorted(np.sort(model.deviation), order) / model.count
    usable = table.usable
    return (
        Panel(
            "Spectrum, each cell's variance set to one",
            Axis("Frequency [1/read]", "1", logarithmic=True),
            Axis("Power density", "1", logarithmic=True),
            (Series("mean of cells", table.frequency, table.mean_spectrum, model.mean_spectrum),),
        ),
        Panel(
            "sigma/G over the cells",
            Axis("sigma/G", "1", logarithmic=True),
            Axis("Share of cells below", "1"),
            (Series("cells", order, share, expected),),
        ),
        Panel(
            "What averaging leaves",
            Axis("Reads averaged", "1", logarithmic=True),
            Axis("std(K) / std(1), median of cells", "1", logarithmic=True),
            (
                Series(
                    "cells",
                    np.array(table.averages, dtype=np.float64)[usable],
                    table.median_decay[usable],
                    model.median_decay[usable],
                ),
            ),
        ),
    )
