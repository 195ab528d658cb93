"""The critic and its penalty."""

from __future__ import annotations

import pytest
import torch

from ferrogen.generation.adversary import GROUP, Critic, gradient_penalty
from ferrogen.generation.model import initialise


class Plane(torch.nn.Module):
    """A critic whose gradient is known: the same everywhere."""

    def __init__(self, slope: torch.Tensor) -> None:
        super().__init__()
        self.slope = torch.nn.Parameter(slope)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images @ self.slope[:, None]


def critic() -> Critic:
    made = Critic(channels=(4, 6), hidden=10)
    initialise(made, torch.Generator().manual_seed(0))
    return made


def test_penalty_is_the_squared_slope_and_can_be_differentiated() -> None:
    plane = Plane(torch.linspace(-1, 1, 784))
    penalty = gradient_penalty(plane, torch.rand(8, 784))  # type: ignore[arg-type]
    assert penalty.item() == pytest.approx(plane.slope.square().sum().item(), rel=1e-5)
    penalty.backward()
    assert torch.allclose(plane.slope.grad, 2 * plane.slope, atol=1e-5)


def test_critic_notices_repetition() -> None:
    judge = critic()
    with torch.no_grad():
        judge.output.weight.zero_()
        judge.output.weight[0, -1] = 1.0  # only the deviation within a group is left
        varied = torch.rand(2 * GROUP, 784, generator=torch.Generator().manual_seed(1))
        repeated = varied[:2].repeat(GROUP, 1)  # group k holds the images k, k + 2, k + 4, ...
        assert judge(repeated).max() < 0.01 * judge(varied).min()


def test_one_logit_an_image() -> None:
    assert critic()(torch.zeros(3 * GROUP, 784)).shape == (3 * GROUP, 1)
