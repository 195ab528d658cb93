"""Pulse trains from tables: where potentiation turns to depression, and which readings belong to one cycle."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.calibration.conditions import is_set
from ferrogen.calibration.kind import Request
from ferrogen.core.errors import DataFileError, argument_error

Array = NDArray[np.float64]

_LEAST_PULSES = 5
_MOST_PULSES = 200_000
_HOW = (
    "Give a column of amplitudes with signs (amplitude = COLUMN [V]), pulse numbers that begin anew in each branch, or"
    " --set 'pulses_per_branch = 50'."
)


@dataclass(frozen=True, slots=True)
class Branch:
    """Pulses of one direction.

    Attributes:
        rising: potentiation, else depression.
        conductance: before the first pulse and after each one [S], shape ``(pulses + 1,)``.
        amplitude: of the pulses, with sign [V], shape ``(pulses,)``; None if not known.
        width: of the pulses [s], likewise.
    """

    rising: bool
    conductance: Array
    amplitude: Array | None
    width: Array | None

    @property
    def pulses(self) -> int:
        """Number of pulses."""
        return self.conductance.size - 1


def read_trains(request: Request) -> list[list[Branch]]:
    """Return the branches of every train (a file's column of conductances), in the order of time.

    Raises:
        DataFileError: a conductance that is not positive, branches that cannot be told apart, or too few pulses.
        ArgumentError: currents without a read voltage.
    """
    trains = []
    for table in request.tables:
        columns = table.read()
        values = columns["conductance"]
        unit = table.units["conductance"]
        if unit == "A":
            volts = request.number("read_voltage")
            if not is_set(volts):
                raise argument_error("read_voltage", "be given in V for currents", "absent")
            values = values / volts
        elif unit == "Ohm":
            if not (values > 0.0).all():
                raise DataFileError(f"'{table.name}': a resistance is zero or negative.")
            values = 1.0 / values
        if not (values > 0.0).all():
            raise DataFileError(f"'{table.name}': a conductance is zero or negative. Leave out what was not measured.")
        if values.shape[0] > _MOST_PULSES:
            raise DataFileError(f"'{table.name}' has more than {_MOST_PULSES} pulses. Give fewer cycles.")
        edges = _edges(request, table.name, columns, values.shape[0])
        trains += [_branches(table.name, values[:, j], edges, columns) for j in range(values.shape[1])]
    return trains


def _edges(request: Request, name: str, columns: dict[str, Array], rows: int) -> list[int]:
    """Return the rows at which branches begin, and the number of rows."""
    count = request.number("pulses_per_branch")
    amplitude, pulse = columns.get("amplitude"), columns.get("pulse")
    if amplitude is not None and (amplitude > 0.0).any() and (amplitude < 0.0).any():
        sign = np.sign(amplitude)
        if (sign == 0.0).any():
            raise DataFileError(f"'{name}': a pulse of 0 V is none. Leave its row out.")
        inner = np.flatnonzero(np.diff(sign) != 0.0) + 1
    elif is_set(count):
        inner = np.arange(round(count), rows, round(count))
    elif pulse is not None and (np.diff(pulse) <= 0.0).any():
        inner = np.flatnonzero(np.diff(pulse) <= 0.0) + 1
    else:
        raise DataFileError(f"'{name}': nothing tells where potentiation ends and depression begins. {_HOW}")
    return [0, *(int(k) for k in inner), rows]


def _branches(name: str, values: Array, edges: Sequence[int], columns: dict[str, Array]) -> list[Branch]:
    amplitude, width, pulse = (columns.get(key) for key in ("amplitude", "width", "pulse"))
    found = []
    for first, stop in itertools.pairwise(edges):
        if stop - first < _LEAST_PULSES:
            raise DataFileError(
                f"'{name}': a branch of {stop - first} pulses (row {first + 1}) is too short; {_LEAST_PULSES} are"
                f" needed. {_HOW}"
            )
        # A branch begins with the last state of the one before, unless pulse 0 says it; the first with its own.
        begin = first if first == 0 or (pulse is not None and pulse[first] == 0.0) else first - 1
        own = values[begin:stop]
        pulses = slice(begin + 1, stop)
        volts = None if amplitude is None else amplitude[pulses]
        rising = bool(own[-1] > own[0])
        if amplitude is not None and (amplitude < 0.0).any():
            rising = bool(amplitude[begin + 1] > 0.0)
        found.append(Branch(rising, own, volts, None if width is None else width[pulses]))
    return found


def repeats_among(branches: Sequence[Branch], *, rising: bool) -> tuple[list[Branch], int]:
    """Return the branches of one direction with the most usual pulses, and how many have others.

    Of equally usual pulses, the longer, then the later branches are taken.
    """
    own = [branch for branch in branches if branch.rising == rising]
    if not own:
        return [], 0
    keys = [_pulses_of(branch) for branch in own]
    usual = max(keys, key=lambda key: (keys.count(key), key[0], len(keys) - keys[::-1].index(key)))
    kept = [branch for branch, key in zip(own, keys, strict=True) if key == usual]
    return kept, len(own) - len(kept)


def _pulses_of(branch: Branch) -> tuple[int, tuple[float, ...]]:
    """Return what makes branches comparable: number of pulses, amplitudes and widths to four digits."""
    parts = [item for item in (branch.amplitude, branch.width) if item is not None]
    return branch.pulses, tuple(float(f"{value:.4g}") for part in parts for value in part)
