"""The operating points of a network as an ngspice netlist, and back: names to nodes, vectors to arrays.

A wire of low resistance carries a current that the voltages of its two ends, as doubles, do not hold: 1e-6 Ohm and
1 nA differ by 1e-15 V in 0.3 V. With ``wires="branches"`` each wire is a current-controlled source that is controlled
by its own current (V = R I): the currents themselves are unknowns, and Kirchhoff's law holds to rounding of the
currents. All resistances are then brought below 1/64 Ohm by a power of two, and conductances up by the same, so that
the simulator's pivoting keeps these unknowns (for R above its pivot threshold it eliminates them, and with them the
digits). This costs time: plain resistors are the default.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from ferrogen.circuit.network.network import Drive, Network
from ferrogen.circuit.solvers.connectivity import isolated_nodes
from ferrogen.circuit.solvers.kirchhoff import place
from ferrogen.circuit.spice.devices import cell_model
from ferrogen.circuit.spice.names import GROUND, numbered
from ferrogen.circuit.spice.netlist import ACCURATE, Deck, element, number, write_results
from ferrogen.circuit.spice.run import DEFAULT_TIME_LIMIT, SimulatorRun, run_ngspice
from ferrogen.core.errors import argument_error

Array = NDArray[np.float64]
Wires = Literal["resistors", "branches"]

SIDES: Final = ("left", "right", "top", "bottom")
_LARGEST_BRANCH = 1.0 / 64.0  # Ohm; well below the pivot threshold
_PIVOT_THRESHOLD = 0.5


@dataclass(frozen=True, slots=True, eq=False)
class SimulatedArray:
    """Operating points as the simulator found them; currents count positive into the network.

    Attributes:
        left_current: [A], shape ``(rows, batch)``; zero where the end floats.
        right_current: same shape.
        top_current: shape ``(columns, batch)``.
        bottom_current: same shape.
        row_voltage: [V], shape ``(rows, columns, batch)``; zero at nodes without a path to a source.
        column_voltage: same shape.
        run: of the simulator.
    """

    left_current: Array
    right_current: Array
    top_current: Array
    bottom_current: Array
    row_voltage: Array
    column_voltage: Array
    run: SimulatorRun


@dataclass(frozen=True, slots=True, eq=False)
class StaticNetlist:
    """A network under its drive, as a netlist of operating points.

    Attributes:
        network: what it describes.
        drive: its sources; one operating point an input vector.
        deck: the netlist.
        wires: how wires stand in it.
        current_scale: currents of the netlist over those of the network, a power of two.
        connected: nodes with a path to a source, shape ``(2, rows, columns)``: row lines, column lines.
    """

    network: Network
    drive: Drive
    deck: Deck
    wires: Wires
    current_scale: float
    connected: NDArray[np.bool_]

    def simulate(
        self,
        *,
        time_limit: float = DEFAULT_TIME_LIMIT,
        ngspice: str | Path | None = None,
        keep_log: Path | None = None,
    ) -> SimulatedArray:
        """Run ngspice and return what it finds.

        Raises:
            SimulatorError: as :func:`ferrogen.circuit.spice.run.run_ngspice`.
        """
        run = run_ngspice(
            self.deck.text(), time_limit=time_limit, ngspice=ngspice, keep_log=keep_log, plots=self.drive.batch
        )
        return self._arrays(run)

    def _arrays(self, run: SimulatorRun) -> SimulatedArray:
        rows, columns = self.network.shape
        voltage = np.zeros((2, rows, columns, self.drive.batch))
        current = {side: np.zeros((lines.size, self.drive.batch)) for side, lines in _ends(self.network).items()}
        for k, plot in enumerate(run.plots):
            for line, i, j in np.argwhere(self.connected):
                voltage[line, i, j, k] = plot.vector(f"v({_node(line, i, j)})")[0]
            for side, lines in _ends(self.network).items():
                for index in np.flatnonzero(np.isfinite(lines)):
                    found = plot.vector(f"i(v_{side}_{index})")[0]
                    current[side][index, k] = -found / self.current_scale
        return SimulatedArray(
            **{f"{side}_current": values for side, values in current.items()},
            row_voltage=voltage[0],
            column_voltage=voltage[1],
            run=run,
        )


def static_netlist(
    network: Network,
    drive: Drive,
    *,
    wires: Wires = "resistors",
    isolated: Literal["refuse", "ground"] = "refuse",
    title: str = "array of junctions",
    header: str = "",
) -> StaticNetlist:
    """Return the netlist of a network's operating points, one an input vector.

    Cells without conductance and open segments are left out.

    Args:
        network: cells, wires, ends.
        drive: sources; the netlist steps through its input vectors.
        wires: ``resistors``, or ``branches`` (accurate for very low resistances, slower).
        isolated: what to do about nodes without a path to a source, where a simulator's matrix is singular: refuse, or
            leave them out (as :func:`ferrogen.circuit.solvers.solve.solve`, which reports them at 0 V).
        title: of the netlist.
        header: comment at its beginning: provenance, assumptions.

    Raises:
        ArgumentError: a law without SPICE model, isolated nodes that are to be refused, or a drive of another network.
    """
    if wires not in ("resistors", "branches"):
        raise argument_error("wires", "be 'resistors' or 'branches'", repr(wires))
    rows, columns = network.shape
    if (drive.left.shape[0], drive.top.shape[0]) != (rows, columns) or drive.batch < 1:
        raise argument_error("drive", f"have input vectors for a {rows} x {columns} array", drive.left.shape)
    lost = isolated_nodes(network)
    if isolated == "refuse":
        lost.refuse()
    connected = ~lost.nodes
    scale = _scale(network) if wires == "branches" else 1.0
    wire = _branch(scale) if wires == "branches" else _resistor
    model = cell_model(network.law, scale)
    cells = [
        model.instance(numbered("cell", i, j), _node(0, i, j), _node(1, i, j), float(network.conductance[i, j]) * scale)
        for i, j in np.argwhere((network.conductance > 0.0) & connected[0])
    ]
    parts = {
        "Cell: conductance g at 0 V, characteristic voltage v0.": model.lines,
        "Row lines: row_I_J joins node r_I_J to r_I_J+1.": [
            wire(numbered("row", i, j), _node(0, i, j), _node(0, i, j + 1), float(network.row_segments[i, j]))
            for i, j in np.argwhere(np.isfinite(network.row_segments) & connected[0, :, :-1])
        ],
        "Column lines: column_I_J joins node c_I_J to c_I+1_J.": [
            wire(numbered("column", i, j), _node(1, i, j), _node(1, i + 1, j), float(network.column_segments[i, j]))
            for i, j in np.argwhere(np.isfinite(network.column_segments) & connected[1, :-1])
        ],
        "Cells: cell_I_J joins r_I_J to c_I_J.": cells,
        "Shorts between lines.": [
            wire(numbered("bridge", k), _node(*first), _node(*second), resistance)
            for k, (first, second, resistance) in enumerate((*place(b), b.resistance) for b in network.bridges)
            if connected[first]
        ],
        "Ends of the lines: source, resistance to the line. i(v_left_0) is minus the current into the row.": [
            line
            for side, lines in _ends(network).items()
            for index in np.flatnonzero(np.isfinite(lines))
            for line in _end(wire, side, int(index), float(lines[index]), drive, network)
        ],
    }
    notes = [header] if header else []
    if lost.count:
        notes.append(f"{lost.count} nodes have no path to a source and are left out.")
    if wires == "branches":
        notes.append(
            f"Every wire is a source V = R I that its own current controls; resistances are those of the array times"
            f" {number(1.0 / scale)}, conductances and currents times {number(scale)}, both exact powers of two."
        )
    options = dict(ACCURATE) | ({"pivrel": _PIVOT_THRESHOLD} if wires == "branches" else {})
    deck = Deck(title, "\n".join(notes), parts, options, _commands(network, drive))
    return StaticNetlist(network, drive, deck, wires, scale, connected)


def _node(line: int, i: int, j: int) -> str:
    return numbered("rc"[line], i, j)


def _ends(network: Network) -> dict[str, Array]:
    return {
        "left": network.row_left,
        "right": network.row_right,
        "top": network.column_top,
        "bottom": network.column_bottom,
    }


def _resistor(name: str, first: str, second: str, resistance: float) -> str:
    return element("R", name, (first, second), number(resistance))


def _branch(scale: float) -> Callable[[str, str, str, float], str]:
    def wire(name: str, first: str, second: str, resistance: float) -> str:
        return element("H", name, (first, second), f"H_{name} {number(resistance / scale)}")

    return wire


def _scale(network: Network) -> float:
    """Return the power of two that brings all finite wires down to the largest branch."""
    wires = np.concatenate([
        network.row_segments.ravel(), network.column_segments.ravel(), *_ends(network).values(),
        np.array([bridge.resistance for bridge in network.bridges]),
    ])  # fmt: skip
    finite = wires[np.isfinite(wires)]
    largest = float(finite.max(initial=_LARGEST_BRANCH))
    return 2.0 ** max(0, math.ceil(math.log2(largest / _LARGEST_BRANCH)))


def _end(
    wire: Callable[[str, str, str, float], str],
    side: str,
    index: int,
    resistance: float,
    drive: Drive,
    network: Network,
) -> tuple[str, str]:
    rows, columns = network.shape
    node = {
        "left": _node(0, index, 0),
        "right": _node(0, index, columns - 1),
        "top": _node(1, 0, index),
        "bottom": _node(1, rows - 1, index),
    }[side]
    name = numbered(side, index)
    volts = number(float(getattr(drive, side)[index, 0]))
    return element("V", name, (name, GROUND), f"dc {volts}"), wire(name, name, node, resistance)


def _commands(network: Network, drive: Drive) -> list[str]:
    commands = []
    for k in range(drive.batch):
        for side, lines in _ends(network).items():
            volts = getattr(drive, side)
            commands += [
                f"alter v_{side}_{index} dc = {number(float(volts[index, k]))}"
                for index in np.flatnonzero(np.isfinite(lines))
                if k and volts[index, k] != volts[index, k - 1]
            ]
        commands += ["op", write_results(), "destroy"]
    return commands
