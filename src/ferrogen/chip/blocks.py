"""Rectangles of cells on tiles, and what the converters at their bit lines read of them.

A matrix sits on a grid of blocks. One product drives the word lines of its blocks alone: the others of a shared tile
are grounded, so blocks may lie beside and below one another.

Two ways to read bit lines:

- *pairs*: neighbours are subtracted, one conversion a pair (``references`` = 0);
- *reference lines*: the first ``references`` lines of a block are averaged (a current mirror with so many inputs), and
  the average is subtracted from each of the others, one conversion a line. A tile has one converter for a pair of
  lines; here it serves first the left line of its pair, then the right one. What the reference's cells do is common to
  all lines that it is subtracted from.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import argument_error

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Block:
    """A rectangle of logical cells on one tile.

    Attributes:
        tile: number of the tile.
        row: its first logical word line.
        pair: its first logical pair of bit lines.
        rows: how many word lines.
        pairs: how many pairs.
    """

    tile: int
    row: int
    pair: int
    rows: int
    pairs: int

    @property
    def of_rows(self) -> slice:
        """The word lines."""
        return slice(self.row, self.row + self.rows)

    @property
    def of_lines(self) -> slice:
        """The bit lines."""
        return slice(2 * self.pair, 2 * (self.pair + self.pairs))


@dataclass(frozen=True, slots=True)
class BlockGrid:
    """Where one matrix is.

    Attributes:
        blocks: ``blocks[row block][column block]``; all row blocks but the last have the same rows.
        conversions: how many the converters make for each column block, from its left.
        references: reference lines of every block; 0: bit lines are read in pairs.

    Raises:
        ArgumentError: blocks that do not form a grid, or have too few lines.
    """

    blocks: tuple[tuple[Block, ...], ...]
    conversions: tuple[int, ...]
    references: int = 0

    def __post_init__(self) -> None:
        shape = tuple(tuple((block.rows, block.pairs) for block in row) for row in self.blocks)
        heights = [row[0][0] for row in shape if row]
        even = (
            len(heights) == len(shape) > 0
            and all(tuple(pairs for _, pairs in row) == tuple(pairs for _, pairs in shape[0]) for row in shape)
            and all(rows == height for row, height in zip(shape, heights, strict=True) for rows, _ in row)
            and all(height == heights[0] for height in heights[:-1])
            and 0 < heights[-1] <= heights[0]
        )
        if not even:
            raise argument_error("blocks", "form a grid of equal rows (the last may have fewer) and columns", shape)
        lines = [pairs if self.references == 0 else 2 * pairs - self.references for _, pairs in shape[0]]
        if len(lines) != len(self.conversions) or any(
            not 0 < wanted <= there for wanted, there in zip(self.conversions, lines, strict=True)
        ):
            raise argument_error("conversions", f"be 1 to {lines} of the column blocks", self.conversions)

    @property
    def tiles(self) -> list[list[int]]:
        """Tile numbers, ``[row block][column block]``."""
        return [[block.tile for block in row] for row in self.blocks]

    @property
    def rows(self) -> int:
        """Word lines of a row block (of the last one, at most)."""
        return self.blocks[0][0].rows

    @property
    def address(self) -> tuple[int, ...]:
        """What tells this matrix from all others on the chip: its first tile, and where on it, if not in its corner."""
        first = self.blocks[0][0]
        corner = first.row == first.pair == 0
        return (first.tile,) if corner else (first.tile, first.row, first.pair)

    def lines_of(self, column: int, row: int = 0) -> NDArray[np.int64]:
        """Return the (first) logical bit line of every conversion of a column block, counted on the tile of a row."""
        step = 2 if self.references == 0 else 1
        first = 2 * self.blocks[row][column].pair + self.references
        return first + step * np.arange(self.conversions[column])

    def gather(self, values: Callable[[Block], Array]) -> Array:
        """Return values of logical pairs at each conversion, ``(row blocks, conversions)``.

        Args:
            values: returns those of all logical pairs of a block's tile.
        """
        rows = []
        for i, row in enumerate(self.blocks):
            rows.append(np.concatenate([values(block)[self.lines_of(j, i) // 2] for j, block in enumerate(row)]))
        return np.stack(rows)

    def differences(self, lines: Array, column: int) -> Array:
        """Return what conversions see of bit lines' values ``(..., lines of a column block)``: reference subtracted."""
        wanted = self.conversions[column]
        if self.references == 0:
            return np.asarray((lines[..., 0::2] - lines[..., 1::2])[..., :wanted])
        own, common = self._own(lines, wanted), self._common(lines)
        return np.asarray(own - common.mean(axis=-1, keepdims=True))

    def _own(self, lines: Array, wanted: int) -> Array:
        return lines[..., self.references : self.references + wanted]

    def _common(self, lines: Array) -> Array:
        return lines[..., : self.references]

    def sums(self, lines: Array, column: int) -> Array:
        """Return all that flows into a conversion's amplifier, likewise."""
        wanted = self.conversions[column]
        if self.references == 0:
            return np.asarray((lines[..., 0::2] + lines[..., 1::2])[..., :wanted])
        return np.asarray(self._own(lines, wanted) + self._common(lines).mean(axis=-1, keepdims=True))

    def variances(self, lines: Array, column: int) -> tuple[Array, Array | None]:
        """Return the variance of conversions, and that of their common reference ``(..., 1)`` if they have one."""
        wanted = self.conversions[column]
        if self.references == 0:
            return self.sums(lines, column), None
        common = self._common(lines).sum(axis=-1, keepdims=True) / self.references**2
        return np.asarray(self._own(lines, wanted)), np.asarray(common)


def whole_tiles(grid: list[list[int]], rows: int, pairs: int, wanted: int) -> BlockGrid:
    """Return the grid of blocks that whole tiles are, read in pairs.

    Args:
        grid: tile numbers, ``grid[row tile][column tile]``.
        rows: logical rows of a tile.
        pairs: logical pairs of a tile.
        wanted: pairs wanted, from the left.
    """
    blocks = tuple(tuple(Block(number, 0, 0, rows, pairs) for number in row) for row in grid)
    columns = -(-wanted // pairs)
    return BlockGrid(
        tuple(row[:columns] for row in blocks), tuple(min(pairs, wanted - k * pairs) for k in range(columns))
    )
