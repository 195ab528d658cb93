"""A plan of tiles: matrices split both ways, blocks packed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ferrogen.chip.blocks import Block, BlockGrid
from ferrogen.chip.chip import Chip
from ferrogen.chip.spec import ChipSpec
from ferrogen.core.errors import CapacityError, argument_error, is_whole
from ferrogen.mapping.coding.spec import CodingSpec
from ferrogen.mapping.plan.packing import Place, pack_rectangles


@dataclass(frozen=True, slots=True)
class MatrixRequest:
    """A weight matrix that wants a place.

    Attributes:
        outputs: at least 1.
        inputs: at least 1.
        name: for messages and reports.

    Raises:
        ArgumentError: a size that is no whole number of at least 1.
    """

    outputs: int
    inputs: int
    name: str = "matrix"

    def __post_init__(self) -> None:
        if not (is_whole(self.outputs, 1) and is_whole(self.inputs, 1)):
            raise argument_error(
                self.name, "have at least one output and one input", f"of {self.outputs} outputs, {self.inputs} inputs"
            )


@dataclass(frozen=True, slots=True)
class TilePlan:
    """Where matrices are.

    Attributes:
        requests: the matrices.
        grids: blocks of each, in the same order.
        coding: of all of them.
        spec: of the chip.
        tiles: numbers of the tiles used: those of the chip, or 0, 1, 2, ... until the plan is programmed.
        pack: whether matrices share tiles; else every block has a tile to itself, all of whose word lines are driven.
    """

    requests: tuple[MatrixRequest, ...]
    grids: tuple[BlockGrid, ...]
    coding: CodingSpec
    spec: ChipSpec
    tiles: tuple[int, ...]
    pack: bool

    def split(self, matrix: int) -> tuple[int, ...]:
        """Return the outputs of every column block of a matrix."""
        return tuple(count // self.coding.conversions_per_output for count in self.grids[matrix].conversions)

    def blocks(self) -> list[tuple[str, Block]]:
        """Return every block with its matrix's name, matrix by matrix."""
        return [
            (request.name, block)
            for request, grid in zip(self.requests, self.grids, strict=True)
            for row in grid.blocks
            for block in row
        ]

    @property
    def cells(self) -> int:
        """All cells of the tiles used, spare lines included."""
        return len(self.tiles) * self.spec.rows * self.spec.columns

    @property
    def weight_cells(self) -> int:
        """Cells that carry weights: two a conversion in pairs, one beside reference lines."""
        each = 1 if self.coding.reference_lines else 2 * self.coding.conversions_per_output
        return sum(each * request.outputs * request.inputs for request in self.requests)

    @property
    def utilisation(self) -> float:
        """Cells with weights over all cells of the tiles used."""
        return self.weight_cells / self.cells

    def on(self, numbers: Sequence[int]) -> TilePlan:
        """Return the same plan on other tiles.

        Args:
            numbers: the new number of every tile of :attr:`tiles`.
        """
        new = dict(zip(self.tiles, numbers, strict=True))
        grids = tuple(
            replace(
                grid,
                blocks=tuple(tuple(replace(block, tile=new[block.tile]) for block in row) for row in grid.blocks),
            )
            for grid in self.grids
        )
        return replace(self, grids=grids, tiles=tuple(numbers))

    def __str__(self) -> str:
        """Say it in one line."""
        return (
            f"{_counted(len(self.requests), 'matrix', 'matrices')} on {_counted(len(self.tiles), 'tile')} of"
            f" {self.spec.rows} x {self.spec.columns}:"
            f" {self.utilisation:.1%} of their cells carry weights"
        )


def _counted(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _parts(whole: int, most: int) -> list[int]:
    full, rest = divmod(whole, most)
    return [most] * full + [rest] * bool(rest)


def _grid(heights: list[int], split: list[int], places: list[Place], coding: CodingSpec) -> BlockGrid:
    rows = []
    for i, height in enumerate(heights):
        of_row = places[i * len(split) : (i + 1) * len(split)]
        rows.append(
            tuple(
                Block(place.tile, place.row, place.pair, height, coding.pairs_for(outputs))
                for outputs, place in zip(split, of_row, strict=True)
            )
        )
    conversions = tuple(outputs * coding.conversions_per_output for outputs in split)
    return BlockGrid(tuple(rows), conversions, coding.reference_lines)


def plan_matrices(
    requests: Sequence[MatrixRequest], chip: Chip, coding: CodingSpec | None = None, *, pack: bool = True
) -> TilePlan:
    """Plan where matrices lie on free tiles of a chip; nothing is programmed or reserved.

    Matrices larger than a tile are split both ways, into full tiles and a rest; rests and small matrices share tiles.

    Args:
        requests: the matrices.
        chip: with enough free tiles.
        coding: of the weights; differential pairs, if not given.
        pack: whether blocks share tiles; else every block has a tile to itself, from its corner.

    Raises:
        CapacityError: not enough free tiles; says how many are needed.
        ArgumentError: a coding that does not fit on a tile.
    """
    coding, spec = coding or CodingSpec(), chip.spec
    most = coding.outputs_on(spec.logical_pairs)
    shapes = [(_parts(item.inputs, spec.logical_rows), _parts(item.outputs, most)) for item in requests]
    sizes = [
        (height, coding.pairs_for(outputs)) for heights, split in shapes for height in heights for outputs in split
    ]
    if pack:
        places = pack_rectangles(sizes, spec.logical_rows, spec.logical_pairs)
    else:
        places = [Place(number, 0, 0) for number in range(len(sizes))]
    tiles = 1 + max((place.tile for place in places), default=-1)
    free = spec.tiles - len(chip.reserved | chip.tiles.keys())
    if tiles > free:
        verb = "is" if tiles == 1 else "are"
        raise CapacityError(
            f"{_counted(tiles, 'tile')} of {spec.rows} x {spec.columns} {verb} needed, but the chip has {free} of"
            f" {spec.tiles} left. Make it with at least {spec.tiles - free + tiles} tiles (ChipSpec.tiles)."
        )
    grids, start = [], 0
    for heights, split in shapes:
        count = len(heights) * len(split)
        grids.append(_grid(heights, split, places[start : start + count], coding))
        start += count
    return TilePlan(tuple(requests), tuple(grids), coding, spec, tuple(range(tiles)), pack)
