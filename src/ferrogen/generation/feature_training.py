"""What the trainings of both feature networks share: initial weights, the rate's course, one thread."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from ferrogen.core.streams import Purpose, Streams


@contextmanager
def one_thread() -> Iterator[None]:
    """Hold torch to one thread, which fixes the order of its sums."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@torch.no_grad()
def fill(network: nn.Module, streams: Streams, *address: int) -> None:
    """Fill weights with He-normal numbers (He 2015, doi:10.1109/ICCV.2015.123) from addressed streams.

    Norms start as the identity, everything else at zero.
    """
    for index, (name, value) in enumerate(network.state_dict().items()):
        if name.endswith("running_var") or (value.dim() == 1 and name.endswith("weight")):
            value.fill_(1)
        elif value.dim() > 1:
            draws = streams.generator(Purpose.INITIAL_WEIGHTS, *address, index).standard_normal(tuple(value.shape))
            fan_in = math.prod(value.shape[1:])
            value.copy_(torch.from_numpy(draws * math.sqrt(2.0 / fan_in)))
        else:
            value.zero_()


def cosine_schedule(done: float, *, rise: float) -> float:
    """Rise linearly over the share ``rise`` of the run, then fall to zero along half a cosine."""
    return done / rise if done < rise else 0.5 * (1.0 + math.cos(math.pi * (done - rise) / (1.0 - rise)))
