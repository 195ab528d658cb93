"""Which column holds which quantity, in which unit: ``"pulse_width = pw [s]"``."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ferrogen.core.errors import ArgumentError, DataFileError, argument_error
from ferrogen.core.files import read_bytes
from ferrogen.core.units import unit_scale

_MAPPING_LIMIT = 100_000
_HOW = 'Write for example "pulse_width = pw [us]", or "pulse_width = #1 [us]" for the first column.'
_CHOICE = re.compile(r"\s*([A-Za-z_]\w*)\s*=\s*(.*\S)\s*", re.DOTALL)
_BRACKETED = re.compile(r"(.*?)\s*\[([^\[\]]*)\]\s*", re.DOTALL)
_NUMBERED = re.compile(r"#(\d{1,6})(?:-(?:#?(\d{1,6}))?)?")
_HEADERS = (r"(.*\S)\s*\[([^\[\]]*)\]\S*", r"(.*\S)\s*\(([^()]*)\)", r"(.*\S)\s+(\S+)")
_SHOWN = 20
_CELSIUS = ("degC", "°C")


@dataclass(frozen=True, slots=True)
class Wanted:
    """A quantity that a kind of calibration reads.

    Attributes:
        name: the field's word, e.g. ``"pulse_width"``.
        units: SI units in which it may be had; the first that the column's unit fits is used. ``"1"`` needs no unit.
        usual: column names that obviously mean it, in order of preference; case and punctuation do not matter.
        optional: a table may lack it.
        several: several columns may hold it; the values are then two-dimensional.
    """

    name: str
    units: tuple[str, ...]
    usual: tuple[str, ...] = ()
    optional: bool = False
    several: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """The column chosen for a quantity.

    Attributes:
        column: the column's name (``*`` stands for anything), ``"#3"``, or ``"#4-#9"`` or ``"#4-"`` for several.
        unit: its unit; ``""`` if the header says it.
    """

    column: str
    unit: str = ""


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a quantity was found: value in SI = cell * factor + offset."""

    name: str
    positions: tuple[int, ...]
    unit: str
    factor: float
    offset: float
    several: bool


def parse_choice(text: str) -> tuple[str, Choice]:
    """Take ``"quantity = column [unit]"`` apart; the column may stand in quotes, the unit may be left out.

    Raises:
        ArgumentError: text of another form.
    """
    match = _CHOICE.fullmatch(text)
    if match is None:
        raise argument_error("column", "read 'quantity = column [unit]'", repr(text), _HOW)
    name, rest = match.groups()
    bracketed = _BRACKETED.fullmatch(rest)
    column, unit = bracketed.groups() if bracketed else (rest, "")
    column = column.strip()
    if len(column) >= 2 and column[0] == column[-1] and column[0] in "'\"":
        column = column[1:-1]
    if not column:
        raise argument_error("column", "name a column", repr(text), _HOW)
    return name, Choice(column, unit.strip())


def parse_choices(texts: Iterable[str]) -> dict[str, Choice]:
    """Take several mappings apart; a later one for the same quantity wins."""
    return dict(parse_choice(text) for text in texts)


def load_mapping(path: Path) -> dict[str, Any]:
    """Read a mapping file: ``[columns]`` with ``pulse_width = "pw [s]"``, above it any field of ``TableFormat``.

    Returns:
        ``{"columns": {quantity: Choice}, field: value, ...}``.

    Raises:
        DataFileError: no such file, not TOML, or a column that is no text.
    """
    raw = read_bytes(path, what="Column mapping", limit=_MAPPING_LIMIT)
    try:
        data: dict[str, Any] = tomllib.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise DataFileError(f"Column mapping '{path}' is not a TOML file: {' '.join(str(error).split())}.") from None
    columns = data.get("columns", {})
    if not isinstance(columns, dict) or not all(isinstance(value, str) for value in columns.values()):
        raise DataFileError(
            f"Column mapping '{path}' must have a table [columns] of text, for example pulse_width = \"pw [us]\"."
        )
    return data | {"columns": parse_choices(f"{name} = {value}" for name, value in columns.items())}


def convert(unit: str, wanted: Wanted) -> tuple[str, float, float]:
    """Return (SI unit, factor, offset) of a column's unit for a wanted quantity.

    Raises:
        ArgumentError: the unit is none, or measures something else.
    """
    plain = _plain_unit(unit)
    if plain in _CELSIUS and "K" in wanted.units:
        return "K", 1.0, 273.15
    for unit_wanted in wanted.units:
        try:
            return unit_wanted, unit_scale(plain, unit_wanted, wanted.name) if plain else 1.0, 0.0
        except ArgumentError as error:
            refusal = error
    raise refusal


def place(wanted: Sequence[Wanted], chosen: Mapping[str, Choice], header: Sequence[str], width: int) -> list[Placed]:
    """Find the column of every wanted quantity.

    Args:
        wanted: what is looked for.
        chosen: the user's mapping; what it does not name is looked for under the usual names.
        header: column names, empty if the table has none.
        width: number of columns.

    Raises:
        ArgumentError: the mapping names a quantity that nobody wants.
        DataFileError: a column is missing, ambiguous, or in no stated or fitting unit; the message says what exists
            and how to name the column.
    """
    unknown = sorted(set(chosen) - {item.name for item in wanted})
    if unknown:
        known = ", ".join(f"{item.name} [{' or '.join(item.units)}]" for item in wanted)
        raise argument_error("column", f"choose among the quantities {known}", repr(unknown[0]))
    placed, without_unit = [], []
    for item in wanted:
        try:
            placed.append(_place_one(item, chosen.get(item.name), header, width))
        except _NoUnitError as error:
            without_unit.append((item, error.column))
    if without_unit:  # all of them at once: else every call names one more
        said = " ".join(f'--column "{item.name} = {name} [{item.units[0]}]"' for item, name in without_unit)
        names = ", ".join(f"'{name}'" for _, name in without_unit)
        which = f"unit of column {names} is" if len(without_unit) == 1 else f"units of columns {names} are"
        raise DataFileError(f"the {which} nowhere stated. Say it: {said} (with the unit of the data in the brackets).")
    return [item for item in placed if item is not None]


class _NoUnitError(DataFileError):
    """A column was found, but not its unit."""

    def __init__(self, column: str) -> None:
        super().__init__(f"the unit of column '{column}' is nowhere stated.")
        self.column = column


def _place_one(wanted: Wanted, choice: Choice | None, header: Sequence[str], width: int) -> Placed | None:
    if choice is None:
        found = _usual(wanted, header)
        if found is None:
            if wanted.optional:
                return None
            raise DataFileError(
                f"no column is obviously `{wanted.name}`. {_columns(header, width)} Name it:"
                f' "{wanted.name} = COLUMN [{wanted.units[0]}]".'
            )
        positions, stated = found, ""
    else:
        positions, stated = _positions(wanted, choice, header, width), choice.unit
    units = {stated or _unit_of(header, position, wanted) for position in positions}
    if len(units) > 1:
        raise DataFileError(f"the columns of `{wanted.name}` have different units: {', '.join(sorted(units))}.")
    unit = units.pop()
    name = header[positions[0]] if header else f"#{positions[0] + 1}"
    if not unit and wanted.units[0] != "1":
        raise _NoUnitError(name)
    try:
        return Placed(wanted.name, positions, *convert(unit, wanted), wanted.several)
    except ArgumentError:
        raise DataFileError(
            f"`{wanted.name}` must be in {' or '.join(wanted.units)}, but column '{name}' is in '{unit}'."
            f' Choose another column or unit: "{wanted.name} = COLUMN [{wanted.units[0]}]".'
        ) from None


def _positions(wanted: Wanted, choice: Choice, header: Sequence[str], width: int) -> tuple[int, ...]:
    text = choice.column
    number = _NUMBERED.fullmatch(text)
    if number is not None:
        first = int(number.group(1))
        last = first if "-" not in text else int(number.group(2)) if number.group(2) else width
        if not 1 <= first <= last <= width:
            raise DataFileError(f"there is no column {text}. {_columns(header, width)}")
        found = tuple(range(first - 1, last))
    elif not header:
        raise DataFileError(
            f"column '{text}' is asked for by name, but the table has no header. Use its number: {wanted.name} = #1."
        )
    elif "*" in text:
        pattern = re.compile(".*".join(re.escape(part) for part in text.split("*")), re.IGNORECASE | re.DOTALL)
        found = tuple(k for k, name in enumerate(header) if pattern.fullmatch(name))
    else:
        found = tuple(k for k, name in enumerate(header) if name == text) or tuple(
            k for k, name in enumerate(header) if text in [part for part, _ in _splits(name)]
        )
        if len(found) > 1:
            raise DataFileError(
                f"column '{text}' exists {len(found)} times. Use its number: {wanted.name} = #{found[0] + 1}."
            )
    if not found:
        raise DataFileError(f"there is no column '{text}'. {_columns(header, width)}")
    if len(found) > 1 and not wanted.several:
        raise DataFileError(f"`{wanted.name}` is read from one column, but '{text}' names {len(found)}.")
    return found


def _usual(wanted: Wanted, header: Sequence[str]) -> tuple[int, ...] | None:
    for usual in (wanted.name, *wanted.usual):
        key = _key(usual)
        found = [k for k, name in enumerate(header) if key in (_key(name), *(_key(part) for part, _ in _splits(name)))]
        if len(found) == 1:
            return (found[0],)
    return None


def _splits(text: str) -> list[tuple[str, str]]:
    """Return how a header may fall into name and unit: ``"Voltage [V]"``, ``"Time (s)"``, ``"P1 uC_per_cm2"``."""
    found = (re.fullmatch(pattern, text.strip(), re.DOTALL) for pattern in _HEADERS)
    return [(match.group(1).strip(), match.group(2).strip()) for match in found if match is not None]


def _unit_of(header: Sequence[str], position: int, wanted: Wanted) -> str:
    """Return the unit that a header states, or ``""``: in brackets any, after a blank only one that fits."""
    if not header:
        return ""
    for name, unit in _splits(header[position]):
        bracketed = header[position].strip() != f"{name} {unit}"
        try:
            convert(unit, wanted)
        except ArgumentError:
            if bracketed and unit:
                return unit
            continue
        return unit
    return ""


def _plain_unit(text: str) -> str:
    """Write a unit as :func:`unit_scale` reads it: ``uC_per_cm2`` becomes ``uC/cm^2``."""
    text = re.sub(r"[_\s]+per[_\s]+", "/", text.strip())
    return re.sub(r"(?<=[A-Za-z])(-?[23])(?![0-9])", r"^\1", text)


def _key(text: str) -> str:
    return re.sub(r"[\W_]+", "", text.lower())


def _columns(header: Sequence[str], width: int) -> str:
    if not header:
        return f"The table has {width} columns and no header; use #1 to #{width}."
    shown = ", ".join(f"'{name}'" for name in header[:_SHOWN]) + (" ..." if width > _SHOWN else "")
    return f"The columns are {shown}."
