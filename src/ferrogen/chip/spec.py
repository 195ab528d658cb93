"""What a chip is made of, apart from its cells."""

from __future__ import annotations

from dataclasses import dataclass, field

from ferrogen.array.faults import FaultRates
from ferrogen.array.programming import Programming, WriteVerify
from ferrogen.circuit.periphery import Periphery
from ferrogen.core.errors import argument_error, is_whole


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
        fault_rates: how often what is broken on its tiles; None: nothing is.
        spare_rows: word lines of a tile that are kept free for repair.
        spare_pairs: differential pairs of a tile that are kept free for repair.
    """

    rows: int = 128
    columns: int = 128
    tiles: int = 256
    programming: Programming = field(default_factory=WriteVerify)
    continuous_levels: bool = False
    periphery: Periphery = field(default_factory=Periphery)
    fault_rates: FaultRates | None = None
    spare_rows: int = 0
    spare_pairs: int = 0

    def __post_init__(self) -> None:
        if self.rows < 1:
            raise argument_error("rows", "be at least 1", self.rows)
        if self.columns < 2 or self.columns % 2:
            raise argument_error("columns", "be an even number of at least 2 (differential pairs)", self.columns)
        if self.tiles < 1:
            raise argument_error("tiles", "be at least 1", self.tiles)
        for name, most in (("spare_rows", self.rows - 1), ("spare_pairs", self.columns // 2 - 1)):
            if not is_whole(getattr(self, name), 0, most):
                raise argument_error(name, f"be a whole number from 0 to {most}", getattr(self, name))

    @property
    def pairs(self) -> int:
        """Differential pairs of bit lines on a tile."""
        return self.columns // 2

    @property
    def logical_rows(self) -> int:
        """Word lines of a tile that carry inputs; the others are spare."""
        return self.rows - self.spare_rows

    @property
    def logical_pairs(self) -> int:
        """Differential pairs of a tile that carry outputs; the others are spare."""
        return self.pairs - self.spare_pairs
