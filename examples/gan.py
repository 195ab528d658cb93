"""A GAN on MNIST: latents from telegraph noise, and the generator's layers as products on tiles.

Generator: one linear layer and two transposed convolutions with batch norms, which become part of the layers on the
chip. Trained against a small convolutional critic with the non-saturating loss (arXiv:1406.2661) and a penalty on the
critic's gradient at real digits (R1, arXiv:1801.04406); what draws is the average of the generator's weights.

Reduced, as CI runs it: a few training steps on digits of the shipped VAE, and few images each way with shipped weights:

    python examples/gan.py

What docs/explanation/other-generators.md shows:

    python examples/gan.py --full --data MNIST_FOLDER --out figures
"""

from __future__ import annotations

import copy
import time
from pathlib import Path

import torch
from four_ways import Task, follow, initialise, random_generator, run, save_half
from torch import Tensor, nn
from torch.nn.functional import softplus

LATENT = 32
TASK = Task("gan", Path(__file__).with_suffix(".safetensors"), reduced_steps=10, full_steps=6000)


class Generator(nn.Module):
    """Image numbers in, digits ``(n, 1, 28, 28)`` in [0, 1] out; draws 32 latents an image."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(LATENT, 64 * 7 * 7, bias=False), nn.BatchNorm1d(64 * 7 * 7), nn.ReLU(),
            nn.Unflatten(1, (64, 7, 7)),
            nn.ConvTranspose2d(64, 48, 4, stride=2, padding=1, bias=False), nn.BatchNorm2d(48), nn.ReLU(),
            nn.ConvTranspose2d(48, 1, 4, stride=2, padding=1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, numbers: Tensor) -> Tensor:
        """Return one image for each number."""
        images: Tensor = self.layers(torch.randn(numbers.shape[0], LATENT))
        return images


def critic() -> nn.Module:
    """Return what tells digits from made ones, untrained."""
    return nn.Sequential(
        nn.Conv2d(1, 32, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
        nn.Conv2d(32, 64, 4, stride=2, padding=1), nn.LeakyReLU(0.2),
        nn.Flatten(), nn.Linear(64 * 7 * 7, 128), nn.LeakyReLU(0.2), nn.Linear(128, 1),
    )  # fmt: skip


def train(digits: Tensor, steps: int, *, batch: int = 128, keep: Path | None = None) -> tuple[nn.Module, list[float]]:
    """Train generator and critic in turns, in bfloat16; return the generator's average and the critic's losses.

    Args:
        digits: ``(n, 1, 28, 28)`` in [0, 1].
        steps: of Adam, for both.
        batch: digits a step.
        keep: file to which the average goes now and then.
    """
    maker, judge = Generator().train(), critic()
    initialise(maker, 3)
    initialise(judge, 4)
    average = copy.deepcopy(maker)
    make = torch.optim.Adam(maker.parameters(), 5e-4, betas=(0.5, 0.99))
    judging = torch.optim.Adam(judge.parameters(), 3e-4, betas=(0.5, 0.99))
    half = torch.autocast("cpu", torch.bfloat16)
    random, losses, begun = random_generator(5), [], time.process_time()
    for step in range(steps):
        for optimiser, rate in ((make, 5e-4), (judging, 3e-4)):
            for group in optimiser.param_groups:
                group["lr"] = rate * min(1.0, 2.0 * (1.0 - step / steps))
        real = digits[torch.randint(len(digits), (batch,), generator=random)]
        with half:
            made = maker.layers(torch.randn(batch, LATENT, generator=random)).float()
            loss = softplus(judge(made.detach()).float()).mean() + softplus(-judge(real).float()).mean()
        if step % 16 == 0:  # R1, lazily: every 16th step with 16 times the weight
            real.requires_grad_()
            (slope,) = torch.autograd.grad(judge(real).sum(), real, create_graph=True)
            loss = loss + 16.0 * 0.5 * slope.square().sum(dim=(1, 2, 3)).mean()
        judging.zero_grad()
        torch.autograd.backward(loss)
        judging.step()
        with half:
            fooled = softplus(-judge(made).float()).mean()
        make.zero_grad()
        torch.autograd.backward(fooled)
        make.step()
        follow(average, maker, min(0.999, (1.0 + step) / (10.0 + step)))
        losses.append(loss.item())
        if (step + 1) % 500 == 0:
            print(f"step {step + 1} of {steps}: critic {losses[-1]:.3f}, generator {fooled.item():.3f},"
                  f" {time.process_time() - begun:.0f} s", flush=True)  # fmt: skip
            if keep is not None:
                save_half(average, keep)
    return settle(average), losses


@torch.no_grad()
def settle(average: nn.Module) -> nn.Module:
    """Give the average's batch norms the statistics of its own activations; return it in evaluation mode."""
    norms = [part for part in average.modules() if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches below
    average.train()
    random = random_generator(6)
    for _ in range(20):
        average.get_submodule("layers")(torch.randn(500, LATENT, generator=random))
    return average.eval()


def main() -> None:
    """Train, draw four ways, print."""
    run(TASK, __doc__, Generator(), train, lambda generator: generator)


if __name__ == "__main__":
    main()
