"""What a chip is made of, apart from its cells."""

from __future__ import annotations

from dataclasses import dataclass, field

from ferrogen.array.programming import Programming, WriteVerify
from ferrogen.circuit.periphery import Periphery
from ferrogen.core.errors import argument_error


@dataclass(frozen=True, slots=True)
class ChipSpec:
    """Size of the tiles, their number, how they are programmed and what surrounds them.

    Attributes:
        rows: word lines of a tile.
        columns: bit lines of a tile, an even number: neighbours form a differential pair.
        tiles: how many tiles the chip has.
        programming: write-verify, or ideal.
        continuous_levels: True programs any conductance instead of the card's discrete levels (an ideal to compare
        with).
        periphery: circuits around the tiles.
    """

    rows: int = 128
    columns: int = 128
    tiles: int = 256
    programming: Programming = field(default_factory=WriteVerify)
    continuous_levels: bool = False
    periphery: Periphery = field(default_factory=Periphery)

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise argument_error("rows", "be at least 1", self.rows)
        if self.columns < 2 or self.columns % 2:
            raise argument_error("columns", "be an even number of at least 2 (differential pairs)", self.columns)
        if self.tiles < 1:
            raise argument_error("tiles", "be at least 1", self.tiles)

    @property
    def pairs(self) -> int:
        """Differential pairs of bit lines on a tile."""
        return self.columns // 2
