"""What can be broken on an array: rates, and the map of one array's faults.

Positions are those of cell nodes, as (row, column). Rows are driven at the left, columns are sensed at the bottom; row
0 is farthest from the sense amplifiers.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, ValidationError

from ferrogen.core.errors import ArgumentError, DataFileError, argument_error, check_number, is_whole
from ferrogen.core.files import read_bytes, write_json
from ferrogen.core.spec import Spec, explain

Cell = tuple[int, int]
"""(row, column)."""

CONDUCTANCE_QUANTUM: Final = 7.748091729e-5
"""2 e^2 / h [S]: a filament one atom wide (CODATA 2018)."""

_MOST_CELLS: Final = 2**24
_MOST_BYTES: Final = 64 * 2**20
_LISTS: Final = (
    "stuck_on",
    "stuck_off",
    "shorted_cells",
    "open_rows",
    "open_columns",
    "shorted_rows",
    "shorted_columns",
)


@dataclass(frozen=True, slots=True)
class FaultRates:
    """How often what is broken. Probabilities; all faults are independent.

    Attributes:
        stuck_on: of a cell: it is on, whatever is done to it.
        stuck_off: of a cell.
        shorted_cell: of a cell: a filament joins its word and its bit line.
        open_row: of a word line: broken at one of its segments, each as likely.
        open_column: of a bit line.
        shorted_rows: of two neighbouring word lines: joined at one of their cells, each as likely.
        shorted_columns: of two neighbouring bit lines.
        dead_column: of a bit line's readout: it returns nothing.
        converter_offset: of a converter: it has an offset.
        offset_steps: standard deviation of the offset of those that have one, in steps (LSB) of the converter. Default
            assumed, source none.
        short_conductance: of a shorted cell's filament [S].

    Raises:
        ArgumentError: a probability outside 0 to 1, stuck cells of more than 1 together, a conductance that is not
            positive.
    """

    stuck_on: float = 0.0
    stuck_off: float = 0.0
    shorted_cell: float = 0.0
    open_row: float = 0.0
    open_column: float = 0.0
    shorted_rows: float = 0.0
    shorted_columns: float = 0.0
    dead_column: float = 0.0
    converter_offset: float = 0.0
    offset_steps: float = 8.0
    short_conductance: float = CONDUCTANCE_QUANTUM

    def __post_init__(self) -> None:
        for name in PROBABILITIES:
            check_number(name, getattr(self, name), "1 (a probability)", may_vanish=True)
            if getattr(self, name) > 1.0:
                raise argument_error(name, "be a probability, 0 to 1", getattr(self, name))
        if self.stuck_on + self.stuck_off > 1.0:
            raise argument_error("stuck_on", "be, with stuck_off, at most 1", (self.stuck_on, self.stuck_off))
        check_number("offset_steps", self.offset_steps, "steps of the converter", may_vanish=True)
        check_number("short_conductance", self.short_conductance, "S")

    def scaled(self, factor: float) -> Self:
        """Return these rates with every probability multiplied by ``factor``, cut at 1.

        Raises:
            ArgumentError: a factor that is negative or not finite, or stuck cells of more than 1 together.
        """
        check_number("factor", factor, "1", may_vanish=True)
        return replace(self, **{name: min(1.0, factor * getattr(self, name)) for name in PROBABILITIES})


PROBABILITIES: Final = tuple(
    item.name for item in fields(FaultRates) if item.name not in ("offset_steps", "short_conductance")
)
"""The fields of :class:`FaultRates` that are probabilities."""


@dataclass(frozen=True, slots=True)
class FaultMap:
    """What is broken on one array of ``rows`` x ``columns``.

    A stuck cell keeps the traps of its film: it is noisy like any other cell in that state. A shorted cell has its
    filament in parallel.

    Attributes:
        stuck_on: cells.
        stuck_off: cells.
        shorted_cells: cells whose word and bit line a filament joins.
        open_rows: (row, column): the word line is broken just before that cell, on the driver's side.
        open_columns: (row, column): the bit line is broken just after that cell, on the amplifier's side.
        shorted_rows: (row, column): the word lines ``row`` and ``row + 1`` are joined at that column.
        shorted_columns: (row, column): the bit lines ``column`` and ``column + 1`` are joined at that row.
        dead_columns: bit lines whose readout returns nothing.
        offsets: of the converter of every differential pair [steps of the converter]; empty: none has any.
        short_conductance: of the filaments [S].

    Raises:
        ArgumentError: a position that the array does not have, a fault given twice, a cell stuck both on and off.
    """

    rows: int
    columns: int
    stuck_on: tuple[Cell, ...] = ()
    stuck_off: tuple[Cell, ...] = ()
    shorted_cells: tuple[Cell, ...] = ()
    open_rows: tuple[Cell, ...] = ()
    open_columns: tuple[Cell, ...] = ()
    shorted_rows: tuple[Cell, ...] = ()
    shorted_columns: tuple[Cell, ...] = ()
    dead_columns: tuple[int, ...] = ()
    offsets: tuple[float, ...] = ()
    short_conductance: float = CONDUCTANCE_QUANTUM

    def __post_init__(self) -> None:
        for name in ("rows", "columns"):
            if not is_whole(getattr(self, name), 1, _MOST_CELLS):
                raise argument_error(name, "be a whole number of at least 1", getattr(self, name))
        if self.rows * self.columns > _MOST_CELLS:
            raise argument_error("rows", f"make, with columns, at most {_MOST_CELLS} cells", (self.rows, self.columns))
        for name in _LISTS:
            self._check_cells(name)
        both = set(self.stuck_on) & set(self.stuck_off)
        if both:
            raise argument_error("stuck_off", "name no cell that is stuck on, too", min(both))
        dead = self.dead_columns
        if len(set(dead)) != len(dead) or not all(is_whole(k, 0, self.columns - 1) for k in dead):
            raise argument_error("dead_columns", f"name columns from 0 to {self.columns - 1}, each once", _some(dead))
        if self.offsets and len(self.offsets) != self.columns // 2:
            raise argument_error("offsets", f"hold one offset for each of {self.columns // 2} pairs", len(self.offsets))
        value: Any
        for value in self.offsets:
            check_number("offsets", value**2 if isinstance(value, float) else value, "converter steps", may_vanish=True)
        check_number("short_conductance", self.short_conductance, "S")

    def _check_cells(self, name: str) -> None:
        value: tuple[Any, ...] = getattr(self, name)
        rows = self.rows - (name == "shorted_rows")
        columns = self.columns - (name == "shorted_columns")
        for item in value:
            good = isinstance(item, tuple) and len(item) == 2 and all(is_whole(k, 0) for k in item)
            if not good or item[0] >= rows or item[1] >= columns:
                raise argument_error(name, f"hold (row, column) below ({rows}, {columns})", repr(item))
        if len(set(value)) != len(value):
            raise argument_error(name, "name everything once", "holding something twice")

    @property
    def count(self) -> int:
        """How many faults there are."""
        return sum(len(getattr(self, name)) for name in _LISTS) + len(self.dead_columns) + self.offset_count

    @property
    def offset_count(self) -> int:
        """How many converters have an offset."""
        return sum(1 for value in self.offsets if value != 0.0)

    @property
    def breaks_lines(self) -> bool:
        """Whether anything but stuck cells and converter offsets is wrong."""
        return self.count > len(self.stuck_on) + len(self.stuck_off) + self.offset_count

    def mask(self, name: Literal["stuck_on", "stuck_off", "shorted_cells"]) -> NDArray[np.bool_]:
        """Return where the cells of one kind are, shape ``(rows, columns)``."""
        found = np.zeros((self.rows, self.columns), dtype=np.bool_)
        cells = getattr(self, name)
        if cells:
            found[tuple(np.array(cells).T)] = True
        return found

    def on_state(self, switched_fraction: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the switched fraction that cells really have, stuck ones included, shape ``(rows, columns)``."""
        if not self.stuck_on and not self.stuck_off:
            return switched_fraction
        return np.where(self.mask("stuck_on"), 1.0, np.where(self.mask("stuck_off"), 0.0, switched_fraction))

    def on_cells(
        self, conductance: NDArray[np.float64], on: NDArray[np.float64], off: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the conductances [S] of the cells with their faults.

        Args:
            conductance: of working cells [S], shape ``(rows, columns)``.
            on: of the same cells when they are on [S], same shape.
            off: when they are off.
        """
        stuck = np.where(self.mask("stuck_on"), on, np.where(self.mask("stuck_off"), off, conductance))
        return np.asarray(stuck + self.short_conductance * self.mask("shorted_cells"))

    def offset_steps(self) -> NDArray[np.float64]:
        """Return the offset of every pair's converter [steps], shape ``(columns // 2,)``."""
        return np.array(self.offsets) if self.offsets else np.zeros(self.columns // 2)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        plain: dict[str, Any] = {"format": 1}
        for item in fields(self):
            value = getattr(self, item.name)
            plain[item.name] = (
                [list(k) if isinstance(k, tuple) else k for k in value] if item.name in _PLURAL else value
            )
        return plain

    def save(self, path: Path) -> None:
        """Write this map as JSON, atomically.

        Raises:
            OutputError: the folder cannot be written.
        """
        write_json(path, self.to_dict())

    @classmethod
    def from_json(cls, text: str | bytes, *, subject: str = "Fault map") -> Self:
        """Read a map from JSON.

        Raises:
            DataFileError: text that is no fault map; names the field and what is wrong with it.
        """
        try:
            plain = _FaultFile.model_validate_json(text).model_dump(exclude={"format"})
            return cls(**plain)
        except ValidationError as error:
            raise DataFileError(explain(error, subject=subject)) from None
        except ArgumentError as error:
            raise DataFileError(f"{subject}: {error}") from None

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read a map from a file.

        Raises:
            DataFileError: a file that is missing, too large, or no fault map.
        """
        text = read_bytes(path, what="Fault map", limit=_MOST_BYTES)
        return cls.from_json(text, subject=f"Fault map '{path}'")


_PLURAL: Final = (*_LISTS, "dead_columns", "offsets")


class _FaultFile(Spec):
    """What a file of a fault map may hold."""

    format: Literal[1]
    rows: Annotated[int, Field(ge=1, le=_MOST_CELLS, strict=True)]
    columns: Annotated[int, Field(ge=1, le=_MOST_CELLS, strict=True)]
    stuck_on: tuple[tuple[int, int], ...] = ()
    stuck_off: tuple[tuple[int, int], ...] = ()
    shorted_cells: tuple[tuple[int, int], ...] = ()
    open_rows: tuple[tuple[int, int], ...] = ()
    open_columns: tuple[tuple[int, int], ...] = ()
    shorted_rows: tuple[tuple[int, int], ...] = ()
    shorted_columns: tuple[tuple[int, int], ...] = ()
    dead_columns: tuple[int, ...] = ()
    offsets: tuple[float, ...] = ()
    short_conductance: float = CONDUCTANCE_QUANTUM


def _some(values: tuple[object, ...]) -> str:
    return repr(values) if len(values) < 6 else f"{repr(values[:5])[:-1]}, ...)"


def draw_faults(rates: FaultRates, rows: int, columns: int, generator: np.random.Generator) -> FaultMap:
    """Draw what is broken on an array.

    The draws have a fixed shape: from equal generators, the faults at higher rates include those at lower ones.

    Args:
        rates: how often what is broken.
        rows: of the array.
        columns: of the array.
        generator: addressed with the purpose ``FAULTS``.
    """
    cell, filament = generator.random((rows, columns)), generator.random((rows, columns))
    row_open, row_at = generator.random(rows), generator.integers(0, columns, rows)
    column_open, column_at = generator.random(columns), generator.integers(0, rows, columns)
    rows_short, rows_at = generator.random(rows - 1), generator.integers(0, columns, rows - 1)
    columns_short, columns_at = generator.random(columns - 1), generator.integers(0, rows, columns - 1)
    dead = generator.random(columns)
    has_offset, size = generator.random(columns // 2), generator.standard_normal(columns // 2)

    def cells(mask: NDArray[np.bool_]) -> tuple[Cell, ...]:
        return tuple((int(i), int(j)) for i, j in np.argwhere(mask))

    def on_rows(mask: NDArray[np.bool_], at: NDArray[np.int64]) -> tuple[Cell, ...]:
        return tuple((int(i), int(at[i])) for i in np.flatnonzero(mask))

    def on_columns(mask: NDArray[np.bool_], at: NDArray[np.int64]) -> tuple[Cell, ...]:
        return tuple((int(at[j]), int(j)) for j in np.flatnonzero(mask))

    offsets = np.where(has_offset < rates.converter_offset, rates.offset_steps * size, 0.0)
    return FaultMap(
        rows=rows,
        columns=columns,
        stuck_on=cells(cell < rates.stuck_on),
        stuck_off=cells(cell >= 1.0 - rates.stuck_off),
        shorted_cells=cells(filament < rates.shorted_cell),
        open_rows=on_rows(row_open < rates.open_row, row_at),
        open_columns=on_columns(column_open < rates.open_column, column_at),
        shorted_rows=on_rows(rows_short < rates.shorted_rows, rows_at),
        shorted_columns=on_columns(columns_short < rates.shorted_columns, columns_at),
        dead_columns=tuple(int(k) for k in np.flatnonzero(dead < rates.dead_column)),
        offsets=tuple(float(value) for value in offsets) if np.any(offsets) else (),
        short_conductance=rates.short_conductance,
    )
