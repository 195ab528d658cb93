"""Noise that products remember, against the theory of the tile's traps and against the cells themselves."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from scipy import linalg, stats

from ferrogen.chip.chip import Chip
from ferrogen.chip.flicker.bins import (
    DURATIONS,
    FASTEST,
    SLOWEST,
    approximated,
    bin_variances,
    correlation,
    share_table,
    tightest,
)
from ferrogen.chip.flicker.currents import remembered_currents
from ferrogen.chip.flicker.memory import ProductMemory, remember
from ferrogen.chip.flicker.tiles import remembered_variances
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.product import ProductMatrices
from ferrogen.chip.schedule import READ_PHASE, chip_schedule
from ferrogen.chip.spec import ChipSpec
from ferrogen.device.noise.rtn.closed_form import window_covariance, window_variance
from ferrogen.device.noise.rtn.covariances import phase_covariances
from ferrogen.device.noise.rtn.moments import phase_moments

Array = NDArray[np.float64]
ROWS, PAIRS = 48, 24
LEVELS = 127
FALSE_ALARM = 1e-3
# Origins so far apart that no sign of any bin lasts from one to the next, and at all phases of the bins.
SPACING = 16 * 8192 + 4099


def limit(comparisons: int) -> float:
    """Return the largest |z| of so many comparisons that correct code exceeds with the false-alarm level."""
    return float(stats.norm.isf(FALSE_ALARM / 2 / comparisons))


@dataclass(frozen=True)
class Traps:
    """The traps of a tile, straight from its population: what the theory needs."""

    covariance: Array  # of consecutive reads [S^2]
    variance: Array
    moves: Array
    cell: NDArray[np.int64]

    def lag(self, k: int, *, frozen: bool = False) -> Array:
        """Return the covariance [S^2] of every cell's reads k cycles apart, ``(rows, columns)``."""
        values = self.variance if k == 0 else self.covariance * np.exp(-self.moves * (k - 1))
        counted = np.where((self.moves >= SLOWEST) | frozen, values, 0.0)
        return np.bincount(self.cell, weights=counted, minlength=ROWS * 2 * PAIRS).reshape(2 * PAIRS, ROWS).T


@dataclass(frozen=True)
class Setup:
    chip: Chip
    point: OperatingPoint
    matrices: ProductMatrices
    memory: ProductMemory
    white: ProductMatrices
    traps: Traps

    def lines(self, x: Array, k: int, y: Array | None = None) -> Array:
        """Return the theory's covariance [A^2] of outputs for inputs x and, k cycles later, y (codes)."""
        cells = self.traps.lag(k)
        pairs = (cells[:, 0::2] + cells[:, 1::2]) * (self.matrices.drive / LEVELS) ** 2
        return np.asarray((x * (x if y is None else y)) @ pairs)


@pytest.fixture(scope="module")
def setup() -> Setup:
    chip = Chip("hzo-mfis-nor", seed=11, spec=ChipSpec(rows=ROWS, columns=2 * PAIRS, tiles=1))
    generator = np.random.default_rng(5)
    chip.program(0, chip.window.low + chip.window.span * generator.random((ROWS, 2 * PAIRS)))
    point = OperatingPoint.for_card(chip.device)
    grid = chip.whole_tiles([[0]], PAIRS)
    matrices = chip.product_matrices(grid, point)
    memory, white = remember(chip, grid, point, matrices)
    tile = chip.tile(0)
    population = tile.population()
    to_one, to_zero = tile.event_means(
        population, chip_schedule(point, samples=False, observe="product"), point.temperature
    )
    covariance, moves = phase_covariances(to_one, to_zero, READ_PHASE)
    _, variance = phase_moments(to_one, to_zero, READ_PHASE)
    square = tile.steps(population) ** 2
    traps = Traps(covariance * square, variance * square, moves, population.traps.cell)
    return Setup(chip, point, matrices, memory, white, traps)


def codes(seed: int) -> torch.Tensor:
    generator = np.random.default_rng(seed)
    return torch.from_numpy(generator.integers(-LEVELS, LEVELS + 1, ROWS).astype(np.int8))


def currents(setup: Setup, x: torch.Tensor, cycles: NDArray[np.int64]) -> Array:
    """Return the remembered currents of one input vector in many cycles, ``(cycles, outputs)``."""
    found = remembered_currents(
        x.expand(cycles.size, ROWS), torch.from_numpy(cycles), setup.memory, input_levels=LEVELS
    )
    return np.asarray(found[0].double().numpy())


def test_covariances_of_reads_against_the_chain_itself() -> None:
    """Markov generators, matrix exponentials and Van Loan's integral know nothing of the closed form."""
    generator = np.random.default_rng(3)
    to_one, to_zero = (10.0 ** generator.uniform(-4.0, 1.0, (40, 4)) for _ in range(2))
    to_one[0, 1] = to_zero[0, 1] = 0.0
    for phase in (0, 3):
        covariance, moves = phase_covariances(to_one, to_zero, phase)
        for trap in range(40):
            chains = [np.array([[-a, a], [b, -b]]) for a, b in zip(to_one[trap], to_zero[trap], strict=True)]
            order = [chains[(phase + k) % 4] for k in range(4)]
            read, rest = order[0], np.linalg.multi_dot([linalg.expm(chain) for chain in order[1:]])
            occupied = linalg.expm(np.block([[read, np.diag([0.0, 1.0])], [np.zeros((2, 2)), read]]))[:2, 2:]
            cycle = linalg.expm(read) @ rest
            values, vectors = linalg.eig(cycle, left=True, right=False)
            start = np.real(vectors[:, np.argmax(values.real)])
            start /= start.sum()
            mean = start @ occupied @ np.ones(2)
            for lag in (1, 2, 7):
                between = rest @ np.linalg.matrix_power(cycle, lag - 1)
                exact = start @ occupied @ between @ occupied @ np.ones(2) - mean**2
                ours = covariance[trap] * np.exp(-moves[trap] * (lag - 1))
                assert ours == pytest.approx(exact, rel=1e-6, abs=1e-13)


def test_one_voltage_is_the_window_covariance() -> None:
    rates = np.array([[1e-7, 3e-7], [0.2, 0.1], [5.0, 1.0]])
    duty = np.array([0.3, 0.7])
    covariance, moves = phase_covariances(rates[:, :1] * duty, rates[:, 1:] * duty, 0)
    np.testing.assert_allclose(covariance, window_covariance(rates[:, 0], rates[:, 1], 0.3, 1.0, 1), rtol=1e-6)
    np.testing.assert_allclose(moves, rates.sum(axis=1))


def test_a_trap_keeps_its_variance_and_its_first_lag() -> None:
    moves = np.exp(np.random.default_rng(1).uniform(np.log(SLOWEST), np.log(FASTEST), 2000))
    one = np.zeros(1, dtype=np.int64)
    for duty in (1e-3, 0.3, 1.0):
        a = np.full(moves.shape, 0.5) * moves
        variance, covariance = window_variance(a, a, duty), window_covariance(a, a, duty, 1.0, 1)
        for k in range(0, moves.size, 20):
            part = slice(k, k + 1)
            bins = bin_variances(covariance[part], variance[part], moves[part], one, 1)[:, 0]
            assert bins.min() >= 0.0
            assert bins.sum() <= variance[k] * (1 + 1e-12)
            assert bins @ correlation(np.array([1]))[:, 0] == pytest.approx(covariance[k], rel=1e-6)


def test_later_lags_are_near_the_exponential() -> None:
    """The stated errors: 7 % of a single trap's variance, 0.6 % for traps of all speeds together."""
    lags = np.unique(np.geomspace(1, 5000, 80).astype(np.int64))
    speeds = np.geomspace(SLOWEST, 10.0, 80)
    errors = [np.exp(-m) * (approximated(m, lags) - np.exp(-m * (lags - 1.0))) for m in speeds]
    assert np.abs(errors).max() < 0.07
    assert np.abs(np.mean(errors, axis=0)).max() < 0.006
    assert np.abs(np.array(errors)[:, 0]).max() < 1e-12


def test_tables_keep_within_their_sums() -> None:
    table = share_table()
    nodes = np.exp(table.first + table.step * np.arange(table.loose.shape[0]))
    assert table.loose.min() >= 0.0
    assert table.tight.min() >= 0.0
    assert (table.loose.sum(axis=1) <= np.minimum(np.exp(nodes), 100.0) * (1 + 1e-3)).all()
    assert (table.tight.sum(axis=1) <= np.array([tightest(m) for m in nodes]) * (1 + 1e-3)).all()
    assert table.loose.shape[1] == len(DURATIONS)


def test_variances_add_up_cell_by_cell(setup: Setup) -> None:
    remembered = setup.memory.variance.sum(dim=0) / setup.matrices.drive**2
    whole = remembered + setup.white.variance.double()
    np.testing.assert_allclose(whole.numpy(), setup.matrices.variance.double().numpy(), rtol=1e-5, atol=1e-30)
    assert 0.3 < float(remembered.sum() / setup.matrices.variance.sum()) < 0.8
    cells = setup.traps.lag(0)
    np.testing.assert_allclose(whole[0].numpy(), cells[:, 0::2] + cells[:, 1::2], rtol=1e-4, atol=1e-30)


def test_first_lags_are_those_of_the_traps_in_every_cell(setup: Setup) -> None:
    """Before rounding, exactly; after it, to a fiftieth of a line's strongest cell and a hundredth of its sum."""
    cells = np.einsum(
        "brc,b->rc", remembered_variances(setup.chip.tile(0), setup.point), correlation(np.array([1]))[:, 0]
    )
    np.testing.assert_allclose(cells, setup.traps.lag(1), rtol=1e-9, atol=1e-40)
    rounded = np.einsum("btrp,b->rp", setup.memory.variance.numpy(), correlation(np.array([1]))[:, 0])
    exact = (cells[:, 0::2] + cells[:, 1::2]) * setup.matrices.drive**2
    assert (np.abs(rounded - exact).max(axis=0) <= 0.02 * exact.max(axis=0)).all()
    np.testing.assert_allclose(rounded.sum(axis=0), exact.sum(axis=0), rtol=0.01)


def test_covariances_of_products_are_those_of_the_traps(setup: Setup) -> None:
    """Equal and different inputs; lags 0 and 1 for every output, later ones over all outputs."""
    x, y = codes(1), codes(2)
    xs, ys = x.double().numpy(), y.double().numpy()
    origins = np.arange(3000) * SPACING
    now = currents(setup, x, origins)
    lags = (1, 2, 5, 20, 100)
    bound = limit(4 * PAIRS + 2 * len(lags))
    rounding = 0.01
    white = np.square(xs) @ setup.white.variance[0].double().numpy() * (setup.matrices.drive / LEVELS) ** 2

    def compare(values: Array, theory: Array, scale: Array, slack: float) -> None:
        error = np.sqrt(values.var(axis=0) / len(values))
        assert (np.abs(values.mean(axis=0) - theory) <= bound * error + slack * scale).all()

    scale = setup.lines(xs, 0)
    compare(now**2, scale - white, scale, 1e-6)
    compare(now, np.zeros(PAIRS), scale**0.5, 0.0)
    for k in lags:
        for other, values in ((xs, currents(setup, x, origins + k)), (ys, currents(setup, y, origins + k))):
            product, theory = now * values, setup.lines(xs, k, other)
            if k == 1:
                compare(product, theory, scale, rounding)
            whole = scale.sum()
            compare(product.sum(axis=1) / whole, theory.sum() / whole, np.array(1.0), 0.006 + rounding)
    assert setup.lines(xs, 1).sum() > 0.4 * scale.sum()


def test_outputs_are_uncorrelated_and_nearly_normal(setup: Setup) -> None:
    found = currents(setup, codes(1), np.arange(4000) * SPACING)
    z = found / found.std(axis=0)
    correlations = (z.T @ z)[np.triu_indices(PAIRS, 1)] / np.sqrt(len(z))
    assert np.abs(correlations).max() < limit(correlations.size) * 1.15  # products have heavier tails than z
    assert abs(float((z**4).mean()) - 3.0) < 0.5


def test_cells_move_as_much_as_products_say(setup: Setup) -> None:
    """Mean square change over k cycles: followed traps against statistical ones and the theory."""
    x = codes(1)
    xs = x.double().numpy()
    tile = setup.chip.tile(0)
    origins = np.arange(150) * SPACING
    lags = (1, 2, 8)
    scale = setup.lines(xs, 0).sum()
    moved = {k: np.empty((origins.size, PAIRS)) for k in lags}
    for n, origin in enumerate(origins):
        g = tile.product_conductances(setup.point, first_cycle=int(origin), cycles=max(lags) + 1)
        seen = xs @ (g[:, :, 0::2] - g[:, :, 1::2]) * setup.matrices.drive / LEVELS
        for k in lags:
            moved[k][n] = seen[k] - seen[0]
    bound = limit(2 * len(lags))
    for k in lags:
        cells = (moved[k] ** 2).sum(axis=1) / scale
        error = cells.std() / np.sqrt(origins.size)
        theory = 2.0 * (setup.lines(xs, 0) - setup.lines(xs, k)).sum() / scale
        frozen = setup.traps.lag(0, frozen=True).sum() / setup.traps.lag(0).sum() - 1.0
        assert abs(cells.mean() - theory) < bound * error + 2.0 * frozen * k * SLOWEST
        many = np.arange(2000) * SPACING
        change = currents(setup, x, many + k) - currents(setup, x, many)
        white = np.square(xs) @ setup.white.variance[0].double().numpy() * (setup.matrices.drive / LEVELS) ** 2
        ours = ((change**2).sum(axis=1) + 2.0 * white.sum()) / scale
        both = np.hypot(error, ours.std() / np.sqrt(many.size))
        assert abs(cells.mean() - ours.mean()) < bound * both + 0.01 + 2.0 * frozen * k * SLOWEST


@pytest.mark.parametrize("count", [4, 16, 64])
def test_averaging_helps_as_little_as_theory_says(setup: Setup, count: int) -> None:
    """Var of a mean of K = [C(0) + 2 sum (1 - k/K) C(k)] / K: far above C(0) / K."""
    x = codes(1)
    xs = x.double().numpy()
    origins = np.arange(1500) * SPACING
    cycles = (origins[:, None] + np.arange(count)).ravel()
    mean = currents(setup, x, cycles).reshape(origins.size, count, PAIRS).mean(axis=1)
    scale = setup.lines(xs, 0).sum()
    white = (np.square(xs) @ setup.white.variance[0].double().numpy()).sum() * (setup.matrices.drive / LEVELS) ** 2
    values = (mean**2).sum(axis=1) / scale
    theory = 1.0 + 2.0 * sum((1 - k / count) * setup.lines(xs, k).sum() / scale for k in range(1, count))
    error = values.std() / np.sqrt(origins.size)
    assert abs(values.mean() + white / scale / count - theory / count) < limit(3) * error + 0.016
    assert theory / count > 2.0 / count


def test_a_cycle_is_the_same_alone_and_in_any_batch(setup: Setup) -> None:
    generator = np.random.default_rng(8)
    x = torch.from_numpy(generator.integers(-LEVELS, LEVELS + 1, (700, ROWS)).astype(np.int8))
    cycles = torch.from_numpy(generator.integers(0, 10**12, 700))
    cycles[1::2] = torch.arange(350)
    whole = remembered_currents(x, cycles, setup.memory, input_levels=LEVELS)
    order = torch.from_numpy(generator.permutation(700))
    assert torch.equal(whole[:, order], remembered_currents(x[order], cycles[order], setup.memory, input_levels=LEVELS))
    for k in (0, 1, 511, 699):
        alone = remembered_currents(x[k : k + 1], cycles[k : k + 1], setup.memory, input_levels=LEVELS)
        assert torch.equal(whole[:, k : k + 1], alone)


def test_vectors_of_a_cycle_share_its_noise(setup: Setup) -> None:
    """Noise is a matrix: it is additive in the inputs of one cycle, and another one in the next."""
    x, y = codes(1) // 2, codes(2) // 2
    cycles = torch.full((3,), 12345)
    found = remembered_currents(torch.stack([x, y, x + y]), cycles, setup.memory, input_levels=LEVELS)[0].double()
    scale = float(found.abs().max())
    assert (found[0] + found[1] - found[2]).abs().max() < 1e-5 * scale
    later = remembered_currents((x + y)[None], cycles[:1] + 10**6, setup.memory, input_levels=LEVELS)[0].double()
    assert (later - found[2]).abs().max() > 0.1 * scale


def test_noise_common_to_a_cycle_is_the_whole_of_it(setup: Setup) -> None:
    grid = setup.chip.whole_tiles([[0]], PAIRS)
    memory, white = remember(setup.chip, grid, setup.point, setup.matrices, common=True)
    assert float(white.variance.sum() / setup.matrices.variance.sum()) < 0.02
    np.testing.assert_allclose(
        (memory.variance.sum(dim=0) / setup.matrices.drive**2 + white.variance.double()).numpy(),
        setup.matrices.variance.double().numpy(),
        rtol=1e-5,
        atol=1e-30,
    )
    again = ProductMemory.from_tensors(memory.tensors())
    x = codes(1)[None]
    first = remembered_currents(x, torch.tensor([5]), memory, input_levels=LEVELS)
    assert torch.equal(first, remembered_currents(x, torch.tensor([5]), again, input_levels=LEVELS))


def test_chips_differ(setup: Setup) -> None:
    chip = Chip("hzo-mfis-nor", seed=12, spec=setup.chip.spec)
    chip.program(0, setup.chip.tile(0).state.target)
    grid = chip.whole_tiles([[0]], PAIRS)
    memory, _ = remember(chip, grid, setup.point, chip.product_matrices(grid, setup.point))
    x, cycle = codes(1)[None], torch.tensor([5])
    ours = remembered_currents(x, cycle, setup.memory, input_levels=LEVELS)
    assert not torch.equal(ours, remembered_currents(x, cycle, memory, input_levels=LEVELS))
