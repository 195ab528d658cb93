"""Moments as digits of one signed byte, so that sums over rows are exact integers in any order and on any device.

A mean has 16 bits, two bytes, with a step for every output of every row tile. A variance has 14 bits and two digits of
base 128. Variances of cells are heavy-tailed: one trap can hold half of a line's noise. The few strongest cells of a
line are therefore left to single-precision numbers, which spreads the digits over the others.
"""

from __future__ import annotations

import torch

MEAN_BASE = 256
VARIANCE_BASE = 128
_FEW_ROWS = 128
_LARGEST_MEAN = 127 * MEAN_BASE + 127
_LARGEST_VARIANCE = 127 * VARIANCE_BASE  # its high digit is at most 127


def mean_digits(mean: torch.Tensor, scale: float) -> tuple[torch.Tensor, torch.Tensor]:
    """Write means at full input [A], ``(row_tiles, rows, outputs)``, as two signed bytes of 16 bits.

    Args:
        mean: currents.
        scale: largest input code times full scale [A]: what the step is a share of.

    Returns:
        int8 ``(row_tiles, 2 outputs, rows)``, high bytes first; and the share of one unit of code times low byte,
        float32 ``(row_tiles, outputs)``. No mean is off by more than half a unit, i.e. 1.5e-5 of an output's largest.
    """
    turned = mean.double().transpose(1, 2)
    unit = (turned.abs().amax(dim=2) / _LARGEST_MEAN).clamp_(min=torch.finfo(torch.float64).tiny)
    whole = (turned / unit[:, :, None]).round_()
    high = torch.floor((whole + MEAN_BASE // 2) / MEAN_BASE)
    low = whole - MEAN_BASE * high
    return torch.cat([high, low], dim=1).to(torch.int8).contiguous(), (unit / scale).float()


def strongest_cells(rows: int) -> int:
    """Return how many cells of a line have variances that are not digits: a multiple of four, 4 up to 128 rows, else 8.

    With the tails of the measured cards the rest then has a largest variance of at most some 40 times the mean.
    """
    return 4 if rows <= _FEW_ROWS else 8


def _carried(share: torch.Tensor) -> torch.Tensor:
    """Round ``(row_tiles, lines, rows)`` to whole numbers; what is lost of a row is carried to the line's next one.

    So the high digits alone have the right sum over the rows, and no rounding is repeated in all of them.
    """
    digits, carry = torch.empty_like(share), torch.zeros_like(share[:, :, 0])
    for row in range(share.shape[2]):
        wanted = share[:, :, row] + carry
        digits[:, :, row] = (wanted + 0.5).floor_()  # a half always goes up, so that a low digit is within 127
        carry = wanted - digits[:, :, row]
    return digits


def variance_digits(
    variance: torch.Tensor, scale: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """Write variances at full input [A^2], ``(row_tiles, rows, lines)``, as two digits and a few strongest cells.

    Args:
        variance: of currents.
        scale: largest input code times full scale [A]: the steps are shares of its square.

    Returns:
        int8 ``(row_tiles, lines, 2 rows)``, low digits of all rows and then high ones; the share of one unit of a
        squared code's high digit times low digit, ``(row_tiles, lines)``; rows of the strongest cells, int64, and their
        shares for a code of one, both ``(row_tiles, lines, strongest)``.
    """
    turned = variance.double().transpose(1, 2).contiguous()
    most = strongest_cells(turned.shape[2])
    strongest, rows = turned.topk(min(most, turned.shape[2]), dim=2)
    rest = turned.scatter(2, rows, 0.0)
    unit = (rest.amax(dim=2) / _LARGEST_VARIANCE).clamp_(min=torch.finfo(torch.float64).tiny)
    whole = (rest / unit[:, :, None]).round_()
    high = _carried(whole / VARIANCE_BASE)
    low = whole - VARIANCE_BASE * high
    digits = torch.cat([low, high], dim=2).to(torch.int8).contiguous()
    missing = most - rows.shape[2]  # a tile of few rows: the first row with nothing
    rows, strongest = (torch.nn.functional.pad(part, (0, missing)) for part in (rows, strongest))
    return digits, (VARIANCE_BASE * unit / scale**2).float(), rows, (strongest / scale**2).float()
