"""Remapping: which physical lines carry which weights, and what the cells beside broken ones are asked for.

A weight is the difference of two cells. If one of them is fixed at a conductance (stuck, or lost with its line), the
other can still make the difference right, as long as it lies in its window: every broken cell leaves an interval of
differences, and a weight outside of it an error. Turning a pair round (its codes are negated digitally) turns the
interval round, too. So:

1. word lines that are joined carry one row together, their drivers having the same input; the worst of the others are
   left out if there are spare ones;
2. a pair with a shorted cell saturates, and bit lines that are joined spoil their pairs: such pairs are left out;
3. rows, then pairs with their turns, are assigned so that the sum of squared weight errors is least (Hungarian method,
   exact for either by itself);
4. the partner of a broken cell is asked for what makes the difference right, or as right as it gets.

Logical rows or pairs for which nothing is left are said (:class:`RepairReport`), not hidden.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from ferrogen.array.faults import FaultMap
from ferrogen.array.levels import ConductanceWindow
from ferrogen.chip.diagnosis import lost_cells
from ferrogen.chip.placement import Placement, first_lines
from ferrogen.core.errors import argument_error

Array = NDArray[np.float64]

_ROUNDS = 2  # of rows and pairs in turn
# Moving costs a little (of the squared weights' mean), so that what is whole stays where it is.
_MOVE = 1e-12


@dataclass(frozen=True, slots=True)
class RepairReport:
    """What remapping one tile did.

    Attributes:
        before: squared error that the known faults would make of the tile's weights, over their squares [1].
        after: what remains of it [1].
        rows_moved: logical rows on another word line than their own.
        pairs_moved: logical pairs on another pair than their own.
        pairs_turned: pairs whose right line carries the positive weights.
        rows_left: logical rows that share a joined word line with another, for want of spare ones.
        pairs_left: logical pairs for which no usable pair was left; they give zero.
    """

    before: float
    after: float
    rows_moved: int
    pairs_moved: int
    pairs_turned: int
    rows_left: int
    pairs_left: int

    def __str__(self) -> str:
        """Say it in one line."""
        text = (
            f"squared weight error {self.before:.2%} -> {self.after:.2%}: {self.rows_moved} rows and"
            f" {self.pairs_moved} pairs moved, {self.pairs_turned} turned"
        )
        if self.rows_left or self.pairs_left:
            text += f"; spare lines ran out: {self.rows_left} rows share a line, {self.pairs_left} pairs give zero"
        return text


@dataclass(frozen=True, slots=True, eq=False)
class RepairPlan:
    """How one tile is to be programmed.

    Attributes:
        placement: which lines carry what.
        targets: [S], shape ``(word lines, columns)``.
        report: what it achieves.
    """

    placement: Placement
    targets: Array
    report: RepairReport


@dataclass(frozen=True, slots=True, eq=False)
class _Broken:
    """Pairs of cells of which one is fixed, and the differences that they can still make (of the window's span)."""

    row: NDArray[np.int64]
    pair: NDArray[np.int64]
    low: Array
    high: Array

    def errors(self, which: NDArray[np.bool_], fraction: Array) -> Array:
        """Return the squared errors of weights ``(broken, n)`` at these places."""
        low, high = self.low[which, None], self.high[which, None]
        return np.asarray((fraction - np.clip(fraction, low, high)) ** 2)


def fixed_conductance(faults: FaultMap, on: float, off: float) -> Array:
    """Return the conductance [S] at which broken cells are fixed, NaN for working ones, shape ``(rows, columns)``.

    Args:
        faults: what is known to be broken.
        on: of a stuck cell [S]: the card's.
        off: likewise.
    """
    fixed = np.full((faults.rows, faults.columns), np.nan)
    fixed[faults.mask("stuck_on")] = on
    fixed[faults.mask("stuck_off")] = off
    alone = FaultMap(
        faults.rows,
        faults.columns,
        open_rows=faults.open_rows,
        open_columns=faults.open_columns,
        dead_columns=faults.dead_columns,
    )
    fixed[lost_cells(alone)] = 0.0
    return fixed


def _broken(fixed: Array, window: ConductanceWindow) -> _Broken:
    lowest, highest = np.where(np.isnan(fixed), window.low, fixed), np.where(np.isnan(fixed), window.high, fixed)
    known = ~np.isnan(fixed)
    places = np.argwhere(known[:, 0::2] | known[:, 1::2])
    row, pair = places[:, 0], places[:, 1]
    low = (lowest[:, 0::2] - highest[:, 1::2])[row, pair] / window.span
    high = (highest[:, 0::2] - lowest[:, 1::2])[row, pair] / window.span
    return _Broken(row, pair, low, high)


def _bad_pairs(faults: FaultMap) -> tuple[set[int], list[tuple[int, int]]]:
    """Return pairs spoilt by joined bit lines, and (row, pair) of shorted cells."""
    spoilt = {line // 2 for _, k in faults.shorted_columns for line in (k, k + 1)}
    return spoilt, [(i, k // 2) for i, k in faults.shorted_cells]


def _groups(faults: FaultMap) -> list[list[int]]:
    """Return the word lines as groups of those that are joined, in order."""
    joined = {i for i, _ in faults.shorted_rows}
    groups: list[list[int]] = []
    for i in range(faults.rows):
        if i - 1 in joined:
            groups[-1].append(i)
        else:
            groups.append([i])
    return groups


def plan_repair(
    targets: Array,
    faults: FaultMap,
    window: ConductanceWindow,
    *,
    on: float,
    off: float,
    scale: Array | None = None,
    importance: Array | None = None,
) -> RepairPlan:
    """Plan how a tile with known faults carries given weights.

    Args:
        targets: of logical cells [S], shape ``(rows, 2 * pairs)``: the tile without its spare lines.
        faults: what is known to be broken on the whole tile, spare lines included.
        window: conductances that cells can be asked for.
        on: conductance of a cell that is stuck on [S].
        off: of one that is stuck off [S].
        scale: weight per differential conductance of every logical pair, any unit; equal, if not given.
        importance: mean square of every logical row's input; equal, if not given.

    Raises:
        ArgumentError: more logical lines than the tile has.
    """
    rows, pairs = targets.shape[0], targets.shape[1] // 2
    all_pairs = faults.columns // 2
    if rows > faults.rows or pairs > all_pairs:
        raise argument_error("targets", f"fit on {faults.rows} rows and {all_pairs} pairs", targets.shape)
    fraction = (targets[:, 0::2] - targets[:, 1::2]) / window.span
    weight = np.ones((rows, pairs))
    weight *= 1.0 if scale is None else (scale / np.max(np.abs(scale)))[None, :] ** 2
    weight *= 1.0 if importance is None else importance[:, None]
    fixed = fixed_conductance(faults, on, off)
    broken = _broken(fixed, window)
    total = float(np.sum(weight * fraction**2))
    spoilt, filaments = _bad_pairs(faults)
    groups = _groups(faults)
    usable, groups = _leave_out(spoilt, filaments, groups, rows, pairs, all_pairs)
    move = _MOVE * max(total, 1e-300)
    row_of, rows_left = _start(groups, rows, faults.rows)
    pair_of, flipped = _identity(usable, pairs)
    for _ in range(_ROUNDS):
        row_of = _assign_rows(row_of, groups, broken, fraction, weight, pair_of, flipped, all_pairs, move)
        pair_of, flipped = _assign_pairs(usable, broken, fraction, weight, row_of, all_pairs, move)
    placement = Placement(row_of, pair_of, flipped, rows)
    plain = first_lines(faults.rows, all_pairs, spare_rows=faults.rows - rows, spare_pairs=all_pairs - pairs)
    untreated = plain.to_physical(targets, faults.columns, window.low)
    treated = _physical_targets(placement, fraction, fixed, window)
    unusable = spoilt | {pair for _, pair in filaments}

    def spoils(where: Placement, asked: Array, gone: set[int]) -> float:
        carried = _carried(where, np.where(np.isnan(fixed), asked, fixed) / window.span, gone, _groups(faults))
        return float(np.sum(weight * (carried - fraction) ** 2)) / total if total > 0.0 else 0.0

    report = RepairReport(
        before=spoils(plain, untreated, unusable),
        after=spoils(placement, treated, set()),
        rows_moved=int(np.sum((row_of >= 0) & (row_of != np.arange(faults.rows)))),
        pairs_moved=int(np.sum((pair_of >= 0) & (pair_of != np.arange(pairs)))),
        pairs_turned=int(flipped.sum()),
        rows_left=rows_left,
        pairs_left=int(np.sum(pair_of < 0)),
    )
    return RepairPlan(placement, treated, report)


def _carried(placement: Placement, conductance: Array, gone: set[int], groups: list[list[int]]) -> Array:
    """Return the weights that given cells make, shape ``(rows, pairs)``; none on pairs that are gone.

    Joined word lines have the mean of their inputs; those with the same logical row add.
    """
    difference = conductance[:, 0::2] - conductance[:, 1::2]
    for group in groups:
        if len(group) > 1:
            difference[group] = difference[group].mean(axis=0)
    carried = np.zeros((placement.rows, difference.shape[1]))
    driven = placement.row_of >= 0
    np.add.at(carried, placement.row_of[driven], difference[driven])
    works = (placement.pair_of >= 0) & ~np.isin(placement.pair_of, list(gone))
    signed = np.where(placement.flipped, -1.0, 1.0) * carried[:, np.maximum(placement.pair_of, 0)]
    return np.asarray(np.where(works, signed, 0.0))


def _leave_out(
    spoilt: set[int],
    filaments: list[tuple[int, int]],
    groups: list[list[int]],
    rows: int,
    pairs: int,
    all_pairs: int,
) -> tuple[list[int], list[list[int]]]:
    """Return the usable pairs and word lines: shorted cells cost their pair, or their row where pairs run short."""
    left = list(filaments)
    kept = list(groups)
    while len(spoilt | {pair for _, pair in left}) > all_pairs - pairs and len(kept) > rows and left:
        # The row whose loss saves a pair: that of the pair's only filament.
        count = {pair: sum(1 for _, other in left if other == pair) for _, pair in left}
        single = [(i, pair) for i, pair in left if count[pair] == 1 and pair not in spoilt]
        if not single:
            break
        row = single[0][0]
        kept = [group for group in kept if row not in group]
        left = [(i, pair) for i, pair in left if i != row]
    unusable = spoilt | {pair for _, pair in left}
    return [pair for pair in range(all_pairs) if pair not in unusable], kept


def _start(groups: list[list[int]], rows: int, lines: int) -> tuple[NDArray[np.int64], int]:
    """Return a first placement of logical rows: each its own word line where that leads its group."""
    row_of = np.full(lines, -1, dtype=np.int64)
    leaders = {group[0]: group for group in groups}
    homeless = [i for i in range(rows) if i not in leaders]
    free = [leader for leader in leaders if leader >= rows]
    for i in range(rows):
        if i in leaders:
            row_of[leaders[i]] = i
    for i, leader in zip(homeless, free, strict=False):
        row_of[leaders[leader]] = i
    left = homeless[len(free) :]
    row_of[left] = left  # nothing is free: they stay on their own lines, which they share
    return row_of, len(left)


def _identity(usable: list[int], pairs: int) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    keep = set(usable)
    pair_of = np.array([k if k in keep else -1 for k in range(pairs)], dtype=np.int64)
    free = [k for k in usable if k >= pairs]
    for k in np.flatnonzero(pair_of < 0):
        if free:
            pair_of[k] = free.pop(0)
    return pair_of, np.zeros(pairs, dtype=np.bool_)


def _assign_rows(
    row_of: NDArray[np.int64],
    groups: list[list[int]],
    broken: _Broken,
    fraction: Array,
    weight: Array,
    pair_of: NDArray[np.int64],
    flipped: NDArray[np.bool_],
    all_pairs: int,
    move: float,
) -> NDArray[np.int64]:
    rows = fraction.shape[0]
    if len(groups) < rows:  # some share a line: moving would only make others share
        return row_of
    logical = np.full(all_pairs, -1, dtype=np.int64)
    logical[pair_of[pair_of >= 0]] = np.flatnonzero(pair_of >= 0)
    signed = np.where(flipped, -1.0, 1.0) * fraction
    leader = np.array([group[0] for group in groups])
    lines = np.full(row_of.size, -1, dtype=np.int64)
    lines[leader] = np.arange(leader.size)
    matters = (logical[broken.pair] >= 0) & (lines[broken.row] >= 0)
    column = logical[broken.pair[matters]]
    errors = broken.errors(matters, signed[:, column].T) * weight[:, column].T
    cost = np.zeros((leader.size, rows))
    np.add.at(cost, lines[broken.row[matters]], errors)
    cost += move * (leader[:, None] != np.arange(rows)[None, :])
    chosen, carried = linear_sum_assignment(cost)
    result = np.full(row_of.size, -1, dtype=np.int64)
    for k, i in zip(chosen, carried, strict=True):
        result[groups[k]] = i
    return result


def _assign_pairs(
    usable: list[int],
    broken: _Broken,
    fraction: Array,
    weight: Array,
    row_of: NDArray[np.int64],
    all_pairs: int,
    move: float,
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    pairs = fraction.shape[1]
    first = np.zeros(row_of.size, dtype=np.bool_)
    carried, place = np.unique(row_of, return_index=True)
    first[place[carried >= 0]] = True
    matters = first[broken.row]
    logical = row_of[broken.row[matters]]
    costs = []
    for sign in (1.0, -1.0):
        cost = np.zeros((all_pairs, pairs))
        errors = broken.errors(matters, sign * fraction[logical]) * weight[logical]
        np.add.at(cost, broken.pair[matters], errors)
        costs.append(cost + move * (sign < 0.0))
    turned = costs[1] < costs[0]
    best = np.minimum(*costs)[usable] + move * (np.array(usable, dtype=np.int64)[:, None] != np.arange(pairs)[None, :])
    # The last resort: a pair that gives zero.
    none = np.sum(weight * fraction**2, axis=0)
    chosen, which = linear_sum_assignment(np.vstack([best, np.tile(none + 10.0 * move, (pairs, 1))]))
    pair_of = np.full(pairs, -1, dtype=np.int64)
    real = chosen < len(usable)
    pair_of[which[real]] = np.array(usable, dtype=np.int64)[chosen[real]]
    flipped = (pair_of >= 0) & turned[np.maximum(pair_of, 0), np.arange(pairs)]
    return pair_of, flipped


def _physical_targets(placement: Placement, fraction: Array, fixed: Array, window: ConductanceWindow) -> Array:
    """Return what every cell is asked for [S]: partners of broken cells make the difference right."""
    lines = np.empty((fraction.shape[0], 2 * fraction.shape[1]))
    lines[:, 0::2], lines[:, 1::2] = np.maximum(fraction, 0.0), np.maximum(-fraction, 0.0)
    share = placement.to_physical(lines, fixed.shape[1], 0.0)
    wanted = window.span * (share[:, 0::2] - share[:, 1::2])
    targets = window.low + window.span * share
    left, right = fixed[:, 0::2], fixed[:, 1::2]
    only_left, only_right = ~np.isnan(left) & np.isnan(right), np.isnan(left) & ~np.isnan(right)
    targets[:, 1::2] = np.where(only_left, left - wanted, targets[:, 1::2])
    targets[:, 0::2] = np.where(only_right, right + wanted, targets[:, 0::2])
    return np.clip(targets, window.low, window.high)
