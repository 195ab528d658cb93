"""``ferrogen verify``: the same array by our solvers and by ngspice, compared node by node."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from ferrogen.cli import array_options as array
from ferrogen.cli import options
from ferrogen.core.errors import ArgumentError

_DISAGREE = 1
_OF_ARRAYS = (
    "columns", "conductances", "topology", "law", "node", "segment", "access", "rectification", "voltage", "vectors",
    "tolerance", "wires",
)  # fmt: skip


def verify(
    context: typer.Context,
    card: array.CardArgument = "hzo-mfis-nor",
    *,
    out: options.Out = Path("verification"),
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
    seed: options.Seed = 0,
    tolerance: Annotated[float, typer.Option(help="Largest relative difference that counts as agreement.")] = 1e-6,
    wires: Annotated[
        Literal["auto", "resistors", "branches"],
        typer.Option(help="How wires stand in the netlist; branches are exact for very low resistances, and slower."),
    ] = "auto",
    time_limit: Annotated[str, typer.Option(help="For ngspice, e.g. '120 s'; it is stopped then.")] = "120 s",
    ngspice: Annotated[str | None, typer.Option(help="Path of the ngspice program.  \\[default: in the PATH]")] = None,
    transient: Annotated[
        bool,
        typer.Option("--transient", help="The sampling chain of one column of --rows cells instead, code for code."),
    ] = False,
    cycles: Annotated[int, typer.Option(help="Readings of the sampling chain.")] = 20,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Solve an array with our solvers and with ngspice, compare every node, and write a report.

    Writes array.cir (the netlist), ngspice.log, report.json, nodes.csv, ends.csv, verification.png.

    With --transient: sampling_chain.cir, transient.json, transient.png and tables. Exit code 1 if they disagree.
    """
    options.check_output(out)
    from ferrogen.cli.progress import stages
    from ferrogen.core.units import parse_quantity
    from ferrogen.report.verification import verify_card

    seconds = parse_quantity(time_limit, "s", "time_limit")
    if transient:
        _refuse_array_options(context)
        _transient(card, out, rows, cycles, seed, ngspice, seconds, json=json, quiet=quiet)
        return
    choice = array.array_choice(
        card, rows=rows, columns=columns, conductances=conductances, topology=topology, law=law, node=node,
        segment=segment, access=access, rectification=rectification, voltage=voltage, vectors=vectors, seed=seed,
    )  # fmt: skip
    with stages(quiet=quiet) as tell:
        record = verify_card(
            choice, out, tolerance=tolerance, wires=wires, time_limit=seconds, ngspice=ngspice, progress=tell
        )
    if json:
        options.print_json(record)
    else:
        _tell(record, out)
    if not record["agree"]:
        raise typer.Exit(_DISAGREE)


def _refuse_array_options(context: typer.Context) -> None:
    """Refuse options of the array that the sampling chain does not have."""
    sources = {name: context.get_parameter_source(name) for name in _OF_ARRAYS}
    given = [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    if given:
        options = ", ".join(f"--{name}" for name in given)
        raise ArgumentError(f"--transient checks one column's sampling chain, which has no {options}. Leave them out.")


def _transient(
    card: str, out: Path, cells: int, cycles: int, seed: int, ngspice: str | None, seconds: float, *,
    json: bool, quiet: bool,
) -> None:  # fmt: skip
    from ferrogen.cli.progress import stages
    from ferrogen.report.transient import transient_report

    with stages(quiet=quiet) as tell:
        record = transient_report(
            card, out, seed=seed, cells=cells, cycles=cycles, ngspice=ngspice, time_limit=seconds, progress=tell
        )
    if json:
        options.print_json(record)
    else:
        typer.echo(
            f"Sampling chain of {record['cells']} cells, {record['traps']} traps, {record['switchings']} switchings:"
            f" {record['codes_that_differ']} of {record['cycles']} codes differ,"
            f" {record['of_these_not_at_an_edge']} of them not at a rounding edge;"
            f" largest deviation {record['largest_deviation_codes']:.1e} codes (limit {record['limit_codes']:.1e})"
        )
        typer.echo(f"Report: {out / 'transient.json'}, {out / 'transient.png'}; the netlist beside them")
    if not record["agrees"]:
        raise typer.Exit(_DISAGREE)


def _tell(record: dict[str, Any], out: Path) -> None:
    size = record["array"]
    verdict = "agree" if record["agree"] else "DISAGREE"
    typer.echo(f"{size['rows']} x {size['columns']} {size['topology']} array: solvers {verdict}. Cells: {size['law']}.")
    for item in record["comparisons"]:
        first, second = item["between"]
        limit = record["tolerances"]["ngspice" if "ngspice" in (first, second) else "our_solvers"]
        parts = [
            f"{kind} {item[kind]['largest_relative_difference']:.1e} at {item[kind]['where']}"
            for kind in ("voltages", "currents")
            if item[kind] is not None
        ]
        typer.echo(
            f"  {first} and {second}: largest relative difference of {' and of '.join(parts)}; limit {limit:.0e}"
        )
    for name, outcome in record["solvers"].items():
        if not outcome["converged"]:
            typer.echo(f"  '{name}' did not converge: relative residual {outcome['residual']:.1e}. {outcome['remedy']}")
    rounding = record["simulator"]["largest_expected_rounding"]
    if not record["agree"] and rounding > record["tolerances"]["ngspice"]:
        typer.echo(
            f"  rounding in ngspice alone may reach {rounding:.0e} here: its numbers do not hold currents this small"
            " beside conductances this large"
        )
    if size["nodes_left_out"]:
        typer.echo(f"  {size['nodes_left_out']} nodes without a path to a source are left out")
    took = ", ".join(f"{name} {seconds:.2g} s" for name, seconds in record["seconds"].items())
    typer.echo(f"  ngspice {record['versions']['ngspice']}; {took}")
    typer.echo(f"Report: {out / 'report.json'}, {out / 'verification.png'}; netlist and log beside them")
