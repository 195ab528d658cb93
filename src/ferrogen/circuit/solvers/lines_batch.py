"""Conjugate gradients on the column lines' Schur complement, for eight input vectors at a time.

With the row lines eliminated, the deviations v of the column nodes obey S v = f, S = B - G A^-1 G: A and B are the
tridiagonal matrices of the row and of the column lines (cells included), G the cells. B = L D L^T preconditions it.

The iteration is carried out on t = L^-1 r instead of the residual r, and in the form with one synchronisation
(Chronopoulos and Gear, doi:10.1016/0377-0427(89)90045-9), so that an iteration is two passes over three arrays:

* up the columns: z = L^-T D^-1 t, and row by row y = G A^-1 G z (S z = r - y needs no product with B);
* down the columns: s <- t - L^-1 y + beta s, t <- t - alpha s.

The scalars need r.z = sum of t^2 / D and z.y = sum of f^2 / D' (f, D': the row line's forward sweep and pivots). The
solution itself is not needed for the currents at the ends, only its first and last rows and columns are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

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
)

RUNNING, CONVERGED, BROKEN = 0, 1, 2


@njit(cache=True, nogil=True)
def _start(cells: Any, pivot: Any, link: Any, down_pivot: Any, down_link: Any, rows: int, columns: int, rho: Any,
           kappa: Any, from_left: Any, from_right: Any, from_top: Any, from_bottom: Any, t: Any, y: Any, above: Any,
           first: Any, last: Any, sums: Any) -> None:  # fmt: skip
    """Set t to L^-1 of the residual with all columns at their references; ``first``, ``last``: the rows' end nodes."""
    for column in range(columns):
        store(above, column * LANES, splat(0.0))
    product, largest = splat(0.0), splat(0.0)
    for row in range(rows):
        reference = load(rho, row * LANES)
        begin = row * columns
        forward, carried = load(from_left, row * LANES), splat(1.0)
        for column in range(columns):
            at = begin + column
            drop = subtract(load(kappa, column * LANES), reference)
            forward = multiply_add(splat(cells[at]), drop, multiply(carried, forward))
            store(y, at * LANES, forward)
            carried = splat(link[at])
        store(y, (begin + columns - 1) * LANES, add(forward, load(from_right, row * LANES)))
        backward = splat(0.0)
        for column in range(columns - 1, -1, -1):
            at = begin + column
            backward = multiply_add(splat(link[at]), backward, multiply(splat(pivot[at]), load(y, at * LANES)))
            if column == columns - 1:
                store(last, row * LANES, backward)
            drop = subtract(load(kappa, column * LANES), reference)
            off = multiply(splat(cells[at]), subtract(backward, drop))
            if row == 0:
                off = add(off, load(from_top, column * LANES))
            if row == rows - 1:
                off = add(off, load(from_bottom, column * LANES))
            if row > 0:
                off = multiply_add(splat(down_link[at - columns]), load(above, column * LANES), off)
            store(above, column * LANES, off)
            store(t, at * LANES, off)
            product = multiply_add(splat(down_pivot[at]), multiply(off, off), product)
            largest = larger_magnitude(largest, off)
        store(first, row * LANES, backward)
    store(sums, 0, product)
    store(sums, LANES, largest)


@njit(cache=True, nogil=True)
def _up(cells: Any, pivot: Any, link: Any, up_pivot: Any, up_link: Any, rows: int, columns: int, t: Any, y: Any,
        below: Any, bottom: Any, first: Any, last: Any, sums: Any, x: Any, p: Any, alpha: Any,
        beta: Any) -> None:  # fmt: skip
    """Set y to G A^-1 G z with z = L^-T D^-1 t; leaves z's first row in ``below``, its last one in ``bottom``."""
    for column in range(columns):
        store(below, column * LANES, splat(0.0))
    product = splat(0.0)
    for row in range(rows - 1, -1, -1):
        begin = row * columns
        forward, carried = splat(0.0), splat(0.0)
        for column in range(columns):
            at = begin + column
            z = multiply(splat(up_link[at]), load(below, column * LANES))
            z = multiply_add(splat(up_pivot[at]), load(t, at * LANES), z)
            store(below, column * LANES, z)
            forward = multiply_add(splat(cells[at]), z, multiply(carried, forward))
            store(y, at * LANES, forward)
            product = multiply_add(splat(pivot[at]), multiply(forward, forward), product)
            carried = splat(link[at])
        if row == rows - 1:
            for column in range(columns):
                store(bottom, column * LANES, load(below, column * LANES))
        if x.size > 0:
            step, keep = load(alpha, 0), load(beta, 0)
            for column in range(columns):
                at = (begin + column) * LANES
                direction = load(p, at)
                store(x, at, multiply_add(step, direction, load(x, at)))
                store(p, at, multiply_add(keep, direction, load(below, column * LANES)))
        backward = splat(0.0)
        for column in range(columns - 1, -1, -1):
            at = begin + column
            backward = multiply_add(splat(link[at]), backward, multiply(splat(pivot[at]), load(y, at * LANES)))
            if column == columns - 1:
                store(last, row * LANES, backward)
            store(y, at * LANES, multiply(splat(cells[at]), backward))
        store(first, row * LANES, backward)
    store(sums, 0, product)


@njit(cache=True, nogil=True)
def _down(down_pivot: Any, down_link: Any, rows: int, columns: int, t: Any, s: Any, y: Any, above: Any, alpha: Any,
          beta: Any, sums: Any) -> None:  # fmt: skip
    """Step t along the new direction."""
    for column in range(columns):
        store(above, column * LANES, splat(0.0))
    product, largest = splat(0.0), splat(0.0)
    step, keep = load(alpha, 0), load(beta, 0)
    for row in range(rows):
        for column in range(columns):
            at = row * columns + column
            link = splat(down_link[max(at - columns, 0)])
            swept = multiply_add(link, load(above, column * LANES), load(y, at * LANES))
            store(above, column * LANES, swept)
            now = load(t, at * LANES)
            direction = multiply_add(keep, load(s, at * LANES), subtract(now, swept))
            store(s, at * LANES, direction)
            now = subtract(now, multiply(step, direction))
            store(t, at * LANES, now)
            product = multiply_add(splat(down_pivot[at]), multiply(now, now), product)
            largest = larger_magnitude(largest, now)
    store(sums, 0, product)
    store(sums, LANES, largest)


@njit(cache=True, nogil=True)
def _follow(z: Any, p: Any, x: Any, alpha: Any, beta: Any) -> None:
    """Step a few nodes of the solution: p <- z + beta p, x <- x + alpha p."""
    step, keep = load(alpha, 0), load(beta, 0)
    for at in range(0, z.size, LANES):
        direction = multiply_add(keep, load(p, at), load(z, at))
        store(p, at, direction)
        store(x, at, multiply_add(step, direction, load(x, at)))


@njit(cache=True, nogil=True)
def _currents(source: Any, conductance: Any, deviation: Any, out: Any, scale: Any) -> None:
    """Set ``out`` to the currents of one side's ends; raise ``scale`` to the largest magnitude."""
    most = load(scale, 0)
    for line in range(conductance.size):
        at = line * LANES
        flows = subtract(load(source, at), multiply(splat(conductance[line]), load(deviation, at)))
        store(out, at, flows)
        most = larger_magnitude(most, flows)
    store(scale, 0, most)


@njit(cache=True, nogil=True)
def _largest_residual(link: Any, rows: int, columns: int, t: Any, out: Any) -> None:
    """Set ``out`` to the largest magnitude of L t."""
    largest = splat(0.0)
    for at in range(rows * columns):
        off = load(t, at * LANES)
        if at >= columns:
            off = subtract(off, multiply(splat(link[at - columns]), load(t, (at - columns) * LANES)))
        largest = larger_magnitude(largest, off)
    store(out, 0, largest)


@njit(cache=True, nogil=True)
def _row_nodes(cells: Any, pivot: Any, link: Any, rows: int, columns: int, rho: Any, kappa: Any, from_left: Any,
               from_right: Any, x: Any, u: Any) -> None:  # fmt: skip
    """Set u and x to the nodes' voltages, from the deviations x of the columns."""
    for row in range(rows):
        reference = load(rho, row * LANES)
        begin = row * columns
        forward, carried = load(from_left, row * LANES), splat(1.0)
        for column in range(columns):
            at = begin + column
            voltage = add(load(x, at * LANES), load(kappa, column * LANES))
            drop = subtract(load(kappa, column * LANES), reference)
            drop = add(drop, load(x, at * LANES))
            store(x, at * LANES, voltage)
            forward = multiply_add(splat(cells[at]), drop, multiply(carried, forward))
            store(u, at * LANES, forward)
            carried = splat(link[at])
        store(u, (begin + columns - 1) * LANES, add(forward, load(from_right, row * LANES)))
        backward = splat(0.0)
        for column in range(columns - 1, -1, -1):
            at = begin + column
            backward = multiply_add(splat(link[at]), backward, multiply(splat(pivot[at]), load(u, at * LANES)))
            store(u, at * LANES, add(backward, reference))


@njit(cache=True, nogil=True)
def iterate(factors: Any, ends: Any, references: Any, sources: Any, work: Any, currents: Any, tolerance: float,
            max_iterations: int, state: Any, residual: Any) -> int:  # fmt: skip
    """Solve eight input vectors; returns the number of iterations.

    Args:
        factors: (cells, row_pivot, row_link, column_pivot, column_link), flat, row after row.
        ends: conductances [S] at the (left, right, top, bottom) ends.
        references: (rho, kappa) of the lines [V], flat ``(lines, 8)``.
        sources: currents [A] that the (left, right, top, bottom) sources drive into lines at their references.
        work: (t, s, y, x, p), flat ``(rows, columns, 8)``. Unless they are empty, x becomes the voltages of the column
            nodes and p those of the row nodes.
        currents: the (left, right, top, bottom) ends' [A], written.
        tolerance: of the residual over the largest current of an end.
        max_iterations: stop after these.
        state: one of RUNNING, CONVERGED, BROKEN for each vector, written.
        residual: relative, of each vector, written.
    """
    cells, row_pivot, row_link, column_pivot, column_link = factors
    left, right, top, bottom = ends
    rho, kappa = references
    t, s, y, x, p = work
    rows, columns = left.size, top.size
    row_shape, column_shape = rows * LANES, columns * LANES
    alpha, beta, gamma, scale = np.zeros(LANES), np.zeros(LANES), np.zeros(LANES), np.zeros(LANES)
    sums = np.zeros(2 * LANES)
    line, bottom_z = np.empty(column_shape), np.empty(column_shape)
    z_first, z_last = np.empty(row_shape), np.empty(row_shape)
    first, last, p_first, p_last = np.zeros(row_shape), np.zeros(row_shape), np.zeros(row_shape), np.zeros(row_shape)
    x_top, x_bottom = np.zeros(column_shape), np.zeros(column_shape)
    p_top, p_bottom = np.zeros(column_shape), np.zeros(column_shape)
    _start(cells, row_pivot, row_link, column_pivot, column_link, rows, columns, rho, kappa, sources[0], sources[1],
           sources[2], sources[3], t, y, line, first, last, sums)  # fmt: skip
    s[:] = 0.0
    if x.size > 0:
        x[:] = 0.0
        p[:] = 0.0
    iterations = 0
    state[:] = RUNNING
    while True:
        scale[:] = 0.0
        _currents(sources[0], left, first, currents[0], scale)
        _currents(sources[1], right, last, currents[1], scale)
        _currents(sources[2], top, x_top, currents[2], scale)
        _currents(sources[3], bottom, x_bottom, currents[3], scale)
        running = False
        for lane in range(LANES):
            # |r| is at most twice |t|, so the residual itself is within the tolerance, too.
            if state[lane] == RUNNING and sums[LANES + lane] <= 0.5 * tolerance * scale[lane]:
                state[lane] = CONVERGED
            beta[lane] = sums[lane] / gamma[lane] if state[lane] == RUNNING and iterations > 0 else 0.0
            gamma[lane] = sums[lane]
            running |= state[lane] == RUNNING
        if not running or iterations == max_iterations:
            break
        iterations += 1
        _up(cells, row_pivot, row_link, column_pivot, column_link, rows, columns, t, y, line, bottom_z, z_first, z_last,
            sums, x, p, alpha, beta)  # fmt: skip
        for lane in range(LANES):
            curvature = gamma[lane] - sums[lane]
            if beta[lane] != 0.0:
                curvature -= beta[lane] * gamma[lane] / alpha[lane]
            if state[lane] == RUNNING and not curvature > 0.0:
                state[lane] = BROKEN
            alpha[lane] = gamma[lane] / curvature if state[lane] == RUNNING else 0.0
        _follow(z_first, p_first, first, alpha, beta)
        _follow(z_last, p_last, last, alpha, beta)
        _follow(line, p_top, x_top, alpha, beta)
        _follow(bottom_z, p_bottom, x_bottom, alpha, beta)
        _down(column_pivot, column_link, rows, columns, t, s, y, line, alpha, beta, sums)
    _largest_residual(column_link, rows, columns, t, sums)
    for lane in range(LANES):
        residual[lane] = sums[lane] / scale[lane] if scale[lane] > 0.0 else sums[lane]
    if x.size > 0:
        for at in range(0, x.size, LANES):
            store(x, at, multiply_add(load(alpha, 0), load(p, at), load(x, at)))
        _row_nodes(cells, row_pivot, row_link, rows, columns, rho, kappa, sources[0], sources[1], x, p)
    return iterations
