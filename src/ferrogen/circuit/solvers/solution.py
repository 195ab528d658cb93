"""What a solver returns: currents and voltages, and whether they are good to the tolerance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import FerrogenError

Array = NDArray[np.float64]
Method = Literal["lines", "direct"]


class ConvergenceError(FerrogenError):
    """A solver stopped short of its tolerance and the caller insisted on the solution."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a solve ended.

    Attributes:
        converged: whether the tolerance was reached for every input vector.
        iterations: of the outermost loop.
        residual: largest current that Kirchhoff's law is off by at a node, over the largest current through a cell or
            an end, over all input vectors [1].
        remedy: what to do; empty if it converged.
    """

    converged: bool
    iterations: int
    residual: float
    remedy: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Solution:
    """Operating points of a network, one for every input vector.

    Currents count positive into the network: a sensed column's output current is ``-bottom_current``.

    Attributes:
        left_current: from each source [A], shape ``(rows, batch)``; zero where the end floats.
        right_current: same shape.
        top_current: shape ``(columns, batch)``.
        bottom_current: same shape.
        row_voltage: of the row lines' nodes [V], shape ``(rows, columns, batch)``; None if not asked for.
        column_voltage: of the column lines' nodes [V], same shape; None if not asked for.
        method: ``lines`` (iterative) or ``direct``.
        outcome: how it ended.
    """

    left_current: Array
    right_current: Array
    top_current: Array
    bottom_current: Array
    row_voltage: Array | None
    column_voltage: Array | None
    method: Method
    outcome: Outcome

    def checked(self) -> Solution:
        """Return this solution if it converged.

        Raises:
            ConvergenceError: it did not; says how far it got and what to do.
        """
        if not self.outcome.converged:
            raise ConvergenceError(
                f"The wire solver ('{self.method}') stopped after {self.outcome.iterations} iterations with a"
                f" relative residual of {self.outcome.residual:.1e}. {self.outcome.remedy}"
            )
        return self
