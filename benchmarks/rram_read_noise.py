"""Does a trap ensemble reproduce measured read noise on cells it was not fitted to, better than white and 1/f noise do?

    python benchmarks/rram_read_noise.py FOLDER [--halves 3] [--processes 2]

FOLDER holds the tables of repeated reads (one cell a row: address, two voltages, then resistances in ohm; the read
interval is not recorded, so times are in reads). Every file's cells are split at random into halves; each model is
fitted to one half and compared with the other. Columns, means over the halves: error of the spectrum's slope;
Kolmogorov-Smirnov distance of sigma/G over the cells; errors of the median of std(K) / std(1) at K = 10, 100, 200
averaged reads, and their root mean square (for the file of 501 reads K = 200 leaves two blocks). "half" compares the
measured halves with each other: no model can be expected to do better than that. Models:

- ensemble: traps that programming left in random states and that relax (ferrogen.calibration.rtn.ensemble);
- stationary: the same with all traps in equilibrium from the first read on;
- white, 1/f: one strength for all cells, the median deviation of the fitted half; 1/f has power density A / f;
- white+, 1/f+: the same with a log-normal strength over the cells, fitted: a harder comparison than was asked for.

The fit to all cells of each file follows, with 90 % intervals (bootstrap over the cells).
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import ks_2samp
from timing import write_results

from ferrogen.calibration.columns import Choice, Wanted
from ferrogen.calibration.rtn.cells import CellTable, cell_table, collect_cells
from ferrogen.calibration.rtn.ensemble import draw_numbers, flicker_cells, simulate_cells, white_cells
from ferrogen.calibration.rtn.matching import ensemble_intervals, fit_ensemble
from ferrogen.calibration.table import open_table
from ferrogen.core.streams import Purpose, Streams

STREAMS = Streams(7)
FILES = ("1T4R_ResetToRange_drift.csv", "target100-120.csv", "target20-40_old.csv", "target_40-50_50mV.csv")
READS = (Wanted("resistance", ("Ohm",), several=True),)
COLUMNS = {"resistance": Choice("#4-", "Ohm")}
CELLS = 1000


def measured_cells(path: Path) -> CellTable:
    chunks = open_table(path, READS, COLUMNS).chunks()
    return collect_cells(1.0 / chunk["resistance"] for chunk in chunks)


def compare(model: CellTable, held: CellTable) -> dict[str, Any]:
    decay = model.median_decay - held.median_decay
    return {
        "slope": model.slope - held.slope,
        "sigma_ks": float(ks_2samp(model.deviation, held.deviation).statistic),
        "decay": [float(value) for value in decay],
        "decay_rms": float(np.sqrt(np.nanmean(decay**2))),
    }


def one_half(file: int, path: Path, half: int) -> dict[str, dict[str, Any]]:
    table = measured_cells(path)
    order = STREAMS.generator(Purpose.TEST_PATTERN, file, half).permutation(table.count)
    fitted, held = table.take(order[: table.count // 2]), table.take(order[table.count // 2 :])
    draws = draw_numbers(CELLS, table.reads, STREAMS, 3, file, half)
    typical, width = float(np.median(fitted.deviation)), float(np.std(np.log(fitted.deviation)))
    generator = STREAMS.generator(Purpose.SYNTHETIC_DATA, file, half)
    cells: dict[str, NDArray[np.float64]] = {
        name: simulate_cells(
            fit_ensemble(fitted, STREAMS, address=(file, half, int(share)), scrambled=share).ensemble, draws
        )
        for name, share in (("ensemble", 1.0), ("stationary", 0.0))
    }
    for name, spread in (("", 0.0), ("+", width)):
        cells[f"white{name}"] = white_cells(typical, spread, draws)
        cells[f"1/f{name}"] = flicker_cells(typical, spread, draws, generator)
    return {name: compare(cell_table(own), held) for name, own in cells.items()} | {"half": compare(fitted, held)}


def whole(file: int, path: Path) -> dict[str, Any]:
    table = measured_cells(path)
    fit = fit_ensemble(table, STREAMS, address=(file, 100))
    intervals = ensemble_intervals(table, fit, STREAMS, address=(file, 100))
    correlated = [
        [intervals.names[i], intervals.names[j], round(float(intervals.correlation[i, j]), 2)]
        for i in range(len(intervals.names))
        for j in range(i)
        if abs(intervals.correlation[i, j]) > 0.8
    ]
    return {
        "cells": table.count,
        "reads": table.reads,
        "measured_slope": round(table.slope, 3),
        "median_sigma": round(float(np.median(table.deviation)), 4),
        "misfit": round(fit.misfit, 2),
        "at_bound": list(fit.at_bound),
        "parameters": {
            name: {
                "value": float(f"{getattr(fit.ensemble, name):.4g}"),
                "low": float(f"{low:.4g}"),
                "high": float(f"{high:.4g}"),
            }
            for name, low, high in zip(intervals.names, intervals.low, intervals.high, strict=True)
        },
        "correlated": correlated,
    }


def summary(results: list[dict[str, Any]]) -> dict[str, Any]:
    decay = np.abs(np.array([result["decay"] for result in results])).mean(axis=0)
    return {
        "slope_error": round(float(np.mean([abs(result["slope"]) for result in results])), 3),
        "sigma_ks": round(float(np.mean([result["sigma_ks"] for result in results])), 3),
        "decay_errors": [round(float(value), 3) for value in decay],
        "decay_rms": round(float(np.mean([result["decay_rms"] for result in results])), 3),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--halves", type=int, default=3)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    start = time.perf_counter()
    with ProcessPoolExecutor(arguments.processes) as pool:
        halves = {
            name: [pool.submit(one_half, file, arguments.folder / name, k) for k in range(arguments.halves)]
            for file, name in enumerate(FILES)
        }
        fits = {name: pool.submit(whole, file, arguments.folder / name) for file, name in enumerate(FILES)}
        print("| file | model | slope | sigma/G KS | K = 10 | 100 | 200 | decay rms |\n" + "|---" * 8 + "|")
        for name in FILES:
            results = [job.result() for job in halves[name]]
            for model in results[0]:
                row = {"file": name, "model": model, **summary([result[model] for result in results])}
                rows.append(row)
                shown = " | ".join(f"{value:.3f}" for value in row["decay_errors"])
                print(
                    f"| {name} | {model} | {row['slope_error']:.3f} | {row['sigma_ks']:.3f} | {shown} |"
                    f" {row['decay_rms']:.3f} |",
                    flush=True,
                )
        print("\n| file | cells | slope | misfit | parameter | value | 5 % | 95 % |\n" + "|---" * 8 + "|")
        fitted = {name: job.result() for name, job in fits.items()}
    for name, result in fitted.items():
        for parameter, value in result["parameters"].items():
            print(
                f"| {name} | {result['cells']} | {result['measured_slope']} | {result['misfit']} | {parameter} |"
                f" {value['value']:.3g} | {value['low']:.3g} | {value['high']:.3g} |"
            )
        print(f"{name}: at a bound {result['at_bound']}; correlated {result['correlated']}")
    print(f"{time.perf_counter() - start:.0f} s")
    write_results("rram_read_noise", rows, halves=arguments.halves, fits=fitted)


if __name__ == "__main__":
    main()
