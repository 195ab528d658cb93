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
def _add_bin(
    sums: NDArray[np.int32],
    steps: NDArray[np.float32],
    lines: NDArray[np.int8],
    place: NDArray[np.int64],
    out: NDArray[np.float32],
) -> None:
    """Add the whole sums ``(vectors, lines)`` of one bin and row tile, in currents, to ``out``."""
    for v in range(sums.shape[0]):
        c = place[v]
        for n in range(sums.shape[1]):
            out[v, n] += np.float32(sums[v, n]) * steps[n] * np.float32(lines[c, n])


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
    bins, row_tiles, rows, _ = deviations.shape
    backend, bound = choose_backend(codes.device), rows * _LARGEST**2
    for start in range(0, codes.shape[0], _CHUNK):
        part = slice(start, start + _CHUNK)
        where = place[part]
        for b in range(bins):
            flipped = codes[part] * of_rows[b].index_select(0, where)
            for r in range(row_tiles):
                own = flipped[:, r * rows : (r + 1) * rows].contiguous()
                sums = integer_product(own, deviations[b, r], bound, backend)
                if codes.device.type == "cpu":
                    _add_bin(
                        sums.numpy(), steps[b, r].numpy(), of_lines[b].numpy(), where.numpy(), out[r, part].numpy()
                    )
                else:
                    out[r, part] += sums.float() * steps[b, r] * of_lines[b].index_select(0, where)
