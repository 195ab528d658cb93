"""The network of one array: two sets of crossing lines, a cell at every crossing, a source at every line end.

Node (i, j) of row line i and node (i, j) of column line j are joined by cell (i, j)::

                 column_top[j]
                      |
    row_left[i] --- (i,0) -- row_segments[i,0] -- (i,1) -- ... -- row_right[i]
                      |                             |
                     cell                          cell
                      |                             |
                    (0,j) column_segments[0,j] (1,j) ... column_bottom[j]

A crosspoint drives word lines (rows) and senses bit lines (columns). In a NOR array the rows that carry current are the
source lines; word lines only open the access devices, which belong to the cells' law.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.circuit.network.cells import CellLaw, Ohmic
from ferrogen.core.errors import argument_error, check_number, is_whole

Array = NDArray[np.float64]
Node = tuple[str, int, int]
"""("row" or "column", i, j): the node of that line at cell (i, j)."""


@dataclass(frozen=True, slots=True)
class Bridge:
    """A resistor between two nodes that should not be connected: a short between lines.

    Attributes:
        first: a node.
        second: another node.
        resistance: [Ohm], positive.
    """

    first: Node
    second: Node
    resistance: float

    def __post_init__(self) -> None:
        check_number("resistance", self.resistance, "Ohm")
        for name in ("first", "second"):
            line, i, j = getattr(self, name)
            if line not in ("row", "column") or not (is_whole(i, 0) and is_whole(j, 0)):
                raise argument_error(name, "be ('row' or 'column', i, j)", repr((line, i, j)))
        if self.first == self.second:
            raise argument_error("second", "be another node than the first", repr(self.second))


@dataclass(frozen=True, slots=True, eq=False)
class Network:
    """Cells, wires and ends of an array of ``rows`` x ``columns``.

    Resistances are positive; infinite ones are open: a broken segment, or a floating end.

    Attributes:
        conductance: of the cells at 0 V [S], not negative, shape ``(rows, columns)``.
        row_segments: between neighbouring nodes of a row line [Ohm], shape ``(rows, columns - 1)``.
        column_segments: of a column line [Ohm], shape ``(rows - 1, columns)``.
        row_left: from the first node of a row line to its source [Ohm], shape ``(rows,)``.
        row_right: from its last node to a source at the other end, same shape.
        column_top: from the first node of a column line to its source, shape ``(columns,)``.
        column_bottom: from its last node to a source at the other end, same shape.
        law: of the cells.
        bridges: shorts between lines.

    Raises:
        ArgumentError: shapes that do not fit, conductances that are negative or not finite, resistances that are not
            positive, a bridge to a node that is not there.
    """

    conductance: Array
    row_segments: Array
    column_segments: Array
    row_left: Array
    row_right: Array
    column_top: Array
    column_bottom: Array
    law: CellLaw = field(default_factory=Ohmic)
    bridges: tuple[Bridge, ...] = ()

    def __post_init__(self) -> None:
        if self.conductance.ndim != 2 or self.conductance.size == 0:
            raise argument_error("conductance", "have the shape (rows, columns)", f"of shape {self.conductance.shape}")
        if not np.all(np.isfinite(self.conductance) & (self.conductance >= 0.0)):
            bad = self.conductance[~(np.isfinite(self.conductance) & (self.conductance >= 0.0))][0]
            raise argument_error("conductance", "hold finite conductances in S that are not negative", f"{bad:g} S")
        rows, columns = self.shape
        for name, shape in (
            ("row_segments", (rows, columns - 1)),
            ("column_segments", (rows - 1, columns)),
            ("row_left", (rows,)),
            ("row_right", (rows,)),
            ("column_top", (columns,)),
            ("column_bottom", (columns,)),
        ):
            value = getattr(self, name)
            if value.shape != shape:
                raise argument_error(name, f"have the shape {shape}", f"of shape {value.shape}")
            if not np.all(value > 0.0):
                raise argument_error(
                    name,
                    "hold positive resistances in Ohm (infinite ones are open)",
                    f"{value[~(value > 0.0)][0]:g} Ohm",
                    "For wires without resistance use ideal wires; a network needs some, if only 1e-6 Ohm.",
                )
        for bridge in self.bridges:
            for _, i, j in (bridge.first, bridge.second):
                if i >= rows or j >= columns:
                    raise argument_error("bridges", f"join nodes of a {rows} x {columns} array", repr((i, j)))

    @property
    def shape(self) -> tuple[int, int]:
        """(rows, columns)."""
        return int(self.conductance.shape[0]), int(self.conductance.shape[1])


def uniform_network(
    conductance: ArrayLike,
    *,
    row_segment: float,
    column_segment: float,
    law: CellLaw | None = None,
    row_left: float | None = None,
    row_right: float = np.inf,
    column_top: float = np.inf,
    column_bottom: float | None = None,
    bridges: tuple[Bridge, ...] = (),
) -> Network:
    """Return the network of an array with equal segments.

    Args:
        conductance: [S], shape ``(rows, columns)``.
        row_segment: [Ohm].
        column_segment: [Ohm].
        law: of the cells; ohmic, if not given.
        row_left: from the rows' sources to their first nodes [Ohm]; one segment, if not given.
        row_right: at the other end; floating, if not given.
        column_top: from the columns' first nodes to their sources; floating, if not given.
        column_bottom: at the other end, where the amplifiers are; one segment, if not given.
        bridges: shorts between lines.

    Raises:
        ArgumentError: as :class:`Network`.
    """
    g = np.array(conductance, dtype=np.float64)
    if g.ndim != 2:
        raise argument_error("conductance", "have the shape (rows, columns)", f"of shape {g.shape}")
    rows, columns = g.shape
    return Network(
        conductance=g,
        row_segments=np.full((rows, max(columns - 1, 0)), float(row_segment)),
        column_segments=np.full((max(rows - 1, 0), columns), float(column_segment)),
        row_left=np.full(rows, float(row_segment if row_left is None else row_left)),
        row_right=np.full(rows, float(row_right)),
        column_top=np.full(columns, float(column_top)),
        column_bottom=np.full(columns, float(column_segment if column_bottom is None else column_bottom)),
        law=law or Ohmic(),
        bridges=bridges,
    )


@dataclass(frozen=True, slots=True, eq=False)
class Drive:
    """Voltages of the sources at the four sides [V]; those of floating ends do nothing.

    Made by :func:`drive`. ``batch`` input vectors are solved at once.

    Attributes:
        left: shape ``(rows, batch)``.
        right: shape ``(rows, batch)``.
        top: shape ``(columns, batch)``.
        bottom: shape ``(columns, batch)``.
    """

    left: Array
    right: Array
    top: Array
    bottom: Array

    @property
    def batch(self) -> int:
        """Number of input vectors."""
        return int(self.left.shape[1])


def drive(
    network: Network,
    *,
    left: ArrayLike = 0.0,
    right: ArrayLike = 0.0,
    top: ArrayLike = 0.0,
    bottom: ArrayLike = 0.0,
) -> Drive:
    """Return the sources of a network; a side that is not given is grounded.

    Args:
        network: whose ends they drive.
        left: [V]; one number, one a line, or ``(lines, batch)``; likewise the others.
        right: as ``left``.
        top: as ``left``.
        bottom: as ``left``.

    Raises:
        ArgumentError: voltages that are not finite, or of a shape that does not fit.
    """
    rows, columns = network.shape
    lines = {"left": rows, "right": rows, "top": columns, "bottom": columns}
    arrays = {
        name: np.asarray(value, dtype=np.float64)
        for name, value in (("left", left), ("right", right), ("top", top), ("bottom", bottom))
    }
    batch = max((a.shape[1] for a in arrays.values() if a.ndim == 2), default=1)
    full: dict[str, Array] = {}
    for name, value in arrays.items():
        fits = value.shape in ((), (lines[name],), (lines[name], 1), (lines[name], batch))
        if not fits or not np.all(np.isfinite(value)):
            raise argument_error(
                name, f"hold finite voltages in V, of shape ({lines[name]},) or ({lines[name]}, batch)",
                f"of shape {value.shape}" if np.all(np.isfinite(value)) else "not finite",
            )  # fmt: skip
        part = value[:, None] if value.ndim == 1 else value
        full[name] = np.array(np.broadcast_to(part, (lines[name], batch)))
    return Drive(**full)
