"""Conjugate gradients on the column lines' Schur complement, for one input vector.

The same iteration as in :mod:`ferrogen.circuit.solvers.lines_batch`. Eight lanes hold eight columns in the passes along
the columns and eight rows in the elimination of row lines; in between, tiles of 8 x 8 are transposed.

Any currents may flow into the nodes, so that this also solves the linear systems of Newton's method.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from ferrogen.circuit.solvers.lines_batch import BROKEN, CONVERGED, RUNNING
from ferrogen.circuit.solvers.lines_lanes import (
    LANES,
    add,
    larger_magnitude,
    load,
    multiply,
    multiply_add,
    splat,
    store,
    subtract,
    transpose,
)


@njit(cache=True, nogil=True)
def _sum(array: Any) -> float:
    """Return the sum of eight numbers."""
    total = 0.0
    for lane in range(LANES):
        total += array[lane]
    return total


@njit(cache=True, nogil=True)
def _rows(pivot: Any, link: Any, begin: int, width: int, tile: Any, last_column: int, first: Any, last: Any,
          at_rows: int, product: Any) -> None:  # fmt: skip
    """Eliminate a band of eight rows: replace the currents in ``tile`` by voltages; add f^2 / D to ``product``."""
    forward, carried = splat(0.0), splat(0.0)
    total = load(product, 0)
    for column in range(width):
        at = begin + column * LANES
        forward = multiply_add(carried, forward, load(tile, column * LANES))
        store(tile, column * LANES, forward)
        total = multiply_add(load(pivot, at), multiply(forward, forward), total)
        carried = load(link, at)
    store(product, 0, total)
    backward = splat(0.0)
    for column in range(width - 1, -1, -1):
        at = begin + column * LANES
        swept = multiply(load(pivot, at), load(tile, column * LANES))
        backward = multiply_add(load(link, at), backward, swept)
        store(tile, column * LANES, backward)
        if column == last_column:
            store(last, at_rows, backward)
    store(first, at_rows, backward)


@njit(cache=True, nogil=True)
def _start(cells: Any, pivot: Any, link: Any, down_pivot: Any, down_link: Any, width: int, height: int,
           last_column: int, into_rows: Any, into_columns: Any, t: Any, tile: Any, first: Any, last: Any,
           sums: Any) -> None:  # fmt: skip
    """Set t to L^-1 (currents into the columns + G A^-1 currents into the rows)."""
    product, largest = splat(0.0), splat(0.0)
    for row in range(0, height, LANES):
        begin = row * width
        for at in range(0, width * LANES, LANES):
            store(tile, at, load(into_rows, begin + at))
        _rows(pivot, link, begin, width, tile, last_column, first, last, row, sums)
        for at in range(0, width * LANES, LANES):
            store(tile, at, multiply(load(cells, begin + at), load(tile, at)))
        for column in range(0, width, LANES):
            transpose(tile, column * LANES, LANES, t, begin + column, width)
        for at in range(begin, begin + width * LANES, LANES):
            swept = add(load(t, at), load(into_columns, at))
            if at >= width:
                swept = multiply_add(load(down_link, at - width), load(t, at - width), swept)
            store(t, at, swept)
            product = multiply_add(load(down_pivot, at), multiply(swept, swept), product)
            largest = larger_magnitude(largest, swept)
    store(sums, 0, product)
    store(sums, LANES, largest)


@njit(cache=True, nogil=True)
def _up(cells: Any, pivot: Any, link: Any, up_pivot: Any, up_link: Any, width: int, height: int, last_row: int,
        last_column: int, t: Any, y: Any, band: Any, tile: Any, bottom: Any, first: Any, last: Any, sums: Any, x: Any,
        p: Any, alpha: float, beta: float) -> None:  # fmt: skip
    """Set y to G A^-1 G z with z = L^-T D^-1 t; leaves z's first row in ``band``, its last one in ``bottom``."""
    store(sums, 0, splat(0.0))
    band[:] = 0.0
    step, keep = splat(alpha), splat(beta)
    size = width * LANES
    for row in range(height - LANES, -1, -LANES):
        begin = row * width
        for offset in range(size - LANES, -1, -LANES):
            # The row below: the next one of this band or the first one of the band before, which is still there.
            below = load(band, offset + width if offset < size - width else offset + width - size)
            at = begin + offset
            z = multiply_add(load(up_pivot, at), load(t, at), multiply(load(up_link, at), below))
            store(band, offset, z)
            if x.size > 0:
                direction = load(p, at)
                store(x, at, multiply_add(step, direction, load(x, at)))
                store(p, at, multiply_add(keep, direction, z))
        if row <= last_row < row + LANES:
            for column in range(0, width, LANES):
                store(bottom, column, load(band, (last_row - row) * width + column))
        for column in range(0, width, LANES):
            transpose(band, column, width, tile, column * LANES, LANES)
        for at in range(0, size, LANES):
            store(tile, at, multiply(load(cells, begin + at), load(tile, at)))
        _rows(pivot, link, begin, width, tile, last_column, first, last, row, sums)
        for at in range(0, size, LANES):
            store(tile, at, multiply(load(cells, begin + at), load(tile, at)))
        for column in range(0, width, LANES):
            transpose(tile, column * LANES, LANES, y, begin + column, width)


@njit(cache=True, nogil=True)
def _down(down_pivot: Any, down_link: Any, width: int, t: Any, s: Any, y: Any, alpha: float, beta: float,
          sums: Any) -> None:  # fmt: skip
    """Step t along the new direction; y becomes L^-1 y."""
    product, largest = splat(0.0), splat(0.0)
    step, keep = splat(alpha), splat(beta)
    for at in range(0, t.size, LANES):
        swept = load(y, at)
        if at >= width:
            swept = multiply_add(load(down_link, at - width), load(y, at - width), swept)
        store(y, at, swept)
        now = load(t, at)
        direction = multiply_add(keep, load(s, at), subtract(now, swept))
        store(s, at, direction)
        now = subtract(now, multiply(step, direction))
        store(t, at, now)
        product = multiply_add(load(down_pivot, at), multiply(now, now), product)
        largest = larger_magnitude(largest, now)
    store(sums, 0, product)
    store(sums, LANES, largest)


@njit(cache=True, nogil=True)
def _follow(z: Any, p: Any, x: Any, alpha: float, beta: float) -> None:
    """Step a few nodes of the solution: p <- z + beta p, x <- x + alpha p."""
    for at in range(x.size):
        p[at] = z[at] + beta * p[at]
        x[at] += alpha * p[at]


@njit(cache=True, nogil=True)
def _residual(link: Any, width: int, t: Any, out: Any) -> float:
    """Set ``out`` to the residual L t; returns its largest magnitude."""
    largest = splat(0.0)
    for at in range(0, t.size, LANES):
        off = load(t, at)
        if at >= width:
            off = subtract(off, multiply(load(link, at - width), load(t, at - width)))
        store(out, at, off)
        largest = larger_magnitude(largest, off)
    lanes = np.empty(LANES)
    store(lanes, 0, largest)
    return float(lanes.max())


@njit(cache=True, nogil=True)
def row_voltages(cells: Any, pivot: Any, link: Any, width: int, height: int, into_rows: Any, x: Any, u: Any) -> None:
    """Set u to the deviations of the row nodes, A^-1 (currents into the rows + G x)."""
    band, tile = np.empty(width * LANES), np.empty(width * LANES)
    first, last, sums = np.empty(height), np.empty(height), np.zeros(LANES)
    for row in range(0, height, LANES):
        begin = row * width
        for column in range(0, width, LANES):
            transpose(x, begin + column, width, band, column * LANES, LANES)
        for at in range(0, width * LANES, LANES):
            store(tile, at, multiply_add(load(cells, begin + at), load(band, at), load(into_rows, begin + at)))
        _rows(pivot, link, begin, width, tile, 0, first, last, row, sums)
        for column in range(0, width, LANES):
            transpose(tile, column * LANES, LANES, u, begin + column, width)


@njit(cache=True, nogil=True)
def iterate_single(factors: Any, ends: Any, sources: Any, into: Any, work: Any, deviations: Any, tolerance: float,
                   enough: float, reduction: float, max_iterations: int) -> tuple[int, int, float]:  # fmt: skip
    """Solve for one input vector; returns (number of iterations, state, largest residual [A]).

    Args:
        factors: (cells, row_pivot, row_link) in bands and (column_pivot, column_link), flat, padded to ``M`` x ``N``.
        ends: conductances [S] at the (left, right, top, bottom) ends, without padding.
        sources: currents [A] that the sources at the four sides drive into lines that lie at their references.
        into: currents [A] into the (row, column) nodes that lie at their references, from the sources, too; flat and
            padded, the first one in bands.
        work: (t, s, y, x, p), flat ``(M, N)``; unless they are empty, x becomes the deviations of the column nodes. y
            becomes the residual [A] at the column nodes.
        deviations: of the nodes at the four sides [V], padded, written.
        tolerance: of the residual over the largest current of an end.
        enough: residual that is good enough in any case [A].
        reduction: of the residual that is good enough in any case [1].
        max_iterations: stop after these.
    """
    cells, row_pivot, row_link, column_pivot, column_link = factors
    into_rows, into_columns = into
    t, s, y, x, p = work
    first, last, x_top, x_bottom = deviations
    rows, columns = ends[0].size, ends[2].size
    height, width = first.size, x_top.size
    band, tile, bottom_z = np.empty(width * LANES), np.empty(width * LANES), np.empty(width)
    z_first, z_last = np.empty(height), np.empty(height)
    p_first, p_last, p_top, p_bottom = np.zeros(height), np.zeros(height), np.zeros(width), np.zeros(width)
    sums = np.zeros(2 * LANES)
    x_top[:] = 0.0
    x_bottom[:] = 0.0
    s[:] = 0.0
    x[:] = 0.0
    p[:] = 0.0
    _start(cells, row_pivot, row_link, column_pivot, column_link, width, height, columns - 1, into_rows, into_columns,
           t, tile, first, last, sums)  # fmt: skip
    alpha, beta, gamma = 0.0, 0.0, 0.0
    iterations, state = 0, RUNNING
    enough = max(enough, reduction * sums[LANES:].max())
    while True:
        scale = 0.0
        for side in range(4):
            for line in range(ends[side].size):
                scale = max(scale, abs(sources[side][line] - ends[side][line] * deviations[side][line]))
        # |r| is at most twice |t|, so the residual itself is within the tolerance, too.
        if sums[LANES:].max() <= max(0.5 * tolerance * scale, enough):
            state = CONVERGED
            break
        before, gamma = gamma, _sum(sums)
        beta = gamma / before if iterations > 0 else 0.0
        if iterations == max_iterations:
            break
        iterations += 1
        _up(cells, row_pivot, row_link, column_pivot, column_link, width, height, rows - 1, columns - 1, t, y, band,
            tile, bottom_z, z_first, z_last, sums, x, p, alpha, beta)  # fmt: skip
        curvature = gamma - _sum(sums)
        if iterations > 1:
            curvature -= beta * gamma / alpha
        if not curvature > 0.0:
            state, alpha = BROKEN, 0.0
            break
        alpha = gamma / curvature
        _follow(z_first, p_first, first, alpha, beta)
        _follow(z_last, p_last, last, alpha, beta)
        _follow(band[:width], p_top, x_top, alpha, beta)
        _follow(bottom_z, p_bottom, x_bottom, alpha, beta)
        _down(column_pivot, column_link, width, t, s, y, alpha, beta, sums)
    for at in range(x.size):
        x[at] += alpha * p[at]
    return iterations, state, _residual(column_link, width, t, y)
