"""The elements of an array in a netlist: its cells, the segments of its lines, their ends.

A wire of low resistance carries a current that the voltages of its two ends, as doubles, do not hold: 1e-6 Ohm and
1 nA differ by 1e-15 V in 0.3 V. With ``branches`` each wire is a current-controlled source that its own current
controls (V = R I): the currents themselves are unknowns, and Kirchhoff's law holds to rounding of the currents. All
resistances are then brought below 1/64 Ohm by a power of two, and conductances up by the same, so that the simulator's
pivoting keeps these unknowns (for R above its pivot threshold it eliminates them, and with them the digits). This costs
time: with plain ``resistors`` it is quicker.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from ferrogen.circuit.network.network import Network
from ferrogen.circuit.solvers.kirchhoff import place
from ferrogen.circuit.spice.devices import cell_model
from ferrogen.circuit.spice.names import numbered
from ferrogen.circuit.spice.netlist import element, number
from ferrogen.core.errors import argument_error

Array = NDArray[np.float64]
Wires = Literal["resistors", "branches"]
_Wire = Callable[[str, str, str, float], str]

SIDES: Final = ("left", "right", "top", "bottom")

PIVOT_THRESHOLD: Final = 0.5
"""``pivrel`` of the simulator with ``branches``: it must not divide by their resistances."""

_LARGEST_BRANCH = 1.0 / 64.0  # Ohm; well below the pivot threshold


@dataclass(frozen=True, slots=True, eq=False)
class ArrayElements:
    """An array in a netlist.

    Attributes:
        parts: lines of elements under their headings.
        model: the part with the cells' subcircuit; empty for resistors.
        pins: outer nodes of the lines' ends that do not float: side, index of the line, name.
        connected: nodes with a path to a source, shape ``(2, rows, columns)``: row lines, column lines.
        wires: how wires stand in it.
        scale: currents of the netlist over those of the network, a power of two.
        notes: what a reader of the netlist must know.
    """

    parts: Mapping[str, Sequence[str]]
    model: Sequence[str]
    pins: tuple[tuple[str, int, str], ...]
    connected: NDArray[np.bool_]
    wires: Wires
    scale: float
    notes: tuple[str, ...]


def ends(network: Network) -> dict[str, Array]:
    """Return the resistances [Ohm] of the lines' ends, by side."""
    return {
        "left": network.row_left,
        "right": network.row_right,
        "top": network.column_top,
        "bottom": network.column_bottom,
    }


def node_name(line: int, i: int, j: int) -> str:
    """Return the name of node (i, j) of a row line (``line`` 0, ``r_3_5``) or a column line (1, ``c_3_5``)."""
    return numbered("rc"[line], i, j)


def array_elements(network: Network, connected: NDArray[np.bool_], wires: Wires) -> ArrayElements:
    """Return the elements of a network; cells without conductance, open segments and lost nodes are left out.

    Args:
        network: cells, wires, ends.
        connected: which nodes have a path to a source, shape ``(2, rows, columns)``.
        wires: ``resistors`` or ``branches``.

    Raises:
        ArgumentError: a law without SPICE model, or another kind of wires.
    """
    if wires not in ("resistors", "branches"):
        raise argument_error("wires", "be 'resistors' or 'branches'", repr(wires))
    scale = _scale(network) if wires == "branches" else 1.0
    wire = _branch(scale) if wires == "branches" else _resistor
    model = cell_model(network.law, scale)
    pins = tuple(
        (side, int(index), numbered(side, int(index)))
        for side, lines in ends(network).items()
        for index in np.flatnonzero(np.isfinite(lines))
    )
    parts = {
        "Cell, of a conductance g at 0 V.": model.lines,
        "Row lines: row_I_J joins node r_I_J to the next of its line.": [
            wire(numbered("row", i, j), node_name(0, i, j), node_name(0, i, j + 1), float(network.row_segments[i, j]))
            for i, j in np.argwhere(np.isfinite(network.row_segments) & connected[0, :, :-1])
        ],
        "Column lines: column_I_J joins node c_I_J to the next of its line.": [
            wire(
                numbered("column", i, j), node_name(1, i, j), node_name(1, i + 1, j),
                float(network.column_segments[i, j]),
            )
            for i, j in np.argwhere(np.isfinite(network.column_segments) & connected[1, :-1])
        ],
        "Cells: cell_I_J joins r_I_J to c_I_J.": [
            model.instance(
                numbered("cell", i, j), node_name(0, i, j), node_name(1, i, j),
                float(network.conductance[i, j]) * scale,
            )
            for i, j in np.argwhere((network.conductance > 0.0) & connected[0])
        ],
        "Shorts between lines.": [
            wire(numbered("bridge", k), node_name(*first), node_name(*second), resistance)
            for k, (first, second, resistance) in enumerate((*place(b), b.resistance) for b in network.bridges)
            if connected[first]
        ],
        "Ends of the lines, each from its outer node left_I, right_I, top_J or bottom_J to the first node inside.": [
            wire(pin, pin, _inner(network, side, index), float(ends(network)[side][index]))
            for side, index, pin in pins
        ],
    }  # fmt: skip
    notes = []
    lost = int(connected.size - np.count_nonzero(connected))
    if lost:
        notes.append(f"{lost} nodes have no path to a source and are left out.")
    if wires == "branches":
        notes.append(
            "Every wire is a source V = R I that its own current controls; resistances are those of the array times"
            f" {number(1.0 / scale)}, conductances and currents times {number(scale)}, both exact powers of two."
        )
    return ArrayElements(parts, model.lines, pins, connected, wires, scale, tuple(notes))


def _inner(network: Network, side: str, index: int) -> str:
    rows, columns = network.shape
    return {
        "left": node_name(0, index, 0),
        "right": node_name(0, index, columns - 1),
        "top": node_name(1, 0, index),
        "bottom": node_name(1, rows - 1, index),
    }[side]


def _resistor(name: str, first: str, second: str, resistance: float) -> str:
    return element("R", name, (first, second), number(resistance))


def _branch(scale: float) -> _Wire:
    def wire(name: str, first: str, second: str, resistance: float) -> str:
        return element("H", name, (first, second), f"H_{name} {number(resistance / scale)}")

    return wire


def _scale(network: Network) -> float:
    """Return the power of two that brings all finite wires down to the largest branch."""
    wires = np.concatenate([
        network.row_segments.ravel(), network.column_segments.ravel(), *ends(network).values(),
        np.array([bridge.resistance for bridge in network.bridges]),
    ])  # fmt: skip
    finite = wires[np.isfinite(wires)]
    largest = float(finite.max(initial=_LARGEST_BRANCH))
    return 2.0 ** max(0, math.ceil(math.log2(largest / _LARGEST_BRANCH)))
