"""From an array's topology, the state of its junctions and its wires to a network."""

from __future__ import annotations

from typing import TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.array.topology import NOR, SelfRectifying, Topology, WithSelector
from ferrogen.circuit.network.cells import CellLaw, InSeries, Ohmic, Rectifying, Selector, SeriesResistance, Sinh
from ferrogen.circuit.network.network import Bridge, Network, uniform_network
from ferrogen.core.errors import argument_error


class Ends(TypedDict, total=False):
    """What :func:`.network.uniform_network` takes of line ends and shorts [Ohm]."""

    row_left: float | None
    row_right: float
    column_top: float
    column_bottom: float | None
    bridges: tuple[Bridge, ...]


def cell_law(topology: Topology, characteristic_voltage: float | None) -> CellLaw:
    """Return the law of a topology's cells.

    Args:
        topology: of the array.
        characteristic_voltage: V0 of the junctions [V]; None for ohmic ones.

    Raises:
        ArgumentError: an ohmic junction that rectifies, or a V0 that is not positive.
    """
    cell = topology.cell
    if isinstance(cell, SelfRectifying):
        if characteristic_voltage is None:
            raise argument_error("characteristic_voltage", "be given in V for junctions that rectify", None)
        junction: CellLaw = Rectifying(characteristic_voltage, cell.ratio)
    else:
        junction = Ohmic() if characteristic_voltage is None else Sinh(characteristic_voltage)
    if isinstance(topology, NOR):
        return InSeries(junction, SeriesResistance(topology.access_resistance))
    if isinstance(cell, WithSelector):
        return InSeries(junction, Selector(cell.conductance, cell.characteristic_voltage))
    return junction


def array_network(
    topology: Topology,
    conductance: ArrayLike,
    *,
    characteristic_voltage: float | None,
    row_segment: float,
    column_segment: float,
    word_lines: NDArray[np.bool_] | None = None,
    **ends: Unpack[Ends],
) -> Network:
    """Return the network of an array: rows are word lines of a crosspoint, source lines of a NOR array.

    Args:
        topology: of the array.
        conductance: of the junctions [S], shape ``(rows, columns)``.
        characteristic_voltage: V0 of the junctions [V]; None for ohmic ones.
        row_segment: [Ohm].
        column_segment: [Ohm].
        word_lines: of a NOR array, whether each is on, shape ``(rows,)``; all are, if not given. Cells of a row that is
            off keep their leakage, as the small-signal conductance of junction and access device in series; that the
            law of the junction is applied to it, too, overstates it above V0.
        **ends: as in :func:`.network.uniform_network`: ``row_left``, ``row_right``, ``column_top``, ``column_bottom``,
            ``bridges``.

    Raises:
        ArgumentError: as :class:`.network.Network`; word lines given for a crosspoint, or not one a row.
    """
    g = np.array(conductance, dtype=np.float64)
    if word_lines is not None:
        if not isinstance(topology, NOR):
            raise argument_error("word_lines", "be left out for a crosspoint, whose rows they are", "given")
        if g.ndim != 2 or np.shape(word_lines) != g.shape[:1]:
            raise argument_error("word_lines", "hold one truth value a row", f"of shape {np.shape(word_lines)}")
        on = np.asarray(word_lines, dtype=np.bool_)
        g = np.where(on[:, None], g, topology.isolated_conductance(g))
    law = cell_law(topology, characteristic_voltage)
    return uniform_network(g, row_segment=row_segment, column_segment=column_segment, law=law, **ends)
