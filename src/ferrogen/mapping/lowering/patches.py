"""Patches of channels-last tensors, and outputs of patches put back in place; one or two dimensions, any dtype."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ferrogen.mapping.lowering.axis import Window


def _source(size: int, before: int, after: int, mode: str, device: torch.device) -> Tensor:
    """Return which element each place of a padded dimension takes."""
    index = torch.arange(-before, size + after, device=device)
    if mode == "replicate":
        return index.clamp(0, size - 1)
    if mode == "circular":
        return index % size
    return (size - 1) - ((size - 1) - index.abs()).abs()


def pad_channels_last(x: Tensor, edges: Sequence[tuple[int, int]], mode: str) -> Tensor:
    """Return ``(items, channels, spatial ...)`` as ``(items, spatial ..., channels)``, padded.

    Args:
        x: floats or codes.
        edges: how much to add in front and behind, of every spatial dimension.
        mode: ``zeros``, ``reflect``, ``replicate`` or ``circular``.
    """
    last = x.movedim(1, -1)
    if not any(before or after for before, after in edges):
        return last.contiguous()
    if mode == "zeros":
        widths = [width for edge in reversed(edges) for width in edge]
        return torch.nn.functional.pad(last, (0, 0, *widths))
    for k, (before, after) in enumerate(edges):
        if before or after:
            last = last.index_select(1 + k, _source(x.shape[2 + k], before, after, mode, x.device))
    return last.contiguous()


def extract(padded: Tensor, windows: Sequence[Window], before: Sequence[int]) -> Tensor:
    """Return the patches of every position, ``(items x positions, taps x channels)``.

    Args:
        padded: ``(items, spatial ..., channels)``.
        windows: of every spatial dimension.
        before: padding in front of every spatial dimension.
    """
    rows = math.prod(len(window.taps) for window in windows) * padded.shape[-1]
    if any(window.positions == 0 for window in windows):
        return padded.flatten()[:0].reshape(0, rows)  # still a function of the input, with a gradient
    if padded.requires_grad and torch.is_grad_enabled():
        patches: Tensor = _Patches.apply(padded, tuple(windows), tuple(before))  # type: ignore[no-untyped-call]
        return patches
    return _extracted(padded, windows, before, rows)


def _extracted(padded: Tensor, windows: Sequence[Window], before: Sequence[int], rows: int) -> Tensor:
    spatial = len(windows)
    view = padded
    for k, (window, offset) in enumerate(zip(windows, before, strict=True)):
        length = window.stop - window.first
        view = view.narrow(1 + k, window.first + offset, length).unfold(1 + k, window.span, window.step)
        view = view[..., :: window.spacing]
    # (items, positions ..., channels, taps ...) -> channels last
    return view.movedim(1 + spatial, -1).reshape(-1, rows).contiguous()


class _Patches(torch.autograd.Function):
    """Patches with a gradient that is added up tap by tap: several times faster than that of ``unfold``."""

    @staticmethod
    def forward(ctx: Any, padded: Tensor, windows: tuple[Window, ...], before: tuple[int, ...]) -> Tensor:
        ctx.shape, ctx.windows, ctx.before = padded.shape, windows, before
        rows = math.prod(len(window.taps) for window in windows) * padded.shape[-1]
        return _extracted(padded, windows, before, rows)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        windows, items, channels = ctx.windows, ctx.shape[0], ctx.shape[-1]
        positions = [window.positions for window in windows]
        of_taps = gradients[0].reshape(items, *positions, -1, channels)
        back = of_taps.new_zeros(ctx.shape)
        for number, tap in enumerate(itertools.product(*(range(len(window.taps)) for window in windows))):
            met = back
            for k, (window, offset) in enumerate(zip(windows, ctx.before, strict=True)):
                first = window.first + offset + tap[k] * window.spacing
                met = met.narrow(1 + k, first, (window.positions - 1) * window.step + 1)
                if window.step > 1:
                    met = met[(slice(None),) * (1 + k) + (slice(None, None, window.step),)]
            met += of_taps[..., number, :]
        return back, None, None


def place(
    outputs: Sequence[Tensor],
    places: Sequence[tuple[Sequence[Window], slice]],
    shape: Sequence[int],
    bias: Tensor | None,
) -> Tensor:
    """Put outputs of positions, ``(items x positions, channels)``, where they belong in a tensor of ``shape``.

    Args:
        outputs: of every part.
        places: windows and output channels of every part.
        shape: ``(items, channels, spatial ...)``.
        bias: of the channels: what stands where no part has outputs; None: zero.
    """
    first_windows, channels = places[0]
    if len(places) == 1 and all(w.positions == size for w, size in zip(first_windows, shape[2:], strict=True)):
        return outputs[0].reshape(shape[0], *shape[2:], shape[1]).movedim(-1, 1).contiguous()
    covered = sum(math.prod(w.positions for w in windows) * (c.stop - c.start) for windows, c in places)
    whole = outputs[0].new_empty(shape)
    if covered < math.prod(shape[1:]):
        fill = torch.zeros(shape[1], dtype=whole.dtype, device=whole.device) if bias is None else bias
        whole.copy_(fill.reshape(-1, *(1 for _ in shape[2:])).expand(shape))
    for part, (windows, channels) in zip(outputs, places, strict=True):
        target = whole[:, channels]
        target = target[(slice(None), slice(None), *(slice(w.output_first, None, w.output_step) for w in windows))]
        sizes = [window.positions for window in windows]
        target.copy_(part.reshape(shape[0], *sizes, channels.stop - channels.start).movedim(-1, 1))
    return whole
