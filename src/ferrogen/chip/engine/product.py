"""Products of integer input codes with prepared tiles."""

from __future__ import annotations

import torch

from ferrogen.chip.engine.operator import analog_product_operator
from ferrogen.chip.engine.prepared import Prepared


def input_codes(x: torch.Tensor, input_scale: torch.Tensor | float, levels: int) -> torch.Tensor:
    """Return the converter's codes of inputs of any shape, int8; ``input_scale`` is the input of the largest code."""
    return (x * (levels / input_scale)).round().clamp(-levels, levels).to(torch.int8)


def product(
    codes: torch.Tensor,
    prepared: Prepared,
    addresses: torch.Tensor,
    *,
    added: torch.Tensor | None = None,
    fast: bool = False,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Multiply vectors of input codes by prepared tiles, convert every row tile's currents, and add the codes.

    Sums over rows are exact integers and everything after them is done in one order, so that a vector's result has the
    same bits in any batch, in any place of it, with any number of threads. Means are those of 16-bit digits, variances
    those of 14-bit ones, but for the strongest cells of a line, which have all theirs.

    Args:
        codes: int8, shape ``(vectors, inputs)``; missing rows of the last tile count as zero.
        prepared: the tiles.
        addresses: of the vectors' noise, int64, shape ``(vectors,)``: a vector's result depends on nothing else.
        added: further currents before conversion [A], ``(row_tiles, vectors, outputs)``, e.g. noise with a memory.
        fast: leave out the low digits of the cells' variances: three integer products of a layer's size instead of
            five. With the cards' tails and inputs that use their range, an output's variance is off by 0.1 to 0.5 % rms
            and right on average; more than 2 % in at most 2 of 1,000 outputs, those with few active inputs.

    Returns:
        sums of the row tiles' converted currents [A], float32 ``(vectors, outputs)``; number of clipped conversions.
    """
    result: tuple[torch.Tensor, torch.Tensor] = analog_product_operator(
        codes,
        addresses,
        added,
        prepared.mean_digits,
        prepared.mean_step,
        prepared.variance_digits,
        prepared.variance_step,
        prepared.strongest_rows,
        prepared.strongest_variance,
        prepared.noise,
        prepared.full_scale,
        prepared.key,
        prepared.reference_of,
        prepared.output_levels,
        fast,
    )
    return result
