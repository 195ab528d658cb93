"""An array of a card as a circuit that is exported or verified: topology, wires, the cells' law, inputs."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from ferrogen.array.topology import NOR, Crosspoint, PlainJunction, SelfRectifying, Topology
from ferrogen.circuit.network.build import array_network, cell_law
from ferrogen.circuit.network.cells import CellLaw, InSeries, Rectifying, SeriesResistance, Sinh
from ferrogen.circuit.network.network import Network
from ferrogen.circuit.spice.state import ArrayState
from ferrogen.circuit.technology import load_technology
from ferrogen.core.errors import argument_error, check_number, is_whole
from ferrogen.core.streams import Purpose, Streams
from ferrogen.core.units import format_quantity
from ferrogen.device.card import DeviceCard

Array = NDArray[np.float64]
TopologyName = Literal["crosspoint", "nor"]
LawName = Literal["ohmic", "sinh", "rectifying"]

DEFAULT_NODE: Final = "65nm"

_OPEN_SHARE = 0.75  # of a NOR array's word lines in one operating point
_USED = ("on_conductance", "off_conductance", "characteristic_voltage", "switching_noise", "programmable_levels")
_MOST_VECTORS = 1000


@dataclass(frozen=True, slots=True)
class ArrayCircuit:
    """What surrounds the junctions of an array.

    Attributes:
        topology: of the array, its access devices and what else is in a cell.
        characteristic_voltage: V0 of the junctions [V]; None for ohmic ones.
        row_segment: resistance of a row line from cell to cell [Ohm].
        column_segment: of a column line [Ohm].
        wires: in words, where the resistances are from.
    """

    topology: Topology
    characteristic_voltage: float | None
    row_segment: float
    column_segment: float
    wires: str

    @property
    def name(self) -> TopologyName:
        """Of the topology."""
        return "nor" if isinstance(self.topology, NOR) else "crosspoint"

    @property
    def law(self) -> CellLaw:
        """Of the cells."""
        return cell_law(self.topology, self.characteristic_voltage)


def array_circuit(
    card: DeviceCard,
    *,
    topology: TopologyName = "crosspoint",
    law: LawName = "sinh",
    node: str = DEFAULT_NODE,
    segment: float | None = None,
    access_resistance: float | None = None,
    rectification_ratio: float | None = None,
) -> ArrayCircuit:
    """Return the circuit of an array of a card's cells.

    Args:
        card: gives V0 of the characteristic.
        topology: ``crosspoint`` or ``nor``.
        law: of the junctions: ``ohmic``, ``sinh`` (the card's read model), or ``rectifying`` with the card's V0.
        node: technology node of the wires.
        segment: resistance of every wire segment [Ohm], instead of the node's.
        access_resistance: of the access devices of a NOR array [Ohm]; that of :class:`ferrogen.array.topology.NOR`, if
            not given.
        rectification_ratio: of ``rectifying`` junctions.

    Raises:
        ArgumentError: an unknown word, a resistance that is not positive, a ratio without rectifying cells, access
            devices in a crosspoint.
        CardError: no such technology node.
    """
    if topology not in ("crosspoint", "nor"):
        raise argument_error("topology", "be 'crosspoint' or 'nor'", repr(topology))
    if law not in ("ohmic", "sinh", "rectifying"):
        raise argument_error("law", "be 'ohmic', 'sinh' or 'rectifying'", repr(law))
    if (law == "rectifying") != (rectification_ratio is not None):
        raise argument_error(
            "rectification", "be given with law 'rectifying', and only then", rectification_ratio or "absent"
        )
    cell = PlainJunction() if rectification_ratio is None else SelfRectifying(rectification_ratio)
    if topology == "nor":
        array: Topology = NOR(cell=cell) if access_resistance is None else NOR(access_resistance, cell=cell)
    elif access_resistance is not None:
        raise argument_error("access", "be left out for a crosspoint, which has no access devices", access_resistance)
    else:
        array = Crosspoint(cell)
    v0 = None if law == "ohmic" else card.characteristic_voltage.value
    if segment is not None:
        check_number("segment", segment, "Ohm")
        return ArrayCircuit(array, v0, segment, segment, "segments as given")
    technology = load_technology(node)
    along_row, along_column = (technology.resistance * length for length in technology.segment_lengths(topology))
    return ArrayCircuit(array, v0, along_row, along_column, f"segments of the {node} node, minimum pitch")


def state_network(state: ArrayState, circuit: ArrayCircuit, seed: int = 0) -> Network:
    """Return the network of an array: rows driven from the left, columns sensed at the bottom.

    In a NOR array three quarters of the word lines, drawn by ``seed``, are on; the other rows' cells leak.
    """
    on = None
    if isinstance(circuit.topology, NOR):
        rows = state.conductance.shape[0]
        order = Streams(seed).generator(Purpose.TEST_PATTERN, 1).permutation(rows)
        on = np.zeros(rows, dtype=np.bool_)
        on[order[: max(1, round(_OPEN_SHARE * rows))]] = True
    return array_network(
        circuit.topology, state.conductance, characteristic_voltage=circuit.characteristic_voltage,
        row_segment=circuit.row_segment, column_segment=circuit.column_segment, word_lines=on,
    )  # fmt: skip


def input_voltages(rows: int, vectors: int, voltage: float, seed: int) -> Array:
    """Return random voltages of the rows' drivers [V], uniform from 0 to ``voltage``, shape ``(rows, vectors)``.

    Raises:
        ArgumentError: a voltage that is no finite number or zero, or no vector.
    """
    check_number("voltage", abs(voltage), "V")
    if not is_whole(vectors, 1, _MOST_VECTORS):
        raise argument_error("vectors", f"be a whole number from 1 to {_MOST_VECTORS}", repr(vectors))
    return voltage * Streams(seed).generator(Purpose.TEST_PATTERN, 2).random((vectors, rows)).T


def netlist_header(card: DeviceCard, state: ArrayState, circuit: ArrayCircuit) -> str:
    """Return what a reader of a netlist must know: who made it, of what, what is assumed, how it is run."""
    rows, columns = state.conductance.shape
    shown = {name: card.parameters[name] for name in _USED}
    assumed = [name for name, item in shown.items() if item.status == "assumed"]
    along_row, along_column = (format_quantity(r, "Ohm") for r in (circuit.row_segment, circuit.column_segment))
    lines = [
        f"Made by ferrogen {version('ferrogen')}.",
        f"{rows} x {columns} {circuit.name} array, conductances {state.origin}.",
        f"Card '{card.name}': {card.title}",
        *(
            f"  {name} = {format_quantity(item.value, item.unit)}, {item.status} (source: {item.source})"
            for name, item in shown.items()
        ),
        f"Cells: {law_in_words(circuit.law)}.",
        f"Wires: {circuit.wires}, {along_row} along a row, {along_column} along a column.",
    ]
    if isinstance(circuit.topology, NOR):
        lines.append("Access devices are assumed; a quarter of the word lines is off.")
    if assumed:
        lines.append("Assumed, nobody measured them on this device: " + ", ".join(assumed) + ".")
    return "\n".join(lines)


def law_in_words(law: CellLaw) -> str:
    """Return a law as a reader without the source code understands it."""
    if isinstance(law, InSeries):
        series = law.element
        if isinstance(series, SeriesResistance):
            beside = format_quantity(series.resistance, "Ohm")
        else:
            beside = (
                f"a selector of {format_quantity(series.conductance, 'S')} and V0 ="
                f" {format_quantity(series.characteristic_voltage, 'V')}"
            )
        return f"{law_in_words(law.junction)}, in series with {beside}"
    if isinstance(law, Sinh):
        return f"I = G V0 sinh(V / V0), V0 = {format_quantity(law.characteristic_voltage, 'V')}"
    if isinstance(law, Rectifying):
        return (
            f"rectifying by {law.rectification_ratio:g} to 1, V0 = {format_quantity(law.characteristic_voltage, 'V')}"
        )
    return "I = G V" if law.linear else repr(law)
