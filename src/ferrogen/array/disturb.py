"""Half-select disturb: what programming an array's other cells does to a cell that is programmed already.

Every pulse that programs a cell puts a part of its voltage on the others (:mod:`.selection`). How many of them hit
which cell is counted exactly from the pulses that each cell took, in the order in which cells are programmed; only
those after a cell's own programming count, as write-verify undoes what came before.

What they do follows from the card's switching law by :class:`.evolution.Evolution`, cell-to-cell scatter included: a
table over the number of rows that are programmed after a cell, between whose entries every cell is interpolated in the
logarithm of its own number. While one row is programmed, a cell sees the pulses of the one in its column, and, in the
V/3 scheme, those of the others with the other sign. Stated simplifications, tested against an array that is followed
pulse by pulse:

* all pulses have the largest amplitude, where write-verify's rise to it: an upper bound;
* every later row has the array's mean number of pulses, and its pulses of one sign come in one run;
* the rest of a cell's own row counts as further rows with V/2, and is left out with V/3, but for the last row;
* a cell rests at 0 V for the card's gap only, and not for as long as other cells take.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from ferrogen.array.condition import Condition
from ferrogen.array.evolution import Evolution
from ferrogen.array.evolution_exposure import Exposure, Stage, Train
from ferrogen.array.selection import Scheme, check_scheme, class_voltages
from ferrogen.array.topology import NOR, Crosspoint, Topology
from ferrogen.core.errors import CardError, argument_error, check_number
from ferrogen.device.card import DeviceCard
from ferrogen.device.programming.spec import ProgrammingSpec

Array = NDArray[np.float64]
Counts = NDArray[np.int64]
Order = Literal["cell by cell", "row by row"]

_PER_OCTAVE = 1.0  # entries of the table, in the number of rows
_PULSES = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)  # entries for cells that see less than a row
_ONE = 1e-3  # of a row: below it, the interpolation is linear in the number, and above in its logarithm


@dataclass(frozen=True, slots=True, eq=False)
class HalfSelects:
    """Pulses of other cells that hit a cell after its own programming; every array of shape ``(rows, columns)``.

    Attributes:
        same_row: of cells in its row.
        same_column: of cells in its column.
        neither: of all others.
    """

    same_row: Counts
    same_column: Counts
    neither: Counts


@dataclass(frozen=True, slots=True)
class Pulse:
    """The pulses that cells are programmed with, as they disturb others.

    Attributes:
        voltage: largest amplitude of a set pulse [V].
        width: of a pulse [s].
        gap: at 0 V after it [s].
        reset_share: share of the pulses that are resets, of the opposite sign and the same size [1].
    """

    voltage: float
    width: float
    gap: float
    reset_share: float = 0.0

    def __post_init__(self) -> None:
        for name, unit in (("voltage", "V"), ("width", "s"), ("gap", "s")):
            check_number(name, getattr(self, name), unit)
        if not 0.0 <= self.reset_share <= 1.0:
            raise argument_error("reset_share", "lie between 0 and 1", self.reset_share)


def card_pulse(card: DeviceCard, reset_share: float = 0.0) -> Pulse:
    """Return the pulse of a card's section [programming].

    Raises:
        CardError: the card has no such section.
    """
    spec = card.require(ProgrammingSpec)
    return Pulse(spec.set_voltage.value, spec.pulse_width.value, spec.pulse_gap.value, reset_share)


def half_selects(pulses: Counts, order: Order = "cell by cell") -> HalfSelects:
    """Count the pulses of other cells that hit each cell after its own programming.

    Args:
        pulses: that each cell took, not negative, shape ``(rows, columns)``.
        order: ``cell by cell`` along the rows, the uppermost first; or ``row by row``, all cells of a row at once: then
            a cell that is done sees the rest of its own row's turns.

    Raises:
        ArgumentError: counts that are negative or not whole, or an unknown order.
    """
    n = np.asarray(pulses)
    if n.ndim != 2 or not np.issubdtype(n.dtype, np.integer) or np.any(n < 0):
        raise argument_error("pulses", "be whole numbers from 0 of shape (rows, columns)", f"{n.dtype} {n.shape}")
    n = n.astype(np.int64)
    column = _after(n, 0)
    if order == "cell by cell":
        row = _after(n, 1)
        every = _after(n.reshape(1, -1), 1).reshape(n.shape)
        return HalfSelects(row, column, every - row - column)
    if order == "row by row":
        turns = n.max(axis=1, keepdims=True)
        return HalfSelects(turns - n, column, _after(turns, 0) - column)
    raise argument_error("order", "be 'cell by cell' or 'row by row'", repr(order))


def _after(n: Counts, axis: int) -> Counts:
    """Return the sum of what comes after each entry along an axis."""
    return np.flip(np.cumsum(np.flip(n, axis), axis), axis) - n


def disturb_trains(
    scheme: Scheme, topology: Topology, pulse: Pulse, selects: HalfSelects, off_conductance: float
) -> tuple[tuple[Train, ...], Array]:
    """Return what a cell goes through while the cells of one more row are programmed, and how many such rows follow.

    Args:
        scheme: how cells are selected.
        topology: of the array.
        pulse: of the cells that are programmed.
        selects: how many.
        off_conductance: of a junction that is off [S]; it has the largest share of the voltage on an isolated cell.

    Returns:
        Trains, none if the scheme spares all cells; and their number a cell, shape ``(rows, columns)``: with V/2 the
        rest of a cell's own row is counted in.

    Raises:
        ArgumentError: a scheme that does not fit the topology.
    """
    check_scheme(scheme, topology)
    classes = class_voltages(scheme, pulse.voltage)
    share = float(topology.isolated_share(off_conductance)) if isinstance(topology, NOR) else 1.0
    rows, columns = selects.same_row.shape
    number = columns * rows * (rows - 1) / 2.0  # cells times rows that follow
    # Pulses of one later row, as means over the array: those in a cell's column, and all others.
    own, others = (float(part.sum()) / max(number, 1.0) for part in (selects.same_column, selects.neither))
    trains = (*_train(classes.same_column * share, own, pulse), *_train(classes.neither * share, others, pulse))
    if classes.neither == 0.0 and own == 0.0:  # a single row
        trains, own = _train(classes.same_row, 1.0, pulse), 1.0
    if classes.neither == 0.0:
        return trains, (selects.same_row + selects.same_column) / max(own, 1.0)
    return trains, selects.neither / max(others, 1.0)


def _train(voltage: float, number: float, pulse: Pulse) -> tuple[Train, ...]:
    """Return ``number`` pulses of a voltage, resets behind them."""
    found: list[Train] = []
    for sign, share in ((1.0, 1.0 - pulse.reset_share), (-1.0, pulse.reset_share)):
        if voltage != 0.0 and number * share > 0.0:
            found.append(Train(((sign * voltage, pulse.width), (0.0, pulse.gap)), max(1.0, number * share)))
    return tuple(found)


@dataclass(frozen=True, slots=True, eq=False)
class Disturbed:
    """An array after the programming of all of its cells.

    Attributes:
        condition: of its cells.
        rows_after: rows that were programmed after each cell, its own in part, shape ``(rows, columns)``.
        trains: what a cell saw for each of them.
    """

    condition: Condition
    rows_after: Array
    trains: tuple[Train, ...]


def disturbed(
    evolution: Evolution,
    switched_fraction: Array,
    selects: HalfSelects,
    scheme: Scheme,
    topology: Topology | None = None,
    pulse: Pulse | None = None,
    *,
    tile: int = 0,
) -> Disturbed:
    """Return what half-selects make of an array whose cells were each programmed to a share.

    Args:
        evolution: of the card; its polarity does not matter here, as pulses say their own direction.
        switched_fraction: of each cell right after its own programming, shape ``(rows, columns)``.
        selects: pulses of others that came after.
        scheme: how cells are selected.
        topology: of the array; if not given, a plain crosspoint, or NOR for ``inhibit``.
        pulse: of the cells that are programmed; if not given, the card's largest set pulse.
        tile: number of the array, address of its cells' scatter.

    Raises:
        CardError: the card does not say how its cells switch, or with which pulses they are programmed.
        ArgumentError: shapes that do not fit, or a scheme that does not fit the topology.
    """
    if evolution.remark:
        raise CardError(f"{evolution.remark} What half-selects do to them is not known.")
    shares = np.asarray(switched_fraction, dtype=np.float64)
    if shares.shape != selects.same_row.shape:
        raise argument_error(
            "switched_fraction", f"have the shape {selects.same_row.shape}", f"of shape {shares.shape}"
        )
    kind: Topology = topology or (NOR() if scheme == "inhibit" else Crosspoint())
    card = evolution.card
    trains, count = disturb_trains(scheme, kind, pulse or card_pulse(card), selects, card.off_conductance.value)
    if not trains or float(count.max(initial=0.0)) == 0.0:
        return Disturbed(evolution.after(shares, Exposure(), tile=tile), count, trains)
    follow = evolution if evolution.polarity == 1 else replace(evolution, polarity=1)
    most = max(1.0, float(np.ceil(count.max())))
    grid = np.unique(np.round(np.geomspace(1.0, most, 1 + math.ceil(_PER_OCTAVE * math.log2(most)))))
    # Less than a row: some of the pulses of its first train.
    first = trains[0]
    parts = [n for n in _PULSES if n < first.count]
    stages = [Stage(1.0, (Train(first.phases, n),)) for n in parts]
    stages += [Stage(float(number), trains) for number in grid]
    entries = np.array([0.0, *(n / first.count for n in parts), *grid])

    def present(stages: list[Stage], entries: Array, count: Array) -> Array:
        table = [shares, *(follow.after(shares, Exposure((stage,)), tile=tile).switched_fraction for stage in stages)]
        return _interpolated(np.stack(table), entries, count)

    after = present(stages, entries, count)
    last = (count == 0.0) & (selects.same_row > 0)
    if last.any() and class_voltages(scheme, 1.0).same_row != 0.0:  # V/3: the rest of the last row
        rest = selects.same_row.astype(np.float64)
        parts = [n for n in _PULSES if n < rest.max()] + [float(rest.max())]
        own = present([Stage(1.0, (Train(first.phases, n),)) for n in parts], np.array([0.0, *parts]), rest)
        after = np.where(last, own, after)
    return Disturbed(Condition(np.clip(after, 0.0, 1.0)), count, trains)


def _interpolated(table: Array, entries: Array, at: Array) -> Array:
    """Return every cell's entry of a table ``(entries, rows, columns)`` at its own place, on a logarithmic scale."""
    x, nodes = np.log(_ONE + at), np.log(_ONE + entries)
    k = np.clip(np.searchsorted(nodes, x, side="right") - 1, 0, nodes.size - 2)
    part = np.clip((x - nodes[k]) / (nodes[k + 1] - nodes[k]), 0.0, 1.0)
    i, j = np.indices(at.shape)
    return np.asarray((1.0 - part) * table[k, i, j] + part * table[k + 1, i, j])
