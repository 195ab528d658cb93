"""The files of ``ferrogen export``, as text."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING

from ferrogen.circuit.spice.devices import junction_constants, junction_subcircuit
from ferrogen.circuit.spice.netlist import comment
from ferrogen.circuit.spice.static import array_subcircuit, static_netlist
from ferrogen.circuit.spice.verilog_a import verilog_a_module
from ferrogen.core.units import format_quantity
from ferrogen.device.card import load_card
from ferrogen.report.transient import column_of_card
from ferrogen.report.verification import chosen_array

if TYPE_CHECKING:
    from ferrogen.device.card import DeviceCard
    from ferrogen.report.verification import ArrayChoice

_JUNCTION = (
    "on_conductance", "off_conductance", "characteristic_voltage", "cell_area", "ferroelectric_thickness",
    "ferroelectric_permittivity", "interlayer_thickness", "interlayer_permittivity",
)  # fmt: skip


def export_files(
    choice: ArrayChoice, what: Sequence[str], *, cycles: int = 4, sampling_time: float = 1e-4
) -> dict[str, str]:
    """Return the files that were asked for, by name.

    Args:
        choice: the array; of models only its card counts, of the transient its card, rows and seed.
        what: ``netlist``, ``subcircuit``, ``model``, ``verilog-a``, ``transient``.
        cycles: readings of the transient.
        sampling_time: of its windows [s].

    Raises:
        ArgumentError: an array that cannot be built or exported.
        CardError: an unknown card.
        DataFileError: a file of conductances that cannot be read.
    """
    files: dict[str, str] = {}
    if {"netlist", "subcircuit"} & set(what):
        array = chosen_array(choice)
        if "netlist" in what:
            how = (
                "Run: ngspice -b array.cir. results.raw then holds the voltages of all nodes and the currents of the"
                " sources, a plot an input vector."
            )
            files["array.cir"] = static_netlist(
                array.network, array.drive, isolated="ground", header=f"{array.header}\n{how}"
            ).deck.text()
        if "subcircuit" in what:
            how = (
                "Use: .include array.lib, then X1 <pins> ferrogen_array, with the pins of its .subckt line. Give the"
                " simulator .options reltol=1e-6 abstol=1e-15 or finer: the default abstol of 1e-12 A is a cell's"
                " current."
            )
            files["array.lib"] = array_subcircuit(array.network, isolated="ground", header=f"{array.header}\n{how}")
    card = load_card(choice.card)
    name = junction_constants(card).name
    if "model" in what:
        how = (
            f"Use: .include {name}.lib, then X1 <top> <bottom> {name} s=0.7, with s the switched fraction.\nGive the"
            " simulator .options abstol=1e-15 or finer: the default of 1e-12 A is a cell's current."
        )
        files[f"{name}.lib"] = "\n".join([comment(f"{junction_header(card)}\n{how}"), *junction_subcircuit(card), ""])
    if "verilog-a" in what:
        how = (
            "Compile it with OpenVAF for ngspice 40 and later (osdi), or give it to a simulator that reads Verilog-A.\n"
            "The state is the parameter switched_fraction; reading does not switch it."
        )
        files[f"{name}.va"] = verilog_a_module(card, f"{junction_header(card)}\n{how}")
    if "transient" in what:
        made = column_of_card(card, choice.seed, choice.rows, cycles, sampling_time)
        how = (
            "Run: ngspice -b sampling_chain.cir. results.raw then holds the held voltages and the codes.\n"
            f"{len(card.assumptions())} of the card's {len(card.parameters)} parameters are assumed."
        )
        files["sampling_chain.cir"] = made.netlist(how)
    return files


def junction_header(card: DeviceCard) -> str:
    """Return what a reader of the junction's model must know: who made it, from what, what is assumed."""
    shown = {name: card.parameters[name] for name in _JUNCTION}
    lines = [
        f"Made by ferrogen {version('ferrogen')} from the card '{card.name}': {card.title}",
        *(
            f"  {name} = {format_quantity(item.value, item.unit)}, {item.status} (source: {item.source})"
            for name, item in shown.items()
        ),
    ]
    assumed = [name for name, item in shown.items() if item.status == "assumed"]
    if assumed:
        lines.append(f"{len(assumed)} of these {len(shown)} are assumed: nobody measured them on this device.")
    return "\n".join(lines)
