"""Weights on tiles: coding, products against torch, fidelity levels, the error budget."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ferrogen.array.levels import ConductanceWindow, DiscreteLevels
from ferrogen.array.programming import IdealProgramming
from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.converters import ADC, IdealADC
from ferrogen.circuit.periphery import Periphery
from ferrogen.core.errors import ArgumentError, CapacityError
from ferrogen.device.card import DeviceCard, load_card
from ferrogen.mapping.budget import error_budget
from ferrogen.mapping.coding import CodingSpec, code_matrix
from ferrogen.mapping.layer import Fidelity, map_linear
from ferrogen.mapping.ranges import least_error_range

POINT = OperatingPoint()
FIDELITIES: tuple[Fidelity, ...] = ("statistical", "cell")
WINDOW = ConductanceWindow(1e-9, 17e-9)


def silent_card() -> DeviceCard:
    card = load_card("hzo-mfis-nor")
    return card.model_copy(update={"traps_per_cell": card.traps_per_cell.model_copy(update={"value": 0.0})})


def ideal_spec(rows: int, columns: int) -> ChipSpec:
    return ChipSpec(
        rows=rows,
        columns=columns,
        programming=IdealProgramming(),
        continuous_levels=True,
        periphery=Periphery.ideal(),
    )


def test_clipping_a_few_large_weights_makes_the_levels_of_the_many_finer() -> None:
    generator = np.random.default_rng(3)
    weight = generator.normal(size=(4, 400))
    weight[:, 0] = 9.0
    levels = DiscreteLevels(32)

    def error(coded_scale: np.ndarray) -> float:
        full = coded_scale[:, None] * WINDOW.span
        share = levels.quantise(np.clip(np.abs(weight) / full, 0.0, 1.0))
        return float(np.sum((np.sign(weight) * share * full - weight) ** 2))

    chosen = code_matrix(weight, CodingSpec(), WINDOW, levels).scale
    assert np.all(chosen * WINDOW.span < 9.0)
    assert error(chosen) < error(np.full(4, 9.0 / WINDOW.span))


@settings(max_examples=15, deadline=None)
@given(
    outputs=st.integers(1, 12),
    inputs=st.integers(1, 20),
    rows=st.integers(1, 8),
    pairs=st.integers(1, 5),
    seed=st.integers(0, 1000),
)
def test_an_ideal_chip_multiplies_like_torch(outputs: int, inputs: int, rows: int, pairs: int, seed: int) -> None:
    generator = np.random.default_rng(seed)
    weight, bias = generator.normal(size=(outputs, inputs)), generator.normal(size=outputs)
    x = torch.from_numpy(generator.normal(size=(6, inputs)).astype(np.float32))
    layer = map_linear(Chip(silent_card(), seed=seed, spec=ideal_spec(rows, 2 * pairs)), weight, bias)
    layer.calibrate(x, POINT)
    # Cells beyond three standard deviations of the spread cannot reach the window's ends: 0.3 % of the full weight is
    # theirs.
    reached = all(tile.state.converged.all() for tile in layer.chip.tiles.values())
    wanted = torch.nn.functional.linear(x, torch.from_numpy(weight).float(), torch.from_numpy(bias).float())
    tolerance = 2e-5 if reached else 2e-2
    assert torch.allclose(layer(x, POINT, np.arange(6)), wanted, atol=tolerance * float(wanted.abs().max() + 1.0))


def test_both_levels_agree_in_mean_and_variance() -> None:
    """Six chips, one input, 1200 reads that are 20,000 cycles apart in threes: slow traps have moved in between.

    Few traps make most of an output's noise: over chips, the ratio of the variances of one chip's eight outputs
    together spreads by some 20 %, that of all six chips by some 9 %; the bound is 3 times that. Consecutive reads would
    remember.
    """
    generator = np.random.default_rng(0)
    weight, spec = generator.uniform(-1, 1, (8, 32)), ideal_spec(32, 16)
    x = torch.from_numpy(generator.uniform(0.3, 1.0, (1, 32)).astype(np.float32)).expand(3, -1)
    point = OperatingPoint(multiply_voltage=0.5, sampling_time=1e-4)
    variances = []
    for seed in range(2, 8):
        layer = map_linear(Chip("hzo-mfis-nor", seed=seed, spec=spec), weight, np.zeros(8))
        layer.calibrate(x, point)
        groups = [20_000 * k + np.arange(3, dtype=np.int64) for k in range(400)]
        fast, slow = (
            np.concatenate([layer(x, point, images, fidelity).double().numpy() for images in groups])
            for fidelity in FIDELITIES
        )
        spread = np.sqrt(slow.var(axis=0) + fast.var(axis=0))
        assert np.all(np.abs(fast.mean(axis=0) - slow.mean(axis=0)) < 0.5 * spread)
        variances.append((fast.var(axis=0).sum(), slow.var(axis=0).sum()))
    fast_sum, slow_sum = np.sum(variances, axis=0)
    assert fast_sum == pytest.approx(slow_sum, rel=0.27)


def test_noise_of_a_row_depends_on_its_image_alone() -> None:
    generator = np.random.default_rng(1)
    layer = map_linear(Chip("hzo-mfis-nor", seed=2), generator.normal(size=(10, 20)), np.zeros(10))
    x = torch.from_numpy(generator.normal(size=(1, 20)).astype(np.float32))
    layer.calibrate(x, POINT)
    once = layer(x.expand(3, -1), POINT, np.array([5, 9, 5]))
    assert torch.equal(once[0], once[2])
    assert torch.equal(layer(x, POINT, np.array([9]))[0], once[1])


def test_a_product_has_at_least_six_effective_bits() -> None:
    budget = {item.source: item for item in error_budget(load_card("hzo-mfis-nor"), POINT, chips=2)}
    sampling = ", on a tile that also samples"
    assert budget["everything"].bits >= 6.0
    assert budget["everything" + sampling].bits >= 6.0
    # Slow traps that the sample voltage filled are still there when the product is read.
    assert budget["telegraph noise" + sampling].bits < budget["telegraph noise"].bits - 2.0
    assert all(item.bits >= budget["everything" + sampling].bits - 0.1 for item in budget.values())
    assert budget["wires"].bits > 12.0  # nanoampere cells make the wires' drop negligible


def test_too_small_a_chip_is_refused_with_the_number_needed() -> None:
    chip = Chip("hzo-mfis-nor", spec=ChipSpec(rows=16, columns=8, tiles=3))
    with pytest.raises(CapacityError, match=r"6 tiles of 16 x 8 are needed.*3 of 3 left.*at least 6"):
        map_linear(chip, np.ones((10, 20)), np.zeros(10))


def test_converter_ranges_trade_clipping_for_finer_steps() -> None:
    values = torch.from_numpy(np.random.default_rng(0).standard_normal((256, 100)).astype(np.float32))
    largest = float(values.abs().max())

    def error(scale: float) -> float:
        return float((ADC(6).quantise(values, scale) - values).square().mean())

    chosen = least_error_range(values, ADC(6).quantise)
    assert chosen < 0.9 * largest
    assert error(chosen) < 0.8 * error(1.05 * largest)
    assert least_error_range(values, IdealADC().quantise) == pytest.approx(1.05 * largest)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_not_finite_are_refused(value: float) -> None:
    weight = np.ones((2, 3))
    weight[1, 2] = value
    with pytest.raises(ArgumentError, match="weight"):
        map_linear(Chip("hzo-mfis-nor"), weight, np.zeros(2))
    with pytest.raises(ArgumentError, match="bias"):
        map_linear(Chip("hzo-mfis-nor"), np.ones((2, 3)), np.array([0.0, value]))
