"""What it costs to remember: remembered currents beside the plain product, and what becomes of a thousand products.

Run ``python benchmarks/product_memory.py`` (two minutes; single thread). Two tables: process time of the currents that
last, alone, and of a whole product with and without them, over the plain float32 product of the same matrix; and the
rms deviation of the mean of K products over that of one, measured, from the theory of the traps, and for white noise.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from timing import Timing, paired, row, write_results

from ferrogen.chip.chip import Chip
from ferrogen.chip.engine.product import product
from ferrogen.chip.flicker.bins import SLOWEST
from ferrogen.chip.flicker.currents import remembered_currents
from ferrogen.chip.flicker.memory import ProductMemory, remember
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.schedule import READ_PHASE, chip_schedule
from ferrogen.chip.spec import ChipSpec
from ferrogen.device.noise.rtn.covariances import phase_covariances
from ferrogen.device.noise.rtn.moments import phase_moments
from ferrogen.mapping.layer import AnalogLinear, map_linear

CARD, ROUNDS = "hzo-mfis-nor", 21


def layer(size: int, rows: int, columns: int, *, common: bool) -> AnalogLinear:
    """Return a calibrated layer that remembers."""
    chip = Chip(CARD, seed=1, spec=ChipSpec(rows=rows, columns=columns))
    generator = np.random.default_rng(0)
    made = map_linear(chip, generator.normal(size=(size, size)) / size**0.5, np.zeros(size))
    made.memory, made.shares_cycles = "on", common
    made.calibrate(torch.from_numpy(generator.normal(size=(256, size))).float(), OperatingPoint.for_card(chip.device))
    return made


def timings(size: int, rows: int, columns: int, batch: int, *, common: bool) -> tuple[dict[str, Timing], int]:
    """Time one vector a cycle."""
    made = layer(size, rows, columns, common=common)
    point = OperatingPoint.for_card(made.chip.device)
    remembering = made.remembering(point)
    prepared, memory = made.prepared(point), remembering.memory
    made.memory = "off"
    white = made.prepared(point)
    if prepared is None or white is None or memory is None:
        raise RuntimeError("the default circuits have fast products")
    codes = torch.randint(-127, 128, (batch, size), dtype=torch.int8)
    where = torch.arange(batch)
    x, weight = torch.randn(batch, size), torch.randn(size, size)

    def currents() -> torch.Tensor:
        return remembered_currents(codes, where, memory, input_levels=127)

    times = paired(
        {
            "plain": lambda: x @ weight,
            "remembered currents": currents,
            "product, white": lambda: product(codes, white, where),
            "product, remembering": lambda: product(codes, prepared, where, added=currents()),
        },
        ROUNDS,
    )
    return times, int(memory.deviations.shape[0])


def decision(rows: int, columns: int) -> tuple[str, float]:
    """Return what ``auto`` says of a 512 x 512 layer, and seconds of process time for its memory."""
    made = layer(512, rows, columns, common=True)
    point = OperatingPoint.for_card(made.chip.device)
    start = time.process_time()
    remember(made.chip, made.blocks, point, made.matrices(point), common=True)
    spent = time.process_time() - start
    made.memory = "auto"
    return str(made.remembering(point).decision), spent


def averages(counts: tuple[int, ...], origins: int = 300) -> list[dict[str, float]]:
    """Compare the rms of a mean of K products of equal inputs with theory, over lines of one tile."""
    made = layer(64, 64, 64, common=True)
    point = OperatingPoint.for_card(made.chip.device)
    memory = made.remembering(point).memory
    assert isinstance(memory, ProductMemory)
    codes = torch.from_numpy(np.random.default_rng(1).integers(-127, 128, 64).astype(np.int8))
    squares = np.square(codes.numpy().astype(np.float64) / 127)
    covariance, moves, variance = [], [], []
    for block in made.blocks.blocks[0]:
        tile = made.chip.tile(block.tile)
        population = tile.population()
        schedule = chip_schedule(point, samples=False, observe="product")
        to_one, to_zero = tile.event_means(population, schedule, point.temperature)
        first, rate = phase_covariances(to_one, to_zero, READ_PHASE)
        _, whole = phase_moments(to_one, to_zero, READ_PHASE)
        weight = tile.steps(population) ** 2 * squares[population.traps.cell % 64]
        kept = rate >= SLOWEST
        covariance.append((first * weight)[kept])
        variance.append((whole * weight)[kept])
        moves.append(rate[kept])
    c, v, m = (np.concatenate(part) for part in (covariance, variance, moves))
    rows = []
    for count in counts:
        cycles = (np.arange(origins)[:, None] * 135171 + np.arange(count)).ravel()
        found = remembered_currents(codes.expand(cycles.size, 64), torch.from_numpy(cycles), memory, input_levels=127)
        mean = found[0].double().reshape(origins, count, -1).mean(dim=1)
        lags = np.arange(1, count)
        sums = np.array([(c * np.exp(-m * (k - 1))).sum() for k in lags]) if count > 1 else np.zeros(0)
        theory = (v.sum() + 2 * ((1 - lags / count) * sums).sum()) / count / v.sum()
        rows.append({"count": count, "measured": float((mean**2).mean().sqrt()), "theory": float(theory**0.5)})
    first_rms = rows[0]["measured"]
    return [{**entry, "measured": entry["measured"] / first_rms, "white": entry["count"] ** -0.5} for entry in rows]


def main() -> None:
    """Print both tables and write the results."""
    torch.set_num_threads(1)
    results: list[dict[str, Any]] = []
    print("| matrix | tiles | batch | bins | currents | product, white | product, remembering |")
    print("|---|---|---|---|---|---|---|")
    for size, rows, columns, common in (
        (512, 512, 1024, False), (512, 512, 1024, True), (512, 128, 128, False), (512, 128, 128, True),
    ):  # fmt: skip
        for batch in (64, 256):
            times, bins = timings(size, rows, columns, batch, common=common)
            ratio = {name: timing.cpu_ratio for name, timing in times.items()}
            print(
                f"| {size} x {size} | {rows} x {columns} | {batch} | {bins} | {ratio['remembered currents']:.2f} |"
                f" {ratio['product, white']:.2f} | {ratio['product, remembering']:.2f} |"
            )
            facts = {"size": size, "tile": f"{rows} x {columns}", "batch": batch, "bins": bins}
            results += [row(name, timing, **facts) for name, timing in times.items()]
    for rows, columns in ((512, 1024), (128, 128)):
        said, spent = decision(rows, columns)
        print(f"\n{rows} x {columns}: {said}; memory made in {spent:.2f} s of process time")
    means = averages((1, 10, 100, 1000))
    print("\n| K | measured | theory | white |\n|---|---|---|---|")
    for entry in means:
        print(f"| {entry['count']:.0f} | {entry['measured']:.3f} | {entry['theory']:.3f} | {entry['white']:.3f} |")
    write_results("product_memory", results, averages=means)


if __name__ == "__main__":
    main()
