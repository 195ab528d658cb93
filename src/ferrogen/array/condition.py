"""What use has done to the cells of an array since they were programmed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import argument_error, check_number


@dataclass(frozen=True, slots=True, eq=False)
class Condition:
    """The present state of an array's cells.

    Attributes:
        switched_fraction: share of each cell's domains in the on state now, 0 to 1, shape ``(rows, columns)``.
        on_factor: on conductance now over that of fresh cells [1].
        off_factor: off conductance now over that of fresh cells [1].
        remark: why the cells were not followed, in one sentence: the shares are then those that were programmed.
            Empty for cells that were.

    Raises:
        ArgumentError: a share outside 0 to 1, or a factor that is not positive.
    """

    switched_fraction: NDArray[np.float64]
    on_factor: float = 1.0
    off_factor: float = 1.0
    remark: str = ""

    def __post_init__(self) -> None:
        if not np.all((self.switched_fraction >= 0.0) & (self.switched_fraction <= 1.0)):
            raise argument_error("switched_fraction", "lie between 0 and 1", "outside in places, or NaN")
        check_number("on_factor", self.on_factor, "1")
        check_number("off_factor", self.off_factor, "1")

    @property
    def followed(self) -> bool:
        """Whether the card says how its cells change, so that they were followed."""
        return not self.remark
