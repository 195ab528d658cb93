"""A weight matrix as target conductances, and the digital scales that undo the coding."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ferrogen.array.levels import ConductanceWindow, Levels
from ferrogen.core.errors import argument_error
from ferrogen.mapping.coding.full_weights import full_weights
from ferrogen.mapping.coding.schemes import carried, centre, conversion_weights, positions
from ferrogen.mapping.coding.spec import CodingSpec

Array = NDArray[np.float64]
_LARGEST_SCALE = float(np.finfo(np.float32).max)


@dataclass(frozen=True, slots=True, eq=False)
class CodedMatrix:
    """A weight matrix on bit lines.

    Attributes:
        coding: how.
        split: outputs of every column block.
        targets: conductances [S] of every column block, ``(inputs, 2 * pairs)``; lines without weights are at the
            window's bottom.
        scale: weight per conductance [1/S] of each conversion, ``(outputs * conversions_per_output,)``.
    """

    coding: CodingSpec
    split: tuple[int, ...]
    targets: tuple[Array, ...]
    scale: Array

    @property
    def conversions(self) -> tuple[int, ...]:
        """Conversions of every column block."""
        return tuple(outputs * self.coding.conversions_per_output for outputs in self.split)

    def pair_scale(self, column: int) -> Array:
        """Return weight per differential conductance [1/S] of every pair of a column block, ``(pairs,)``."""
        start = sum(self.conversions[:column])
        of_block = self.scale[start : start + self.conversions[column]]
        pairs = self.targets[column].shape[1] // 2
        return of_block if of_block.size == pairs else np.full(pairs, of_block.max())

    def decode(self) -> Array:
        """Return the weights that the targets stand for, ``(outputs, inputs)``."""
        parts = []
        for column, wanted in enumerate(self.conversions):
            lines, references = self.targets[column], self.coding.reference_lines
            if references:
                common = lines[:, :references].mean(axis=1, keepdims=True)
                parts.append(lines[:, references : references + wanted] - common)
            else:
                parts.append((lines[:, 0::2] - lines[:, 1::2])[:, :wanted])
        each = np.concatenate(parts, axis=1).T * self.scale[:, None]
        return np.asarray(each.reshape(-1, self.coding.conversions_per_output, each.shape[1]).sum(axis=1))


def check_weight(weight: NDArray[np.float64], name: str = "weight") -> None:
    """Refuse what is not a matrix of finite real numbers.

    Raises:
        ArgumentError: naming the weight, and how many of its numbers are not finite.
    """
    if weight.ndim != 2 or weight.size == 0:
        raise argument_error(name, "be a non-empty matrix (outputs, inputs)", f"of shape {weight.shape}")
    if weight.dtype.kind not in "fiu":
        raise argument_error(name, "hold real numbers", f"of type {weight.dtype}")
    finite = int(np.count_nonzero(np.isfinite(weight)))
    if finite < weight.size:
        bad = weight.size - finite
        raise argument_error(name, "hold finite numbers", f"NaN or infinite in {bad} of {weight.size} places")


def code_matrix(
    weight: NDArray[np.float64],
    coding: CodingSpec,
    window: ConductanceWindow,
    levels: Levels,
    split: Sequence[int] | None = None,
    *,
    name: str = "weight",
) -> CodedMatrix:
    """Code a weight matrix.

    Args:
        weight: float weights, ``(outputs, inputs)``.
        coding: how.
        window: conductances that cells can be asked for [S].
        levels: to which targets will be rounded.
        split: outputs of every column block; all on one, if not given.
        name: of the matrix, for messages.

    Raises:
        ArgumentError: weights that are not finite, an empty matrix, a split that does not add up.
    """
    check_weight(weight, name)
    weight = np.asarray(weight, dtype=np.float64)
    of_blocks = (weight.shape[0],) if split is None else tuple(split)
    if sum(of_blocks) != weight.shape[0] or min(of_blocks) < 1:
        raise argument_error("split", f"add up to {weight.shape[0]} outputs", of_blocks)
    if coding.scheme == "offset-column" and centre(levels)[1] == 0.0:
        raise argument_error("scheme", "not be 'offset-column' without at least 3 levels", f"asked for with {levels}")
    full = full_weights(weight, coding, of_blocks, partial(carried, coding=coding, levels=levels))
    fraction = np.clip(weight / full[:, None], -1.0, 1.0)
    targets, start = [], 0
    for outputs in of_blocks:
        cells = positions(fraction[start : start + outputs], coding, levels)
        cells *= window.span
        cells += window.low
        targets.append(cells)
        start += outputs
    scale = (full[:, None] * conversion_weights(coding, levels)).ravel() / window.span
    if scale.max() > _LARGEST_SCALE:
        most = _LARGEST_SCALE / scale.max() * full.max()
        raise argument_error(
            name, f"stay below about {most:.0e} to be scaled in single precision", f"as large as {full.max():.1e}"
        )
    return CodedMatrix(coding, of_blocks, tuple(targets), scale)
