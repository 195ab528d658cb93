"""Typical inputs as somebody gives them, as arguments of forwards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from ferrogen.core.errors import argument_error


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Arguments of one forward.

    Attributes:
        args: by place.
        kwargs: by name.
        images: items of the batch.
    """

    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    images: int


def batch_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> int | None:
    """Return the number of images of a call: the first dimension of its first tensor, or its only whole number.

    None: it has neither.
    """
    leaves = tree_leaves((args, dict(kwargs)))
    for leaf in leaves:
        if isinstance(leaf, Tensor) and leaf.dim() > 0:
            return leaf.shape[0]
    whole = [leaf for leaf in leaves if isinstance(leaf, int) and not isinstance(leaf, bool)]
    return whole[0] if len(whole) == 1 and whole[0] > 0 else None


def single_precision(value: Any) -> Any:
    """Return arguments with their floats in single precision, in which the mapped module computes."""

    def convert(leaf: Any) -> Any:
        floats = isinstance(leaf, Tensor) and leaf.is_floating_point() and leaf.dtype is not torch.float32
        return leaf.float() if floats else leaf

    return tree_map(convert, value)


def _batch(given: Any) -> Batch:
    if isinstance(given, Mapping):
        args, kwargs = (), dict(given)
    else:
        args, kwargs = given if isinstance(given, tuple) else (given,), {}
    images = batch_of(args, kwargs)
    if not images:
        raise argument_error(
            "inputs",
            "hold a tensor whose first dimension is the batch, with at least one item",
            f"a {type(given).__name__} without",
            "Pass a tensor, a tuple of the forward's arguments, a dict of named ones, or a list of these.",
        )
    for leaf in tree_leaves((args, kwargs)):
        if isinstance(leaf, Tensor) and leaf.is_floating_point() and bool(torch.isnan(leaf).any()):
            raise argument_error("inputs", "be numbers", "NaN in places", "Check where they come from.")
    moved = tree_map(lambda leaf: leaf.detach() if isinstance(leaf, Tensor) else leaf, (args, kwargs))
    single: tuple[tuple[Any, ...], dict[str, Any]] = single_precision(moved)
    return Batch(single[0], single[1], int(images))


def batches_of(inputs: Any) -> list[Batch]:
    """Return typical inputs batch by batch.

    Args:
        inputs: a tensor; a tuple of the forward's arguments; a dict of named ones; or a list of such batches.

    Raises:
        ArgumentError: no batch, or one without a tensor that has a first dimension.
    """
    given = inputs if isinstance(inputs, list) else [inputs]
    if not given:
        raise argument_error("inputs", "hold at least one batch", "an empty list")
    return [_batch(item) for item in given]


def on_device(batch: Batch, device: torch.device) -> Batch:
    """Return a batch with its tensors on a device."""
    move = tree_map(lambda leaf: leaf.to(device) if isinstance(leaf, Tensor) else leaf, (batch.args, batch.kwargs))
    return Batch(move[0], move[1], batch.images)
