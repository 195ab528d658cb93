"""Training forwards against the products of the same tiles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.amplifier import IdealAmplifier
from ferrogen.circuit.converters import ADC, DAC
from ferrogen.circuit.periphery import Periphery
from ferrogen.core.errors import ArgumentError
from ferrogen.core.streams import Streams
from ferrogen.device.card import load_card
from ferrogen.mapping.coding import CodingSpec
from ferrogen.mapping.layer import map_matrices
from ferrogen.mapping.training.response import tile_response

POINT = OperatingPoint(sample_voltage=1.2, multiply_voltage=0.1, sampling_time=1e-3)
CODINGS = {
    "differential": CodingSpec(),
    "offset-column": CodingSpec(scheme="offset-column", references=2),
    "bit-sliced": CodingSpec(scheme="bit-sliced"),
    "safe": CodingSpec(safe_levels=0.012),  # half of the window on this card
}


def layer(coding=None, *, quiet=False, spec=None, vectors=24):
    card = load_card("hzo-mfis-nor")
    if quiet:
        card = card.model_copy(update={"traps_per_cell": card.traps_per_cell.model_copy(update={"value": 0.0})})
    spec = spec or ChipSpec(tiles=8, rows=32, columns=32)
    if quiet:
        spec = replace(spec, periphery=replace(spec.periphery, multiply_amplifier=IdealAmplifier()))
    rng = np.random.default_rng(2)
    weight = rng.normal(size=(11, 50)) * np.geomspace(0.3, 1.0, 11)[:, None]
    chip = Chip(card, seed=4, spec=spec)
    (made,) = map_matrices(chip, [weight], [np.zeros(11)], coding=coding or CodingSpec())
    x = torch.from_numpy(rng.normal(size=(vectors, 50)).astype(np.float32))
    made.calibrate(x, POINT)
    return made, torch.from_numpy(weight).float(), x


@pytest.mark.parametrize("name", list(CODINGS))
def test_without_noise_training_and_products_are_the_same(name):
    """Programming errors, wires, levels and converters included; a converter's step apart where rounding is a tie."""
    made, weight, x = layer(CODINGS[name], quiet=True)
    response = tile_response(made, weight, POINT)
    assert float(response.deviation.abs().max()) > 0.0
    addresses = torch.arange(x.shape[0])
    theirs, ours = made.multiply(x, POINT, addresses), response.multiply(response.shares(x), weight, addresses)
    apart = (ours - theirs).abs()
    assert float((apart > 1e-5 * float(theirs.abs().max())).float().mean()) < 0.01
    step = float((response.output_scale * response.conversion.full_scale / response.conversion.levels).max())
    assert float(apart.max()) < 1.01 * step


@pytest.mark.parametrize("name", ["differential", "offset-column"])
def test_noise_of_training_has_the_moments_of_products(name):
    """Means and variances of every output over 2000 draws; 23 comparisons, 1e-3 together (4 standard errors).

    Through a fine converter: the variance of a few codes is no normal number's.
    """
    spec = ChipSpec(tiles=8, rows=32, columns=32, periphery=replace(Periphery(), multiply_adc=ADC(16)))
    made, weight, x = layer(CODINGS[name], spec=spec)
    response = tile_response(made, weight, POINT)
    draws = 2000
    same = x[:1].expand(draws, -1)
    theirs = made.multiply(same, POINT, torch.arange(draws)).double()
    ours = response.multiply(response.shares(same), weight, torch.arange(draws)).double()
    assert not torch.equal(theirs, ours)
    error = ((theirs.var(dim=0) + ours.var(dim=0)) / draws).sqrt()
    assert float(((theirs.mean(dim=0) - ours.mean(dim=0)).abs() / error).max()) < 4.0
    ratio = ours.var(dim=0).log() - theirs.var(dim=0).log()
    assert float(ratio.abs().max()) < 4.0 * np.sqrt(2 * 2.0 / draws)
    # Outputs that share a reference line share its noise.
    together = [np.corrcoef(values.T)[0, 1] for values in (theirs.numpy(), ours.numpy())]
    assert abs(together[0] - together[1]) < 4.0 * np.sqrt(2 / draws)


def test_the_noise_of_a_vector_depends_on_its_address_only():
    made, weight, x = layer()
    response = tile_response(made, weight, POINT)
    addresses = torch.arange(24) + (5 << 32)
    whole = response.multiply(response.shares(x), weight, addresses)
    order = torch.randperm(24, generator=torch.Generator().manual_seed(1))
    assert torch.equal(response.multiply(response.shares(x), weight, addresses)[order], whole[order])
    torch.testing.assert_close(
        response.multiply(response.shares(x[order]), weight, addresses[order]), whole[order], rtol=0, atol=2e-2
    )
    assert not torch.equal(response.multiply(response.shares(x), weight, addresses + 1), whole)


def test_weights_beyond_the_window_are_not_pushed_further_but_may_come_back():
    made, weight, _ = layer()
    response = tile_response(made, weight, POINT)
    far = (3.0 * response.full_weight[:, None] * torch.ones_like(weight)).requires_grad_()
    for sign, moves in ((1.0, True), (-1.0, False)):
        (gradient,) = torch.autograd.grad(sign * response.currents(far).sum(), far)
        assert bool((gradient != 0.0).all()) == moves


def test_other_chips_have_the_same_deviations_elsewhere():
    made, weight, _ = layer()
    response = tile_response(made, weight, POINT)
    other = response.drawn(50, Streams(1).generator(28, 0))
    assert not torch.equal(other.deviation, response.deviation)
    assert torch.equal(other.deviation.flatten().sort().values, response.deviation.flatten().sort().values)
    assert torch.equal(other.deviation[:, 50:], response.deviation[:, 50:])


def test_circuits_that_training_does_not_model_are_refused():
    spec = ChipSpec(tiles=8, rows=32, columns=32, periphery=replace(Periphery(), dac=DAC(offset=0.5)))
    made, weight, _ = layer(spec=spec)
    with pytest.raises(ArgumentError, match="to be trained"):
        tile_response(made, weight, POINT)
