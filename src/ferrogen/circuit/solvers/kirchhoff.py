"""Currents of a network at given node voltages, and by how much Kirchhoff's current law is off at every node.

Voltages are pairs of doubles, ``high + low``. A single double will not do: across a segment of 1e-6 Ohm its rounding,
1e-17 V of 0.1 V, is a current of 10 pA, which is what a whole line of cells of 1 nS carries.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.circuit.network.network import Bridge, Drive, Network

Array = NDArray[np.float64]

_DOUBLED = 1e-30  # relative error of a sum of two doubles, with some room for a line of nodes


@dataclass(frozen=True, slots=True, eq=False)
class Voltages:
    """Node voltages ``high + low`` [V], each of shape ``(2, rows, columns, batch)``: row lines, then column lines."""

    high: Array
    low: Array

    @classmethod
    def zero(cls, shape: tuple[int, int], batch: int) -> Voltages:
        """Return 0 V everywhere."""
        return cls(np.zeros((2, *shape, batch)), np.zeros((2, *shape, batch)))

    def plus(self, step: Array) -> Voltages:
        """Return the sum with a step [V], without losing its digits (Knuth's two-sum)."""
        high = self.high + step
        part = high - self.high
        return Voltages(high, self.low + ((self.high - (high - part)) + (step - part)))

    def value(self) -> Array:
        """Return the voltages, rounded to doubles."""
        return self.high + self.low


@dataclass(frozen=True, slots=True, eq=False)
class Currents:
    """What flows at given voltages.

    Attributes:
        excess: current into every node that does not leave it again [A], shape ``(2, rows, columns, batch)``.
        slope: dI/dV of the cells [S], shape ``(rows, columns, batch)``; of linear cells ``(rows, columns, 1)``.
        cell: through the cells, from row to column [A], shape ``(rows, columns, batch)``.
        left: from the source into each line [A], shape ``(rows, batch)``; likewise the other three.
        right: same shape.
        top: shape ``(columns, batch)``.
        bottom: same shape.
        rounding: largest current that voltages of doubled precision cannot tell from none [A], shape ``(batch,)``.
    """

    excess: Array
    slope: Array
    cell: Array
    left: Array
    right: Array
    top: Array
    bottom: Array
    rounding: Array

    def scale(self) -> Array:
        """Return the largest current through a cell or an end [A], of every input vector."""
        parts = (self.cell.reshape(-1, self.cell.shape[-1]), self.left, self.right, self.top, self.bottom)
        largest: Array = np.max([np.abs(part).max(axis=0) for part in parts], axis=0)
        return largest

    def residual(self) -> float:
        """Return the largest excess over the largest current, over all input vectors [1].

        Where nothing flows (all sources of one voltage) both are rounding, and the residual is 0.
        """
        excess = np.abs(self.excess).max(axis=(0, 1, 2))
        excess[excess <= self.rounding] = 0.0
        scale = self.scale()
        ratio = np.divide(excess, scale, out=np.where(excess > 0.0, np.inf, 0.0), where=scale > 0.0)
        return float(ratio.max(initial=0.0))


def place(bridge: Bridge) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
    """Return the indices of a bridge's two nodes in arrays of shape ``(2, rows, columns)``."""
    first, second = (("row", "column").index(line) for line, _, _ in (bridge.first, bridge.second))
    return (first, *bridge.first[1:]), (second, *bridge.second[1:])


def currents(network: Network, drive: Drive, voltages: Voltages) -> Currents:
    """Evaluate a network.

    Args:
        network: cells and wires.
        drive: sources.
        voltages: of the nodes, with the drive's batch.

    Returns:
        the currents, each to rounding of itself, not of the voltages.
    """
    high, low = voltages.high, voltages.low
    excess = np.zeros_like(high)
    cell, slope = network.law.current(
        network.conductance[:, :, None], (high[0] - high[1]) + (low[0] - low[1])
    )  # fmt: skip
    if network.law.linear:
        slope = network.conductance[:, :, None]
    excess[0] -= cell
    excess[1] += cell
    if network.shape[1] > 1:
        along = np.diff(high[0], axis=1) + np.diff(low[0], axis=1)
        along /= network.row_segments[:, :, None]
        excess[0, :, :-1] += along
        excess[0, :, 1:] -= along
    if network.shape[0] > 1:
        along = np.diff(high[1], axis=0) + np.diff(low[1], axis=0)
        along /= network.column_segments[:, :, None]
        excess[1, :-1] += along
        excess[1, 1:] -= along
    ends = []
    for line, node, source, resistance in (
        (0, (slice(None), 0), drive.left, network.row_left),
        (0, (slice(None), -1), drive.right, network.row_right),
        (1, (0, slice(None)), drive.top, network.column_top),
        (1, (-1, slice(None)), drive.bottom, network.column_bottom),
    ):
        inward = ((source - high[line][node]) - low[line][node]) / resistance[:, None]
        excess[line][node] += inward
        ends.append(inward)
    for bridge in network.bridges:
        a, b = place(bridge)
        across = ((high[a] - high[b]) + (low[a] - low[b])) / bridge.resistance
        excess[a] -= across
        excess[b] += across
    largest = np.max(
        [*(np.abs(side).max(axis=0) for side in (drive.left, drive.right, drive.top, drive.bottom))], axis=0
    )
    steepest = max(float(slope.max()), *(1.0 / float(value.min()) for value in _resistances(network) if value.size))
    return Currents(excess, slope, cell, ends[0], ends[1], ends[2], ends[3], _DOUBLED * steepest * largest)


def _resistances(network: Network) -> tuple[Array, ...]:
    bridges = np.array([bridge.resistance for bridge in network.bridges])
    ends = (network.row_left, network.row_right, network.column_top, network.column_bottom)
    return (network.row_segments, network.column_segments, *ends, bridges)
