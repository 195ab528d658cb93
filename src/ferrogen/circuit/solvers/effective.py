"""The effective conductances of a linear array behind its wires: one matrix that replaces the solve in every product.

Ends of one side are driven, ends of another sensed; all sources that are neither are at ground. A network of resistors
is reciprocal: the current into a sensed line for 1 V on a driven one is the current into the driven one for 1 V on the
sensed one. So the side with fewer lines is excited, line by line.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.circuit.network.cells import InSeries
from ferrogen.circuit.network.network import Network, drive, uniform_network
from ferrogen.circuit.solvers.solve import solve
from ferrogen.core.errors import argument_error

Array = NDArray[np.float64]
Driven = Literal["left", "right", "both"]
Sensed = Literal["bottom", "top", "both"]

_ROW_SIDES = {"left": ("left",), "right": ("right",), "both": ("left", "right")}
_COLUMN_SIDES = {"bottom": ("bottom",), "top": ("top",), "both": ("top", "bottom")}


def effective_conductance(
    network: Network,
    *,
    driven: Driven = "left",
    sensed: Sensed = "bottom",
    method: Literal["auto", "lines", "direct"] = "auto",
    tolerance: float = 1e-10,
    max_iterations: int = 200,
    isolated: Literal["refuse", "ground"] = "refuse",
) -> Array:
    """Return the output current of every column per voltage on every row [S], shape ``(rows, columns)``.

    Args:
        network: of linear cells.
        driven: ends of the rows that carry the input; with ``both``, two sources of the same voltage.
        sensed: ends of the columns whose currents are the output; with ``both``, their sum.
        method: as in :func:`.solve.solve`.
        tolerance: relative residual of the solves. An entry is good to it relative to the currents of its column, if
            columns are excited, otherwise of its row.
        max_iterations: of a solve.
        isolated: nodes without a path to a source, as in :func:`.solve.solve`; cells there conduct nothing.

    Raises:
        ArgumentError: cells that are not linear, sides that are not known, isolated nodes.
        ConvergenceError: the solver did not reach the tolerance.
    """
    if not (network.law.linear or (isinstance(network.law, InSeries) and _ohmic(network.law))):
        raise argument_error(
            "network", "have linear cells", f"one of {type(network.law).__name__} cells",
            "Solve it for its inputs: nonlinear cells have no effective conductance.",
        )  # fmt: skip
    if driven not in _ROW_SIDES or sensed not in _COLUMN_SIDES:
        raise argument_error(
            "driven and sensed", "be left, right or both, and bottom, top or both", f"{driven!r} and {sensed!r}"
        )
    rows, columns = network.shape
    by_column = columns < rows
    unit = np.eye(columns if by_column else rows)
    excited, read = (_COLUMN_SIDES[sensed], _ROW_SIDES[driven]) if by_column else (
        _ROW_SIDES[driven], _COLUMN_SIDES[sensed]
    )  # fmt: skip
    solution = solve(
        network,
        drive(network, **dict.fromkeys(excited, unit)),
        method=method,
        tolerance=tolerance,
        max_iterations=max_iterations,
        nodes=False,
        isolated=isolated,
    ).checked()
    current = -sum(getattr(solution, f"{side}_current") for side in read)
    return np.ascontiguousarray(current if by_column else current.T)


def _ohmic(law: InSeries) -> bool:
    return law.ohmic_equivalent(np.ones(1)) is not None


def effective_conductances(
    conductance: ArrayLike,
    *,
    row_segment: float,
    column_segment: float,
    row_end: float,
    column_end: float,
    tolerance: float = 1e-10,
) -> Array:
    """Return the effective conductances of many tiles with equal wires, driven at the left, sensed at the bottom.

    Args:
        conductance: of the cells [S], shape ``(..., rows, columns)``.
        row_segment: [Ohm].
        column_segment: [Ohm].
        row_end: from the drivers to the first column [Ohm].
        column_end: from the last row to the sense amplifiers [Ohm].
        tolerance: as in :func:`effective_conductance`.

    Returns:
        [S], the shape of ``conductance``.
    """
    cells = np.asarray(conductance, dtype=np.float64)
    tiles = cells.reshape(-1, *cells.shape[-2:])
    found = np.empty_like(tiles)
    for k, tile in enumerate(tiles):
        network = uniform_network(
            tile, row_segment=row_segment, column_segment=column_segment, row_left=row_end, column_bottom=column_end
        )
        found[k] = effective_conductance(network, tolerance=tolerance)
    return found.reshape(cells.shape)
