"""Tiles with faults: what products and samples see of them, and what remapping saves."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ferrogen.array.faults import PROBABILITIES, FaultMap, FaultRates, draw_faults
from ferrogen.array.levels import ConductanceWindow
from ferrogen.array.programming import IdealProgramming
from ferrogen.chip.chip import Chip
from ferrogen.chip.memory import TileMemory
from ferrogen.chip.placement import Placement
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.repair import Repair
from ferrogen.chip.repair_plan import plan_repair
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.periphery import Periphery
from ferrogen.core.errors import ArgumentError
from ferrogen.core.streams import Purpose, Streams
from ferrogen.mapping.layer import map_linear

ROWS, PAIRS, SPARE = 24, 10, 2
WINDOW, ON, OFF = ConductanceWindow(0.5e-9, 18e-9), 20e-9, 0.4e-9
SPEC = ChipSpec(rows=ROWS + SPARE, columns=2 * (PAIRS + SPARE), tiles=4, spare_rows=SPARE, spare_pairs=SPARE)


def _weights(seed: int = 0, outputs: int = PAIRS, inputs: int = ROWS) -> np.ndarray:
    return Streams(seed).generator(Purpose.TEST_PATTERN).uniform(-1.0, 1.0, (outputs, inputs))


def _chip(faults: FaultMap | None = None, spec: ChipSpec = SPEC) -> Chip:
    return Chip("hzo-mfis-nor", seed=5, spec=spec, fault_maps={} if faults is None else {0: faults})


def _map(**faults) -> FaultMap:
    return FaultMap(SPEC.rows, SPEC.columns, **faults)


def _error(chip: Chip, *, repaired: bool) -> float:
    point, weight = OperatingPoint.for_card(chip.device), _weights()
    layer = map_linear(chip, weight, np.zeros(PAIRS), repair=Repair(point) if repaired else None)
    return float(np.sqrt(np.mean((layer.weights(point) - weight) ** 2) / np.mean(weight**2)))


WHOLE = _error(_chip(), repaired=False)


@pytest.mark.parametrize(
    "faults",
    [
        {"stuck_on": ((3, 4), (9, 9), (20, 0), (11, 15))},
        {"stuck_off": ((3, 4), (9, 9), (20, 0), (11, 15), (5, 5), (6, 8))},
        {"open_rows": ((4, 0), (9, 8))},
        {"open_columns": ((15, 3), (22, 9))},
        {"dead_columns": (2, 11)},
        {"shorted_rows": ((7, 0), (8, 0))},
        {"shorted_columns": ((0, 4),)},
        {"shorted_columns": ((0, 5),)},
        {"shorted_cells": ((6, 9),)},
        {"shorted_cells": ((6, 9), (7, 1), (8, 3))},  # more pairs than spares: one word line is given up
    ],
    ids=str,
)
def test_each_kind_of_fault_is_repaired(faults: dict) -> None:
    """Within spare lines, the mapped weights are as good as those of a whole tile (its levels make the rest)."""
    chip = _chip(_map(**faults))
    assert _error(chip, repaired=False) > 1.5 * WHOLE
    assert _error(_chip(_map(**faults)), repaired=True) < 1.15 * WHOLE


def test_offsets_are_corrected() -> None:
    offsets = tuple(float(value) for value in np.linspace(-20.0, 20.0, PAIRS + SPARE))
    point, errors = OperatingPoint(), []
    for repaired in (False, True):
        chip = _chip(_map(offsets=offsets))
        weight = _weights()
        layer = map_linear(chip, weight, np.zeros(PAIRS), repair=Repair(point) if repaired else None)
        inputs = Streams(1).generator(Purpose.TEST_PATTERN).uniform(-1.0, 1.0, (200, ROWS)).astype(np.float32)
        layer.calibrate(torch.from_numpy(inputs), point)
        outputs = layer(torch.from_numpy(inputs), point, np.arange(200)).double().numpy()
        errors.append(float(np.sqrt(np.mean((outputs - inputs @ weight.T) ** 2))))
    assert errors[1] < 0.25 * errors[0]


def test_without_spare_lines_enough_it_says_what_remains() -> None:
    """Four pairs are spoilt, two are spare: two outputs give zero, exactly, and the report says so."""
    faults = _map(shorted_columns=((0, 2), (0, 6), (0, 10), (0, 14)))
    chip, point, repair = _chip(faults), OperatingPoint(), Repair(OperatingPoint())
    layer = map_linear(chip, _weights(), np.zeros(PAIRS), repair=repair)
    report = repair.reports[0]
    assert (report.pairs_left, report.rows_left) == (2, 0)
    zero = np.flatnonzero(~layer.weights(point).any(axis=1))
    assert zero.size == 2
    # those with the least to lose
    losses = np.sum(_weights() ** 2, axis=1)
    assert set(zero) == set(np.argsort(losses)[:2])
    assert "2 pairs give zero" in str(report)
    assert "ran out on 1 tiles" in repair.summary()
    crowded = _map(shorted_rows=((0, 0), (4, 0), (8, 0), (12, 0)))
    repair = Repair(point)
    map_linear(_chip(crowded), _weights(), np.zeros(PAIRS), repair=repair)
    assert repair.reports[0].rows_left == 2


def test_a_stuck_cell_spoils_an_output_by_its_distance_from_the_target() -> None:
    """Closed form: with ideal circuits and no traps, weight (i, p) is off by (stuck conductance - target) x scale."""
    card = Chip("hzo-mfis-nor").device
    silent = card.model_copy(update={"traps_per_cell": card.traps_per_cell.model_copy(update={"value": 0.0})})
    ideal = replace(SPEC, programming=IdealProgramming(), continuous_levels=True, periphery=Periphery.ideal())
    weight = _weights()
    layers = []
    for faults in (_map(), _map(stuck_on=((3, 4),), stuck_off=((8, 5),))):
        chip = Chip(silent, seed=5, spec=ideal, fault_maps={0: faults})
        layers.append(map_linear(chip, weight, np.zeros(PAIRS)))
    whole, broken = layers
    point = OperatingPoint()
    difference = broken.weights(point) - whole.weights(point)
    population = broken.chip.tile(0).population()
    tile = whole.chip.tile(0)
    scale = whole.scale.double().numpy()
    expected = np.zeros_like(difference)
    expected[2, 3] = (population.on_conductance[3, 4] - tile.state.target[3, 4]) * scale[2]
    expected[2, 8] = -(population.off_conductance[8, 5] - tile.state.target[8, 5]) * scale[2]
    # float32 products of weights of order one
    np.testing.assert_allclose(difference, expected, rtol=0.0, atol=1e-6)
    # so an output's mean-square error for unit inputs is the square of that
    inputs = torch.eye(ROWS, dtype=torch.float32)
    outputs = [layer(inputs, point, np.arange(ROWS)).double().numpy() for layer in layers]
    np.testing.assert_allclose((outputs[1] - outputs[0]).T, expected, rtol=0.0, atol=1e-5)


def test_both_fidelities_see_the_same_faults() -> None:
    """Means over 300 cycles of the cell level against the statistical level: largest |z| of 240, level 1e-3."""
    faults = _map(
        stuck_on=((3, 4),), open_rows=((4, 6),), open_columns=((9, 3),), shorted_rows=((7, 0),),
        shorted_columns=((0, 11),), dead_columns=(15,),
    )  # fmt: skip
    chip, point = _chip(faults), OperatingPoint()
    map_linear(chip, _weights(), np.zeros(PAIRS))
    tile = chip.tile(0)
    expected = tile.product_statistics(point)
    cells = tile.product_conductances(point, first_cycle=0, cycles=300)
    pairs = cells[:, :, 0::2] - cells[:, :, 1::2]
    mean = expected.mean[:, 0::2] - expected.mean[:, 1::2]
    deviation = np.sqrt(expected.variance[:, 0::2] + expected.variance[:, 1::2])
    # Slow traps are frozen in the mean, or correlate cycles: a tenth of the cycles is taken as independent.
    allowed = 5.0 * deviation / np.sqrt(30.0) + 0.01 * ON
    assert np.all(np.abs(pairs.mean(axis=0) - mean) <= allowed)
    lost = np.s_[4, 3:]
    assert not mean[lost].any()
    assert not pairs[:, 4, 3:].any()


def test_samples_come_from_what_is_left() -> None:
    """A dead line's noise is gone, a short between two readings is in both, a filament silences its reading."""
    spec, point = ChipSpec(rows=32, columns=16, tiles=1), OperatingPoint()
    target = np.full((32, 16), 10e-9)

    def readings(faults: FaultMap | None) -> np.ndarray:
        chip = Chip("hzo-mfis-nor", seed=2, spec=spec, fault_maps={} if faults is None else {0: faults})
        chip.program(0, target, samples=True)
        return chip.sample(point, range(400)).current

    whole = readings(None)
    dead = readings(FaultMap(32, 16, dead_columns=(0, 1)))
    assert dead[:, 0].std() < 0.3 * whole[:, 0].std()
    np.testing.assert_allclose(dead[:, 1:], whole[:, 1:], rtol=1e-9, atol=1e-18)
    shorted = readings(FaultMap(32, 16, shorted_columns=((5, 1),)))
    coupled = np.corrcoef(shorted[:, 0], shorted[:, 1])[0, 1]
    assert coupled < -0.2  # the shared lines enter with opposite signs; without the short: 0 +- 0.05
    assert abs(np.corrcoef(whole[:, 0], whole[:, 1])[0, 1]) < 0.2
    filament = readings(FaultMap(32, 16, shorted_cells=((3, 4),)))
    assert not filament[:, 2].any()
    np.testing.assert_allclose(filament[:, 3:], whole[:, 3:], rtol=1e-9, atol=1e-18)
    # all rows are driven alike: joined ones are no matter; half of the rows gone is half of the variance
    np.testing.assert_allclose(readings(FaultMap(32, 16, shorted_rows=((4, 4),))), whole, rtol=1e-9, atol=1e-18)
    half = readings(FaultMap(32, 16, open_rows=tuple((i, 0) for i in range(0, 32, 2))))
    assert 0.2 < np.mean(half.var(axis=0) / whole.var(axis=0)) < 0.9


def test_memory_changes_nothing() -> None:
    point = OperatingPoint()
    rates = FaultRates(**dict.fromkeys(PROBABILITIES, 0.02))
    memory = TileMemory(point)
    found = []
    for own, kept in ((None, memory), (rates, None), (rates, memory)):
        chip = Chip("hzo-mfis-nor", seed=5, spec=replace(SPEC, fault_rates=own), memory=kept)
        repair = Repair(point, limits=None if kept is None else kept.limits)
        raw = map_linear(chip, _weights(), np.zeros(PAIRS)).weights(point)
        repaired = map_linear(chip, _weights(), np.zeros(PAIRS), repair=repair).weights(point)
        memory.learning = False
        found.append((raw, repaired, chip.usage.pulses))
    np.testing.assert_array_equal(found[1][0], found[2][0])
    np.testing.assert_array_equal(found[1][1], found[2][1])
    assert found[1][2] == found[2][2]
    assert not np.array_equal(found[0][0], found[1][0])
    other = Chip("hzo-mfis-nor", seed=6, spec=SPEC, memory=memory)
    with pytest.raises(ArgumentError, match="memory"):
        map_linear(other, _weights(), np.zeros(PAIRS))


@settings(max_examples=40, deadline=None)
@given(st.floats(0.0, 0.2), st.integers(0, 2**31), st.integers(0, 3), st.integers(0, 3))
def test_plans_are_sound_whatever_is_broken(rate: float, seed: int, spare_rows: int, spare_pairs: int) -> None:
    rows, pairs = 8, 6
    rates = FaultRates(**dict.fromkeys(PROBABILITIES, rate))
    generator = Streams(seed).generator(Purpose.FAULTS)
    faults = draw_faults(rates, rows + spare_rows, 2 * (pairs + spare_pairs), generator)
    targets = generator.uniform(WINDOW.low, WINDOW.high, (rows, 2 * pairs))
    plan = plan_repair(targets, faults, WINDOW, on=ON, off=OFF)
    assert np.all((plan.targets >= WINDOW.low) & (plan.targets <= WINDOW.high))
    assert set(plan.placement.row_of) - {-1} == set(range(rows))
    used = plan.placement.pair_of[plan.placement.pair_of >= 0]
    spoilt = {k // 2 for i, k in faults.shorted_cells if plan.placement.row_of[i] >= 0}
    assert not spoilt & set(used.tolist())
    assert np.isfinite(plan.report.before)
    assert plan.report.after >= 0.0
    if not faults.shorted_rows:  # without joined rows to share, nothing is made worse
        assert plan.report.after <= plan.report.before + 1e-9
    if faults.count == 0:
        assert plan.report.after == pytest.approx(0.0, abs=1e-20)
        asked = plan.targets[:rows, : 2 * pairs]
        differences = [part[:, 0::2] - part[:, 1::2] for part in (asked, targets)]
        np.testing.assert_allclose(*differences, rtol=0.0, atol=1e-20)


def test_placements_that_make_no_sense_are_refused() -> None:
    rows, pairs = np.arange(3), np.arange(2)
    whole = np.zeros(2, dtype=np.bool_)
    with pytest.raises(ArgumentError, match="row_of"):
        Placement(rows, pairs, whole, 2)
    with pytest.raises(ArgumentError, match="pair_of"):
        Placement(rows, np.array([1, 1]), whole, 3)
    with pytest.raises(ArgumentError, match="flipped"):
        Placement(rows, pairs, np.zeros(3, dtype=np.bool_), 3)
    with pytest.raises(ArgumentError, match="targets"):
        plan_repair(np.zeros((9, 4)), FaultMap(8, 4), WINDOW, on=ON, off=OFF)
    with pytest.raises(ArgumentError, match="spare_rows"):
        ChipSpec(rows=8, columns=8, spare_rows=8)
    with pytest.raises(ArgumentError, match="fault_maps"):
        _chip(FaultMap(4, 4)).faults(0)
