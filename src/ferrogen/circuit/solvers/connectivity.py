"""Which nodes of a network have a path to a source: the others have no voltage that any law determines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from ferrogen.circuit.network.network import Drive, Network, Node
from ferrogen.circuit.solvers.kirchhoff import place
from ferrogen.core.errors import argument_error

Mask = NDArray[np.bool_]

_THERE, _MISSING = 1, 2  # weights of connections; a spanning tree takes a missing one only where it must


@dataclass(frozen=True, slots=True, eq=False)
class Isolation:
    """Nodes without a path to a source.

    Attributes:
        nodes: whether a node is one, shape ``(2, rows, columns)``: row lines, column lines.
    """

    nodes: Mask

    @property
    def count(self) -> int:
        """How many there are."""
        return int(np.count_nonzero(self.nodes))

    @property
    def first(self) -> Node:
        """The first of them, row lines before column lines.

        Raises:
            ArgumentError: there is none.
        """
        if not self.count:
            raise argument_error("nodes", "have an isolated node", "without one")
        line, i, j = np.unravel_index(int(np.argmax(self.nodes)), self.nodes.shape)
        return ("row", "column")[int(line)], int(i), int(j)

    def refuse(self) -> None:
        """Do nothing if no node is isolated.

        Raises:
            ArgumentError: some are; says how many, and where.
        """
        if self.count:
            line, i, j = self.first
            many = "1 node without" if self.count == 1 else f"{self.count} nodes without"
            raise argument_error(
                "network", "join every node to a source",
                f"one that has {many} any path to one (open segments or ends, cells of 0 S); the first is"
                f" node ({i}, {j}) of a {line} line",
                "Close an end or a segment, or solve with isolated='ground': nodes that carry no current are then"
                " reported at 0 V.",
            )  # fmt: skip


def isolated_nodes(network: Network) -> Isolation:
    """Return the nodes from which no current can reach a source."""
    rows, columns = network.shape
    whole = bool(np.isfinite(network.row_segments).all() and np.isfinite(network.column_segments).all())
    if whole and not network.bridges:
        row, column = _reached_lines(network)
        lost = np.stack([np.broadcast_to(~row[:, None], (rows, columns)), np.broadcast_to(~column, (rows, columns))])
        return Isolation(lost)
    first, second, there = _connections(network)
    size = 2 * rows * columns + 1
    graph = coo_array((np.ones(int(there.sum())), (first[there], second[there])), shape=(size, size))
    _, labels = connected_components(graph, directed=False)
    return Isolation((labels[:-1] != labels[-1]).reshape(2, rows, columns))


def _reached_lines(network: Network) -> tuple[Mask, Mask]:
    """Return which row and column lines without open segments have a path to a source."""
    row = np.isfinite(network.row_left) | np.isfinite(network.row_right)
    column = np.isfinite(network.column_top) | np.isfinite(network.column_bottom)
    if row.all() and column.all():
        return row, column
    joined = network.conductance > 0.0
    while True:
        more_rows = row | (joined & column).any(axis=1)
        more_columns = column | (joined & more_rows[:, None]).any(axis=0)
        if np.array_equal(more_rows, row) and np.array_equal(more_columns, column):
            return row, column
        row, column = more_rows, more_columns


def _connections(network: Network) -> tuple[NDArray[np.int64], NDArray[np.int64], Mask]:
    """Return all places where two nodes can be joined, and whether they are; the last node is the sources'.

    In order: cells, row segments, column segments, left, right, top, bottom, bridges.
    """
    node = np.arange(2 * network.conductance.size).reshape(2, *network.shape)
    source = np.array(node.size)
    pairs = [
        (node[0], node[1], network.conductance > 0.0),
        (node[0, :, :-1], node[0, :, 1:], np.isfinite(network.row_segments)),
        (node[1, :-1], node[1, 1:], np.isfinite(network.column_segments)),
        (node[0, :, 0], source, np.isfinite(network.row_left)),
        (node[0, :, -1], source, np.isfinite(network.row_right)),
        (node[1, 0], source, np.isfinite(network.column_top)),
        (node[1, -1], source, np.isfinite(network.column_bottom)),
    ]
    for a, b in map(place, network.bridges):
        pairs.append((node[a], node[b], np.array(True)))  # noqa: FBT003
    flat = [np.broadcast_arrays(*pair) for pair in pairs]
    first, second, there = (np.concatenate([part[k].ravel() for part in flat]) for k in range(3))
    return first, second, there.astype(np.bool_)


def joined(network: Network) -> Network:
    """Return the network with every isolated group of nodes hung on the rest by one connection.

    The connections form a tree, so none carries a current and nothing else changes: a solver may be given the result
    where the network itself would be singular.
    """
    first, second, there = _connections(network)
    size = 2 * network.conductance.size + 1
    weight = np.where(there, _THERE, _MISSING).astype(np.float64)
    # Parallel connections (both ends of a line of one node, a bridge beside a segment): the lighter one counts.
    low, high = np.minimum(first, second), np.maximum(first, second)
    order = np.lexsort((weight, high, low))
    distinct = np.ones(order.size, dtype=np.bool_)
    distinct[1:] = (np.diff(low[order]) != 0) | (np.diff(high[order]) != 0)
    kept = order[distinct]
    numbered = coo_array((weight[kept], (low[kept], high[kept])), shape=(size, size))
    tree = minimum_spanning_tree(numbered.tocsr()).tocoo()
    a, b = (ends[tree.data == _MISSING].astype(np.int64) for ends in tree.coords)
    added = np.minimum(a, b) * size + np.maximum(a, b)
    close = np.zeros(first.size, dtype=np.bool_)
    close[kept[np.isin(low[kept] * size + high[kept], added)]] = True
    names = ("row_segments", "column_segments", "row_left", "row_right", "column_top", "column_bottom")
    finite = [1.0 / network.conductance[network.conductance > 0.0]]
    finite += [value[np.isfinite(value)] for value in (getattr(network, name) for name in names)]
    resistance = float(np.median(np.concatenate(finite))) if sum(map(len, finite)) else 1.0
    parts: dict[str, NDArray[np.float64]] = {}
    start = network.conductance.size
    for name in names:
        value = getattr(network, name)
        parts[name] = np.where(close[start : start + value.size].reshape(value.shape), resistance, value)
        start += value.size
    cells = close[: network.conductance.size].reshape(network.shape)
    conductance = np.where(cells, 1.0 / resistance, network.conductance)
    return Network(conductance=conductance, law=network.law, bridges=network.bridges, **parts)


def at_rest(network: Network, drive: Drive) -> tuple[Mask, NDArray[np.float64]]:
    """Return where nothing flows because all sources that are connected with each other have the same voltage.

    There every current of an iterative solution is rounding, and so is its relative residual.

    Args:
        network: without isolated nodes.
        drive: its sources.

    Returns:
        whether an input vector leaves the network at rest, shape ``(batch,)``; and the nodes' voltages if so [V], shape
        ``(2, rows, columns, batch)``.
    """
    first, second, there = _connections(network)
    size = 2 * network.conductance.size
    there &= second < size
    graph = coo_array((np.ones(int(there.sum())), (first[there], second[there])), shape=(size, size))
    groups, labels = connected_components(graph, directed=False)
    nodes = labels.reshape(2, *network.shape)
    low, high = np.full((groups, drive.batch), np.inf), np.full((groups, drive.batch), -np.inf)
    for at, resistance, voltage in (
        (nodes[0, :, 0], network.row_left, drive.left),
        (nodes[0, :, -1], network.row_right, drive.right),
        (nodes[1, 0], network.column_top, drive.top),
        (nodes[1, -1], network.column_bottom, drive.bottom),
    ):
        driven = np.isfinite(resistance)
        np.minimum.at(low, at[driven], voltage[driven])
        np.maximum.at(high, at[driven], voltage[driven])
    return np.all(low == high, axis=0), low[nodes]
