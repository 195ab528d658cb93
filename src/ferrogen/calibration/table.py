"""Tables of measurements from files nobody vouches for: any delimiter, any column names, any size.

A file is read in chunks of lines. ``numpy.loadtxt`` parses a chunk (twice as fast as the ``csv`` module with ``float``,
measured on three columns); where it refuses, the chunk is read again cell by cell, which finds the cell that is
wrong, or drops rows with missing values where that was asked for. Memory is that of one chunk.
"""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from ferrogen.calibration.columns import Choice, Placed, Wanted, place
from ferrogen.core.errors import DataFileError, argument_error

_DELIMITERS = {"tab": "\t", "comma": ",", "semicolon": ";", "blank": " ", "blanks": " ", "\\t": "\t"}
_LONGEST_LINE = 1 << 24  # characters: a trace of a million reads in one row still fits
_SNIFFED = 40  # lines
_CHUNK = 1 << 16  # lines
_CHUNK_CHARACTERS = 1 << 25
_MISSING = frozenset({"", "nan", "na", "n/a", "null", "none", "-", "--", "inf", "+inf", "-inf"})
_MOST_ROWS = 20_000_000

Columns = dict[str, NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class TableFormat:
    """How a table is written; the default recognises everything but a decimal comma.

    Attributes:
        delimiter: ``tab``, ``comma``, ``semicolon``, ``blank`` or the character; ``""`` to recognise it.
        decimal: ``"."`` or ``","``.
        comment: lines that begin with it are left out; ``""`` for none.
        header: ``"yes"``, ``"no"``, or ``"auto"``: there is one if the first line holds a cell that is no number.
        skip: lines to leave out at the top.
        missing: ``"refuse"`` rows with empty or not finite cells, or ``"drop"`` and count them.
        encoding: of the text; a byte order mark wins.

    Raises:
        ArgumentError: a value that is none of these.
    """

    delimiter: str = ""
    decimal: str = "."
    comment: str = "#"
    header: str = "auto"
    skip: int = 0
    missing: str = "refuse"
    encoding: str = "utf-8"

    def __post_init__(self) -> None:
        delimiter = _DELIMITERS.get(self.delimiter, self.delimiter)
        if len(delimiter) > 1 or delimiter in ('"', "\n", "\r", "\0"):
            raise argument_error("delimiter", f"be one character or {', '.join(_DELIMITERS)}", repr(self.delimiter))
        object.__setattr__(self, "delimiter", delimiter)
        for name, among in (
            ("decimal", (".", ",")),
            ("header", ("auto", "yes", "no")),
            ("missing", ("refuse", "drop")),
        ):
            if getattr(self, name) not in among:
                raise argument_error(name, f"be one of {', '.join(among)}", repr(getattr(self, name)))
        if self.decimal == "," and delimiter == ",":
            raise argument_error("delimiter", "differ from the decimal comma", "','", "Give another delimiter.")
        if type(self.skip) is not int or not 0 <= self.skip <= 10_000:
            raise argument_error("skip", "be a number of lines from 0 to 10000", repr(self.skip))
        try:
            "".encode(self.encoding)
        except LookupError:
            raise argument_error("encoding", "be a known text encoding, e.g. 'latin-1'", repr(self.encoding)) from None


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose columns are found; nothing of its rows is in memory.

    Attributes:
        path: where it lies.
        placed: the quantities and their columns.
        header: all column names; empty if there are none.
        width: number of columns.
        form: how it is written, with the delimiter that was recognised.
        dropped: how many rows the last reading left out, for want of a value.
    """

    path: Path
    placed: tuple[Placed, ...]
    header: tuple[str, ...]
    width: int
    form: TableFormat
    _first: int  # line number of the first row
    _count: list[int] = field(default_factory=lambda: [0])

    @property
    def name(self) -> str:
        """The file's name without its folder."""
        return self.path.name.encode("utf-8", "replace").decode("utf-8")

    @property
    def units(self) -> dict[str, str]:
        """The SI unit in which each quantity that was found comes."""
        return {item.name: item.unit for item in self.placed}

    @property
    def dropped(self) -> int:
        """Rows that the last reading left out for want of a value."""
        return self._count[0]

    def chunks(self) -> Iterator[Columns]:
        """Read the rows in SI units, some ten thousand at a time, in memory that does not grow with the file.

        Yields:
            quantity -> values of shape ``(rows,)``, or ``(rows, columns)`` where several columns hold it.

        Raises:
            DataFileError: a cell that is no number, or missing; a row of another length; the line is named.
        """
        self._count[0] = 0
        with _opened(self.path, self.form.encoding) as file:
            number = 0
            for _ in range(self._first - 1):
                _line(file, self.path, number := number + 1)
            while True:
                lines: list[str] = []
                size = 0
                while len(lines) < _CHUNK and size < _CHUNK_CHARACTERS:
                    line = _line(file, self.path, number + len(lines) + 1)
                    if not line:
                        break
                    lines.append(line)
                    size += len(line)
                if not lines:
                    return
                block = self._parse(lines, number + 1)
                number += len(lines)
                if len(block):
                    yield self._named(block)

    def read(self, most_rows: int = _MOST_ROWS) -> Columns:
        """Read all rows in SI units.

        Args:
            most_rows: more are refused; this is what keeps a wrong file from filling the memory.

        Raises:
            DataFileError: as :meth:`chunks`, or no row, or more rows than allowed.
        """
        parts: list[Columns] = []
        rows = 0
        for part in self.chunks():
            rows += len(next(iter(part.values())))
            if rows > most_rows:
                raise DataFileError(
                    f"'{self.path}' has more than {most_rows} rows, which this calibration cannot hold in memory."
                    " Give fewer, for example every tenth row."
                )
            parts.append(part)
        if not rows:
            raise DataFileError(f"'{self.path}' has no row of numbers.")
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    def digest(self) -> str:
        """Return the SHA-256 of the file, as hexadecimal text."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def _named(self, block: NDArray[np.float64]) -> Columns:
        columns, at = {}, 0
        for item in self.placed:
            values = block[:, at : at + len(item.positions)] * item.factor + item.offset
            columns[item.name] = values if item.several else np.ascontiguousarray(values[:, 0])
            at += len(item.positions)
        return columns

    def _parse(self, lines: list[str], first: int) -> NDArray[np.float64]:
        wanted = [position for item in self.placed for position in item.positions]
        rows = [line for line in lines if not _idle(line, self.form)]
        if not rows:
            return np.empty((0, len(wanted)))
        if self.form.decimal == ",":
            rows = [line.replace(",", ".") for line in rows]
        blank = self.form.delimiter in ("", " ")
        if not blank and any(row.count(self.form.delimiter) != self.width - 1 for row in rows):
            return self._parse_slowly(lines, first, wanted)
        try:
            block = np.loadtxt(
                rows, delimiter=None if blank else self.form.delimiter, usecols=wanted, ndmin=2,
                comments=None, quotechar='"',
            )  # fmt: skip
        except (ValueError, OverflowError):
            block = None
        if block is not None and len(block) == len(rows) and np.isfinite(block).all():
            return block
        return self._parse_slowly(lines, first, wanted)

    def _parse_slowly(self, lines: list[str], first: int, wanted: list[int]) -> NDArray[np.float64]:
        found: list[list[float]] = []
        for number, line in enumerate(lines, first):
            if _idle(line, self.form):
                continue
            cells = _cells(line, self.form)
            while len(cells) > self.width and not cells[-1]:
                cells.pop()
            if len(cells) != self.width:
                raise DataFileError(
                    f"'{self.path}', line {number} has {len(cells)} columns, but the table has {self.width}."
                    " Is the line whole, and the delimiter right?"
                )
            row = [self._number(cells[position], number, position) for position in wanted]
            if all(math.isfinite(value) for value in row):
                found.append(row)
            else:
                self._count[0] += 1
        return np.array(found).reshape(len(found), len(wanted))

    def _number(self, text: str, line: int, position: int) -> float:
        """Return the number in a cell; NaN if it is missing and that is allowed."""
        text = text.strip()
        missing = text.lower() in _MISSING
        where = f"column '{self.header[position]}'" if self.header else f"column #{position + 1}"
        if missing and self.form.missing == "drop":
            return math.nan
        if missing:
            raise DataFileError(
                f"'{self.path}', line {line}, {where}: the value is missing or not finite ({text!r})."
                ' Complete it, or drop such rows (--drop-missing, missing = "drop").'
            )
        try:
            value = float(text.replace(",", ".") if self.form.decimal == "," else text)
        except ValueError:
            value = math.nan
        if not math.isfinite(value) or "_" in text:
            comma = " Is it a decimal comma (--decimal-comma)?" if "," in text and self.form.decimal == "." else ""
            raise DataFileError(
                f"'{self.path}', line {line}, {where}: {text[:40]!r} is no number.{comma or ' Correct or remove it.'}"
            )
        return value


def open_table(
    path: Path, wanted: Sequence[Wanted], chosen: Mapping[str, Choice] | None = None, form: TableFormat | None = None
) -> Table:
    """Look at the top of a table and find its columns; the rows are read later.

    Args:
        path: CSV, TSV or text in columns; a byte order mark, CRLF and quoted cells are understood.
        wanted: the quantities.
        chosen: column and unit of those that are not under a usual name.
        form: how the table is written.

    Raises:
        ArgumentError: the mapping names a quantity that nobody wants.
        DataFileError: no file, no text, no table, or a column that is missing or has no unit.
    """
    form = TableFormat() if form is None else form
    lines: list[tuple[int, str]] = []
    with _opened(path, form.encoding) as file:
        number = 0
        while len(lines) < _SNIFFED and (line := _line(file, path, number := number + 1)):
            if number > form.skip and not _idle(line, form):
                lines.append((number, line))
    if not lines:
        raise DataFileError(f"'{path}' is empty. Give a table of numbers in columns.")
    texts = [line for _, line in lines]
    form = _with_delimiter(texts, form)
    rows = [_cells(line, form) for line in texts]
    top = rows[0]
    first_is_header = form.header == "yes" or (form.header == "auto" and not all(_numeric(cell, form) for cell in top))
    header = tuple(cell.strip() for cell in top) if first_is_header else ()
    if form.delimiter == " " and len(rows) > 1 and len(header) > len(rows[1]):
        header = _joined(header)
    while first_is_header and len(header) > 1 and not header[-1] and all(len(row) < len(header) for row in rows[1:]):
        header = header[:-1]
    first_row = 1 if first_is_header else 0
    if len(rows) > 1 and _are_units(rows[1], header, form):
        units = (cell.strip().strip("()[]-") for cell in rows[1])
        header = tuple(f"{name} [{unit}]" if unit else name for name, unit in zip(header, units, strict=True))
        first_row = 2
    if len(rows) <= first_row:
        raise DataFileError(f"'{path}' has a header, but no row of numbers.")
    width = len(header) or len(top)
    try:
        placed = place(wanted, {} if chosen is None else chosen, header, width)
    except DataFileError as error:
        raise DataFileError(f"'{path}': {error}") from None
    return Table(path, tuple(placed), header, width, form, lines[first_row][0])


def _opened(path: Path, encoding: str) -> TextIO:
    try:
        foreign = path.exists() and not path.is_file()
        if not foreign:
            with path.open("rb") as raw:
                mark = raw.read(4)
            if mark[:2] in (b"\xff\xfe", b"\xfe\xff"):
                encoding = "utf-16"
            elif mark[:3] == b"\xef\xbb\xbf":
                encoding = "utf-8-sig"
            return path.open(encoding=encoding, newline=None)
    except FileNotFoundError:
        raise DataFileError(f"'{path}' does not exist. Check the path.") from None
    except (OSError, ValueError) as error:  # a path with a null byte is a ValueError
        raise DataFileError(f"'{path}' cannot be read: {getattr(error, 'strerror', None) or error}.") from None
    raise DataFileError(f"'{path}' is not a file. Give the path of a table.")


def _line(file: TextIO, path: Path, number: int) -> str:
    try:
        line = file.readline(_LONGEST_LINE)
    except (UnicodeError, OSError) as error:
        reason = "it is not text in this encoding" if isinstance(error, UnicodeError) else error.strerror
        raise DataFileError(
            f"'{path}', near line {number}: {reason}. Is it a table? An encoding can be given in the mapping file,"
            ' e.g. encoding = "latin-1".'
        ) from None
    if "\0" in line:
        raise DataFileError(f"'{path}', line {number}: null bytes. It is not a table of text.")
    if len(line) >= _LONGEST_LINE:
        raise DataFileError(f"'{path}', line {number} has more than {_LONGEST_LINE} characters. Is it a table?")
    return line


def _idle(line: str, form: TableFormat) -> bool:
    text = line.strip()
    return not text.strip(form.delimiter or None) or bool(form.comment and text.startswith(form.comment))


def _cells(line: str, form: TableFormat) -> list[str]:
    line = line.strip("\r\n") if form.delimiter == "\t" else line.strip()
    if form.delimiter == " ":
        line = " ".join(line.split())
    if not form.delimiter:
        return [line.strip().strip('"')]
    try:
        return next(csv.reader([line], delimiter=form.delimiter, skipinitialspace=True), [])
    except csv.Error:
        return [line]


def _joined(header: Sequence[str]) -> tuple[str, ...]:
    """Join units in brackets to the names before them: blanks part them, too, in a table parted by blanks."""
    names: list[str] = []
    for word in header:
        if names and word[:1] in ("[", "("):
            names[-1] += f" {word}"
        else:
            names.append(word)
    return tuple(names)


def _numeric(text: str, form: TableFormat) -> bool:
    text = text.strip()
    try:
        float(text.replace(",", ".") if form.decimal == "," else text)
    except ValueError:
        return text.lower() in _MISSING
    return "_" not in text


def _are_units(cells: Sequence[str], header: Sequence[str], form: TableFormat) -> bool:
    """Whether the row below a header states the units of its columns, as plotting programs write it."""
    stated = [cell.strip(" ([") for cell in cells if cell.strip() not in ("", "-")]
    letters = all((cell[:1].isalpha() or cell[:1] in "°%") and not _numeric(cell, form) for cell in stated)
    return len(cells) == len(header) and bool(stated) and letters


def _with_delimiter(lines: Sequence[str], form: TableFormat) -> TableFormat:
    """Choose the delimiter under which the lines have most nearly the same number of columns, more than one."""
    if form.delimiter:
        return form
    best, chosen = 0.0, ""
    for delimiter in ("\t", ";", ",", " "):
        if delimiter == form.decimal:
            continue
        guess = replace(form, delimiter=delimiter)
        rows = [_cells(line, guess) for line in lines]
        counts = [len(cells) for cells in rows]
        usual = max(set(counts), key=lambda count: (counts.count(count), count))
        if usual < 2:
            continue
        body = [cell for cells in (rows[1:] or rows) for cell in cells]
        loose = guess if delimiter == "," else replace(guess, decimal=",")  # both ways of writing a decimal mark
        score = counts.count(usual) / len(counts) * sum(_numeric(cell, loose) for cell in body) / max(len(body), 1)
        if score > best + 1e-9:
            best, chosen = score, delimiter
    return replace(form, delimiter=chosen)


def table_format(given: Mapping[str, object]) -> TableFormat:
    """Build a :class:`TableFormat` from the fields of a mapping file.

    Raises:
        ArgumentError: an unknown field, or one of the wrong kind.
    """
    known = dict(TableFormat.__annotations__)
    for name, value in given.items():
        if name not in known:
            raise argument_error(name, f"be one of {', '.join(known)}, or [columns]", "not known")
        if type(value).__name__ != known[name]:
            raise argument_error(name, f"be of kind {known[name]}", repr(value))
    return TableFormat(**given)  # type: ignore[arg-type]
