"""Rectangles onto as few tiles as possible, none over another.

Guillotine packing with best-short-side fit (Jylanki 2010, "A thousand ways to pack the bin"): tallest first; what a
rectangle leaves of a free space is cut in two, along the shorter side. No search, no chance: the same sizes lie in the
same places, always.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where a rectangle lies: tile, first row, first pair."""

    tile: int
    row: int
    pair: int


@dataclass(frozen=True, slots=True, order=True)
class _Space:
    """A free rectangle."""

    place: Place
    rows: int
    pairs: int

    def without(self, rows: int, pairs: int) -> list[_Space]:
        """Return what is left, beside and below, of a rectangle in the corner."""
        beside, below = self.pairs - pairs, self.rows - rows
        tile, row, pair = self.place.tile, self.place.row, self.place.pair
        tall = beside > below  # the larger part stays whole
        parts = [
            _Space(Place(tile, row, pair + pairs), self.rows if tall else rows, beside),
            _Space(Place(tile, row + rows, pair), below, pairs if tall else self.pairs),
        ]
        return [part for part in parts if part.rows and part.pairs]


def pack_rectangles(sizes: Sequence[tuple[int, int]], rows: int, pairs: int) -> list[Place]:
    """Return where rectangles lie, in the order given; tiles are counted from 0.

    Args:
        sizes: (rows, pairs) of every rectangle; none is larger than a tile.
        rows: of a tile.
        pairs: of a tile.
    """
    places: dict[int, Place] = {}
    spaces: list[_Space] = []
    tiles = 0
    for number in sorted(range(len(sizes)), key=lambda k: (-sizes[k][0], -sizes[k][1], k)):
        height, width = sizes[number]
        fitting = [space for space in spaces if space.rows >= height and space.pairs >= width]
        if fitting:
            best = min(fitting, key=lambda space: (min(space.rows - height, space.pairs - width), space))
            spaces.remove(best)
        else:
            best = _Space(Place(tiles, 0, 0), rows, pairs)
            tiles += 1
        places[number] = best.place
        spaces.extend(best.without(height, width))
    return [places[number] for number in range(len(sizes))]
