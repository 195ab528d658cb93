"""What a tile's cells remember from read to read, by the memory of their traps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ferrogen.chip.flicker.bins import SLOWEST, bin_variances
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.schedule import READ_PHASE, chip_schedule
from ferrogen.chip.tile import Tile
from ferrogen.device.noise.rtn.covariances import phase_covariances
from ferrogen.device.noise.rtn.moments import phase_moments


def remembered_variances(tile: Tile, point: OperatingPoint, *, of_lines: bool = False) -> NDArray[np.float64]:
    """Return the variance [S^2] that a product sees of a tile's cells in every bin, ``(bins, rows, columns)``.

    Traps that move less than once in a thousand cycles are frozen and have none, as in
    :meth:`ferrogen.chip.tile.Tile.cell_statistics`, whose variance less these is without memory.

    Args:
        tile: the tile.
        point: operating point.
        of_lines: whether every bit line is wanted by itself, which matters with broken lines or a placement.
    """
    population = tile.population()
    schedule = chip_schedule(point, samples=tile.samples, observe="product")
    to_one, to_zero = tile.event_means(population, schedule, point.temperature)
    covariance, moves = phase_covariances(to_one, to_zero, READ_PHASE)
    _, variance = phase_moments(to_one, to_zero, READ_PHASE)
    square = tile.steps(population) ** 2
    covariance[moves < SLOWEST] = 0.0
    cells = population.rows * population.columns
    found = bin_variances(covariance * square, variance * square, moves, population.traps.cell, cells)
    of_cells = found.reshape(-1, population.columns, population.rows).transpose(0, 2, 1)
    shares = tile.shares()
    if shares is None:
        return np.ascontiguousarray(of_cells)
    seen = shares.line_variance if of_lines else shares.variance
    return np.stack([seen(np.ascontiguousarray(part)) for part in of_cells])
