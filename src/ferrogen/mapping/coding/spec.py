"""How weights are coded: what a user chooses."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from ferrogen.chip.point import OperatingPoint
from ferrogen.core.errors import argument_error, check_number, is_whole

Scheme = Literal["differential", "offset-column", "bit-sliced"]
Scale = Literal["column", "tile", "layer"]
_MOST_BITS = 48  # of all slices together: more than a double's digits are none


@dataclass(frozen=True, slots=True)
class CodingSpec:
    """How weights become conductances.

    Attributes:
        scheme: ``differential`` (two cells a weight, subtracted), ``offset-column`` (one cell a weight; reference
            lines of mid conductance are subtracted from all), or ``bit-sliced`` (a differential pair for every digit
            of a weight; digits are put together digitally).
        slices: digits of a bit-sliced weight, at least 2.
        bits_per_slice: of a digit: weights of neighbouring slices are a factor 2^bits apart.
        references: reference lines of an offset-column block, which are averaged.
        scale: which outputs share the weight of a full window: none (``column``), those on the same tiles (``tile``;
            row tiles' codes are added before they are scaled, so tiles below one another share it), or all (``layer``).
        clip: the weight of a full window: that with the least squared error after rounding to the levels
            (``least-error``), a percentile of the weights' magnitudes (0 to 100), or the largest (None).
        safe_levels: share of the level spacing that telegraph noise may reach: only the longest run of levels that stay
            below it is used. None: the whole window.
        safe_at: operating point for the safe levels (multiply voltage, multiply time, temperature); the card's default,
            if not given.

    Raises:
        ArgumentError: an unknown choice, or a number out of range.
    """

    scheme: Scheme = "differential"
    slices: int = 2
    bits_per_slice: int = 3
    references: int = 1
    scale: Scale = "column"
    clip: Literal["least-error"] | float | None = "least-error"
    safe_levels: float | None = None
    safe_at: OperatingPoint | None = None

    def __post_init__(self) -> None:
        for name, choices in (
            ("scheme", ("differential", "offset-column", "bit-sliced")),
            ("scale", ("column", "tile", "layer")),
        ):
            if getattr(self, name) not in choices:
                raise argument_error(name, f"be one of {', '.join(map(repr, choices))}", repr(getattr(self, name)))
        if not is_whole(self.slices, 2, _MOST_BITS):
            raise argument_error("slices", f"be a whole number from 2 to {_MOST_BITS}", repr(self.slices))
        if not is_whole(self.bits_per_slice, 1, _MOST_BITS) or self.slices * self.bits_per_slice > _MOST_BITS:
            most = _MOST_BITS // self.slices
            raise argument_error(
                "bits_per_slice", f"be 1 to {most} with {self.slices} slices", repr(self.bits_per_slice)
            )
        if not is_whole(self.references, 1):
            raise argument_error("references", "be a whole number of lines, at least 1", repr(self.references))
        clip: object = self.clip
        percentile = type(clip) is not bool and isinstance(clip, int | float) and 0.0 < clip <= 100.0
        if not (clip is None or clip == "least-error" or percentile):
            raise argument_error("clip", "be 'least-error', a percentile (above 0, at most 100) or None", repr(clip))
        if self.safe_levels is not None:
            check_number("safe_levels", self.safe_levels, "level spacings")

    @property
    def reference_lines(self) -> int:
        """Reference lines of a block; 0: bit lines are read in pairs."""
        return self.references if self.scheme == "offset-column" else 0

    @property
    def conversions_per_output(self) -> int:
        """Conversions that are put together to one output."""
        return self.slices if self.scheme == "bit-sliced" else 1

    def pairs_for(self, outputs: int) -> int:
        """Return how many pairs of bit lines a block of so many outputs takes."""
        if self.scheme == "offset-column":
            return math.ceil((outputs + self.references) / 2)
        return outputs * self.conversions_per_output

    def outputs_on(self, pairs: int) -> int:
        """Return how many outputs fit on so many pairs of bit lines; an offset column fills tiles to the last line.

        Raises:
            ArgumentError: none fits.
        """
        if self.scheme == "offset-column":
            fitting, needed = 2 * pairs - self.references, self.references + 1
        else:
            fitting, needed = pairs // self.conversions_per_output, 2 * self.conversions_per_output
        if fitting < 1:
            raise argument_error(
                "coding",
                f"fit on a tile of {2 * pairs} bit lines",
                f"in need of {needed} for one output",
                "Use wider tiles (ChipSpec.columns), or fewer slices or references.",
            )
        return fitting
