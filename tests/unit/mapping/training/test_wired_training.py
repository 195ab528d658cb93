"""Training behind wires that are solved in every forward."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ferrogen.array.programming import IdealProgramming
from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.periphery import Periphery
from ferrogen.circuit.wires import Wires
from ferrogen.core.errors import ArgumentError
from ferrogen.device.card import load_card
from ferrogen.mapping.layer import map_matrices
from ferrogen.mapping.training.program import reprogram
from ferrogen.mapping.training.response import tile_response
from ferrogen.mapping.training.wired import wired_response

POINT = OperatingPoint(sample_voltage=1.2, multiply_voltage=0.1, sampling_time=1e-3)


def layers(segment):
    """Two matrices on shared tiles; cells without traps, exact programming, ideal converters: only wires are left."""
    card = load_card("hzo-mfis-nor")
    card = card.model_copy(update={"traps_per_cell": card.traps_per_cell.model_copy(update={"value": 0.0})})
    periphery = replace(Periphery.ideal(), wires=Wires(segment, segment, tolerance=1e-9))
    spec = ChipSpec(
        tiles=8, rows=24, columns=24, programming=IdealProgramming(), continuous_levels=True, periphery=periphery
    )
    rng = np.random.default_rng(2)
    weights = [rng.normal(size=(15, 30)), rng.normal(size=(5, 10))]
    chip = Chip(card, seed=4, spec=spec)
    made = map_matrices(chip, weights, [np.zeros(15), np.zeros(5)])
    x = torch.from_numpy(rng.normal(size=(6, 30)).astype(np.float32))
    made[0].calibrate(x, POINT)
    return made, [torch.from_numpy(w).float() for w in weights], x


def test_wires_solved_are_those_of_products_also_with_other_weights():
    """Drops of some 10 %: what was found at the old weights is off after a change, what is solved is not."""
    (layer, other), (weight, small), x = layers(2e4)
    wired, found = wired_response(layer, weight, POINT, tolerance=1e-9), tile_response(layer, weight, POINT)
    addresses = torch.arange(6)

    def error(response, weights):
        outputs = layer.multiply(x, POINT, addresses)
        return float((response.multiply(response.shares(x), weights, addresses) - outputs).norm() / outputs.norm())

    assert error(wired, weight) < 1e-4
    assert error(found, weight) < 1e-4
    new = 0.9 * weight.flip(0)
    reprogram([layer, other], [new.double().numpy(), small.double().numpy()])
    assert error(found, new) > 5e-3
    assert error(wired, new) < 0.3 * error(found, new)


def test_gradients_behind_wires_are_finite_differences():
    (layer, _), (weight, _), x = layers(2e4)
    wired = wired_response(layer, weight, POINT, tolerance=1e-6)
    generator = torch.Generator().manual_seed(3)
    push = torch.randn((6, 15), generator=generator)
    leaves = (0.8 * weight).requires_grad_(), x.clone().requires_grad_()

    def value(w, inputs):
        return (wired.multiply(wired.shares(inputs), w, torch.arange(6)) * push).sum()

    value(*leaves).backward()
    for k, leaf in enumerate(leaves):
        direction = torch.randn(leaf.shape, generator=generator)
        moved = [
            value(*(part.detach() + (sign * 0.02 * direction if j == k else 0.0) for j, part in enumerate(leaves)))
            for sign in (1, -1)
        ]
        slope = float(moved[0] - moved[1]) / 0.04
        assert float((leaf.grad * direction).sum()) == pytest.approx(slope, rel=5e-3, abs=5e-3)


def test_ideal_wires_need_no_solver():
    card = load_card("hzo-mfis-nor")
    chip = Chip(card, spec=ChipSpec(tiles=2, rows=24, columns=24, periphery=Periphery.ideal()))
    (layer,) = map_matrices(chip, [np.ones((2, 3))], [np.zeros(2)])
    with pytest.raises(ArgumentError, match="as-found"):
        wired_response(layer, torch.ones((2, 3)), POINT)
