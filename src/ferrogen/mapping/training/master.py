"""Master weights of a layer: what an optimiser moves, while the tiles stay as they were programmed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ferrogen.chip.engine.prepared import Prepared
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.product import ProductMatrices
from ferrogen.core.errors import layer_error
from ferrogen.core.streams import Purpose
from ferrogen.mapping.layer import AnalogLinear
from ferrogen.mapping.lowering import Lowering
from ferrogen.mapping.training.response import TileResponse, presented, tile_response
from ferrogen.mapping.training.wired import WiredResponse, wired_response

Chips = Literal["this", "population"]
Wires = Literal["as-found", "exact"]
Response = TileResponse | WiredResponse


class MasterWeights(nn.Module):
    """What a layer on tiles needs for training. The weights themselves are the layer's parameters.

    Args:
        weight: the layer's, as it was programmed.
        lowering: the layer's geometry.
        linears: its matrices on the chip, part by part.
        point: operating point.
        name: of the layer, for messages.

    Attributes:
        programmed: the weights that are on the tiles, a buffer.
        chips: trained for: ``this`` chip with the deviations that it shows, or a ``population`` of chips, whose
            deviations are drawn anew in every forward.
        wires: whose drop is part of the deviations ``as-found``, or solved in every forward (``exact``; slow).
        forwards: made in training so far, the address of a population's draws.
        loaded: whether a state was loaded that shows other tiles than the chip's own; until the next programming.
    """

    programmed: Tensor

    def __init__(
        self,
        weight: Tensor,
        lowering: Lowering,
        linears: Sequence[AnalogLinear],
        point: OperatingPoint,
        name: str = "layer",
    ) -> None:
        super().__init__()
        self.register_buffer("programmed", weight.detach().clone())
        self.lowering, self.linears, self.point, self.name = lowering, tuple(linears), point, name
        self.chips: Chips = "this"
        self.wires: Wires = "as-found"
        self.forwards = 0
        self.loaded = False
        self._responses: tuple[list[tuple[int, int]], list[ProductMatrices], list[Response]] | None = None
        self._same: tuple[int, int] | None = None

    def is_programmed(self, weight: Tensor, *, anew: bool = False) -> bool:
        """Return whether the tiles hold these weights; compared only if they may have changed since the last call.

        Args:
            weight: of the layer.
            anew: compare in any case: what is written through ``weight.data`` leaves no trace.
        """
        stamp = _stamp(weight)
        if anew or self._same != stamp:
            if not torch.equal(weight.detach(), self.programmed.to(weight.dtype)):
                return False
            self._same = stamp
        return True

    def refuse_unprogrammed(self, weight: Tensor) -> None:
        """Refuse to show what tiles hold while the layer's weights are others.

        Weights that a functional call puts in the parameter's place are not judged.

        Raises:
            ArgumentError: the weights were changed since they were programmed.
        """
        if torch.compiler.is_compiling() or not isinstance(weight, nn.Parameter) or self.is_programmed(weight):
            return
        raise layer_error(
            self.name,
            "have the weights that are on its tiles, to be evaluated",
            "changed since they were programmed",
            "Program them (model.program()), or go on in training mode (model.train()).",
        )

    def responses(self, input_scale: Tensor, tiles: Sequence[Prepared | None]) -> list[Response]:
        """Return how the tiles of every part answer (the last ones are kept until tiles or ranges change).

        Args:
            input_scale: of the layer.
            tiles: of every part; None: those of the chip, which has no fast products.
        """
        stamps = [_stamp(input_scale), _stamp(self.programmed), (int(self.wires == "exact"), 0)]
        stamps += [(0, hash(part.full_scale)) for part in self.linears]
        stamps += [_stamp(tensor) for part in tiles if part is not None for tensor in (part.mean, part.full_scale)]
        # Kept themselves, not their ids, which later matrices may get again.
        shown = [part.matrices(self.point) for part in self.linears]
        kept = self._responses
        if kept is None or kept[0] != stamps or any(a is not b for a, b in zip(kept[1], shown, strict=True)):
            matrices = self.lowering.weights(self.programmed.detach().float())
            made: list[Response] = []
            answer = wired_response if self.wires == "exact" else tile_response
            for linear, matrix, part in zip(self.linears, matrices, tiles, strict=True):
                now = replace(presented(linear, self.point, part), input_scale=input_scale)
                made.append(answer(linear, matrix.contiguous(), self.point, now))
            kept = self._responses = (stamps, shown, made)
        return kept[2]

    def multiply(
        self,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        responses: Sequence[Response],
        addresses: Sequence[Tensor],
    ) -> Tensor:
        """Return the layer's outputs as the chip would make them, with gradients.

        Args:
            x: inputs in the layer's layout, float32.
            weight: master weights, float32.
            bias: of the layer.
            responses: from :meth:`responses`.
            addresses: of every part's vectors.
        """
        self.forwards += 1
        outputs = []
        for number, (part, response, vectors, matrix, where) in enumerate(
            zip(
                self.lowering.parts,
                responses,
                self.lowering.vectors(responses[0].shares(x)),
                self.lowering.weights(weight),
                addresses,
                strict=True,
            )
        ):
            drawn = response
            if self.chips == "population" and isinstance(response, TileResponse):
                linear = self.linears[number]
                generator = linear.chip.streams.generator(Purpose.TRAINING_NOISE, *linear.blocks.address, self.forwards)
                drawn = response.drawn(matrix.shape[1], generator)
            out = drawn.multiply(vectors, matrix, where)
            outputs.append(out if bias is None else out + bias[self.lowering.part_outputs(part)])
        return self.lowering.assemble(outputs, x.shape, bias)

    def matrices(self, weight: Tensor) -> list[NDArray[np.float64]]:
        """Return the matrices of all parts, for programming."""
        return [part.double().cpu().numpy() for part in self.lowering.weights(weight.detach())]

    def mark_programmed(self, weight: Tensor) -> None:
        """Note that tiles now hold these weights."""
        self.programmed.copy_(weight.detach())
        self._same, self.loaded = None, False


def _stamp(tensor: Tensor) -> tuple[int, int]:
    """Return what changes when a tensor is replaced or written to."""
    return tensor.data_ptr(), tensor._version  # noqa: SLF001 (torch's own documentation of in-place changes names it)
