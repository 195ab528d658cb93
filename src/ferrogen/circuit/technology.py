"""Resistance and capacitance of a wire segment from the technology node and the pitch of the cells.

Copper in a trench: a barrier takes its share of the cross section, and what is left is narrower than the mean free path
of the electrons, so that surfaces (Sondheimer 1952, doi:10.1080/00018735200101151) and grain boundaries (Mayadas and
Shatzkes 1970, doi:10.1103/PhysRevB.1.1382) raise the resistivity.
"""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import ValidationError, model_validator

from ferrogen.core.errors import CardError, argument_error, check_number
from ferrogen.core.files import read_bytes
from ferrogen.core.spec import explain
from ferrogen.device.parameter import Allowed, Parameter, Section

CellKind = Literal["crosspoint", "nor"]

_TABLE_LIMIT = 1_000_000  # bytes


class Conductor(Section):
    """The metal of the wires.

    Attributes:
        resistivity: of the bulk.
        mean_free_path: of the electrons in the bulk.
        specularity: share of them that surfaces reflect without loss, p.
        grain_reflection: probability that a grain boundary turns one back, R.
    """

    resistivity: Annotated[Parameter, Allowed("Ohm m", 1e-9, 1e-5)]
    mean_free_path: Annotated[Parameter, Allowed("m", 1e-10, 1e-6)]
    specularity: Annotated[Parameter, Allowed("1", 0.0, 1.0)]
    grain_reflection: Annotated[Parameter, Allowed("1", 0.0, 0.99)]

    def wire_resistivity(self, width: float, height: float) -> float:
        """Return the resistivity [Ohm m] of a wire of ``width`` x ``height`` [m], with grains as large as it is wide.

        Surfaces and grain boundaries add up (Matthiessen). Surfaces count to first order in mean free path over size,
        3 / 8 (1 - p) l (1 / w + 1 / h), good to 3 % down to half of the mean free path and to 8 % at a
        quarter; grain boundaries exactly, 1 / [1 - 3 a / 2 + 3 a^2 - 3 a^3 ln(1 + 1 / a)] with a = l / w R / (1 - R).
        """
        check_number("width", width, "m")
        check_number("height", height, "m")
        path, reflected = self.mean_free_path.value, self.grain_reflection.value
        surfaces = 0.375 * (1.0 - self.specularity.value) * path * (1.0 / width + 1.0 / height)
        a = path / width * reflected / (1.0 - reflected)
        return self.resistivity.value * (_grain_boundaries(a) + surfaces)


def _grain_boundaries(a: float) -> float:
    """Return the factor of Mayadas and Shatzkes."""
    if a < 1e-6:
        return 1.0 + 1.5 * a
    if a > 20.0:  # the series, where the closed form cancels: 3 (1/4a - 1/5a^2 + 1/6a^3 - ...)
        return 1.0 / (3.0 * math.fsum((-1 if n % 2 else 1) / ((n + 4) * a ** (n + 1)) for n in range(20)))
    return 1.0 / (1.0 - 1.5 * a + 3.0 * a**2 - 3.0 * a**3 * math.log1p(1.0 / a))


class Cells(Section):
    """Pitch of the cells in half metal pitches F.

    Attributes:
        row_pitch: between neighbours of a row.
        column_pitch: between neighbours of a column.
    """

    row_pitch: Annotated[Parameter, Allowed("1", 1.0, 1000.0)]
    column_pitch: Annotated[Parameter, Allowed("1", 1.0, 1000.0)]


class Node(Section):
    """Minimum metal of a technology node.

    Attributes:
        pitch: of the wires; half of it, F, is their width.
        aspect_ratio: height of the trench to its width.
        barrier: thickness of what lines walls and floor and does not conduct.
    """

    pitch: Annotated[Parameter, Allowed("m", 1e-9, 1e-4)]
    aspect_ratio: Annotated[Parameter, Allowed("1", 0.1, 10.0)]
    barrier: Annotated[Parameter, Allowed("m", 0.0, 1e-6)]

    @model_validator(mode="after")
    def _leaves_metal(self) -> Self:
        width = 0.5 * self.pitch.value
        if not 2.0 * self.barrier.value < width or not self.barrier.value < width * self.aspect_ratio.value:
            raise ValueError(
                f"`barrier` of {self.barrier.value:g} m fills a trench that is {width:g} m wide and"
                f" {width * self.aspect_ratio.value:g} m deep"
            )
        return self

    @property
    def half_pitch(self) -> float:
        """F, the width of a trench [m]."""
        return 0.5 * self.pitch.value

    @property
    def conductor_size(self) -> tuple[float, float]:
        """Width and height of the metal itself [m]."""
        lining = self.barrier.value
        return self.half_pitch - 2.0 * lining, self.half_pitch * self.aspect_ratio.value - lining


class Table(Section):
    """All that a table of technologies holds."""

    conductor: Conductor
    capacitance: Annotated[Parameter, Allowed("F/m", 1e-12, 1e-8)]
    cells: dict[str, Cells]
    nodes: dict[str, Node]


@dataclass(frozen=True, slots=True)
class Technology:
    """Wires of one node.

    Attributes:
        name: of the node, e.g. ``65nm``.
        node: its geometry.
        conductor: its metal.
        capacitance: of a wire over its length [F/m].
        cells: pitches by kind of cell.
    """

    name: str
    node: Node
    conductor: Conductor
    capacitance: float
    cells: dict[str, Cells]

    @property
    def resistance(self) -> float:
        """Of a wire over its length [Ohm/m]."""
        width, height = self.node.conductor_size
        return self.conductor.wire_resistivity(width, height) / (width * height)

    def segment_lengths(self, kind: str = "nor") -> tuple[float, float]:
        """Return the distances [m] of neighbouring cells along a row and along a column.

        Raises:
            ArgumentError: the table has no such cells.
        """
        if kind not in self.cells:
            raise argument_error("cells", f"be one of {', '.join(sorted(self.cells))}", repr(kind))
        pitches = self.cells[kind]
        return pitches.row_pitch.value * self.node.half_pitch, pitches.column_pitch.value * self.node.half_pitch


def technology_names(table: Path | None = None) -> list[str]:
    """Return the names of the nodes in the shipped table, or in one of your own; largest first."""
    nodes = _shipped().nodes if table is None else read_table(table).nodes
    return sorted(nodes, key=lambda name: -nodes[name].pitch.value)


def load_technology(name: str, table: Path | None = None) -> Technology:
    """Return the wires of a technology node.

    Args:
        name: e.g. ``"65nm"``.
        table: a TOML file laid out as the shipped ``circuit/technology.toml``; that one, if not given.

    Raises:
        CardError: no such node, or a table that is malformed.
        DataFileError: the table's file is missing or too large.
    """
    found = _shipped() if table is None else read_table(table)
    if name not in found.nodes:
        known = ", ".join(sorted(found.nodes, key=lambda key: -found.nodes[key].pitch.value))
        raise CardError(
            f"There is no technology node '{name}'. Known nodes: {known}; or give a table of your own."
        )  # fmt: skip
    return Technology(
        name=name,
        node=found.nodes[name],
        conductor=found.conductor,
        capacitance=found.capacitance.value,
        cells=found.cells,
    )


def read_table(path: Path) -> Table:
    """Read a table of technologies from a TOML file.

    Raises:
        CardError: not TOML, or a parameter that is absent, malformed or out of range.
        DataFileError: the file is missing or too large.
    """
    return _parse(read_bytes(path, what="Technology table", limit=_TABLE_LIMIT), str(path))


@cache
def _shipped() -> Table:
    return _parse((resources.files("ferrogen.circuit") / "technology.toml").read_bytes(), "technology.toml")


def _parse(raw: bytes, name: str) -> Table:
    try:
        data: dict[str, Any] = tomllib.loads(raw.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise CardError(f"Technology table '{name}' is not a TOML file: {reason}.") from None
    try:
        return Table.model_validate(data)
    except ValidationError as error:
        raise CardError(explain(error, subject=f"Technology table '{name}'")) from None
