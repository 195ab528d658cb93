"""Gradients of products on the chip against finite differences of their expectation.

A converted value that carries normal noise has a smooth mean: with steps of size d and codes -L to L it is
d (-L + sum_k Phi((m - (k + 1/2) d) / s)), k from -L to L - 1, m and s mean and deviation before conversion.
That is the oracle here, in double precision and independent of the code under test. The statistic is the largest |z| of
averages over addressed draws, Bonferroni, false alarms 1e-3 each test.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from ferrogen.mapping.lowering import lower
from ferrogen.mapping.training.levels import SignedLevels
from ferrogen.mapping.training.product import Conversion, noisy_currents, noisy_product
from ferrogen.mapping.training.response import TileResponse

LAYERS = {
    "linear": (lambda: nn.Linear(7, 5), (3, 7)),
    "convolution": (lambda: nn.Conv2d(3, 4, 3, stride=2, padding=1), (2, 3, 5, 6)),
    "dilated": (lambda: nn.Conv2d(2, 3, 2, dilation=2, padding=1), (1, 2, 5, 5)),
    "transposed": (lambda: nn.ConvTranspose2d(3, 2, 3, stride=2, padding=1, output_padding=1), (1, 3, 3, 4)),
    "grouped": (lambda: nn.Conv2d(4, 6, 3, groups=2), (1, 4, 4, 4)),
    "depthwise": (lambda: nn.ConvTranspose2d(4, 4, 2, stride=2, groups=4), (1, 4, 3, 3)),
}
layers = pytest.mark.parametrize("name", list(LAYERS))


def ideal(weight: torch.Tensor, rows: int = 4) -> TileResponse:
    """Tiles without noise or rounding, in double precision."""
    outputs, inputs = weight.shape
    row_tiles = -(-inputs // rows)
    one = torch.ones((), dtype=torch.float64)
    return TileResponse(
        full_weight=torch.full((outputs,), 10.0, dtype=torch.float64),
        levels=SignedLevels(0, 1.0),
        window_current=2.0 * one,
        deviation=torch.zeros(outputs, row_tiles * rows, dtype=torch.float64),
        variance=torch.zeros(row_tiles, rows, outputs, dtype=torch.float64),
        conversion=Conversion(torch.zeros(row_tiles, outputs, dtype=torch.float64), one, 0),
        input_scale=3.0 * one,
        input_levels=0,
        output_scale=torch.full((outputs,), 15.0, dtype=torch.float64),
        key=np.uint64(7),
    )


def forward(layer, responses, x, weight, bias, first=0):
    """A layer whose parts are multiplied on tiles."""
    lowering = lower(layer, 64)
    outputs = []
    for part, vectors, matrix, response in zip(
        lowering.parts, lowering.vectors(responses[0].shares(x)), lowering.weights(weight), responses, strict=True
    ):
        addresses = first + torch.arange(vectors.shape[0])
        outputs.append(response.multiply(vectors, matrix, addresses) + bias[lowering.part_outputs(part)])
    return lowering.assemble(outputs, x.shape, bias)


def made(name):
    torch.manual_seed(3)
    make, shape = LAYERS[name]
    layer = make().double()
    x = torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(4)) - 0.5
    matrices = lower(layer, 64).weights(layer.weight.detach())
    return layer, x, [ideal(matrix) for matrix in matrices]


@layers
def test_ideal_layers_are_those_of_torch_with_their_gradients(name):
    layer, x, responses = made(name)
    leaves = [x.clone().requires_grad_(), *(p.detach().clone().requires_grad_() for p in (layer.weight, layer.bias))]
    ours = forward(layer, responses, *leaves)
    theirs = layer(x.requires_grad_())
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    push = torch.randn(ours.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(5))
    (ours * push).sum().backward()
    (theirs * push).sum().backward()
    for leaf, expected in zip(leaves, (x, layer.weight, layer.bias), strict=True):
        torch.testing.assert_close(leaf.grad, expected.grad, rtol=1e-11, atol=1e-12)


@layers
def test_gradients_of_noisy_unrounded_layers_are_finite_differences(name):
    # One draw, held fixed: without rounding the reparameterised output is a smooth function.
    layer, x, responses = made(name)
    noisy = []
    for response in responses:
        conversion = replace(response.conversion, noise=response.conversion.noise + 0.1)
        noisy.append(replace(response, variance=torch.full_like(response.variance, 0.3), conversion=conversion))
    leaves = [x.requires_grad_(), *(p.detach().clone().requires_grad_() for p in (layer.weight, layer.bias))]
    assert torch.autograd.gradcheck(lambda *a: forward(layer, noisy, *a), leaves)


def problem(vectors=3, inputs=7, outputs=4, row_tiles=2, rows=4):
    generator = torch.Generator().manual_seed(1)

    def uniform(*shape):
        return torch.rand(shape, dtype=torch.float64, generator=generator)

    shares, mean = 2 * uniform(vectors, inputs) - 1, 2 * uniform(row_tiles, rows, outputs) - 1
    variance, noise = 0.02 * uniform(row_tiles, rows, outputs), 0.1 + 0.1 * uniform(row_tiles, outputs)
    normals = torch.randn((row_tiles, vectors, outputs), dtype=torch.float64, generator=generator)
    return shares, mean, variance, noise, normals


def test_all_gradients_of_the_product_are_finite_differences():
    shares, mean, variance, noise, normals = problem()
    conversion = Conversion(noise, torch.ones(()), 0)
    leaves = [part.requires_grad_() for part in (shares, mean, variance)]
    assert torch.autograd.gradcheck(lambda s, m, v: noisy_product(s, m, v, conversion, normals), leaves)


@pytest.mark.parametrize("levels", [0, 5, 127])
@pytest.mark.parametrize("references", [0, 2])
def test_one_product_or_its_parts_one_by_one(levels, references):
    shares, mean, variance, noise, normals = problem()
    reference_of = None
    if references:
        reference_of = torch.tensor([0, 1, 1, 0])
        variance, normals = (torch.cat([part, 0.5 * part[:, :, :2]], dim=2) for part in (variance, normals))
    conversion = Conversion(noise, torch.tensor(0.8, dtype=torch.float64), levels, reference_of)
    found = []
    for whole in (True, False):
        leaves = [part.clone().requires_grad_() for part in (shares, mean, variance)]
        if whole:
            out = noisy_product(*leaves, conversion, normals)
        else:
            split = torch.nn.functional.pad(leaves[0], (0, 1)).reshape(3, 2, 4).transpose(0, 1)
            out = noisy_currents(split @ leaves[1], leaves[0], leaves[2], conversion, normals)
        out.sin().sum().backward()
        found.append([out.detach(), *(leaf.grad for leaf in leaves)])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-12, atol=1e-13)


def expected(shares, mean, variance, conversion):
    """The oracle: mean of the converted sums, ``(vectors, outputs)``."""
    row_tiles, rows, _ = mean.shape
    split = torch.nn.functional.pad(shares, (0, row_tiles * rows - shares.shape[1]))
    split = split.reshape(shares.shape[0], row_tiles, rows).transpose(0, 1)
    center = split @ mean
    spread = (split.square() @ variance + conversion.noise[:, None].square()).sqrt()
    levels = conversion.levels
    edges = (torch.arange(-levels, levels, dtype=torch.float64) + 0.5) * (conversion.full_scale / levels)
    above = torch.special.ndtr((center[..., None] - edges) / spread[..., None])
    return ((above.sum(dim=-1) - levels) * (conversion.full_scale / levels)).sum(dim=0)


def slope(function, leaf, direction, size=1e-5):
    """Central difference of a sum along a direction."""
    return float((function(leaf + size * direction) - function(leaf - size * direction)).sum() / (2 * size))


DRAWS, GROUPS = 400, 150


@pytest.mark.parametrize("levels", [15, 127])
@pytest.mark.parametrize("full_scale", [0.5, 3.0])
def test_gradients_are_those_of_the_expectation(levels, full_scale, z_limit):
    """Noise of a step or more: the mean of straight-through gradients is the gradient of the mean, clipping too.

    Where nothing clips the slope is 1 in every draw, and only the allowance for rounding counts (5e-9 at one step).
    """
    shares, mean, variance, noise, _ = problem(vectors=1)
    full_scale = torch.tensor(full_scale, dtype=torch.float64)
    step = float(full_scale) / levels
    conversion = Conversion(noise.clamp(min=step), full_scale, levels)
    generator = torch.Generator().manual_seed(9)
    directions = [
        torch.randn(part.shape, dtype=torch.float64, generator=generator) for part in (shares, mean, variance)
    ]
    measured = np.empty((GROUPS, 3))
    for group in range(GROUPS):
        leaves = [part.clone().requires_grad_() for part in (shares, mean, variance)]
        normals = torch.randn((2, DRAWS, 4), dtype=torch.float64, generator=generator)
        noisy_product(leaves[0].expand(DRAWS, -1), *leaves[1:], conversion, normals).mean(dim=0).sum().backward()
        measured[group] = [float((leaf.grad * d).sum()) for leaf, d in zip(leaves, directions, strict=True)]
    wanted = [
        slope(lambda s: expected(s, mean, variance, conversion), shares, directions[0]),
        slope(lambda m: expected(shares, m, variance, conversion), mean, directions[1]),
        slope(lambda v: expected(shares, mean, v, conversion), variance, directions[2]),
    ]
    error = np.abs(measured.mean(axis=0) - wanted)
    assert np.all(error < z_limit(3) * measured.std(axis=0, ddof=1) / np.sqrt(GROUPS) + 1e-6)
    # The comparison says something: with the small full scale, clipping changes the gradient by a good part.
    split = torch.nn.functional.pad(shares, (0, 1)).reshape(1, 2, 4).transpose(0, 1)
    unclipped = float((split @ directions[1]).sum())
    assert (abs(wanted[1] - unclipped) > 0.1 * abs(unclipped)) == bool(full_scale < 1.0)


@pytest.mark.parametrize("noise_steps", [0.2, 0.3, 0.5])
def test_how_far_straight_through_is_off_where_noise_is_small(noise_steps):
    """The slope of the mean is 1 + 2 sum_k (-1)^k cos(2 pi k m / d) exp(-2 (pi k s / d)^2), straight-through says 1."""
    means = torch.linspace(-0.5, 0.5, 41, dtype=torch.float64)[:, None].requires_grad_()
    noise = torch.full((1, 1), noise_steps, dtype=torch.float64)
    conversion = Conversion(noise, torch.tensor(20.0, dtype=torch.float64), 20)
    one, nothing = torch.ones((1, 1, 1), dtype=torch.float64), torch.zeros((1, 1, 1), dtype=torch.float64)
    (true,) = torch.autograd.grad(expected(means, one, nothing, conversion).sum(), means)
    (ours,) = torch.autograd.grad(
        noisy_product(means, one, nothing, conversion, torch.zeros((1, 41, 1), dtype=torch.float64)).sum(), means
    )
    k = torch.arange(1, 20, dtype=torch.float64)
    sizes = 2 * (-2 * (np.pi * k * noise_steps) ** 2).exp()
    series = 1 + (torch.cos(2 * np.pi * k * (means.detach() - 0.5)) * sizes).sum(dim=1, keepdim=True)
    torch.testing.assert_close(true, series, rtol=1e-9, atol=1e-9)
    assert float((true - ours).abs().max()) == pytest.approx(float(sizes.sum()), rel=1e-6)
    assert float(true[:-1].mean()) == pytest.approx(float(ours.mean()), rel=1e-9)  # over a step, nothing is lost
