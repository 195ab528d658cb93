"""Sums of signed deviations over word lines: whole numbers, then currents, bin after bin."""

from __future__ import annotations

import numpy as np
import torch
from numba import njit
from numpy.typing import NDArray

from ferrogen.chip.engine.integers import choose_backend, integer_product
from ferrogen.chip.flicker.signs import OUTPUT_SIGNS, ROW_SIGNS, signs

_CHUNK = 256  # vectors at a time, so that what is flipped and multiplied stays in the processor's cache
_LARGEST = 127  # of a code and of a deviation

Timing = tuple[torch.Tensor, torch.Tensor]
"""Exponents of the durations, and phases, of lines' signs; both int64, ``(bins, lines)``."""


@njit(cache=True, nogil=True)
def _flip(codes: NDArray[np.int8], of_rows: NDArray[np.int8], place: NDArray[np.int64], out: NDArray[np.int8]) -> None:
    """Write codes times the signs of their word lines in one bin, ``(row_tiles, vectors, rows)``."""
    row_tiles, vectors, rows = out.shape
    for r in range(row_tiles):
        first = r * rows
        for v in range(vectors):
            made, code, sign = out[r, v], codes[v], of_rows[place[v]]
            for i in range(rows):
                made[i] = code[first + i] * sign[first + i]


@njit(cache=True, nogil=True)
def _add_bin(
    sums: NDArray[np.int32],
    steps: NDArray[np.float32],
    of_lines: NDArray[np.int8],
    place: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Add whole sums of one bin, ``(row_tiles, vectors, lines)``, in currents."""
    row_tiles, vectors, lines = sums.shape
    for r in range(row_tiles):
        step = steps[r]
        for v in range(vectors):
            made, whole, sign = out[r, v], sums[r, v], of_lines[place[v]]
            for n in range(lines):
                made[n] += np.float32(whole[n]) * step[n] * np.float32(sign[n])


def _multiply_into(left: torch.Tensor, right: torch.Tensor, bound: int, sums: torch.Tensor) -> None:
    """Write exact products of int8 matrices, row tile by row tile, to int32 ``(row_tiles, vectors, lines)``."""
    backend = choose_backend(left.device)
    for r in range(left.shape[0]):
        if backend == "int8":
            torch._int_mm(left[r], right[r], out=sums[r])  # noqa: SLF001 (the only product of bytes torch has)
        else:
            sums[r] = integer_product(left[r], right[r], bound, backend)


def cycle_signs(
    key: torch.Tensor, rows: Timing, lines: Timing, cycles: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the signs of word lines ``(bins, cycles, row_tiles rows)`` and of lines ``(bins, cycles, lines)``, int8.

    Args:
        key: of the stream, int64 ``()``.
        rows: timing of the word lines.
        lines: timing of the lines.
        cycles: int64, ``(cycles,)``, not negative; fastest if sorted.
    """
    seed = np.int64(key.item()).astype(np.uint64)
    at = np.ascontiguousarray(cycles.cpu().numpy())
    kinds = (ROW_SIGNS, *rows), (OUTPUT_SIGNS, *lines)
    of_rows, of_lines = (
        torch.from_numpy(
            signs(
                seed,
                kind,
                np.ascontiguousarray(exponents.cpu().numpy()),
                np.ascontiguousarray(phases.cpu().numpy()),
                at,
            )
        ).to(cycles.device)
        for kind, exponents, phases in kinds
    )
    return of_rows, of_lines


def subtract_references(lines: torch.Tensor, reference_of: torch.Tensor | None) -> torch.Tensor:
    """Return currents of outputs from those of lines ``(..., outputs + references)``."""
    if reference_of is None:
        return lines
    outputs = reference_of.shape[0]
    return lines[..., :outputs] - lines[..., outputs:][..., reference_of]


def add_chunks(
    codes: torch.Tensor,
    place: torch.Tensor,
    deviations: torch.Tensor,
    steps: torch.Tensor,
    of_rows: torch.Tensor,
    of_lines: torch.Tensor,
    out: torch.Tensor,
) -> None:
    """Add the currents of all bins, a few vectors at a time.

    Args:
        codes: int8, ``(vectors, row_tiles rows)``.
        place: which of the cycles each vector belongs to.
        deviations: int8, ``(bins, row_tiles, rows, lines)``.
        steps: current of one unit of code times deviation [A], ``(bins, row_tiles, lines)``.
        of_rows: signs, ``(bins, cycles, row_tiles rows)``.
        of_lines: signs, ``(bins, cycles, lines)``.
        out: ``(row_tiles, vectors, lines)``.
    """
    bins, row_tiles, rows, lines = deviations.shape
    bound, fused = rows * _LARGEST**2, codes.device.type == "cpu"
    most = min(_CHUNK, codes.shape[0])
    # Room for one bin at a time, used again: fresh memory would cost more than the products.
    flipped = torch.empty((row_tiles, most, rows), dtype=torch.int8, device=codes.device)
    sums = torch.empty((row_tiles, most, lines), dtype=torch.int32, device=codes.device)
    for start in range(0, codes.shape[0], most):
        part = slice(start, start + most)
        some, where, made = codes[part], place[part], out[:, part]
        if len(some) < most:
            flipped = torch.empty((row_tiles, len(some), rows), dtype=torch.int8, device=codes.device)
            sums = torch.empty((row_tiles, len(some), lines), dtype=torch.int32, device=codes.device)
        for b in range(bins):
            if fused:
                _flip(some.numpy(), of_rows[b].numpy(), where.numpy(), flipped.numpy())
                _multiply_into(flipped, deviations[b], bound, sums)
                _add_bin(sums.numpy(), steps[b].numpy(), of_lines[b].numpy(), where.numpy(), made.numpy())
            else:
                signed = some * of_rows[b].index_select(0, where)
                flipped.copy_(signed.reshape(-1, row_tiles, rows).transpose(0, 1))
                _multiply_into(flipped, deviations[b], bound, sums)
                made += sums.float() * steps[b][:, None] * of_lines[b].index_select(0, where)
