"""Layers as matrix products: weight matrices, the vectors of an input, and the outputs put together again.

Rows of a convolution's matrices are taps, outer, times channels, inner. A transposed convolution falls into phases, one
for each residue of the output's index modulo the stride, and each phase is an ordinary convolution with its share of
the taps: no zeros are inserted, and no product is made that the layer itself does not make. Inputs beyond an edge are
zeros of the vectors. Groups are put side by side into block-diagonal matrices, as many as a tile has room for.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ferrogen.core.errors import argument_error
from ferrogen.mapping.lowering.axis import Axis, Window
from ferrogen.mapping.lowering.patches import extract, pad_channels_last, place

_Convolution = nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d | nn.ConvTranspose2d


@dataclass(frozen=True, slots=True)
class Part:
    """One matrix of a layer.

    Attributes:
        phases: of every spatial dimension.
        groups: the first group that it holds, and one more than the last.
    """

    phases: tuple[int, ...]
    groups: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Lowering:
    """The geometry of one layer. Made by :func:`lower`.

    Attributes:
        inputs: input channels (features of a linear layer).
        outputs: output channels.
        groups: of a convolution.
        axes: spatial dimensions; a linear layer has none.
        padding_mode: ``zeros``, ``reflect``, ``replicate`` or ``circular``.
        parts: the matrices, phase by phase and groups within.
    """

    inputs: int
    outputs: int
    groups: int
    axes: tuple[Axis, ...]
    padding_mode: str
    parts: tuple[Part, ...]

    @property
    def transposed(self) -> bool:
        """Whether the layer is a transposed convolution."""
        return any(axis.transposed for axis in self.axes)

    def part_inputs(self, part: Part) -> slice:
        """Return the input channels of a part."""
        each = self.inputs // self.groups
        return slice(part.groups[0] * each, part.groups[1] * each)

    def part_outputs(self, part: Part) -> slice:
        """Return the output channels of a part."""
        each = self.outputs // self.groups
        return slice(part.groups[0] * each, part.groups[1] * each)

    def weights(self, weight: Tensor) -> list[Tensor]:
        """Return the matrix of every part, ``(outputs, rows)``; differentiable.

        Args:
            weight: the layer's own, in the layout that PyTorch gives it.
        """
        if not self.axes:
            return [weight]
        spatial = len(self.axes)
        grouped = weight.reshape(self.groups, -1, *weight.shape[1:])
        if self.transposed:  # (groups, outputs of a group, inputs of a group, kernel ...)
            grouped = grouped.transpose(1, 2)
        made = []
        for part in self.parts:
            chosen = grouped[part.groups[0] : part.groups[1]]
            for k in range(spatial):
                taps = self.axes[k].taps(part.phases[k])
                if taps != tuple(range(self.axes[k].kernel)):
                    chosen = chosen.index_select(3 + k, torch.tensor(taps, device=weight.device))
            chosen = chosen.flatten(3)
            count = chosen.shape[0]
            if count == 1:
                made.append(chosen[0].transpose(1, 2).flatten(1))
                continue
            own = torch.eye(count, dtype=weight.dtype, device=weight.device)
            blocks = torch.einsum("gock,gh->gokhc", chosen, own)
            made.append(blocks.flatten(2).flatten(0, 1))
        return made

    def rows(self, part: Part) -> int:
        """Return the length of a part's vectors."""
        each = math.prod(len(axis.taps(phase)) for axis, phase in zip(self.axes, part.phases, strict=True))
        return each * (self.inputs // self.groups) * (part.groups[1] - part.groups[0])

    def windows(self, part: Part, spatial: Sequence[int]) -> tuple[Window, ...]:
        """Return a part's windows over an input of the given spatial size."""
        return tuple(
            axis.window(phase, size) for axis, phase, size in zip(self.axes, part.phases, spatial, strict=True)
        )

    def positions(self, part: Part, shape: Sequence[int]) -> int:
        """Return how many vectors a part has for each item of the leading dimensions of an input of that shape."""
        return math.prod(window.positions for window in self.windows(part, self.spatial(shape)))

    def leading(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the dimensions of an input in front of channels (and of features): batch and the like."""
        return tuple(shape[: len(shape) - 1 - len(self.axes)])

    def spatial(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the spatial size of an input."""
        return tuple(shape[len(shape) - len(self.axes) :])

    def check(self, shape: Sequence[int]) -> None:
        """Refuse an input that the layer itself would refuse.

        Raises:
            ArgumentError: wrong channels or number of dimensions, or an input too small for kernel or padding.
        """
        wanted = len(self.axes) + 1
        channels = shape[len(shape) - wanted] if len(shape) >= wanted else -1
        if channels != self.inputs or (self.axes and len(shape) > wanted + 1):
            names = ", ".join(("channels", "height", "width")[:wanted] if self.axes else ("features",))
            lead = "batch, " if self.axes else "..., "
            raise argument_error(
                "input", f"have the shape ({lead}{names}) with {self.inputs} {names.split(',')[0]}", tuple(shape)
            )
        for axis, size in zip(self.axes, self.spatial(shape), strict=True):
            most = {"reflect": size - 1, "circular": size}.get(self.padding_mode, max(axis.before, axis.after))
            if axis.outputs(size) < 1 or size < 1 or max(axis.before, axis.after) > most:
                raise argument_error(
                    "input", "be large enough for the layer's kernel and padding", f"{self.spatial(shape)} in space"
                )

    def vectors(self, x: Tensor) -> list[Tensor]:
        """Return the vectors of every part, ``(leading items x positions, rows)``, in reading order.

        Works on floats (differentiable) and on integer codes alike: padding is code 0.

        Raises:
            ArgumentError: as :meth:`check`.
        """
        self.check(x.shape)
        if not self.axes:
            return [x.reshape(-1, self.inputs)]
        spatial = self.spatial(x.shape)
        items = x.reshape(-1, self.inputs, *spatial)
        all_windows = [self.windows(part, spatial) for part in self.parts]
        edges = []
        for k, size in enumerate(spatial):
            used = [windows[k] for windows in all_windows if windows[k].positions]
            edges.append(
                (max(0, *(-w.first for w in used)), max(0, *(w.stop - size for w in used))) if used else (0, 0)
            )
        padded = pad_channels_last(items, edges, self.padding_mode)
        return [
            extract(padded[..., self.part_inputs(part)], windows, [before for before, _ in edges])
            for part, windows in zip(self.parts, all_windows, strict=True)
        ]

    def output_shape(self, shape: Sequence[int]) -> tuple[int, ...]:
        """Return the layer's output shape for an input shape."""
        spatial = [axis.outputs(size) for axis, size in zip(self.axes, self.spatial(shape), strict=True)]
        return (*self.leading(shape), self.outputs, *spatial)

    def assemble(self, outputs: Sequence[Tensor], shape: Sequence[int], bias: Tensor | None = None) -> Tensor:
        """Put the parts' outputs together; those that no part makes are the bias alone.

        Args:
            outputs: of every part, ``(leading items x positions, part's outputs)``, bias included.
            shape: of the input.
            bias: ``(outputs,)``; None: zero.

        Returns:
            what the layer returns, in PyTorch's layout (contiguous).
        """
        if not self.axes:
            return outputs[0].reshape(*self.leading(shape), self.outputs)
        items = math.prod(self.leading(shape))
        spatial = [axis.outputs(size) for axis, size in zip(self.axes, self.spatial(shape), strict=True)]
        places = [(self.windows(part, self.spatial(shape)), self.part_outputs(part)) for part in self.parts]
        placed = place(outputs, places, (items, self.outputs, *spatial), bias)
        return placed.reshape(self.output_shape(shape))

    def multiply_accumulates(self, shape: Sequence[int]) -> int:
        """Return how many multiply-accumulates all parts make for an input, edges and blocks' zeros not counted apart.

        Each part counts positions x outputs x rows of a group, as the layer itself does.
        """
        items = math.prod(self.leading(shape))
        total = 0
        for part in self.parts:
            groups = part.groups[1] - part.groups[0]
            outputs = self.part_outputs(part)
            total += self.positions(part, shape) * (outputs.stop - outputs.start) * (self.rows(part) // groups)
        return items * total


def _numbers(values: object) -> tuple[int, ...]:
    return tuple(int(value) for value in values) if isinstance(values, tuple | list) else ()


def _edges(layer: _Convolution, kernel: tuple[int, ...], dilation: tuple[int, ...]) -> list[tuple[int, int]]:
    padding = layer.padding
    if padding == "valid":
        return [(0, 0)] * len(kernel)
    if padding == "same":  # torch puts the odd one behind
        totals = [d * (k - 1) for k, d in zip(kernel, dilation, strict=True)]
        return [(total // 2, total - total // 2) for total in totals]
    return [(width, width) for width in _numbers(padding)]


def _inherited(layer: nn.Module) -> bool:
    kinds = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d)
    return any(isinstance(layer, kind) and type(layer).forward is kind.forward for kind in kinds)


def lower(layer: nn.Module, rows: int | None = None, outputs: int | None = None) -> Lowering | None:
    """Return the geometry of a layer; None: it is no layer of a supported kind.

    A subclass is of its parent's kind if it has the parent's forward.

    Args:
        layer: ``Linear``, ``Conv1d``, ``Conv2d``, ``ConvTranspose1d`` or ``ConvTranspose2d``, with any options.
        rows: of a tile: so many rows are filled with groups of a grouped convolution; None: one group a matrix.
        outputs: of a tile, likewise; None: as many as there are.
    """
    if not _inherited(layer):
        return None
    if isinstance(layer, nn.Linear):
        return Lowering(layer.in_features, layer.out_features, 1, (), "zeros", (Part((), (0, 1)),))
    if not isinstance(layer, nn.Conv1d | nn.Conv2d | nn.ConvTranspose1d | nn.ConvTranspose2d):
        return None
    transposed = isinstance(layer, nn.ConvTranspose1d | nn.ConvTranspose2d)
    kernel, stride, dilation = _numbers(layer.kernel_size), _numbers(layer.stride), _numbers(layer.dilation)
    edges, added = _edges(layer, kernel, dilation), _numbers(layer.output_padding)
    axes = tuple(
        Axis(kernel[k], stride[k], dilation[k], *edges[k], added[k] if transposed else 0, transposed)
        for k in range(len(kernel))
    )
    each_in, each_out = layer.in_channels // layer.groups, layer.out_channels // layer.groups
    parts = []
    for phases in itertools.product(*(axis.phases() for axis in axes)):
        taps = math.prod(len(axis.taps(phase)) for axis, phase in zip(axes, phases, strict=True))
        count = 1 if rows is None else max(1, rows // max(taps * each_in, 1))
        if outputs is not None:
            count = max(1, min(count, outputs // max(each_out, 1)))
        starts = range(0, layer.groups, count)
        parts += [Part(phases, (start, min(start + count, layer.groups))) for start in starts]
    return Lowering(layer.in_channels, layer.out_channels, layer.groups, axes, layer.padding_mode, tuple(parts))
