from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from numpy.typing import NDArray

from ferrogen.array.levels import ContinuousLevels, DiscreteLevels, conductance_window
from ferrogen.array.population import CellPopulation, draw_population
from ferrogen.array.programming import IdealProgramming, ProgrammedState, WriteVerify, program
from ferrogen.core.errors import ArgumentError
from ferrogen.device.card import DeviceCard, load_card

ROWS, COLUMNS = 24, 16


@pytest.fixture(scope="module")
def card() -> DeviceCard:
    return load_card("hzo-mfis-nor")


@pytest.fixture(scope="module")
def population(card: DeviceCard) -> CellPopulation:
    return draw_population(card, ROWS, COLUMNS, np.random.default_rng(1))


@pytest.fixture(scope="module")
def target(card: DeviceCard) -> NDArray[np.float64]:
    window = conductance_window(card)
    return window.low + window.span * np.random.default_rng(2).random((ROWS, COLUMNS))


def _program(
    population: CellPopulation,
    target: NDArray[np.float64],
    how: WriteVerify | IdealProgramming | None = None,
    noise: float = 0.016,
    seed: int = 3,
) -> ProgrammedState:
    span = conductance_window(load_card("hzo-mfis-nor")).span
    return program(population, target, span, how or WriteVerify(), noise, np.random.default_rng(seed))


def test_a_population_is_what_its_card_says(card: DeviceCard, population: CellPopulation) -> None:
    assert (population.rows, population.columns) == (ROWS, COLUMNS)
    spread = np.log(population.on_conductance / card.on_conductance.value).std()
    assert spread == pytest.approx(0.032, rel=3.3 / np.sqrt(2 * ROWS * COLUMNS))
    traps = population.traps
    counted = population.per_cell(np.ones(traps.count))
    for row, column in ((0, 0), (5, 3), (ROWS - 1, COLUMNS - 1)):
        assert counted[row, column] == np.count_nonzero(traps.cell == column * ROWS + row)
    assert traps.starts[-1] == traps.count
    for rows, columns, name in ((0, 1, "rows"), (1, 0, "columns")):
        with pytest.raises(ArgumentError, match=f"`{name}`"):
            draw_population(card, rows, columns, np.random.default_rng(0))


def test_trap_steps_scale_with_the_cells_own_conductance(population: CellPopulation) -> None:
    traps = population.traps
    on = population.trap_steps(np.ones((ROWS, COLUMNS)), 2.0)
    off = population.trap_steps(np.zeros((ROWS, COLUMNS)), 2.0)
    np.testing.assert_allclose(on, traps.amplitude * population.on_conductance.T.ravel()[traps.cell])
    np.testing.assert_allclose(off, 2.0 * traps.amplitude * population.off_conductance.T.ravel()[traps.cell])


def test_write_verify_converges_within_its_tolerance(population: CellPopulation, target: NDArray[np.float64]) -> None:
    how = WriteVerify()
    state = _program(population, target, how)
    span = conductance_window(load_card("hzo-mfis-nor")).span
    assert state.converged.all()
    assert state.pulses.max() < how.max_pulses
    assert state.pulses.min() >= 0
    error = np.abs(population.conductance(state.switched_fraction) - target) / span
    assert error.max() < how.tolerance + 5 * how.verify_noise
    assert 0.0 <= state.switched_fraction.min() <= state.switched_fraction.max() <= 1.0


def test_noisier_switching_takes_more_pulses(population: CellPopulation, target: NDArray[np.float64]) -> None:
    mean = [_program(population, target, noise=n).pulses.mean() for n in (0.0, 0.004, 0.016, 0.064)]
    assert mean == sorted(mean)
    assert mean[0] == pytest.approx(1.0, abs=0.2)  # without noise the first pulse hits
    assert mean[-1] > mean[0] + 1.0


@pytest.mark.parametrize("how", [WriteVerify(), WriteVerify(max_pulses=1), IdealProgramming()])
def test_targets_out_of_reach_are_flagged(
    population: CellPopulation, target: NDArray[np.float64], how: WriteVerify | IdealProgramming
) -> None:
    wanted = target.copy()
    wanted[2, 3] = 2.0 * population.on_conductance[2, 3]
    wanted[4, 5] = 0.0
    wanted[0, 0] = -1e-9
    state = _program(population, wanted, how)
    assert not state.converged[[2, 4, 0], [3, 5, 0]].any()
    if not isinstance(how, WriteVerify) or how.max_pulses > 1:
        assert np.count_nonzero(~state.converged) == 3
    assert state.switched_fraction[2, 3] > 0.95
    assert state.switched_fraction[0, 0] == 0.0


def test_giving_up_counts_every_pulse(population: CellPopulation, target: NDArray[np.float64]) -> None:
    wanted = np.full_like(target, 1.0)
    state = _program(population, wanted, WriteVerify(max_pulses=7))
    assert (state.pulses == 7).all()
    assert not state.converged.any()


def test_a_seed_repeats_and_cells_do_not_feel_each_other(
    population: CellPopulation, target: NDArray[np.float64]
) -> None:
    first, again, other = (
        _program(population, target),
        _program(population, target),
        _program(population, target, seed=4),
    )
    np.testing.assert_array_equal(first.switched_fraction, again.switched_fraction)
    assert (first.switched_fraction != other.switched_fraction).any()
    moved = target.copy()
    moved[:, 1:] = moved[:, 1:][:, ::-1]
    moved[0, 0] *= 0.5
    same = np.ones_like(target, dtype=bool)
    same[0, 0], same[:, 1:] = False, False
    for how in (WriteVerify(), WriteVerify(max_pulses=3)):
        one, two = _program(population, target, how), _program(population, moved, how)
        np.testing.assert_array_equal(one.switched_fraction[same], two.switched_fraction[same])
        np.testing.assert_array_equal(one.converged[same], two.converged[same])


def test_ideal_programming_is_exact(population: CellPopulation, target: NDArray[np.float64]) -> None:
    state = _program(population, target, IdealProgramming())
    np.testing.assert_allclose(population.conductance(state.switched_fraction), target, rtol=1e-12)
    assert (state.pulses == 1).all()
    assert state.converged.all()


def test_refusals(population: CellPopulation, target: NDArray[np.float64]) -> None:
    with pytest.raises(ArgumentError, match="`target` must hold finite"):
        _program(population, target[:-1])
    broken = target.copy()
    broken[0, 0] = np.nan
    with pytest.raises(ArgumentError, match="finite"):
        _program(population, broken)
    for change in ({"tolerance": 0.0}, {"max_pulses": 0}, {"verify_noise": 0.01}, {"verify_noise": -1.0}):
        with pytest.raises(ArgumentError, match=f"`{next(iter(change))}`"):
            dataclasses.replace(WriteVerify(), **change)


def test_levels() -> None:
    fraction = np.linspace(0.0, 1.0, 1001)
    for count in (2, 3, 32):
        rounded = DiscreteLevels(count).quantise(fraction)
        assert len(np.unique(rounded)) == count
        assert np.abs(rounded - fraction).max() <= 0.5 / (count - 1) + 1e-12
    assert ContinuousLevels().quantise(fraction) is fraction
    with pytest.raises(ArgumentError, match="`count`"):
        DiscreteLevels(1)


def test_nearly_every_cell_reaches_the_window(card: DeviceCard) -> None:
    window = conductance_window(card)
    cells = draw_population(card, 100, 100, np.random.default_rng(5))
    outside = (cells.on_conductance < window.high).mean() + (cells.off_conductance > window.low).mean()
    assert outside < 2 * 0.00135 + 3.3 * np.sqrt(2 * 0.00135 / 1e4)  # three sigmas, one-sided, twice
    assert window.span == pytest.approx(window.high - window.low)
    with pytest.raises(ArgumentError, match=r"Card 'hzo-mfis-nor' leaves no window"):
        conductance_window(card, sigmas=100.0)
