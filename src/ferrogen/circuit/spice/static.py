"""The operating points of a network as an ngspice netlist, and back: names to nodes, vectors to arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ferrogen.circuit.network.network import Drive, Network
from ferrogen.circuit.solvers.connectivity import isolated_nodes
from ferrogen.circuit.spice.names import GROUND, check_name
from ferrogen.circuit.spice.netlist import ACCURATE, Deck, comment, element, number, wrapped, write_results
from ferrogen.circuit.spice.run import DEFAULT_TIME_LIMIT, SimulatorRun, run_ngspice
from ferrogen.circuit.spice.static_elements import (
    PIVOT_THRESHOLD,
    SIDES,
    ArrayElements,
    Wires,
    array_elements,
    ends,
    node_name,
)
from ferrogen.core.errors import argument_error

Array = NDArray[np.float64]


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
        elements: of the array in it.
    """

    network: Network
    drive: Drive
    deck: Deck
    elements: ArrayElements

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
        current = {side: np.zeros((lines.size, self.drive.batch)) for side, lines in ends(self.network).items()}
        for k, plot in enumerate(run.plots):
            for line, i, j in np.argwhere(self.elements.connected):
                voltage[line, i, j, k] = plot.vector(f"v({node_name(line, i, j)})")[0]
            for side, lines in ends(self.network).items():
                for index in np.flatnonzero(np.isfinite(lines)):
                    found = plot.vector(f"i(v_{side}_{index})")[0]
                    current[side][index, k] = -found / self.elements.scale
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
    rows, columns = network.shape
    if (drive.left.shape[0], drive.top.shape[0]) != (rows, columns) or drive.batch < 1:
        raise argument_error("drive", f"have input vectors for a {rows} x {columns} array", drive.left.shape)
    elements = _elements(network, wires, isolated)
    sources = [
        element("V", pin, (pin, GROUND), f"dc {number(float(getattr(drive, side)[index, 0]))}")
        for side, index, pin in elements.pins
    ]
    parts = {
        **elements.parts,
        "Sources. i(v_left_0) is minus the current into row 0 from the left; likewise the others.": sources,
    }
    options = dict(ACCURATE) | {"abstol": elements.scale * _least_current(network, drive)}
    if wires == "branches":
        options["pivrel"] = PIVOT_THRESHOLD
    notes = "\n".join([*([header] if header else []), *elements.notes])
    return StaticNetlist(network, drive, Deck(title, notes, parts, options, _commands(elements, drive)), elements)


def array_subcircuit(
    network: Network,
    *,
    name: str = "ferrogen_array",
    isolated: Literal["refuse", "ground"] = "refuse",
    header: str = "",
) -> str:
    """Return an array as a subcircuit for a deck of one's own, without sources.

    Its pins are the ends of the lines that do not float, in the order of its ``.subckt`` line: ``left_0``, ...,
    ``right_0``, ..., ``top_0``, ..., ``bottom_0``, ...; the resistances of the ends are inside.

    Args:
        network: cells, wires, ends.
        name: of the subcircuit.
        isolated: as in :func:`static_netlist`.
        header: comment at the beginning.

    Raises:
        ArgumentError: a name that no netlist can hold; otherwise as :func:`static_netlist`.
    """
    known = check_name(name, "name")
    elements = _elements(network, "resistors", isolated)
    pins = " ".join(pin for _, _, pin in elements.pins)
    lines = [comment("\n".join([*([header] if header else []), *elements.notes]) or known)]
    lines += elements.model
    lines += ["*", wrapped(f".subckt {known} {pins}")]
    for heading, block in elements.parts.items():
        if block and block is not elements.model:
            lines += [comment(heading), *block]
    return "\n".join([*lines, f".ends {known}", ""])


def _elements(network: Network, wires: Wires, isolated: Literal["refuse", "ground"]) -> ArrayElements:
    lost = isolated_nodes(network)
    if isolated == "refuse":
        lost.refuse()
    return array_elements(network, ~lost.nodes, wires)


def _least_current(network: Network, drive: Drive) -> float:
    """Return a millionth of the smallest current of a cell under the largest voltage [A].

    The simulator goes on until no current changes by more (Newton's next step would be the square of that). It must lie
    above the rounding of the largest currents, or currents that should vanish, as of a floating line, never settle.
    """
    conductance = float(network.conductance[network.conductance > 0.0].min(initial=np.inf))
    volts = max(float(np.abs(getattr(drive, side)).max(initial=0.0)) for side in SIDES)
    if not (np.isfinite(conductance) and volts > 0.0):
        return ACCURATE["abstol"]
    across = float(np.abs(network.law.current(np.array([conductance]), np.array([volts, -volts]))[0]).min())
    return max(ACCURATE["abstol"], 1e-6 * min(conductance * volts, across))


def _commands(elements: ArrayElements, drive: Drive) -> list[str]:
    commands = []
    for k in range(drive.batch):
        for side, index, pin in elements.pins:
            volts = getattr(drive, side)[index]
            if k and volts[k] != volts[k - 1]:
                commands.append(f"alter v_{pin} dc = {number(float(volts[k]))}")
        commands += ["op", write_results(), "destroy"]
    return commands
