"""What a matrix on tiles remembers from product to product: deviations of its cells in a few bins, as signed bytes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray

from ferrogen.chip.block_matrices import block_matrices
from ferrogen.chip.blocks import BlockGrid
from ferrogen.chip.chip import Chip
from ferrogen.chip.flicker.bins import DURATIONS, OUTPUT_FACTOR
from ferrogen.chip.flicker.tiles import remembered_variances
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.product import ProductMatrices
from ferrogen.chip.tile import ProductStatistics
from ferrogen.core.streams import Purpose

Array = NDArray[np.float64]
_LARGEST = 127  # of a signed byte
_WITHIN_CYCLE = (1,)  # the bin of noise that is common to the vectors of a cycle and is gone in the next one


@dataclass(frozen=True, slots=True, eq=False)
class ProductMemory:
    """The remembered noise of a matrix at one operating point.

    Lines are the outputs and, after them, the reference lines that several outputs subtract.

    Attributes:
        deviations: signed rms deviation of every cell or pair in every bin [steps], int8,
            ``(bins, row_tiles, rows, lines)``; the sign is a fixed random one.
        steps: current at full input of one step [A], float32, ``(bins, row_tiles, lines)``.
        row_exponents: binary logarithm of the cycles for which a word line's sign lasts, ``(bins, row_tiles rows)``.
        row_phases: when it is drawn anew, 0 to that duration less one, same shape.
        output_exponents: likewise of the lines' signs, which row tiles share, ``(bins, lines)``.
        output_phases: likewise, same shape.
        key: of the stream of the signs, shape ``()``, int64 (the bits of the unsigned key).
        reference_of: which reference an output subtracts, int64, ``(outputs,)``; None: there are none.
    """

    deviations: torch.Tensor
    steps: torch.Tensor
    row_exponents: torch.Tensor
    row_phases: torch.Tensor
    output_exponents: torch.Tensor
    output_phases: torch.Tensor
    key: torch.Tensor
    reference_of: torch.Tensor | None = None

    @property
    def outputs(self) -> int:
        """Number of outputs, without reference lines."""
        return int(self.deviations.shape[3] if self.reference_of is None else self.reference_of.shape[0])

    @property
    def variance(self) -> torch.Tensor:
        """Variance of the current at full input in every bin [A^2], float64, ``(bins, row_tiles, rows, lines)``."""
        return (self.deviations.double() * self.steps.double()[:, :, None]).square_()

    def tensors(self) -> dict[str, torch.Tensor]:
        """Return all tensors by name (those that are None are left out), e.g. to register them as buffers."""
        named = {entry.name: getattr(self, entry.name) for entry in fields(self)}
        return {name: value for name, value in named.items() if value is not None}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, torch.Tensor]) -> Self:
        """Put together again what :meth:`tensors` gave."""
        return cls(**tensors)


def _bin_matrices(chip: Chip, grid: BlockGrid, point: OperatingPoint) -> list[ProductMatrices]:
    """Return the matrices of every bin: their variances count, their means are nothing."""
    of_lines = grid.references > 0
    numbers = sorted({block.tile for row in grid.blocks for block in row})
    found = {number: remembered_variances(chip.tile(number), point, of_lines=of_lines) for number in numbers}
    still = np.broadcast_to(0.0, found[numbers[0]].shape[1:])
    drive = chip.drive(point)
    return [
        block_matrices(grid, lambda number, b=b: ProductStatistics(still, found[number][b]), drive, None, None)  # type: ignore[misc]
        for b in range(len(DURATIONS))
    ]


def _lines(matrices: ProductMatrices) -> Array:
    """Return the variances of outputs and references at full input [A^2], ``(row_tiles, rows, lines)``."""
    parts = [matrices.variance] + ([] if matrices.reference_variance is None else [matrices.reference_variance])
    return np.asarray(torch.cat(parts, dim=2).double().numpy() * matrices.drive**2)


def _rounded(variance: Array, total: Array) -> tuple[NDArray[np.int64], Array]:
    """Write deviations as codes up to 127 and steps; no cell gets more variance than its ``total``.

    Args:
        variance: [A^2], ``(bins, row_tiles, rows, lines)``.
        total: of the cells' whole noise, ``(row_tiles, rows, lines)``.
    """
    deviation = np.sqrt(variance)
    step = np.maximum(deviation.max(axis=2, keepdims=True) / _LARGEST, np.finfo(np.float32).tiny)
    step = step.astype(np.float32).astype(np.float64)
    codes = np.minimum(np.rint(deviation / step), _LARGEST)
    over = ((codes * step) ** 2).sum(axis=0) > total
    if over.any():
        codes = np.where(over, np.minimum(np.floor(deviation / step), _LARGEST), codes)
    return codes.astype(np.int64), step[:, :, 0]


def _timing(
    durations: Sequence[tuple[int, ...]], lines: int, factor: int, generator: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """Deal durations and phases to the lines of every bin, ``(bins, lines)``."""
    exponents, phases = (np.empty((len(durations), lines), dtype=np.int64) for _ in range(2))
    for b, choices in enumerate(durations):
        dealt = np.resize(np.array(choices) * factor, lines)
        generator.shuffle(dealt)
        exponents[b] = np.log2(dealt).astype(np.int64)
        phases[b] = generator.integers(0, dealt)
    return torch.from_numpy(exponents), torch.from_numpy(phases)


def remember(
    chip: Chip, grid: BlockGrid, point: OperatingPoint, matrices: ProductMatrices, *, common: bool = False
) -> tuple[ProductMemory, ProductMatrices]:
    """Divide the noise of a matrix into what lasts and what is drawn anew for every vector.

    Args:
        chip: with the grid's tiles.
        grid: where the matrix is.
        point: operating point.
        matrices: of the grid at this point.
        common: whether several vectors share a cycle. Noise that is gone in the next cycle then is common to them, as
            that of the cells is (one read a cycle), too; otherwise it is left to the matrices.

    Returns:
        the memory, and the matrices with the variance that is left. The sum of both is the variance of ``matrices``.
    """
    total = _lines(matrices)
    variance = np.stack([_lines(part) for part in _bin_matrices(chip, grid, point)])
    variance *= np.minimum(1.0, total / np.maximum(variance.sum(axis=0), np.finfo(np.float64).tiny))
    durations = list(DURATIONS)
    if common:
        variance = np.concatenate([variance, np.maximum(total - variance.sum(axis=0), 0.0)[None]])
        durations.append(_WITHIN_CYCLE)
    kept = [b for b in range(len(durations)) if variance[b].any()]
    durations, variance = [durations[b] for b in kept], variance[kept]
    codes, steps = _rounded(variance, total)
    row_tiles, rows, lines = total.shape
    generator = chip.streams.generator(Purpose.FLICKER, *grid.address)
    row_exponents, row_phases = _timing(durations, row_tiles * rows, 1, generator)
    longest = [(max(choices),) for choices in durations]
    output_exponents, output_phases = _timing(longest, lines, OUTPUT_FACTOR, generator)
    signs = generator.integers(0, 2, codes.shape, dtype=np.int8) * 2 - 1
    key = chip.streams.key(Purpose.FLICKER, *grid.address, len(DURATIONS))
    memory = ProductMemory(
        deviations=torch.from_numpy((codes * signs).astype(np.int8)),
        steps=torch.from_numpy(steps.astype(np.float32)),
        row_exponents=row_exponents,
        row_phases=row_phases,
        output_exponents=output_exponents,
        output_phases=output_phases,
        key=torch.tensor(int(key.astype(np.int64)), dtype=torch.int64),
        reference_of=None if matrices.reference_of is None else matrices.reference_of.clone(),
    )
    outputs = matrices.variance.shape[2]
    left = torch.from_numpy(np.maximum(total - ((codes * steps[:, :, None]) ** 2).sum(axis=0), 0.0) / matrices.drive**2)
    own, shared = left[:, :, :outputs].float(), left[:, :, outputs:].float()
    white = replace(matrices, variance=own, reference_variance=None if matrices.reference_variance is None else shared)
    return memory, white
