"""Stuck cells in training: what they show stays, whatever the weights, and their partners make up for it."""

from __future__ import annotations

import numpy as np
import torch

from ferrogen.array.faults import FaultRates
from ferrogen.array.programming import IdealProgramming
from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.periphery import Periphery
from ferrogen.mapping.layer import AnalogLinear, map_linear
from ferrogen.mapping.training.program import reprogram
from ferrogen.mapping.training.response import TileResponse, tile_response

RATES = FaultRates(stuck_on=0.05, stuck_off=0.05)


def mapped(seed: int = 3, *, spare: bool = False) -> tuple[AnalogLinear, torch.Tensor, OperatingPoint]:
    """A layer on two row tiles and two column tiles, everything but the faults ideal."""
    size = {"spare_rows": 2, "spare_pairs": 1} if spare else {}
    spec = ChipSpec(
        rows=16, columns=16, tiles=16, programming=IdealProgramming(), continuous_levels=True,
        periphery=Periphery.ideal(), fault_rates=RATES, **size,
    )  # fmt: skip
    chip = Chip("ideal", seed=seed, spec=spec)
    weight = torch.randn((10, 24), generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    point = OperatingPoint.for_card(chip.device)
    layer = map_linear(chip, weight.numpy(), np.zeros(10))
    layer.calibrate(torch.randn((64, 24), generator=torch.Generator().manual_seed(1)), point)
    return layer, weight.float(), point


def shown(response: TileResponse, weight: torch.Tensor) -> torch.Tensor:
    return response.currents(weight).detach()


def test_other_weights_show_what_the_tiles_show_once_these_are_programmed() -> None:
    for spare in (False, True):
        layer, weight, point = mapped(spare=spare)
        response = tile_response(layer, weight, point)
        assert response.held is not None
        other = weight.flip(0) * 0.7
        expected = shown(response, other)
        reprogram([layer], [other.double().numpy()])
        found = layer.matrices(point)
        scale = float(expected.abs().max())
        assert torch.allclose(expected, found.mean * found.drive, rtol=0.0, atol=1e-5 * scale)


def test_the_working_cell_of_a_pair_makes_up_for_the_stuck_one() -> None:
    layer, weight, point = mapped()
    response = tile_response(layer, weight, point)
    wanted = TileResponse.currents(tile_response(*_whole(weight)), weight)
    asked = response.compensated(weight)
    before, after = ((shown(response, w) - wanted).abs() for w in (weight, asked))
    assert bool((after <= before + 1e-6 * float(wanted.abs().max())).all())
    # A pair with one cell stuck on shows any weight but the far side of full; stuck off, all on the working side.
    assert float(after.square().sum()) < 0.4 * float(before.square().sum())


def _whole(weight: torch.Tensor) -> tuple[AnalogLinear, torch.Tensor, OperatingPoint]:
    """The same layer on a chip without faults."""
    spec = ChipSpec(
        rows=16, columns=16, tiles=16, programming=IdealProgramming(), continuous_levels=True,
        periphery=Periphery.ideal(),
    )  # fmt: skip
    chip = Chip("ideal", seed=3, spec=spec)
    point = OperatingPoint.for_card(chip.device)
    layer = map_linear(chip, weight.double().numpy(), np.zeros(10))
    layer.calibrate(torch.randn((64, 24), generator=torch.Generator().manual_seed(1)), point)
    return layer, weight, point


def test_gradients_find_the_working_cell_and_leave_pairs_alone_that_have_none() -> None:
    layer, weight, point = mapped()
    response = tile_response(layer, weight, point)
    assert response.held is not None
    asked = weight.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(response.currents(asked).sum(), asked)
    slope = response.window_current / response.full_weight
    expected = slope[:, None].expand_as(gradient) * ~response.held.all(dim=0)[:, :24]
    assert torch.allclose(gradient, expected, rtol=1e-5)
