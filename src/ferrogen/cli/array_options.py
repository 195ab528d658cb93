"""Options of the commands that take an array: which cells, which wires, which inputs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from ferrogen.report.verification import ArrayChoice

CardArgument = Annotated[str, typer.Argument(help="Device card: a shipped name or the path of a .toml file.")]
Rows = Annotated[int, typer.Option(help="Rows of an array that is drawn.")]
Columns = Annotated[int, typer.Option(help="Columns of an array that is drawn.")]
Conductances = Annotated[
    Path | None,
    typer.Option(help="Your own array: .npy, or comma-separated S, a row a line.  \\[default: drawn from the card]"),
]
Topology = Literal["crosspoint", "nor"]
Law = Literal["ohmic", "sinh", "rectifying"]
TopologyOption = Annotated[Topology, typer.Option(help="NOR arrays have access transistors.")]
LawOption = Annotated[Law, typer.Option(help="Of the cells; the card's is sinh.")]
Node = Annotated[str, typer.Option(help="Technology node of the wires, e.g. 28nm.")]
Segment = Annotated[
    str | None, typer.Option(help="Resistance of every wire segment, e.g. '2 Ohm', instead of the node's.")
]
Access = Annotated[
    str | None,
    typer.Option(help="Access device of a nor cell that is on, e.g. '5 kOhm'.  \\[default: 10 kOhm]"),
]
Rectification = Annotated[float | None, typer.Option(help="Ratio of rectifying cells, forward over backward.")]
Voltage = Annotated[
    str | None, typer.Option(help="Largest input; inputs are random below it.  \\[default: the card's sample voltage]")
]
Vectors = Annotated[int, typer.Option(help="Random input vectors.")]


def array_choice(
    card: str,
    *,
    rows: int,
    columns: int,
    conductances: Path | None,
    topology: Topology,
    law: Law,
    node: str,
    segment: str | None,
    access: str | None,
    rectification: float | None,
    voltage: str | None,
    vectors: int,
    seed: int,
) -> ArrayChoice:
    """Return the array that options describe.

    Raises:
        ArgumentError: text that is no quantity of the right unit.
    """
    from ferrogen.core.units import parse_quantity
    from ferrogen.report.verification import ArrayChoice

    def quantity(name: str, text: str | None, unit: str) -> float | None:
        return None if text is None else parse_quantity(text, unit, name)

    return ArrayChoice(
        card=card,
        rows=rows,
        columns=columns,
        conductances=conductances,
        topology=topology,
        law=law,
        node=node,
        segment=quantity("segment", segment, "Ohm"),
        access=quantity("access", access, "Ohm"),
        rectification=rectification,
        voltage=quantity("voltage", voltage, "V"),
        vectors=vectors,
        seed=seed,
    )
