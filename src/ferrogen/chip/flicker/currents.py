"""The remembered noise currents of products in given cycles."""

from __future__ import annotations

import torch

from ferrogen.chip.flicker.memory import ProductMemory
from ferrogen.chip.flicker.operator import remembered_operator
from ferrogen.chip.flicker.sums import cycle_signs, subtract_references
from ferrogen.core.errors import argument_error


def remembered_currents(
    codes: torch.Tensor, cycles: torch.Tensor, memory: ProductMemory, *, input_levels: int
) -> torch.Tensor:
    """Return what the cells' lasting noise adds to the currents of products, before conversion.

    A vector's result depends on its codes and its cycle alone: sums over word lines are whole numbers, and bins are
    added in a fixed order. Vectors of one cycle see the same deviations.

    Args:
        codes: of the inputs, int8, ``(vectors, inputs)``; missing rows of the last row tile count as zero.
        cycles: of the chip, in which each vector is multiplied, int64, ``(vectors,)``, not negative.
        memory: of the matrix.
        input_levels: largest input code.

    Returns:
        currents [A], float32, ``(row_tiles, vectors, outputs)``.

    Raises:
        ArgumentError: shapes that do not fit, or a negative cycle.
    """
    _, row_tiles, rows, _ = memory.deviations.shape
    if codes.ndim != 2 or codes.shape[1] > row_tiles * rows or cycles.shape != codes.shape[:1]:
        raise argument_error(
            "codes and cycles",
            f"have the shapes (vectors, at most {row_tiles * rows}) and (vectors,)",
            f"of shapes {tuple(codes.shape)} and {tuple(cycles.shape)}",
        )
    currents: torch.Tensor = remembered_operator(
        codes,
        cycles,
        memory.deviations,
        memory.steps,
        memory.row_exponents,
        memory.row_phases,
        memory.output_exponents,
        memory.output_phases,
        memory.key,
        memory.reference_of,
        input_levels,
    )
    return currents


def share_currents(seen: torch.Tensor, cycles: torch.Tensor, memory: ProductMemory) -> torch.Tensor:
    """Return the same for what cells see of any inputs, as shares of the full drive: the form for circuits in full.

    Sums are in single precision, so that bits depend on the batch, as those of
    :func:`ferrogen.chip.product.analog_product` do.

    Args:
        seen: float32, ``(row_tiles, vectors, rows)``.
        cycles: of each vector, as above.
        memory: of the matrix.
    """
    row_tiles, vectors, rows = seen.shape
    out = torch.zeros((row_tiles, vectors, memory.deviations.shape[3]), device=seen.device)
    unique, place = torch.unique(cycles, return_inverse=True)
    of_rows, of_lines = cycle_signs(
        memory.key, (memory.row_exponents, memory.row_phases), (memory.output_exponents, memory.output_phases), unique
    )
    for b in range(memory.deviations.shape[0]):
        flipped = seen * of_rows[b].index_select(0, place).reshape(vectors, row_tiles, rows).transpose(0, 1)
        sums = torch.bmm(flipped, memory.deviations[b].float())
        out += sums * memory.steps[b][:, None] * of_lines[b].index_select(0, place)
    return subtract_references(out, memory.reference_of)
