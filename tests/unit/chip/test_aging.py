"""Weights that drift between products: a chip brought to an age."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from ferrogen.array.evolution import Evolution
from ferrogen.chip.aging import Age, age_chip
from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.core.errors import ArgumentError
from ferrogen.device.card import load_card
from ferrogen.mapping.convert.map_to_chip import map_to_chip
from ferrogen.mapping.layer import AnalogLinear, map_linear

QUICK = (32, 12)  # nodes of the evolution


def layer() -> AnalogLinear:
    chip = Chip("hzo-mfis-nor", seed=2, spec=ChipSpec(rows=16, columns=16, tiles=2))
    generator = np.random.default_rng(1)
    made = map_linear(chip, generator.normal(size=(8, 20)), np.zeros(8))
    made.calibrate(torch.from_numpy(generator.normal(size=(32, 20))).float(), OperatingPoint.for_card(chip.device))
    return made


@pytest.fixture(scope="module")
def law() -> Evolution:
    return Evolution(load_card("hzo-mfis-nor"), seed=2, nodes=QUICK)


def test_weights_move_as_the_evolution_says(law: Evolution) -> None:
    made = layer()
    chip, point = made.chip, OperatingPoint.for_card(made.chip.device)
    fresh, x = made.weights(point), torch.ones(1, 20)
    before = made.multiply(x, point, torch.zeros(1, dtype=torch.int64))
    age = Age(cycles=1e6, storage_time=1e5)
    age_chip(chip, point, age, evolution=law)
    aged = made.weights(point)
    for number in chip.tiles:
        tile = chip.tile(number)
        expected = law.after(tile.state.switched_fraction, age.exposure(point, samples=False), tile=number)
        np.testing.assert_array_equal(tile.switched_fraction, expected.switched_fraction)
        moved = tile.conductance(tile.population()) - tile.population().conductance(tile.state.switched_fraction)
        change = tile.switched_fraction - tile.state.switched_fraction
        assert np.abs(change).max() > 0.0
        assert (np.sign(moved[np.abs(change) > 1e-9]) == np.sign(change[np.abs(change) > 1e-9])).all()
    assert np.abs(aged - fresh).max() > 1e-4 * np.abs(fresh).max()
    assert not torch.equal(before, made.multiply(x, point, torch.zeros(1, dtype=torch.int64)))
    age_chip(chip, point, Age(cycles=1e3), evolution=law)
    younger = made.weights(point)
    age_chip(chip, point, age, evolution=law)
    np.testing.assert_array_equal(made.weights(point), aged)  # whatever was asked for in between
    assert np.abs(younger - fresh).mean() < np.abs(aged - fresh).mean()
    assert age_chip(chip, point, Age()) == ()
    np.testing.assert_array_equal(made.weights(point), fresh)


def test_remembered_noise_follows_the_aged_cells(law: Evolution) -> None:
    made = layer()
    chip, point = made.chip, OperatingPoint.for_card(made.chip.device)
    made.memory = "on"
    first = made.remembering(point).memory
    age_chip(chip, point, Age(cycles=1e6, storage_time=1e5), evolution=law)
    second = made.remembering(point).memory
    assert first is not None
    assert second is not None
    assert not torch.equal(first.variance, second.variance)
    whole = (second.variance.sum(dim=0) / made.matrices(point).drive ** 2).numpy()
    white = made.remembering(point).matrices.variance.double().numpy()
    np.testing.assert_allclose(whole + white, made.matrices(point).variance.double().numpy(), rtol=1e-5, atol=1e-30)


def test_blank_chips_and_silent_cards_say_so() -> None:
    chip = Chip("hzo-mfis-nor", spec=ChipSpec(rows=8, columns=8, tiles=1))
    point = OperatingPoint.for_card(chip.device)
    with pytest.raises(ArgumentError, match="programmed tiles"):
        age_chip(chip, point, Age(cycles=10.0))
    with pytest.raises(ArgumentError, match="cycles"):
        Age(cycles=0.5).exposure(point, samples=False)


def test_mapped_modules_age(law: Evolution) -> None:
    chip = Chip("hzo-mfis-nor", seed=2, spec=ChipSpec(rows=16, columns=16, tiles=4))
    x = torch.from_numpy(np.random.default_rng(1).normal(size=(6, 12))).float()
    model = map_to_chip(torch.nn.Linear(12, 6), chip, x)
    fresh = model(x)
    model.age(Age(storage_time=1e5, cycles=1e6), evolution=law)
    model.seek(0)
    assert not torch.equal(model(x), fresh)
    assert model.age(Age(), evolution=law) == ()
    model.seek(0)
    assert torch.equal(model(x), fresh)
