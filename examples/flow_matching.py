"""Flow matching on MNIST: the noise of every step is telegraph noise, and every layer is products on tiles.

Training (conditional flow matching, arXiv:2210.02747): x_t = (1 - t) x + t e between a digit x and Gaussian noise e; a
small U-Net learns the velocity e - x. Drawing goes from t = 1 to 0 in a few steps. Each step splits x_t into an
estimate of the digit and one of the noise, renews as much of the noise as the posterior of the Gaussian path says (the
ancestral step of arXiv:2006.11239, in the notation of arXiv:2303.08797), and puts both together at the next t. So each
step draws 784 numbers, from tiles of their own.

Reduced, as CI runs it: a few training steps on digits of the shipped VAE, and few images each way with shipped weights:

    python examples/flow_matching.py

What docs/explanation/other-generators.md shows:

    python examples/flow_matching.py --full --data MNIST_FOLDER --out figures
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
from four_ways import SIDE, Task, follow, initialise, load_half, random_generator, run, save_half
from torch import Tensor, nn
from torch.nn import functional

NARROW, WIDE, TIMES = 32, 96, 32
TASK = Task(
    "flow_matching", Path(__file__).with_suffix(".safetensors"), reduced_steps=10, full_steps=3500, reduced_readings=128
)


class Block(nn.Module):
    """Two convolutions beside a shortcut; time scales and shifts the channels between them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
        """Return ``x`` with the block's part added."""
        hidden = self.first(functional.relu(x)) * (1.0 + scale[:, :, None, None]) + shift[:, :, None, None]
        out: Tensor = x + self.second(functional.relu(hidden))
        return out


class Velocity(nn.Module):
    """A U-Net of 14 x 14 patches (2 x 2 pixels each) and 7 x 7: x_t and what its time does in, e - x out."""

    def __init__(self) -> None:
        super().__init__()
        self.into = nn.Conv2d(4, NARROW, 3, padding=1)
        self.before = Block(NARROW)
        self.down = nn.Conv2d(NARROW, WIDE, 3, stride=2, padding=1)
        self.middle = nn.ModuleList(Block(WIDE) for _ in range(2))
        self.up = nn.Conv2d(WIDE, 4 * NARROW, 1)
        self.after = Block(NARROW)
        self.out = nn.Conv2d(NARROW, 4, 3, padding=1)

    def forward(self, x: Tensor, modulation: Tensor) -> Tensor:
        """Return the velocity at ``x``, shape ``(n, 1, 28, 28)``; ``modulation`` is a row of :class:`TimeTable`."""
        sizes = [NARROW, NARROW, WIDE, WIDE, WIDE, WIDE, NARROW, NARROW]
        s = torch.split(modulation.expand(x.shape[0], -1), sizes, dim=1)
        fine = self.before(self.into(functional.pixel_unshuffle(x, 2)), s[0], s[1])
        coarse = self.down(fine)
        for index, block in enumerate(self.middle):
            coarse = block(coarse, s[2 + 2 * index], s[3 + 2 * index])
        fine = self.after(fine + functional.pixel_shuffle(self.up(coarse), 2), s[6], s[7])
        return functional.pixel_shuffle(self.out(functional.relu(fine)), 2)


class TimeTable(nn.Module):
    """What each time does to the channels. Digital: one row a step, computed once and kept, so not on the chip."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Linear(2 * TIMES, 128), nn.Linear(128, 4 * NARROW + 4 * WIDE)

    def forward(self, t: Tensor) -> Tensor:
        """Return one row for each time, shape ``(n, 512)``."""
        angles = t[:, None] * torch.exp(torch.linspace(0.0, math.log(200.0), TIMES))
        hidden = functional.relu(self.first(torch.cat([angles.sin(), angles.cos()], dim=1)))
        rows: Tensor = self.second(hidden)
        return rows


class Flow(nn.Module):
    """Velocity and the table of times: what is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.velocity, self.times = Velocity(), TimeTable()


def schedule(steps: int, bend: float) -> list[float]:
    """Return the times of the steps, from 1 to 0; ``bend`` above 1 puts more of them near 0."""
    return [(1.0 - k / steps) ** bend for k in range(steps + 1)]


def ancestral(
    velocity: Callable[[Tensor, int], Tensor], x: Tensor, times: list[float], *, renewal: float = 1.0, clip: bool = True
) -> Tensor:
    """Go from noise at t = 1 to data at t = 0; every step but the last renews a part of the noise.

    Args:
        velocity: ``e - x`` expected at a point, given the number of the step.
        x: Gaussian noise, any shape.
        times: from 1 to 0.
        renewal: 1: as much as the posterior of the path says; 0: none, then only the start is random.
        clip: keep the estimates of the data within -1 and 1.
    """
    for step, (now, then) in enumerate(pairwise(times)):
        v = velocity(x, step)
        data = x - now * v
        if clip:
            data = data.clamp(-1.0, 1.0)
        if then <= 0.0:
            return data
        # Noise over signal now and then: the posterior's variance is that of the next, times 1 - (then/now)^2.
        ratio = 0.0 if now >= 1.0 else (then / (1.0 - then)) * (1.0 - now) / now
        fresh = renewal * math.sqrt(max(0.0, 1.0 - ratio * ratio))
        noise = (x - (1.0 - now) * data) / now
        x = (1.0 - then) * data + then * (math.sqrt(1.0 - fresh * fresh) * noise + fresh * torch.randn_like(x))
    return x


class Generator(nn.Module):
    """Image numbers in, digits out. Draws one picture of noise for each step."""

    def __init__(self, flow: Flow, steps: int = 16, *, renewal: float = 1.0, bend: float = 1.0) -> None:
        super().__init__()
        self.velocity, self.renewal, self.times = flow.velocity, renewal, schedule(steps, bend)
        with torch.no_grad():
            self.register_buffer("table", flow.times(torch.tensor(self.times[:-1])))

    def forward(self, numbers: Tensor) -> Tensor:
        """Return images ``(n, 1, 28, 28)`` with values in [0, 1]."""
        table = self.get_buffer("table")
        x = torch.randn(numbers.shape[0], 1, SIDE, SIDE)
        x = ancestral(lambda x, step: self.velocity(x, table[step : step + 1]), x, self.times, renewal=self.renewal)
        return (x + 1.0) / 2.0


def train(
    digits: Tensor,
    steps: int,
    *,
    start: Path | None = None,
    batch: int = 256,
    rate: float = 1e-3,
    weight_noise: float = 0.0,
    keep: Path | None = None,
) -> tuple[Flow, list[float]]:
    """Train in bfloat16; return the average of the weights, and the losses.

    Args:
        digits: ``(n, 1, 28, 28)`` in [0, 1].
        steps: of Adam, with a rate that falls along a half cosine.
        start: weights to go on from.
        batch: digits a step.
        rate: of Adam at the start.
        weight_noise: deviation of the noise on every weight in every step, as a share of the layer's largest weight.
        keep: file to which the average goes now and then.
    """
    flow = Flow()
    initialise(flow, 1)
    if start is None:
        for layer in [*(b.second for b in flow.velocity.modules() if isinstance(b, Block)), flow.velocity.out]:
            nn.init.zeros_(layer.weight)
        nn.init.zeros_(flow.times.second.weight)
    else:
        load_half(flow, start)
    flow.to(memory_format=torch.channels_last).train()  # type: ignore[call-overload]
    average = copy.deepcopy(flow)
    layers = [layer for layer in flow.velocity.modules() if isinstance(layer, nn.Conv2d)]
    optimiser = torch.optim.AdamW(flow.parameters(), rate, betas=(0.9, 0.99), weight_decay=1e-3)
    generator = random_generator(2)
    losses = []
    begun = time.process_time()
    for step in range(steps):
        for group in optimiser.param_groups:
            group["lr"] = rate * min(1.0, (step + 1) / (0.03 * steps)) * 0.5 * (1.0 + math.cos(math.pi * step / steps))
        chosen = torch.randint(len(digits), (batch,), generator=generator)
        data = 2.0 * digits[chosen] - 1.0
        noise = torch.randn(data.shape, generator=generator)
        t = torch.sigmoid(torch.randn(batch, generator=generator) * 1.2)
        at = t[:, None, None, None]
        moved = [
            layer.weight.detach().abs().max() * weight_noise * torch.randn(layer.weight.shape, generator=generator)
            for layer in (layers if weight_noise else [])
        ]
        with torch.no_grad():
            for layer, change in zip(layers, moved, strict=False):
                layer.weight += change
        modulation = flow.times(t)
        with torch.autocast("cpu", torch.bfloat16):
            v = flow.velocity(
                ((1.0 - at) * data + at * noise).contiguous(memory_format=torch.channels_last), modulation
            )
        loss = (v.float() - (noise - data)).square().mean()
        optimiser.zero_grad()
        torch.autograd.backward(loss)
        with torch.no_grad():
            for layer, change in zip(layers, moved, strict=False):
                layer.weight -= change
        nn.utils.clip_grad_norm_(flow.parameters(), 1.0)
        optimiser.step()
        follow(average, flow, min(0.998, (1.0 + step) / (10.0 + step)))
        losses.append(loss.item())
        if (step + 1) % 250 == 0:
            mean = sum(losses[-250:]) / 250
            print(f"step {step + 1} of {steps}: loss {mean:.4f}, {time.process_time() - begun:.0f} s", flush=True)
            if keep is not None:
                keep.parent.mkdir(parents=True, exist_ok=True)
                save_half(average, keep)
    return average.to(memory_format=torch.contiguous_format).eval(), losses  # type: ignore[call-overload]


def generator_of(flow: nn.Module) -> Generator:
    """Return what draws with trained weights."""
    if not isinstance(flow, Flow):
        raise TypeError("flow must be a Flow")
    return Generator(flow)


def main() -> None:
    """Train, draw four ways, print."""
    run(TASK, __doc__, Flow(), train, generator_of)


if __name__ == "__main__":
    main()
