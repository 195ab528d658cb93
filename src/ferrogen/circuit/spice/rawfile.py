"""Results of the simulator: SPICE raw files, binary, one plot after the other. Nobody vouches for what they hold.

A header of text lines (``Plotname``, ``Flags``, ``No. Variables``, ``No. Points``, the variables), the line
``Binary:``, then 8-byte floats, all variables of a point together (ngspice manual, chapter "Raw file format").
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import DataFileError

LARGEST_RAW_FILE: Final = 1 << 30
"""Bytes that are read of a simulator's results."""

_LONGEST_LINE = 4096
_MOST_HEADER_LINES = 32
_MOST_PLOTS = 100_000
_VARIABLE = re.compile(r"\s*(\d{1,9})\s+(\S{1,512})\s+(\S{1,64}).*", re.DOTALL)


@dataclass(frozen=True, slots=True, eq=False)
class Plot:
    """One analysis of the simulator.

    Attributes:
        name: of the analysis, such as ``Operating Point`` or ``Transient Analysis``.
        vectors: by name in lower case, ``v(node)`` [V], ``i(element)`` [A], ``time`` [s]; shape ``(points,)`` each.
    """

    name: str
    vectors: Mapping[str, NDArray[np.float64]]

    def vector(self, name: str) -> NDArray[np.float64]:
        """Return a vector by its name.

        Raises:
            DataFileError: the simulator did not write it.
        """
        found = self.vectors.get(name.lower())
        if found is None:
            raise DataFileError(f"The simulator's results hold no vector '{name}' in the plot '{self.name}'.")
        return found


def parse_rawfile(data: bytes) -> tuple[Plot, ...]:
    """Return the plots of a binary raw file, in order.

    Raises:
        DataFileError: it is truncated, complex, holds numbers that are not finite, or is no such file.
    """
    plots: list[Plot] = []
    at = 0
    while at < len(data):
        if len(plots) >= _MOST_PLOTS:
            raise _broken(f"more than {_MOST_PLOTS} plots")
        plot, at = _plot(data, at)
        plots.append(plot)
    return tuple(plots)


def _broken(what: str) -> DataFileError:
    return DataFileError(f"The simulator's results cannot be read: {what}.")


def _line(data: bytes, at: int) -> tuple[str, int]:
    end = data.find(b"\n", at, at + _LONGEST_LINE)
    if end < 0:
        raise _broken("a line of the header is missing or endless")
    return data[at:end].decode("utf-8", errors="replace").rstrip("\r"), end + 1


def _count(fields: Mapping[str, str], name: str) -> int:
    text = fields.get(name, "").strip()
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text) > 0):
        raise _broken(f"'{name}' is {text[:40]!r}, not a positive number")
    return int(text)


def _plot(data: bytes, at: int) -> tuple[Plot, int]:
    fields: dict[str, str] = {}
    for _ in range(_MOST_HEADER_LINES):
        line, at = _line(data, at)
        key, colon, value = line.partition(":")
        if not colon:
            raise _broken(f"the header has the line {line[:40]!r}")
        if key.strip().lower() == "variables":
            break
        fields[key.strip().lower()] = value.strip()
    else:
        raise _broken("the header has no list of variables")
    if "real" not in fields.get("flags", "").lower().split():
        raise _broken(f"the numbers are {fields.get('flags', 'of no stated kind')[:40]!r}, not real")
    variables, points = _count(fields, "no. variables"), _count(fields, "no. points")
    if variables * points * 8 > len(data) - at:
        raise _broken(f"{variables} variables of {points} points are announced, but the file ends before")
    names: list[str] = []
    for index in range(variables):
        line, at = _line(data, at)
        match = _VARIABLE.fullmatch(line)
        if match is None or int(match.group(1)) != index:
            raise _broken(f"variable {index} is announced as {line[:40]!r}")
        names.append(match.group(2).lower())
    line, at = _line(data, at)
    if line.strip().lower() != "binary:":
        raise _broken(f"the numbers begin with {line[:40]!r}, not with 'Binary:'")
    size = variables * points * 8
    if size > len(data) - at:
        raise _broken(f"{variables} variables of {points} points are announced, but the file ends before")
    table = np.frombuffer(data, dtype=np.float64, count=variables * points, offset=at).reshape(points, variables)
    if not np.isfinite(table).all():
        raise _broken(f"'{names[int(np.argwhere(~np.isfinite(table))[0, 1])]}' is not finite")
    vectors: dict[str, NDArray[np.float64]] = {}
    for index, name in enumerate(names):
        column = np.ascontiguousarray(table[:, index])
        if name in vectors and not np.array_equal(vectors[name], column):
            raise _broken(f"'{name}' is there twice, with different numbers")
        vectors[name] = column
    return Plot(fields.get("plotname", ""), MappingProxyType(vectors)), at + size
