"""What a mapping put where, what it cost, and what it left digital: numbers, as text and as JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ferrogen.core.files import write_json
from ferrogen.core.units import format_quantity

_MOST_NAMES = 12
_LONGEST = 32


@dataclass(frozen=True, slots=True)
class PlacedBlock:
    """A rectangle of cells of one layer on one tile.

    Attributes:
        layer: name of the layer.
        tile: number of the tile.
        row: first logical word line.
        rows: how many.
        line: first logical bit line.
        lines: how many.
    """

    layer: str
    tile: int
    row: int
    rows: int
    line: int
    lines: int


@dataclass(frozen=True, slots=True)
class LayerReport:
    """A layer on tiles.

    Attributes:
        name: its path in the module.
        kind: class among torch's layers.
        shape: of its weight.
        shared: other paths that use the same tiles.
        folded: path of the batch norm that its weights include; empty: none.
        matrices: weight matrices that it is made of.
        tiles: numbers of the tiles that it has a part of.
        blocks: rectangles of cells on them.
        cells: of the rectangles.
        utilisation: of these cells, those that carry weights.
        calls: of one forward; 0: unknown, for no inputs were given yet.
        products_per_image: input vectors multiplied for an image.
        macs_per_image: multiply-accumulates for an image, as torch counts them.
        share: of all multiply-accumulates of the module.
        input_range: input that drives a word line fully; None: not calibrated.
        output_ranges: smallest and largest full scale of its matrices' converters [A]; None: not calibrated.
        clipped_inputs: share of typical inputs beyond the range.
        clipped_outputs: share of typical conversions beyond the range.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    shared: tuple[str, ...]
    folded: str
    matrices: int
    tiles: tuple[int, ...]
    blocks: int
    cells: int
    utilisation: float
    calls: int
    products_per_image: float
    macs_per_image: float
    share: float
    input_range: float | None
    output_ranges: tuple[float, float] | None
    clipped_inputs: float | None
    clipped_outputs: float | None


@dataclass(frozen=True, slots=True)
class DigitalReport:
    """Products, or a layer, that stay digital.

    Attributes:
        name: path of the layer, or of the module whose forward multiplies.
        what: class of the layer, or torch's operator.
        reason: why it is not on tiles.
        macs_per_image: multiply-accumulates for an image.
        share: of all multiply-accumulates of the module.
    """

    name: str
    what: str
    reason: str
    macs_per_image: float
    share: float


@dataclass(frozen=True, slots=True)
class MappingReport:
    """A module on a chip.

    Attributes:
        card: name of the device card.
        seed: of the chip.
        rows: logical word lines of a tile.
        lines: logical bit lines of a tile.
        tiles_of_chip: how many tiles the chip has.
        tiles_free: how many of them nobody uses.
        coding: of the weights.
        fidelity: of the products.
        layers: on tiles.
        digital: what multiplies digitally; with its share, if inputs were given.
        norms_folded: paths of batch norms that are part of a layer's weights now.
        norms_digital: paths of those that are not.
        drawn: operators that draw random numbers in a forward, with the path of their module.
        random_from: ``"source"`` if a latent source serves them, else ``"torch"``.
        blocks: where everything lies.
        traced: whether shares are known: typical inputs were given.
        energy_per_image: of the chip [J]; None: not calibrated.
        latency_per_image: of the chip, one layer after the other and one vector after the other [s]; None: no inputs.
    """

    card: str
    seed: int
    rows: int
    lines: int
    tiles_of_chip: int
    tiles_free: int
    coding: str
    fidelity: str
    layers: tuple[LayerReport, ...]
    digital: tuple[DigitalReport, ...]
    norms_folded: tuple[str, ...]
    norms_digital: tuple[str, ...]
    drawn: tuple[tuple[str, str, int], ...]
    random_from: str
    blocks: tuple[PlacedBlock, ...]
    traced: bool
    energy_per_image: float | None = None
    latency_per_image: float | None = None

    @property
    def tiles_used(self) -> int:
        """Tiles that hold a part of the module."""
        return len({block.tile for block in self.blocks})

    @property
    def cells(self) -> int:
        """Cells that the module's blocks take."""
        return sum(layer.cells for layer in self.layers)

    @property
    def utilisation(self) -> float:
        """Cells that carry weights over all (not spare) cells of the tiles used."""
        carrying = sum(layer.cells * layer.utilisation for layer in self.layers)
        return carrying / max(self.tiles_used * self.rows * self.lines, 1)

    @property
    def macs_per_image(self) -> float:
        """Multiply-accumulates for an image, analog and digital."""
        return sum(part.macs_per_image for part in self.layers) + sum(part.macs_per_image for part in self.digital)

    @property
    def coverage(self) -> float:
        """Share of the multiply-accumulates that is made on tiles; NaN: no inputs were given yet."""
        total = self.macs_per_image
        return sum(layer.macs_per_image for layer in self.layers) / total if total else float("nan")

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain data, totals included; what is not known is None."""
        traced = self.macs_per_image > 0.0
        return {
            "format": 1,
            **asdict(self),
            "tiles_used": self.tiles_used,
            "cells": self.cells,
            "utilisation": self.utilisation,
            "macs_per_image": self.macs_per_image if traced else None,
            "coverage": self.coverage if traced else None,
        }

    def to_json(self, path: Path | str | None = None) -> str:
        """Return the report as JSON; write it to a file, too, if one is given.

        Raises:
            OutputError: the file cannot be written.
        """
        if path is not None:
            write_json(Path(path), self.to_dict())
        return json.dumps(self.to_dict(), indent=2, allow_nan=False, ensure_ascii=False)

    def __str__(self) -> str:
        """Return the report as text for a terminal."""
        return "\n".join(_lines(self))


def _count(value: float) -> str:
    """Write a count in few characters: 12, 3.4 k, 5.6 M.

    >>> _count(1234567.0)
    '1.23 M'
    """
    for factor, prefix in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= 0.9995 * factor:
            return f"{value / factor:.3g} {prefix}"
    return f"{value:.3g}"


def _quantity(value: float, unit: str) -> str:
    """Write a quantity with three digits and a prefix."""
    return format_quantity(float(f"{value:.3g}"), unit)


def _percent(share: float | None) -> str:
    if share is None:
        return "-"
    return "0" if share == 0.0 else f"{100.0 * share:.2f}" if share >= 1e-4 else "<0.01"


def _tiles(numbers: tuple[int, ...]) -> str:
    """Write tile numbers with runs: 0-3, 7."""
    runs: list[list[int]] = []
    for number in sorted(numbers):
        if runs and number == runs[-1][1] + 1:
            runs[-1][1] = number
        else:
            runs.append([number, number])
    text = ", ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)
    return text if len(text) <= 15 else f"{len(numbers)} of {runs[0][0]}-{runs[-1][1]}"


def _name(path: str) -> str:
    """Write a module's path in few characters: its end is what tells it from others."""
    if not path:
        return "(the module)"
    return path if len(path) <= _LONGEST else "…" + path[1 - _LONGEST :]


def _names(names: Sequence[str]) -> str:
    """Name a few and count the rest."""
    return ", ".join(names[:_MOST_NAMES]) + (
        f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
    )


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]], left: tuple[int, ...]) -> list[str]:
    """Return the lines of an aligned table; the columns numbered in ``left`` are aligned to the left."""
    widths = [max(len(row[k]) for row in (head, *rows)) for k in range(len(head))]
    lines = []
    for row in (head, *rows):
        cells = zip(row, widths, strict=True)
        aligned = (cell.ljust(width) if k in left else cell.rjust(width) for k, (cell, width) in enumerate(cells))
        lines.append("  ".join(aligned).rstrip())
    return lines


def _layer_row(layer: LayerReport, traced: bool) -> tuple[str, ...]:  # noqa: FBT001
    ranges = layer.output_ranges
    return (
        _name(layer.name),
        layer.kind + (" +bn" if layer.folded else ""),
        " x ".join(map(str, layer.shape)),
        _tiles(layer.tiles),
        _count(layer.cells),
        _percent(layer.utilisation),
        _count(layer.products_per_image) if traced else "-",
        _count(layer.macs_per_image) if traced else "-",
        _percent(layer.share) if traced else "-",
        "-" if layer.input_range is None else f"{layer.input_range:.3g}",
        "-" if ranges is None else _quantity(ranges[1], "A"),
        _percent(layer.clipped_inputs),
        _percent(layer.clipped_outputs),
    )


_HEAD = ("layer", "kind", "weight", "tiles", "cells", "used %", "products", "MACs", "share %", "input",
         "full scale", "clip in %", "clip out %")  # fmt: skip


def _lines(report: MappingReport) -> list[str]:
    """Return the lines of the text."""
    known = report.macs_per_image > 0.0
    place = f"of {report.rows} x {report.lines} cells; {report.card}, seed {report.seed}"
    carrying = f"{_percent(report.utilisation)} % of those tiles' cells carry weights"
    total = f"{_count(report.macs_per_image)} multiply-accumulates per image"
    lines = [
        f"{len(report.layers)} layers on {report.tiles_used} of {report.tiles_of_chip} tiles {place}",
        f"{_count(report.cells)} cells in use, {report.tiles_free} tiles free; {carrying}",
        f"coding {report.coding}, fidelity {report.fidelity}",
        f"coverage {_percent(report.coverage)} % of {total}"
        if known
        else "coverage not known yet: call .calibrate(inputs) with typical inputs",
    ]
    if report.energy_per_image is not None and report.latency_per_image is not None:
        lines.append(
            f"energy {_quantity(report.energy_per_image, 'J')} and"
            f" {_quantity(report.latency_per_image, 's')} per image on the chip"
            " (one vector after the other; digital work not counted)"
        )
    if report.layers:
        lines += ["", *_table(_HEAD, [_layer_row(layer, report.traced) for layer in report.layers], (0, 1, 2, 3))]
    if report.digital:
        rows = [
            (
                _name(item.name),
                item.what,
                _count(item.macs_per_image) if known else "-",
                _percent(item.share) if known else "-",
                item.reason,
            )
            for item in report.digital
        ]
        lines += ["", *_table(("digital", "what", "MACs", "share %", "why"), rows, (0, 1, 4))]
    lines.append("")
    shared = [f"{layer.name} = {', '.join(layer.shared)}" for layer in report.layers if layer.shared]
    listed: tuple[tuple[str, Sequence[str]], ...] = (
        ("folded batch norms", report.norms_folded),
        ("digital batch norms", report.norms_digital),
        ("shared weights", shared),
    )
    for title, names in listed:
        if names:
            lines.append(f"{title}: {_names(names)}")
    if report.drawn:
        source = "the latent source" if report.random_from == "source" else "torch's own generator"
        drawn = ", ".join(
            f"{name} x {count}" + (f" in {where}" if where else "") for where, name, count in report.drawn
        )
        lines.append(f"random numbers from {source}: {drawn}")
    return lines if lines[-1] else lines[:-1]
