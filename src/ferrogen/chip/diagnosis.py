"""From readings of test patterns to a fault map, and how good that map is.

Readings are differential and in units of a cell's range (on less off): with cells on at the left and off at the right
of a pair, a working cell reads 1; the other way round -1; all off 0. A cell that is stuck answers two of the three
wrongly, in a way of its own. Only "both on" and "both off" look alike, which is read as both off.

Lines are judged by what their cells have in common: all off as seen from some point on is a break (a dead readout is
a break at the amplifier); half a reading on two neighbouring pairs is a short of their bit lines; nothing but zeros on
a pair is a short of its own two; and two word lines that answer opposite inputs with nothing are joined.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.array.faults import Cell, FaultMap
from ferrogen.array.faults_lines import line_shares

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
_Places = tuple[NDArray[np.int64], NDArray[np.int64]]

_CLIPPED = 1.4  # of a cell's range: no working cell reads so much
_LEAST_CELLS = 4  # a shorter lost end of a line is described cell by cell
_WRONG = 4.0  # one cell that is not lost outweighs so many that are
_MATCHED = 0.8  # share of a lost line's cells that must be seen as lost
_LEAST_OFFSET = 0.75  # steps of the converter

# What (left, right) in the states working, stuck on, stuck off answer to (left on, right on, all off).
_WORKS, _ON, _OFF = 0, 1, 2
_ANSWERS = {
    (_WORKS, _WORKS): (1, -1, 0), (_WORKS, _ON): (0, -1, -1), (_WORKS, _OFF): (1, 0, 0), (_ON, _WORKS): (1, 0, 1),
    (_ON, _OFF): (1, 1, 1), (_OFF, _WORKS): (0, -1, 0), (_OFF, _ON): (-1, -1, -1), (_OFF, _OFF): (0, 0, 0),
}  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """What the test patterns read, offsets of the converters subtracted, in units of a cell's range.

    Attributes:
        left_on: one word line driven at a time, all left cells on, all right ones off, shape ``(rows, pairs)``.
        right_on: the other way round.
        all_off: all off.
        neighbours: word line k at full input and k + 1 at minus full input, left cells of every other row on, with the
            sign that makes it 1 for working lines, shape ``(rows - 1, pairs)``.
        offsets: mean code of the converters without any input [steps], shape ``(pairs,)``.
    """

    left_on: Array
    right_on: Array
    all_off: Array
    neighbours: Array
    offsets: Array


def diagnose(readings: Readings) -> FaultMap:
    """Return the fault map that explains the readings best."""
    rows, pairs = readings.left_on.shape
    columns = 2 * pairs
    stack = np.stack([readings.left_on, readings.right_on, readings.all_off])
    shorted = np.all(stack > _CLIPPED, axis=0), np.all(stack < -_CLIPPED, axis=0)
    state = _states(stack)
    filament = np.stack(shorted, axis=2).reshape(rows, columns)
    between = _shorts_between_pairs(stack)
    ignored = np.repeat(shorted[0] | shorted[1], 2, axis=1)  # the other cell of the pair does not show
    for pair in between:
        ignored[:, 2 * pair : 2 * pair + 4] = True
    off = (state == _OFF) & ~ignored
    lost_columns = {k: last for k in range(columns) if (last := _lost_prefix(off[:, k], ignored[:, k])) is not None}
    within = [k for k in range(pairs) if all(lost_columns.get(2 * k + side, -1) == rows - 1 for side in (0, 1))]
    for k, last in lost_columns.items():
        ignored[: last + 1, k] = True
    lost_rows: dict[int, int] = {}
    for i in range(rows):
        length = _lost_prefix((off & ~ignored)[i, ::-1], ignored[i, ::-1])
        if length is not None:
            lost_rows[i] = columns - 1 - length
            ignored[i, lost_rows[i] :] = True
    for pair in within:
        del lost_columns[2 * pair], lost_columns[2 * pair + 1]
    joined = _joined_rows(readings.neighbours, (state == _WORKS) & ~ignored)
    seen = ~ignored
    offsets = np.where(np.abs(readings.offsets) >= _LEAST_OFFSET, readings.offsets, 0.0)
    return FaultMap(
        rows=rows,
        columns=columns,
        stuck_on=_cells((state == _ON) & seen),
        stuck_off=_cells(off & seen),
        shorted_cells=_cells(filament),
        open_rows=tuple(sorted(lost_rows.items())),
        open_columns=tuple(sorted((last, k) for k, last in lost_columns.items() if last < rows - 1)),
        shorted_rows=tuple((i, 0) for i in joined),
        shorted_columns=tuple(sorted([(0, 2 * k) for k in within] + [(0, 2 * k + 1) for k in between])),
        dead_columns=tuple(sorted(k for k, last in lost_columns.items() if last == rows - 1)),
        offsets=tuple(float(value) for value in offsets) if offsets.any() else (),
    )


def _cells(mask: Mask) -> tuple[Cell, ...]:
    return tuple((int(i), int(j)) for i, j in np.argwhere(mask))


def _states(stack: Array) -> NDArray[np.int64]:
    """Return the state of every cell ``(rows, columns)`` whose answers are nearest to the readings."""
    names, words = list(_ANSWERS), np.array(list(_ANSWERS.values()), dtype=np.float64)
    distance = ((np.clip(stack, -1.0, 1.0)[None] - words[:, :, None, None]) ** 2).sum(axis=1)
    nearest = np.argmin(distance, axis=0)
    both = np.array(names, dtype=np.int64)[nearest]
    return np.asarray(both.reshape(both.shape[0], -1))


def _lost_prefix(lost: Mask, ignored: Mask) -> int | None:
    """Return the last place of the longest run from the start in which nearly all are lost; None: there is none."""
    score = np.cumsum(np.where(ignored, 0.0, np.where(lost, 1.0, -_WRONG)))
    last = int(np.argmax(score))
    if score[last] < min(_LEAST_CELLS, lost.size):
        return None
    # What is not known after the run is taken to be lost with it.
    after = np.flatnonzero(~ignored[last + 1 :])
    return last + (int(after[0]) if after.size else lost.size - 1 - last)


def _shorts_between_pairs(stack: Array) -> list[int]:
    """Return the pairs whose right line is joined with the left line of the next one."""
    half = (np.abs(np.median(stack[0], axis=0) - 0.5) < 0.2) & (np.abs(np.median(stack[1], axis=0) + 0.5) < 0.2)
    found: list[int] = []
    for pair in range(half.size - 1):
        if half[pair] and half[pair + 1] and (not found or found[-1] != pair - 1):
            found.append(pair)
    return found


def _joined_rows(neighbours: Array, works: Mask) -> list[int]:
    """Return the rows that are joined with the next one."""
    pairs = works[:, 0::2] & works[:, 1::2]
    found = []
    for i in range(neighbours.shape[0]):
        usable = pairs[i] & pairs[i + 1]
        if usable.any() and abs(float(np.median(neighbours[i, usable]))) < 0.25:
            found.append(i)
    return found


@dataclass(frozen=True, slots=True)
class Detection:
    """How well faults of one kind were found.

    Attributes:
        present: how many there are that could be seen (stuck cells of lost lines do not show, and do no harm).
        found: how many of them were found.
        false_alarms: how many were reported that are not there.
    """

    present: int
    found: int
    false_alarms: int

    @property
    def recall(self) -> float:
        """Share of the faults that was found; 1 if there are none."""
        return self.found / self.present if self.present else 1.0

    @property
    def precision(self) -> float:
        """Share of the reports that is true; 1 if there are none."""
        reported = self.found + self.false_alarms
        return self.found / reported if reported else 1.0

    def __add__(self, other: Detection) -> Detection:
        return Detection(self.present + other.present, self.found + other.found, self.false_alarms + other.false_alarms)


def lost_cells(faults: FaultMap) -> Mask:
    """Return the cells that no output sees or no input reaches, shape ``(rows, columns)``."""
    shares = line_shares(faults)
    reach = np.asarray(shares.inputs.sum(axis=0)) * np.asarray(abs(shares.outputs).sum(axis=1))
    return np.asarray(reach.reshape(faults.columns, faults.rows).T == 0.0)


def compare(truth: FaultMap, found: FaultMap) -> dict[str, Detection]:
    """Return how well each kind of fault was found; a dead readout counts as an open column.

    A broken line is found if most of the cells that it loses are known to be lost, a reported one true if most of
    them are.
    """
    rows, columns = truth.rows, truth.columns
    lost, said_lost = lost_cells(truth), lost_cells(found)
    off, said_off = lost | truth.mask("stuck_off"), said_lost | found.mask("stuck_off")
    shared = _on_shared_lines(truth)
    hidden = lost | shared
    result = {}
    for name in ("stuck_on", "stuck_off"):
        is_so, said = truth.mask(name) & ~hidden, found.mask(name) & ~hidden
        seen = said | said_lost if name == "stuck_off" else said
        result[name] = Detection(int(is_so.sum()), int((is_so & seen).sum()), int((said & ~is_so).sum()))
    filaments, named = set(truth.shorted_cells) - set(_cells(lost)), set(found.shorted_cells)
    result["shorted_cells"] = Detection(len(filaments), len(filaments & named), len(named - filaments))

    def row_cells(line: Cell) -> _Places:
        beyond = np.arange(line[1], columns)
        return np.full(beyond.size, line[0]), beyond

    def column_cells(line: Cell) -> _Places:
        above = np.arange(line[0] + 1)
        return above, np.full(above.size, line[1])

    def judge(lines: set[Cell], reports: set[Cell], at: Callable[[Cell], _Places]) -> Detection:
        # Two breaks of one line are one: the one that loses more.
        visible = {line for line in lines if (lost & ~shared)[at(line)].any()}
        good = {line for line in visible if said_off[at(line)][~shared[at(line)]].mean() >= _MATCHED}
        wrong = {line for line in reports if off[at(line)].mean() < _MATCHED and not shared[at(line)].all()}
        return Detection(len(visible), len(good), len(wrong))

    last = rows - 1
    of_columns = set(truth.open_columns) | {(last, k) for k in truth.dead_columns}
    said_columns = set(found.open_columns) | {(last, k) for k in found.dead_columns}
    result["open_rows"] = judge(set(truth.open_rows), set(found.open_rows), row_cells)
    result["open_columns"] = judge(of_columns, said_columns, column_cells)
    pairs = {i for i, _ in truth.shorted_rows}, {i for i, _ in found.shorted_rows}
    result["shorted_rows"] = Detection(len(pairs[0]), len(pairs[0] & pairs[1]), len(pairs[1] - pairs[0]))
    lines = {k for _, k in truth.shorted_columns}, {k for _, k in found.shorted_columns}
    result["shorted_columns"] = Detection(len(lines[0]), len(lines[0] & lines[1]), len(lines[1] - lines[0]))
    is_off, said_so = (np.abs(item.offset_steps()) >= _LEAST_OFFSET for item in (truth, found))
    result["offsets"] = Detection(int(is_off.sum()), int((is_off & said_so).sum()), int((said_so & ~is_off).sum()))
    return result


def _on_shared_lines(faults: FaultMap) -> Mask:
    """Return the cells on lines that are joined with others, or saturated by a filament."""
    mask = np.zeros((faults.rows, faults.columns), dtype=np.bool_)
    for i, _ in faults.shorted_rows:
        mask[i : i + 2] = True
    for _, k in faults.shorted_columns:
        mask[:, k // 2 * 2 : (k + 1) // 2 * 2 + 2] = True
    for i, k in faults.shorted_cells:
        mask[i, k // 2 * 2 : k // 2 * 2 + 2] = True
    return mask
