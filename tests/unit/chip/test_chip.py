"""The chip: products against NumPy, statistical level against cell level. Levels of the tests: 1e-3 each."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
import torch
from scipy import stats

from ferrogen.array.programming import IdealProgramming
from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.product import analog_product
from ferrogen.chip.reader import window_reader
from ferrogen.chip.schedule import READ_PHASE, chip_schedule
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.converters import DAC
from ferrogen.circuit.periphery import Periphery
from ferrogen.core.errors import ArgumentError, CapacityError, CardError, ValidityError
from ferrogen.core.streams import Purpose
from ferrogen.device.noise.rtn.closed_form import scheduled_moments
from ferrogen.device.transport.compact import effective_voltage

ROWS, COLUMNS = 16, 12
POINT = OperatingPoint()
Make = Callable[..., Chip]


@pytest.fixture(scope="module")
def make() -> Make:
    """A chip with tile 0 (samples) and tile 1 programmed to random targets."""

    def build(seed: int = 5, *, ideal: bool = True, **changes: object) -> Chip:
        spec = ChipSpec(rows=ROWS, columns=COLUMNS, tiles=4)
        if ideal:
            spec = dataclasses.replace(
                spec, programming=IdealProgramming(), continuous_levels=True, periphery=Periphery.ideal()
            )
        chip = Chip("hzo-mfis-nor", seed=seed, spec=dataclasses.replace(spec, **changes))
        rng = np.random.default_rng(9)
        for number in (0, 1):
            target = chip.window.low + chip.window.span * rng.random((ROWS, COLUMNS))
            chip.program(number, target, samples=number == 0)
        return chip

    return build


@pytest.fixture(scope="module")
def inputs() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(3).uniform(-1, 1, (40, ROWS)).astype(np.float32))


def _without_traps(chip: Chip) -> Chip:
    device = chip.device
    quiet = device.traps_per_cell.model_copy(update={"value": 0.0})
    silent = Chip(device.model_copy(update={"traps_per_cell": quiet}), seed=chip.seed, spec=chip.spec)
    for number, tile in chip.tiles.items():
        silent.program(number, tile.state.target, samples=tile.samples)
    return silent


def test_without_noise_a_product_is_the_float_product(make: Make, inputs: torch.Tensor) -> None:
    chip = _without_traps(make())
    for number in (0, 1):
        g = chip.tile(number).state.target
        ours = chip.multiply(inputs, POINT, tile=number).numpy()
        drive = float(effective_voltage(POINT.multiply_voltage, chip.device.characteristic_voltage.value))
        exact = drive * inputs.numpy().astype(float) @ (g[:, 0::2] - g[:, 1::2])
        np.testing.assert_allclose(ours, exact, rtol=0, atol=1e-6 * np.abs(exact).max())


def test_what_remains_on_an_ideal_chip_is_telegraph_noise_of_the_predicted_variance(make: Make) -> None:
    chip = make()
    x = torch.from_numpy(np.tile(np.random.default_rng(4).uniform(-1, 1, ROWS), (4000, 1)).astype(np.float32))
    out = chip.multiply(x, POINT).numpy().astype(float)
    read = chip.tile(0).product_statistics(POINT)
    row = x[0].numpy().astype(float)
    drive = chip.drive(POINT)
    mean = drive * row @ (read.mean[:, 0::2] - read.mean[:, 1::2])
    variance = drive**2 * row**2 @ (read.variance[:, 0::2] + read.variance[:, 1::2])
    limit = stats.norm.isf(1e-3 / 2 / (2 * mean.size))
    assert (np.abs(out.mean(axis=0) - mean) < limit * np.sqrt(variance / 4000) + 1e-6 * np.abs(mean).max()).all()
    # rounding to float32 of the much larger mean adds a little
    np.testing.assert_allclose(out.var(axis=0), variance, rtol=limit * np.sqrt(2 / 4000), atol=1e-14 * mean.max() ** 2)


def test_the_product_against_a_slow_loop(make: Make, inputs: torch.Tensor) -> None:
    """Two row tiles, real converters, the linear driver, clipping: row by row and tile by tile in NumPy."""
    periphery = dataclasses.replace(Periphery(), dac=DAC(bits=5, driver="linear"))
    chip = make(ideal=False, periphery=periphery)
    matrices = chip.product_matrices([[0], [1]], POINT, 5)
    features = torch.cat([inputs, inputs.flip(0)], dim=1)[:, : 2 * ROWS - 3]
    key, images = chip.streams.key(Purpose.MULTIPLY_NOISE, 77), np.arange(40)
    full_scale, v0 = 4e-9, chip.device.characteristic_voltage.value
    quiet = dataclasses.replace(matrices, variance=torch.zeros_like(matrices.variance))
    ours, clipped = analog_product(
        features, quiet, torch.zeros(2, 1, 5), periphery, full_scale, POINT, v0, noise_key=key, images=images
    )
    count = 0
    for b in range(40):
        expected = np.zeros(5)
        padded = np.concatenate([features[b].numpy(), np.zeros(3)])
        for t in range(2):
            coded = np.round(padded[t * ROWS : (t + 1) * ROWS] * 15) / 15
            current = v0 * np.sinh(POINT.multiply_voltage * coded / v0) @ matrices.mean[t].numpy().astype(float)
            count += np.count_nonzero(np.abs(current) > full_scale)
            expected += np.round(np.clip(current, -full_scale, full_scale) / full_scale * 127) * full_scale / 127
        # a current on the edge between two codes may round either way
        assert np.abs(ours[b].numpy() - expected).max() < 1.01 * full_scale / 127
        assert np.count_nonzero(np.abs(ours[b].numpy() - expected) > 1e-3 * full_scale / 127) <= 1
    assert clipped == count > 0


@pytest.mark.parametrize("ideal", [True, False])
def test_a_row_of_a_product_does_not_depend_on_the_batch(make: Make, inputs: torch.Tensor, ideal: bool) -> None:
    chip = make(ideal=ideal)
    images = np.arange(100, 140)
    together = chip.multiply(inputs, POINT, images=images)
    step = 2 * ROWS * chip.window.high * chip.drive(POINT) / 127
    for k in (0, 17, 39):
        alone = chip.multiply(inputs[k : k + 1], POINT, images=images[k : k + 1])
        difference = (alone - together[k : k + 1]).abs().max().item()
        assert difference < 1e-5 * together.abs().max().item() or (not ideal and difference < 0.51 * step)


@pytest.mark.parametrize("number", [0, 1])
def test_statistical_and_cell_level_agree(make: Make, number: int) -> None:
    """Every trap followed, against mean and variance per cell.

    The reads lie 20,000 cycles apart, so that all traps that do not count as frozen (one move in 1000 cycles) have
    forgotten the read before; cells with a frozen trap are left to the test below.
    """
    tile, reads = make().tile(number), 400
    seen = np.concatenate([tile.product_conductances(POINT, first_cycle=20_000 * k, cycles=1) for k in range(reads)])
    predicted, population = tile.product_statistics(POINT), tile.population()
    schedule = chip_schedule(POINT, samples=tile.samples, observe="product")
    moves = np.add(*tile.event_means(population, schedule, POINT.temperature)).sum(axis=1)
    lively = population.per_cell((moves * 1000 < 1.0).astype(float)) == 0
    assert lively.sum() > 20
    off = (seen - predicted.mean)[:, lively]
    variance = predicted.variance[lively]
    limit = stats.norm.isf(1e-3 / 2 / 2)
    assert abs(off.sum(axis=1).mean()) < limit * np.sqrt(variance.sum() / reads)
    squares = (off**2).sum(axis=1)
    assert abs(squares.mean() - variance.sum()) < limit * squares.std(ddof=1) / np.sqrt(reads)


def test_the_reader_that_resolves_nearly_all_agrees_with_the_one_that_resolves_all(make: Make) -> None:
    chip = make()
    readers = [
        window_reader(chip.tile(0), POINT, readings=3, pairs_per_reading=2, resolved_share=share)
        for share in (1.0, 0.99)
    ]
    every, most = readers
    assert every.resolved_traps == every.traps
    assert not every.unresolved_noise.any()
    assert 0 < most.resolved_traps < most.traps
    one, two = (reader.read(0, 6000) for reader in readers)
    scatter = np.hypot(one.std(axis=0), two.std(axis=0)) / np.sqrt(6000)
    limit = stats.norm.isf(1e-3 / 2 / 6)
    assert (np.abs(one.mean(axis=0) - two.mean(axis=0)) < limit * scatter).all()
    fourth = [((x - x.mean(axis=0)) ** 2).reshape(60, 100, 3).mean(axis=1) for x in (one, two)]
    error = np.hypot(*(f.std(axis=0, ddof=1) / np.sqrt(60) for f in fourth))
    assert (np.abs(one.var(axis=0) - two.var(axis=0)) < limit * error).all()
    with pytest.raises(ArgumentError, match="`resolved_share`"):
        window_reader(chip.tile(0), POINT, readings=1, pairs_per_reading=1, resolved_share=0.0)
    with pytest.raises(ArgumentError, match="samples=True"):
        window_reader(chip.tile(1), POINT, readings=1, pairs_per_reading=1, resolved_share=1.0)


def test_a_cycle_gives_the_same_reading_however_it_is_asked_for(make: Make) -> None:
    for chip in (make(), make(ideal=False)):
        whole = chip.sample(POINT, range(60)).current
        assert whole.shape == (60, COLUMNS // 2)
        for cycles in (range(7, 8), range(20, 60), range(0)):
            np.testing.assert_array_equal(chip.sample(POINT, cycles).current, whole[cycles.start : cycles.stop])
        again = Chip("hzo-mfis-nor", seed=chip.seed, spec=chip.spec, threads=3)
        again.program(0, chip.tile(0).state.target, samples=True)
        np.testing.assert_array_equal(again.sample(POINT, range(60)).current, whole)
        other = make(seed=6, ideal=False)
        assert (other.sample(POINT, range(60)).current != whole).all()


def test_converted_samples_are_codes_and_clipping_is_counted(make: Make) -> None:
    chip = make(ideal=False)
    analog = chip.sample(POINT, range(200), pairs_per_reading=3).current
    assert analog.shape == (200, COLUMNS // 6)
    full = float(np.quantile(np.abs(analog), 0.9))
    digital = chip.sample(POINT, range(200), pairs_per_reading=3, full_scale=full)
    assert digital.clipped == np.count_nonzero(np.abs(analog) > full) == 40
    codes = digital.current / full * 511
    np.testing.assert_allclose(codes, np.round(codes), atol=1e-6)
    np.testing.assert_allclose(digital.current, np.clip(analog, -full, full), atol=0.51 * full / 511)


def test_frozen_traps_of_a_tile_keep_their_state(make: Make) -> None:
    """What products take for frozen is what the cell level follows: the same bits in cycle 0."""
    tile = make().tile(0)
    seen = tile.product_conductances(POINT, first_cycle=0, cycles=1)[0]
    mean = tile.product_statistics(POINT).mean
    quiet = tile.product_statistics(POINT).variance == 0.0
    np.testing.assert_allclose(seen[quiet], mean[quiet], rtol=1e-9)


def test_usage_is_counted(make: Make, inputs: torch.Tensor) -> None:
    chip = make()
    chip.multiply(inputs, POINT)
    chip.sample(POINT, range(10), full_scale=1e-9)
    usage = chip.usage
    assert (usage.products, usage.windows) == (40, 20)
    assert usage.conversions == 40 * COLUMNS // 2 + 10 * COLUMNS // 2
    assert usage.multiply_accumulates == 40 * ROWS * COLUMNS // 2
    assert usage.pulses == 2 * ROWS * COLUMNS


def test_capacity(make: Make) -> None:
    chip = make()
    assert chip.reserve(2) == [2, 3]
    with pytest.raises(CapacityError, match=r"3 tiles of 16 x 12 are needed, but the chip has 0 of 4 left.*at least 7"):
        chip.reserve(3)


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"sample_voltage": 1.7}, "sample_voltage"),
        ({"multiply_voltage": 0.001}, "multiply_voltage"),
        ({"sampling_time": 100.0}, "sampling_time"),
        ({"multiply_time": 1e-9}, "multiply_time"),
        ({"reset_time": 100.0}, "reset_time"),
        ({"temperature": 77.0}, "temperature"),
    ],
)
def test_points_outside_the_cards_validity(make: Make, inputs: torch.Tensor, changes: dict, name: str) -> None:
    chip, point = make(), OperatingPoint(**changes)
    for call in (lambda: chip.sample(point, range(2)), lambda: chip.multiply(inputs, point)):
        with pytest.raises(ValidityError, match=f"`{name}` must lie between"):
            call()


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["sample_voltage", "sampling_time", "reset_time", "temperature"])
def test_points_that_are_none(name: str, value: float) -> None:
    with pytest.raises(ArgumentError, match=f"`{name}` must be a positive, finite number"):
        OperatingPoint(**{name: value})


def test_arguments(make: Make, inputs: torch.Tensor) -> None:
    chip = make()
    refusals = {
        "cycles": [lambda: chip.sample(POINT, range(0, 9, 2)), lambda: chip.sample(POINT, range(-3, 3))],
        "pairs": [
            lambda: chip.sample(POINT, range(2), pairs=99),
            lambda: chip.sample(POINT, range(2), pairs_per_reading=4),
        ],
        "inputs": [lambda: chip.multiply(inputs[:, :-1], POINT), lambda: chip.multiply(inputs * float("nan"), POINT)],
        "number": [lambda: chip.multiply(inputs, POINT, tile=3), lambda: chip.program(9, np.zeros((ROWS, COLUMNS)))],
        "target": [lambda: chip.program(2, np.zeros((1, 1)))],
        "seed": [lambda: Chip("hzo-mfis-nor", seed=-1)],
        "threads": [lambda: Chip("hzo-mfis-nor", threads=0)],
        "columns": [lambda: ChipSpec(columns=7)],
        "rows": [lambda: ChipSpec(rows=0)],
        "tiles": [lambda: ChipSpec(tiles=0)],
    }
    for name, calls in refusals.items():
        for call in calls:
            with pytest.raises(ArgumentError, match=f"`{name}`"):
                call()
    with pytest.raises(CardError, match="There is no device card"):
        Chip("unobtainium")


def test_the_reset_phase_is_where_the_memory_goes(make: Make) -> None:
    """Traps of a sampling tile are emptier in the product than one window after another would leave them."""
    chip = make()
    population = chip.tile(0).population()

    schedule = chip_schedule(POINT, samples=True, observe="product")
    to_one, to_zero = chip.tile(0).event_means(population, schedule, POINT.temperature)
    window, _ = scheduled_moments(to_one, to_zero, 1)
    product, _ = scheduled_moments(to_one, to_zero, READ_PHASE)
    assert product.mean() < window.mean()
