"""Two solutions of one network, node by node and end by end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ferrogen.circuit.solvers.solution import Solution
from ferrogen.circuit.spice.static import SimulatedArray
from ferrogen.circuit.spice.static_elements import SIDES
from ferrogen.core.errors import argument_error

Array = NDArray[np.float64]

FLOOR: Final = 1e-9
"""Share of the largest number below which one has no digits of its own to compare: where currents cancel, rounding is
all that is left. Differences are relative to the number itself, or to this share of the largest, whichever is more."""


@dataclass(frozen=True, slots=True)
class Difference:
    """The largest relative difference among numbers of one kind.

    Attributes:
        largest: [1].
        median: of all that were compared [1].
        where: name of the node or the end, as in a netlist.
        vector: index of the input vector.
        first: the number there in the one solution [V or A].
        second: and in the other.
        count: how many numbers were compared.
    """

    largest: float
    median: float
    where: str
    vector: int
    first: float
    second: float
    count: int


@dataclass(frozen=True, slots=True, eq=False)
class Comparison:
    """Two solutions of one network, compared.

    Attributes:
        first: who found the one.
        second: who found the other.
        voltages: of all nodes; None if one of the two brought none.
        currents: of all ends.
        voltage_differences: relative, of every node, shape ``(2, rows, columns, batch)``; None likewise.
        current_differences: relative, of all ends (left, right, top, bottom), one dimension.
    """

    first: str
    second: str
    voltages: Difference | None
    currents: Difference
    voltage_differences: Array | None
    current_differences: Array

    @property
    def largest(self) -> float:
        """Largest relative difference of all [1]."""
        return max(self.currents.largest, self.voltages.largest if self.voltages else 0.0)

    def record(self) -> dict[str, Any]:
        """Return the differences as plain values for JSON."""
        parts = {"voltages": self.voltages, "currents": self.currents}
        return {
            "between": [self.first, self.second],
            **{
                name: None
                if part is None
                else {
                    "largest_relative_difference": part.largest,
                    "median_relative_difference": part.median,
                    "where": part.where,
                    "input_vector": part.vector,
                    "values": [part.first, part.second],
                    "count": part.count,
                }
                for name, part in parts.items()
            },
        }


def compare(one: Solution | SimulatedArray, other: Solution | SimulatedArray, *, names: tuple[str, str]) -> Comparison:
    """Return how far two solutions of the same network differ.

    Args:
        one: a solution.
        other: another.
        names: of the two, for records and messages.

    Raises:
        ArgumentError: solutions of networks of different size, or numbers that are not finite.
    """
    currents = [_pair(getattr(one, f"{side}_current"), getattr(other, f"{side}_current")) for side in SIDES]
    labels = [f"i({side}_{index})" for side, pair in zip(SIDES, currents, strict=True) for index in range(len(pair[0]))]
    ends = tuple(np.concatenate([pair[k] for pair in currents]) for k in range(2))
    flow = relative_difference(*ends)
    voltages = None
    if one.row_voltage is not None and other.row_voltage is not None:
        if one.column_voltage is None or other.column_voltage is None:
            raise argument_error("solutions", "bring both lines' voltages or none", "without columns'")
        rows = _pair(one.row_voltage, other.row_voltage)
        columns = _pair(one.column_voltage, other.column_voltage)
        voltages = tuple(np.stack([a, b]) for a, b in zip(rows, columns, strict=True))
    spread = None if voltages is None else relative_difference(*voltages)
    return Comparison(
        first=names[0],
        second=names[1],
        voltages=None if voltages is None or spread is None else _worst(spread, voltages, _node_name),
        currents=_worst(flow, ends, lambda index: labels[index[0]]),
        voltage_differences=spread,
        current_differences=flow.ravel(),
    )


def relative_difference(one: Array, other: Array) -> Array:
    """Return |a - b| over the larger of |a|, |b| and :data:`FLOOR` times the largest number of all [1]."""
    size = np.maximum(np.abs(one), np.abs(other))
    least = max(FLOOR * float(size.max(initial=0.0)), np.finfo(np.float64).tiny)
    return np.asarray(np.abs(one - other) / np.maximum(size, least))


def _pair(one: Array, other: Array) -> tuple[Array, Array]:
    if one.shape != other.shape or not (np.isfinite(one).all() and np.isfinite(other).all()):
        raise argument_error(
            "solutions", "be finite and of the same network and drive", f"of shapes {one.shape} and {other.shape}"
        )
    return one, other


def _node_name(index: tuple[int, ...]) -> str:
    return f"v({'rc'[index[0]]}_{index[1]}_{index[2]})"


def _worst(spread: Array, pair: tuple[Array, ...], name: Callable[[tuple[int, ...]], str]) -> Difference:
    at = tuple(int(k) for k in np.unravel_index(int(np.argmax(spread)), spread.shape))
    return Difference(
        largest=float(spread[at]),
        median=float(np.median(spread)),
        where=name(at),
        vector=at[-1],
        first=float(pair[0][at]),
        second=float(pair[1][at]),
        count=int(spread.size),
    )
