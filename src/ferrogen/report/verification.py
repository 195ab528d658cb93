"""The report of ``ferrogen verify``: one array, solved by our solvers and by ngspice, in files that can be checked."""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ferrogen.circuit.network.network import Drive, Network, drive
from ferrogen.circuit.spice.array_circuit import (
    DEFAULT_NODE,
    LawName,
    TopologyName,
    array_circuit,
    input_voltages,
    law_in_words,
    netlist_header,
    state_network,
)
from ferrogen.circuit.spice.compare_solvers import SOLVER_TOLERANCE, Verification, verify_network
from ferrogen.circuit.spice.run import DEFAULT_TIME_LIMIT, find_ngspice
from ferrogen.circuit.spice.state import drawn_state, read_state
from ferrogen.circuit.spice.static_elements import SIDES, Wires
from ferrogen.core.files import output_folder, write_json
from ferrogen.core.references import references
from ferrogen.device.card import DeviceCard, load_card
from ferrogen.report.tables import write_csv
from ferrogen.report.verification_figure import verification_figure

Array = NDArray[np.float64]

NETLIST, LOG, RECORD, NODES, ENDS, FIGURE = (
    "array.cir", "ngspice.log", "report.json", "nodes.csv", "ends.csv", "verification.png",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ArrayChoice:
    """Which array is verified or exported.

    Attributes:
        card: name or path.
        rows: of an array that is drawn.
        columns: of an array that is drawn.
        conductances: file of an array's conductances; draws and programs one, if not given.
        topology: crosspoint or nor.
        law: of the cells.
        node: technology node of the wires.
        segment: resistance of every wire segment [Ohm] instead of the node's.
        access: resistance of an access transistor [Ohm].
        rectification: ratio of rectifying cells [1].
        voltage: largest input [V]; the card's sample voltage, if not given.
        vectors: input vectors.
        seed: of everything that is drawn.
    """

    card: str
    rows: int = 16
    columns: int = 16
    conductances: Path | None = None
    topology: TopologyName = "crosspoint"
    law: LawName = "sinh"
    node: str = DEFAULT_NODE
    segment: float | None = None
    access: float | None = None
    rectification: float | None = None
    voltage: float | None = None
    vectors: int = 2
    seed: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class ChosenArray:
    """An :class:`ArrayChoice` made real.

    Attributes:
        choice: what was asked for.
        card: loaded.
        network: of the array.
        drive: its input vectors.
        header: of its netlist.
        unconverged: cells that programming gave up on; None for conductances from a file.
    """

    choice: ArrayChoice
    card: DeviceCard
    network: Network
    drive: Drive
    header: str
    unconverged: int | None

    @property
    def voltage(self) -> float:
        """Largest input [V]."""
        given = self.choice.voltage
        return self.card.default_sample_voltage if given is None else given


def chosen_array(choice: ArrayChoice) -> ChosenArray:
    """Draw or read the array, and put wires around it.

    Raises:
        ArgumentError: sizes, laws or resistances that cannot be used.
        CardError: an unknown card or technology node.
        DataFileError: a file of conductances that cannot be read.
        ValidityError: a voltage outside the card's validity.
    """
    card = load_card(choice.card)
    if choice.conductances is None:
        state = drawn_state(card, choice.rows, choice.columns, choice.seed)
    else:
        state = read_state(choice.conductances)
    if choice.voltage is not None:
        card.check("read_voltage", choice.voltage, "voltage")
    circuit = array_circuit(
        card, topology=choice.topology, law=choice.law, node=choice.node, segment=choice.segment,
        access_resistance=choice.access, rectification_ratio=choice.rectification,
    )  # fmt: skip
    network = state_network(state, circuit, choice.seed)
    volts = card.default_sample_voltage if choice.voltage is None else choice.voltage
    inputs = input_voltages(network.shape[0], choice.vectors, volts, choice.seed)
    return ChosenArray(
        choice=choice, card=card, network=network, drive=drive(network, left=inputs),
        header=netlist_header(card, state, circuit), unconverged=state.unconverged,
    )  # fmt: skip


def verify_card(
    choice: ArrayChoice,
    out: Path,
    *,
    tolerance: float,
    wires: Wires | Literal["auto"] = "auto",
    time_limit: float = DEFAULT_TIME_LIMIT,
    ngspice: str | Path | None = None,
    progress: Callable[[str, float], None] = lambda _stage, _done: None,
) -> dict[str, Any]:
    """Solve an array by our solvers and by ngspice, compare node by node, and write the report.

    Writes the netlist and the simulator's log (these also if the simulation fails), ``report.json``, ``nodes.csv``,
    ``ends.csv`` and ``verification.png``.

    Args:
        choice: the array.
        out: folder.
        tolerance: largest relative difference from ngspice that counts as agreement [1].
        wires: how wires stand in the netlist.
        time_limit: for ngspice [s].
        ngspice: path of the program; searched in the PATH, if not given.
        progress: is told the stage and the finished share.

    Returns:
        the record, with ``agree``.

    Raises:
        SimulatorError: ngspice is missing or gives no result.
        ArgumentError: an argument that cannot be used; other errors as :func:`chosen_array`.
    """
    program = find_ngspice(ngspice)
    progress("drawing the array", 0.0)
    array = chosen_array(choice)
    progress("solving", 0.2)
    found = verify_network(
        array.network, array.drive, tolerance=tolerance, wires=wires, time_limit=time_limit, ngspice=program,
        isolated="ground", keep_log=out / LOG, keep_netlist=out / NETLIST, header=array.header,
    )  # fmt: skip
    progress("writing", 0.9)
    record = verification_record(array, found)
    with output_folder(out) as folder:
        write_csv(folder / NODES, node_table(found))
        write_csv(folder / ENDS, end_table(found))
        verification_figure(folder / FIGURE, found, card=array.card)
        write_json(folder / RECORD, record)
    return record


def verification_record(array: ChosenArray, found: Verification) -> dict[str, Any]:
    """Return what was compared, how it ended and what it rests on, ready for JSON."""
    choice, rows = array.choice, array.network.shape[0]
    comparisons = [item for item in (found.with_simulator, found.with_direct) if item is not None]
    return {
        "ferrogen": version("ferrogen"),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in ("numpy", "scipy", "numba")},
            "ngspice": found.simulated.run.version,
        },
        "card": array.card.name,
        "seed": choice.seed,
        "agree": found.agree,
        "tolerances": {"ngspice": found.tolerance, "our_solvers": SOLVER_TOLERANCE},
        "comparisons": [item.record() for item in comparisons],
        "array": {
            "rows": rows,
            "columns": array.network.shape[1],
            "topology": choice.topology,
            "law": law_in_words(array.network.law),
            "conductances": "drawn" if choice.conductances is None else str(choice.conductances),
            "cells_programming_gave_up_on": array.unconverged,
            "row_segment_Ohm": float(array.network.row_segments.max(initial=0.0)),
            "column_segment_Ohm": float(array.network.column_segments.max(initial=0.0)),
            "largest_input_V": array.voltage,
            "input_vectors": array.drive.batch,
            "nodes_left_out": int(np.count_nonzero(~found.netlist.elements.connected)),
        },
        "solvers": {
            item.method: {
                "converged": item.outcome.converged,
                "iterations": item.outcome.iterations,
                "residual": item.outcome.residual,
                "remedy": item.outcome.remedy,
            }
            for item in (found.direct, found.lines)
            if item is not None
        },
        "simulator": {
            "options": dict(found.netlist.deck.options),
            "wires": found.netlist.elements.wires,
            "current_scale": found.netlist.elements.scale,
            "largest_expected_rounding": found.rounding,
            "warnings": list(found.simulated.run.warnings),
        },
        "seconds": found.seconds,
        "assumed_parameters": array.card.assumptions(),
        "sources": [str(references()["koo-2026"]), *array.card.sources()],
    }


def node_table(found: Verification) -> dict[str, Any]:
    """Return the voltage of every node by both, 17 digits each, one row a node and input vector."""
    ours = np.stack([_given(found.direct.row_voltage), _given(found.direct.column_voltage)])
    theirs = np.stack([found.simulated.row_voltage, found.simulated.column_voltage])
    spread = _given(found.with_simulator.voltage_differences)
    line, i, j, k = (index.ravel() for index in np.indices(ours.shape))
    return {
        "input [1]": k,
        "line": [("row", "column")[number] for number in line],
        "i [1]": i,
        "j [1]": j,
        "direct [V]": _digits(ours),
        "ngspice [V]": _digits(theirs),
        "relative difference [1]": spread.ravel(),
    }


def end_table(found: Verification) -> dict[str, Any]:
    """Return the current into the network at every end by all solvers, one row an end and input vector."""
    shapes = [getattr(found.direct, f"{side}_current").shape for side in SIDES]
    table: dict[str, Any] = {
        "input [1]": np.concatenate([np.tile(np.arange(batch), lines) for lines, batch in shapes]),
        "side": [side for side, shape in zip(SIDES, shapes, strict=True) for _ in range(shape[0] * shape[1])],
        "line [1]": np.concatenate([np.repeat(np.arange(lines), batch) for lines, batch in shapes]),
    }
    for name, item in (("lines", found.lines), ("direct", found.direct), ("ngspice", found.simulated)):
        if item is not None:
            table[f"{name} [A]"] = _digits(*(getattr(item, f"{side}_current") for side in SIDES))
    table["relative difference [1]"] = found.with_simulator.current_differences
    return table


def _given(voltages: Array | None) -> Array:
    return np.empty(0) if voltages is None else voltages


def _digits(*arrays: Array) -> list[str]:
    return [repr(float(value)) for array in arrays for value in array.ravel()]
