"""What use has made of the cells reaches everything that is read of them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from ferrogen.array.condition import Condition
from ferrogen.array.evolution import Evolution
from ferrogen.array.evolution_exposure import Exposure
from ferrogen.array.programming import IdealProgramming
from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.reader import window_reader
from ferrogen.chip.schedule import chip_schedule
from ferrogen.chip.spec import ChipSpec
from ferrogen.chip.tile import read_stage
from ferrogen.circuit.periphery import Periphery
from ferrogen.core.errors import ArgumentError
from ferrogen.core.streams import Purpose
from ferrogen.device.card import DeviceCard, load_card
from ferrogen.device.transport.compact import effective_voltage

ROWS, COLUMNS = 16, 8
POINT = OperatingPoint()


def chip_of(card: DeviceCard) -> Chip:
    spec = ChipSpec(
        rows=ROWS, columns=COLUMNS, tiles=2, programming=IdealProgramming(), continuous_levels=True,
        periphery=Periphery.ideal(),
    )  # fmt: skip
    return Chip(card, seed=9, spec=spec)


@pytest.fixture
def chip() -> Chip:
    made = chip_of(load_card("hzo-mfis-nor"))
    shares = np.random.default_rng(0).uniform(0.2, 0.9, (ROWS, COLUMNS))
    made.program(0, made.window.low + shares * made.window.span, samples=True)
    return made


def far(chip: Chip) -> Condition:
    """A state far from the programmed one: all that was on is nearly off, and the film is tired."""
    return Condition(0.02 + 0.05 * chip.tile(0).state.switched_fraction, on_factor=0.8, off_factor=1.25)


def test_products_follow_the_present_state(chip: Chip) -> None:
    quiet = chip_of(chip.device.model_copy(update={"traps_per_cell": dataclass_zero(chip.device)}))
    quiet.program(0, chip.tile(0).state.target, samples=True)
    fresh = quiet.tile(0).population()
    condition = far(quiet)
    quiet.set_condition(0, condition)
    s = condition.switched_fraction
    expected = s * fresh.on_conductance * 0.8 + (1.0 - s) * fresh.off_conductance * 1.25
    np.testing.assert_allclose(quiet.tile(0).product_statistics(POINT).mean, expected, rtol=1e-12)
    inputs = torch.linspace(-1.0, 1.0, ROWS)[None]
    got = quiet.multiply(inputs, POINT, full_scale=1e-6).numpy()[0]
    pairs = expected[:, 0::2] - expected[:, 1::2]
    drive = float(effective_voltage(POINT.multiply_voltage, quiet.device.characteristic_voltage.value))
    np.testing.assert_allclose(got, inputs.numpy()[0] @ pairs * drive, rtol=2e-4, atol=3e-13)  # amplifier noise


def dataclass_zero(card: DeviceCard) -> object:
    return card.traps_per_cell.model_copy(update={"value": 0.0})


def test_steps_noise_and_standing_currents_are_those_of_the_present_state(chip: Chip) -> None:
    tile = chip.tile(0)
    before = tile.population()
    condition = far(chip)
    after = chip.set_condition(0, condition)
    population = after.population()
    np.testing.assert_allclose(population.on_conductance, 0.8 * before.on_conductance)
    np.testing.assert_array_equal(population.traps.level, before.traps.level)  # the same cells and traps
    # A single trap's step, written down: its relative size grows from on to off by the card's factor, up to the limit.
    s = condition.switched_fraction.T.ravel()[population.traps.cell]
    relative = np.minimum(np.abs(population.traps.amplitude) * (1.0 + 1.0 * (1.0 - s)), 0.5)
    per_cell = population.conductance(condition.switched_fraction).T.ravel()[population.traps.cell]
    together = np.bincount(population.traps.cell, weights=relative, minlength=ROWS * COLUMNS)
    free = together[population.traps.cell] < 0.95
    assert free.mean() > 0.9
    np.testing.assert_allclose(after.steps(population)[free], (-relative * per_cell)[free], rtol=1e-12)
    # All that was on is nearly off, so the steps shrink with the current though they grow in relative size.
    assert np.abs(after.steps(population)).sum() < 0.5 * np.abs(tile.steps(before)).sum()
    readers = [
        window_reader(item, POINT, readings=COLUMNS // 2, pairs_per_reading=1, resolved_share=1.0)
        for item in (tile, after)
    ]
    drive = float(effective_voltage(POINT.sample_voltage, chip.device.characteristic_voltage.value))
    lines = drive * population.conductance(condition.switched_fraction).sum(axis=0)
    np.testing.assert_allclose(readers[1].standing_current, lines.reshape(-1, 2).sum(axis=1), rtol=1e-12)
    noise = [float(reader.read(0, 400).std()) for reader in readers]
    assert noise[1] < 0.6 * noise[0]


def test_known_statistics_are_those_of_the_present_state(chip: Chip) -> None:
    tile = chip.tile(0)
    known = dataclasses.replace(tile, known=(POINT, tile.cell_statistics(POINT)))
    later = known.with_condition(far(chip))
    np.testing.assert_array_equal(
        later.cell_statistics(POINT).mean, tile.with_condition(far(chip)).cell_statistics(POINT).mean
    )
    assert not np.array_equal(later.cell_statistics(POINT).mean, known.cell_statistics(POINT).mean)
    programmings = chip.programmings
    chip.set_condition(0, far(chip))
    assert chip.programmings == programmings + 1
    chip.set_condition(0, None)
    np.testing.assert_array_equal(chip.tile(0).switched_fraction, tile.switched_fraction)
    with pytest.raises(ArgumentError, match="condition"):
        chip.set_condition(0, Condition(np.zeros((3, 3))))
    with pytest.raises(ArgumentError, match="number"):
        chip.set_condition(1, None)


def test_a_chips_cycle_is_an_exposure(chip: Chip) -> None:
    stage = read_stage(POINT, 7, samples=True)
    assert stage.period == pytest.approx(2.0 * POINT.sampling_time + POINT.reset)
    assert [train.phases for train in stage.trains] == [((1.2, 2e-3), (0.1, pytest.approx(1e-3)))]
    assert read_stage(POINT, 7, samples=False).trains[0].phases[0] == (0.0, pytest.approx(3e-3 - POINT.multiply_time))
    schedule = chip_schedule(POINT, samples=True, observe="windows")
    assert stage.phases == tuple((phase.voltage, phase.duration) for phase in schedule.phases)
    evolution = Evolution(chip.device, -1, seed=chip.seed)
    tile = chip.tile(0)
    chip.set_condition(0, evolution.after(tile.state.switched_fraction, Exposure((stage,)), tile=0))
    assert chip.tile(0).switched_fraction.mean() < tile.switched_fraction.mean() - 0.1
    assert chip.streams.key(Purpose.DISTURB, 0) != chip.streams.key(Purpose.DISTURB, 1)
