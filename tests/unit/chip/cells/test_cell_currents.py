"""Currents of followed traps: the old path to rounding, closed forms, and the same bits however they are asked for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ferrogen.array.faults import FaultMap
from ferrogen.chip.cells.currents import LineCurrents
from ferrogen.chip.cells.following import block_cells
from ferrogen.chip.cells.products import CellProducts, cell_products
from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.chip.tile import Tile
from ferrogen.circuit.periphery import Periphery
from ferrogen.circuit.wires import IdealWires, Wires
from ferrogen.core.errors import ArgumentError
from ferrogen.device.noise.rtn.closed_form import scheduled_moments

ROWS, LINES = 24, 32
CYCLES = np.arange(100, 170)


def made(card: str, *, wires: IdealWires | Wires | None = None, samples: bool = False, **spec: int) -> Chip:
    periphery = Periphery(wires=IdealWires() if wires is None else wires)
    chip = Chip(card, 4, ChipSpec(rows=ROWS, columns=LINES, tiles=4, periphery=periphery, **spec))
    shape = (ROWS, LINES)
    for number in range(2):
        target = chip.window.low + chip.window.span * np.random.default_rng(number).random(shape)
        chip.program(number, target, samples=samples)
    return chip


def point_of(chip: Chip) -> OperatingPoint:
    return OperatingPoint.for_card(chip.device)


def inputs(vectors: int, rows: int = ROWS, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).uniform(-1.0, 1.0, (rows, vectors))


def by_conductances(tile: Tile, point: OperatingPoint, x: NDArray[np.float64]) -> NDArray[np.float64]:
    conductances = tile.product_conductances(point, first_cycle=int(CYCLES[0]), cycles=CYCLES.size)
    return np.einsum("rt,trc->ct", x, conductances)


def whole(tile: Tile, point: OperatingPoint, share: float = 1.0) -> LineCurrents:
    rows, lines = tile.spec.logical_rows, 2 * tile.spec.logical_pairs
    return LineCurrents(block_cells(tile, point, rows=slice(0, rows), lines=slice(0, lines), resolved_share=share))


@pytest.mark.parametrize("samples", [False, True])
@pytest.mark.parametrize("card", ["hzo-mfis-nor", "hzo-3nm-direct"])
def test_with_every_trap_followed_currents_are_those_of_the_conductances(card: str, samples: bool) -> None:
    chip = made(card, samples=samples)
    tile, point = chip.tile(0), point_of(chip)
    lines = whole(tile, point)
    x = inputs(CYCLES.size)
    currents = lines.cells.still.mean.T @ x + lines.add(x, CYCLES)
    expected = by_conductances(tile, point, x)
    assert np.all(lines.cells.still.variance == 0.0)
    # single precision of the currents, and far below the noise
    assert np.abs(currents - expected).max() < min(6e-8 * np.abs(expected).max(), 1e-3 * lines.add(x, CYCLES).std())


def test_broken_lines_and_spare_ones() -> None:
    chip = made("hzo-3nm-direct", spare_rows=2, spare_pairs=2)
    broken = FaultMap(ROWS, LINES, open_rows=((3, 7),), shorted_rows=((8, 5),), dead_columns=(6,), stuck_on=((1, 1),))
    chip.fault_maps[2] = broken
    target = chip.window.low + chip.window.span * np.random.default_rng(5).random((ROWS, LINES))
    tile, point = chip.program(2, target), point_of(chip)
    lines = whole(tile, point)
    rows = chip.spec.logical_rows
    x = inputs(CYCLES.size, rows)
    still = tile.seen(lines.cells.still.mean, tile.shares())
    expected = by_conductances(tile, point, x)
    added = lines.add(x, CYCLES)
    assert added.shape == (2 * chip.spec.logical_pairs, CYCLES.size)
    assert np.abs(still.T @ x + added - expected).max() < 1e-4 * added.std()
    assert not added[6].any()


def test_the_wires_drop_bounds_the_error_of_the_noise() -> None:
    wires = Wires(row_segment=2e3, column_segment=6e3)
    chip = made("hzo-3nm-direct", wires=wires)
    tile, point = chip.tile(0), point_of(chip)
    lines = whole(tile, point)
    drop = float(wires.drop(lines.cells.still.mean).max())
    assert 1e-4 < drop < 0.05
    x = inputs(CYCLES.size)
    still = tile.seen(lines.cells.still.mean, None).T @ x
    exact = by_conductances(tile, point, x) - still
    error = lines.add(x, CYCLES) - exact
    assert np.sqrt((error**2).mean() / (exact**2).mean()) < 2.0 * drop


def products(chip: Chip, share: float = 1.0) -> CellProducts:
    point = point_of(chip)
    grid = chip.whole_tiles([[0], [1]], LINES // 2)
    return cell_products(chip, grid, point, chip.product_matrices(grid, point), resolved_share=share)


def test_a_vector_has_the_same_bits_alone_in_any_batch_order_and_thread() -> None:
    chip = made("hzo-3nm-direct")
    seen = torch.from_numpy(np.random.default_rng(2).uniform(-1.0, 1.0, (2, 300, ROWS)))
    cycles = np.sort(np.random.default_rng(3).integers(0, 200, 300)) + 10**6
    together = products(chip).trap_currents(seen, cycles)
    assert together.dtype == torch.float32
    assert together.shape == (2, 300, LINES // 2)
    order = np.random.default_rng(4).permutation(300)
    shuffled = products(chip).trap_currents(seen[:, order], cycles[order])
    assert torch.equal(shuffled, together[:, order])
    for k in (0, 17, 299):
        alone = products(chip).trap_currents(seen[:, k : k + 1], cycles[k : k + 1])
        assert torch.equal(alone, together[:, k : k + 1])
    one_by_one = products(chip)
    pages = [one_by_one.trap_currents(seen[:, k : k + 30], cycles[k : k + 30]) for k in range(0, 300, 30)]
    assert torch.equal(torch.cat(pages, dim=1), together)
    threaded = made("hzo-3nm-direct")
    threaded.threads = 3
    assert torch.equal(products(threaded).trap_currents(seen, cycles), together)


def test_vectors_of_one_cycle_see_the_same_cells() -> None:
    chip = made("hzo-3nm-direct")
    rng = np.random.default_rng(2)
    seen = torch.from_numpy(rng.integers(-64, 64, (2, 3, ROWS)) / 128.0)
    seen[:, 2] = seen[:, 0] + seen[:, 1]
    currents = products(chip).trap_currents(seen, np.array([7, 7, 7])).double()
    scale = float(currents.abs().max())
    assert float((currents[:, 2] - currents[:, 0] - currents[:, 1]).abs().max()) < 1e-6 * scale


def test_blocks_of_a_tile_are_parts_of_the_whole() -> None:
    chip = made("hzo-3nm-direct")
    tile, point = chip.tile(0), point_of(chip)
    x = inputs(CYCLES.size)
    rows, lines = slice(6, 20), slice(4, 12)
    part = LineCurrents(block_cells(tile, point, rows=rows, lines=lines))
    masked = np.zeros_like(x)
    masked[rows] = x[rows]
    expected = whole(tile, point).add(masked, CYCLES)[lines]
    np.testing.assert_allclose(part.add(x[rows], CYCLES), expected, atol=1e-5 * expected.std(), rtol=0)


def lag_one(one: NDArray[np.float64], zero: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Mean, variance and covariance with the next cycle of the last phase's fraction: formulas of tests/README."""
    events = one + zero
    p = one / np.maximum(events, 1e-300)
    q, decay = np.zeros(one.shape[0]), np.exp(-events)
    for k in range(events.shape[1]):
        q = p[:, k] * (1.0 - decay[:, k]) + q * decay[:, k]
    end = q / -np.expm1(-events.sum(axis=1))  # the state's probability at the end of every cycle
    u, last = events[:, -1], p[:, -1]
    start = end
    for k in range(events.shape[1] - 1):
        start = p[:, k] + (start - p[:, k]) * decay[:, k]
    phi = -np.expm1(-u) / u
    mean = last + (start - last) * phi
    ramp, hump = (u - 1.0 + np.exp(-u)) / u**2, (1.0 - (1.0 + u) * np.exp(-u)) / u**2
    square = last**2 + 2.0 * ((last * (1 - last) + last * (start - last)) * ramp + (start - last) * (1 - last) * hump)
    with_end = last * mean + (1.0 - last) * (last * phi + (start - last) * decay[:, -1])
    between = np.exp(-events[:, :-1].sum(axis=1))
    return mean, square - mean**2, (with_end - mean * end) * between * phi


@pytest.mark.parametrize("share", [1.0, 0.95])
def test_moments_are_those_of_the_closed_forms(share: float) -> None:
    """Largest |z| over mean, variance and covariance with the next cycle; level 1e-3, Bonferroni over the six."""
    chip = Chip("hzo-3nm-direct", 9, ChipSpec(rows=16, columns=1500, tiles=1, periphery=Periphery(wires=IdealWires())))
    point = OperatingPoint.for_card(chip.device, sampling_time=1e-4)
    rng = np.random.default_rng(0)
    tile = chip.program(0, chip.window.low + chip.window.span * rng.random((16, 1500)))
    lines = whole(tile, point, share)
    cells, traps = lines.cells, lines.cells.traps
    x = rng.uniform(-1.0, 1.0, 16)
    one, zero = (traps.rates[:, traps.voltage, k] * traps.duration for k in range(2))
    moving = (one + zero)[:, -1] > 1e-4  # the plain formulas lose digits below; these hardly move
    mean, variance, covariance = lag_one(np.where(moving[:, None], one, 0.5), np.where(moving[:, None], zero, 0.5))
    step = traps.weight.astype(np.float64) * cells.step * x[traps.row]
    kept = np.flatnonzero(moving)
    column = np.repeat(np.arange(traps.columns), np.diff(traps.starts))[kept]
    # The others are taken out of the table, and what is left is followed.
    some = type(traps)(
        traps.key, traps.address[kept], np.searchsorted(column, np.arange(traps.columns + 1)).astype(np.int64),
        traps.row[kept], traps.weight[kept], np.ascontiguousarray(traps.rates[kept]), traps.voltage, traps.duration,
        traps.observed,
    )  # fmt: skip
    follower = LineCurrents(type(cells)(cells.still, some, cells.step, None, None, cells.followed_share, cells.every))
    far = 10**6  # cycles that far apart have forgotten each other; pairs of neighbours give the covariance
    cycles = (np.arange(6)[:, None] * far + np.arange(2)).ravel()
    read = follower.add(np.repeat(x[:, None], 12, axis=1), cycles).reshape(-1, 6, 2)

    def per_line(values: NDArray[np.float64], power: int) -> NDArray[np.float64]:
        weights = step[kept] ** power * values[kept]
        return np.bincount(column, weights=weights, minlength=traps.columns)

    apart = read - per_line(mean, 1)[:, None, None]
    found = {
        "mean": apart.mean(axis=(1, 2)),
        "variance": (apart**2).mean(axis=(1, 2)) - per_line(variance, 2),
        "covariance": (apart[:, :, 0] * apart[:, :, 1]).mean(axis=1) - per_line(covariance, 2),
    }
    for name, values in found.items():  # lines are independent
        z = values.mean() / (values.std() / np.sqrt(values.size))
        assert abs(z) < 3.8, name
    assert per_line(covariance, 2).sum() > 0.3 * per_line(variance, 2).sum()  # there is a memory to be found


@pytest.mark.parametrize("share", [0.5, 0.9, 0.99])
def test_followed_traps_and_the_rest_make_up_the_tile(share: float) -> None:
    chip = made("hzo-3nm-direct")
    tile, point = chip.tile(0), point_of(chip)
    every, some = whole(tile, point).cells, whole(tile, point, share).cells
    population = tile.population()
    assert every.traps.count == every.every == population.traps.count
    assert some.traps.count < every.traps.count
    assert share <= some.followed_share < 1.0
    # Every trap's mean and variance is either in what stands still or in what is followed.
    statistics = tile.cell_statistics(point)
    assert 0.0 < some.still.variance.sum() <= (1.0 - share) * statistics.variance.sum()
    one, zero = (some.traps.rates[:, some.traps.voltage, k] * some.traps.duration for k in range(2))
    mean, variance = scheduled_moments(one, zero, 3)
    step = some.traps.weight * np.float64(some.step)
    column = np.repeat(np.arange(LINES), np.diff(some.traps.starts))
    cell = column * ROWS + some.traps.row
    followed = [
        np.bincount(cell, weights=values, minlength=ROWS * LINES).reshape(LINES, ROWS).T
        for values in (step * mean, step**2 * variance)
    ]
    np.testing.assert_allclose(some.still.mean + followed[0], statistics.mean, rtol=1e-6)
    np.testing.assert_allclose(some.still.variance + followed[1], statistics.variance, rtol=1e-4, atol=1e-30)


def test_what_does_not_fit_is_refused() -> None:
    chip = made("hzo-3nm-direct")
    found = products(chip)
    with pytest.raises(ArgumentError, match="`seen and cycles` must have the shapes"):
        found.trap_currents(torch.zeros(2, 3, ROWS), np.zeros(2, dtype=np.int64))
    with pytest.raises(ArgumentError, match="`cycles` must not be negative"):
        found.trap_currents(torch.zeros(2, 1, ROWS), np.array([-1]))
    with pytest.raises(ArgumentError, match=r"`resolved_share` must lie in \(0, 1\]"):
        products(chip, 0.0)
    assert found.trap_currents(torch.zeros(2, 0, ROWS), np.zeros(0, dtype=np.int64)).shape == (2, 0, LINES // 2)
