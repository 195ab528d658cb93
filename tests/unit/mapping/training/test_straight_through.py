"""Converters with gradients: rounding passes them, clipping does not."""

from __future__ import annotations

import pytest
import torch

from ferrogen.mapping.training.straight_through import converted, input_shares


@pytest.mark.parametrize("levels", [7, 127])
def test_gradients_pass_rounding_and_not_clipping(levels):
    x = torch.tensor([-5.0, -2.0, -0.3, 0.0, 1.1, 2.0, 2.1], requires_grad=True)
    scale = torch.tensor(2.0)
    inside = torch.tensor([0.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.0])
    shares = input_shares(x, scale, levels)
    torch.testing.assert_close(shares.detach(), (x.detach() / 2.0).clamp(-1, 1).mul(levels).round() / levels)
    assert torch.equal(torch.autograd.grad(shares.sum(), x)[0], inside / 2.0)
    assert torch.equal(torch.autograd.grad(converted(x, scale, levels).sum(), x)[0], inside)


def test_ideal_converters_pass_everything():
    x = torch.tensor([-5.0, 0.3], requires_grad=True)
    assert torch.equal(torch.autograd.grad(input_shares(x, torch.tensor(2.0), 0).sum(), x)[0], torch.full((2,), 0.5))
    assert torch.equal(converted(x, torch.tensor(2.0), 0), x)
