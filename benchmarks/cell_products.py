"""What products cost when traps are followed cell by cell, and how long a layer takes to be made.

    OMP_NUM_THREADS=1 python benchmarks/cell_products.py [--size 512] [--card hzo-mfis-nor] [--batch 64]

One large tile of ``size`` rows and ``size`` differential pairs, write-verified; batches of consecutive cycles, one
thread, process CPU time, in turns with a plain product of torch (float32, the first line). *Cold* forgets the page of
cycles that was followed ahead, *in a row* goes on to the next cycles, as a run does. ``conductances`` is the path that
makes every cell's conductance in every cycle, for four cycles, scaled up. Only what is followed is timed: conversion
costs what a statistical product costs (benchmarks/analog_products.py).
"""

from __future__ import annotations

import argparse
import resource
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from timing import write_results

from ferrogen.chip.cells.products import cell_products
from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec

ROUNDS = 15


def cpu(call: Callable[[], object]) -> float:
    """Return the process time of a call [s]."""
    begin = time.process_time()
    call()
    return time.process_time() - begin


def main() -> None:
    """Print the table and write the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--card", default="hzo-mfis-nor")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.9, 0.95, 0.99, 1.0])
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    size, batch = arguments.size, arguments.batch
    chip = Chip(arguments.card, 1, ChipSpec(rows=size, columns=2 * size, tiles=1))
    point = OperatingPoint.for_card(chip.device)
    rng = np.random.default_rng(0)
    target = chip.window.low + chip.window.span * rng.random((size, 2 * size))
    small = Chip(arguments.card, 1, ChipSpec(rows=8, columns=8, tiles=1))
    small.program(0, target[:8, :8])
    small_grid = small.whole_tiles([[0]], 4)
    warm = cell_products(small, small_grid, point, small.product_matrices(small_grid, point))  # compiles
    warm.trap_currents(torch.zeros(1, 4, 8), np.arange(4))
    drawing = cpu(lambda: chip.program(0, target))
    grid = chip.whole_tiles([[0]], size)
    matrices = chip.product_matrices(grid, point)
    moments = cpu(lambda: chip.tile(0).cell_statistics(point))
    x = torch.from_numpy(rng.uniform(-1.0, 1.0, (batch, size)).astype(np.float32))
    weight = torch.from_numpy(rng.normal(size=(size, size)).astype(np.float32))
    tile = chip.tile(0)
    tile.product_conductances(point, first_cycle=0, cycles=1)
    old = cpu(lambda: tile.product_conductances(point, first_cycle=1000, cycles=4)) / 4 * batch
    rows = []
    print(f"{arguments.card}, {size} x {size} weights, batch {batch}; drawing and programming {drawing:.2f} s,", end="")
    print(f" moments {moments:.2f} s\n")
    print(
        "| followed share | traps a cell | table [MB] | made in [s] | cold [ms] | in a row [ms] | over plain | runs |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for share in arguments.shares:
        begin = time.process_time()
        found = cell_products(chip, grid, point, matrices, resolved_share=share)
        making = time.process_time() - begin
        cold, row, plain = [], [], []
        for turn in range(ROUNDS):
            cycles = np.arange(turn * batch, (turn + 1) * batch)
            line = found.lines[0][0]
            line.forget()
            cold.append(cpu(partial(found.trap_currents, x[None], cycles + 10**6)))
            plain.append(cpu(lambda: [x @ weight for _ in range(20)]) / 20)
        line.forget()
        for turn in range(3 * ROUNDS):
            cycles = np.arange(turn * batch, (turn + 1) * batch)
            row.append(cpu(partial(found.trap_currents, x[None], cycles)))
        # pages are followed ahead, so a batch in a row is costly or free: the mean counts
        in_row, once, base = statistics.fmean(row), statistics.median(cold), statistics.median(plain)
        print(
            f"| {share:g} | {found.followed_traps / (2 * size * size):.2f} | {found.bytes / 1e6:.0f} | {making:.2f} |"
            f" {1e3 * once:.1f} | {1e3 * in_row:.1f} | {in_row / base:.0f} x | {line.runs_kept} |"
        )
        rows.append(
            {
                "share": share,
                "traps_per_cell": found.followed_traps / (2 * size * size),
                "table_bytes": found.bytes,
                "making_s": making,
                "cold_s": once,
                "in_a_row_s": in_row,
                "plain_s": base,
            }
        )
    print(f"| conductances | | | | {1e3 * old:.0f} | {1e3 * old:.0f} | {old / base:.0f} x | |")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\npeak memory of the process: {peak:.0f} MB")
    write_results(
        f"cell_products_{arguments.card}_{size}_{batch}",
        rows,
        drawing_s=drawing,
        moments_s=moments,
        conductances_s=old,
        peak_mb=peak,
    )


if __name__ == "__main__":
    main()
