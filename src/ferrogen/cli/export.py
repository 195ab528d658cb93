"""``ferrogen export``: an array as a netlist, the card's junction as a SPICE subcircuit and in Verilog-A."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ferrogen.cli import array_options as array
from ferrogen.cli import options

_WHAT = ("netlist", "subcircuit", "model", "verilog-a", "transient")


def export(
    card: array.CardArgument = "hzo-mfis-nor",
    *,
    what: Annotated[
        list[str] | None,
        typer.Option(help=f"{', '.join(_WHAT[:-1])} or {_WHAT[-1]}; repeatable.  \\[default: all]"),
    ] = None,
    out: options.Out = Path("export"),
    rows: array.Rows = 16,
    columns: array.Columns = 16,
    conductances: array.Conductances = None,
    topology: array.TopologyOption = "crosspoint",
    law: array.LawOption = "sinh",
    node: array.Node = "65nm",
    segment: array.Segment = None,
    access: array.Access = None,
    rectification: array.Rectification = None,
    voltage: array.Voltage = None,
    vectors: array.Vectors = 2,
    cycles: Annotated[int, typer.Option(help="Readings of the transient.")] = 4,
    sampling_time: Annotated[str, typer.Option(help="Length of the transient's windows.")] = "0.1 ms",
    seed: options.Seed = 0,
) -> None:
    """Write files for your own simulator, each with a header that says what is assumed and how it is used.

    array.cir (a deck that runs), array.lib (the array as a subcircuit), the card's junction as a subcircuit (.lib) and
    as a Verilog-A module (.va), and sampling_chain.cir: one column's integrator, sample and hold and converter, with
    every switching of its traps.
    """
    options.check_output(out)
    from ferrogen.core.errors import argument_error
    from ferrogen.core.files import output_folder
    from ferrogen.core.units import parse_quantity
    from ferrogen.report.export import export_files

    chosen = tuple(what or _WHAT)
    for item in chosen:
        if item not in _WHAT:
            raise argument_error("what", f"be {', '.join(_WHAT[:-1])} or {_WHAT[-1]}", repr(item))
    choice = array.array_choice(
        card, rows=rows, columns=columns, conductances=conductances, topology=topology, law=law, node=node,
        segment=segment, access=access, rectification=rectification, voltage=voltage, vectors=vectors, seed=seed,
    )  # fmt: skip
    window = parse_quantity(sampling_time, "s", "sampling_time")
    with output_folder(out) as folder:
        files = export_files(choice, chosen, cycles=cycles, sampling_time=window)
        for name, text in files.items():
            (folder / name).write_text(text, encoding="utf-8")
    for name in files:
        typer.echo(f"{out / name}")
    if "netlist" in chosen:
        typer.echo(f"Run it: cd {out} && ngspice -b array.cir")
    if "transient" in chosen:
        typer.echo(f"Run it: cd {out} && ngspice -b sampling_chain.cir")
