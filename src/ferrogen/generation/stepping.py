"""What the training steps of all models share: the order of images, falling rates, the running average of weights.

Every random number is found by the step's number, so that a run that was stopped goes on with the same bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ferrogen.core.streams import Purpose, Streams


def step_generator(streams: Streams, purpose: Purpose, *address: int) -> torch.Generator:
    """Return torch's generator of a stream."""
    return torch.Generator().manual_seed(int(streams.key(purpose, *address)))


@dataclass(slots=True)
class ImageOrder:
    """Which images each step sees: all of them once an epoch, in an order drawn for the epoch.

    Attributes:
        streams: of the run.
        images: how many there are.
        batch: images a step; what does not fill the last one of an epoch is left out.
    """

    streams: Streams
    images: int
    batch: int
    _order: tuple[int, Tensor] | None = field(default=None, init=False)

    @property
    def steps_per_epoch(self) -> int:
        """Whole batches an epoch."""
        return self.images // self.batch

    def chosen(self, step: int) -> Tensor:
        """Return the numbers of a step's images, int64, shape ``(batch,)``."""
        epoch, index = divmod(step, self.steps_per_epoch)
        if self._order is None or self._order[0] != epoch:
            permutation = self.streams.generator(Purpose.TRAINING, 0, epoch).permutation(self.images)
            self._order = (epoch, torch.from_numpy(permutation))
        return self._order[1][index * self.batch : (index + 1) * self.batch]


def adam(network: torch.nn.Module, rate: float, betas: tuple[float, float]) -> torch.optim.Adam:
    """Return an Adam for all parameters of a network."""
    return torch.optim.Adam(network.parameters(), rate, betas, fused=True)


def set_rates(
    optimisers: Mapping[str, torch.optim.Optimizer], rates: Mapping[str, float], done: float, decay_from: float
) -> None:
    """Let rates fall linearly to zero from a share of the run on; ``done`` is the share that is done."""
    left = (1.0 - done) / (1.0 - decay_from)
    for name, optimiser in optimisers.items():
        optimiser.param_groups[0]["lr"] = rates[name] * min(1.0, left)


@torch.no_grad()
def follow(average: torch.nn.Module, network: torch.nn.Module, averaging: float, steps_done: int) -> None:
    """Move a running average of weights on by one step, in place."""
    # The early average follows fast, so that it does not carry the initial weights along.
    keep = min(averaging, steps_done / (steps_done + 20))
    for kept, new in zip(average.parameters(), network.parameters(), strict=True):
        kept.lerp_(new, 1.0 - keep)


@contextmanager
def frozen(network: torch.nn.Module) -> Iterator[None]:
    """Let no gradient gather in a network for the while."""
    network.requires_grad_(requires_grad=False)
    try:
        yield
    finally:
        network.requires_grad_(requires_grad=True)
