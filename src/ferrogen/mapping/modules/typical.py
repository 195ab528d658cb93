"""Typical inputs of a layer, collected over calls: enough of them to set ranges, spread over all there are."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from ferrogen.circuit.periphery import Periphery
from ferrogen.mapping.lowering import Lowering
from ferrogen.mapping.ranges import least_error_range

_KEPT = 1024  # vectors of a call that are kept
_GOLDEN = 0.6180339887498949
_ITEMS = 2**24  # numbers of vectors that are made at a time


def spread(values: Tensor, count: int = _KEPT) -> Tensor:
    """Return at most ``count`` rows, evenly spread, in an order in which the first ones are spread, too."""
    rows = values.shape[0]
    if rows <= count:
        return values
    # Even steps would meet the same column of every image; those of the golden ratio meet all alike, in any run.
    fractions = torch.arange(count, dtype=torch.float64) * _GOLDEN % 1.0
    return values[(fractions * rows).long()]


@dataclass(slots=True)
class TypicalInputs:
    """What was seen.

    Attributes:
        values: of the inputs, ``(rows, channels)``, call by call.
        vectors: of every part, call by call.
    """

    values: list[Tensor] = field(default_factory=list)
    vectors: list[list[Tensor]] = field(default_factory=list)

    @property
    def empty(self) -> bool:
        """Whether nothing was seen."""
        return not self.values

    def add(self, lowering: Lowering, x: Tensor) -> None:
        """Add the inputs of a call, float32."""
        lowering.check(x.shape)
        items = x.reshape(-1, lowering.inputs, *lowering.spatial(x.shape))
        rows = items.movedim(1, -1).reshape(-1, lowering.inputs)
        if rows.shape[0]:  # the largest counts, wherever it is
            largest = rows.abs().amax(dim=1).argmax()
            self.values.append(torch.cat([spread(rows), rows[largest : largest + 1]]))
        each = max(lowering.positions(part, items.shape) * lowering.rows(part) for part in lowering.parts)
        some = spread(items, max(_ITEMS // max(each, 1), 1))
        made = lowering.vectors(some)
        self.vectors = self.vectors or [[] for _ in made]
        for kept, vectors in zip(self.vectors, made, strict=True):
            kept.append(spread(vectors).clone())

    def input_scale(self, periphery: Periphery) -> float:
        """Return the input of the largest code with the least error, rounded to single precision."""
        values = torch.cat(self.values)
        found = least_error_range(values, lambda part, scale: periphery.dac.quantise(part / scale) * scale)
        return float(np.float32(found)) if math.isfinite(found) else found
