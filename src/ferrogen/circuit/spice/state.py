"""The state of an array that is exported or verified: drawn from a card and programmed, or read from a file."""

from __future__ import annotations

import io
import tokenize
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ferrogen.array.levels import DiscreteLevels, conductance_window
from ferrogen.array.population import draw_population
from ferrogen.array.programming import WriteVerify, program
from ferrogen.core.errors import DataFileError, argument_error, is_whole
from ferrogen.core.files import read_bytes
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.card import DeviceCard

Array = NDArray[np.float64]

LARGEST_FILE: Final = 1 << 28
"""Bytes of a file with conductances."""

_MOST_LINES = 4096
_LARGEST_CONDUCTANCE = 1e3  # S; a millimetre of copper wire, and no cell; solvers overflow far above
_NPY = b"\x93NUMPY"


@dataclass(frozen=True, slots=True, eq=False)
class ArrayState:
    """Conductances of an array, and where they come from.

    Attributes:
        conductance: at 0 V [S], shape ``(rows, columns)``.
        origin: in words, for headers of netlists.
        unconverged: cells that write-verify gave up on; None if the state was not programmed here.
    """

    conductance: Array
    origin: str
    unconverged: int | None = None


def drawn_state(card: DeviceCard, rows: int, columns: int, seed: int) -> ArrayState:
    """Draw cells from a card and program each to a random one of the card's levels, by write-verify.

    Args:
        card: of the cells.
        rows: of the array.
        columns: of the array.
        seed: of cells, levels and programming.

    Raises:
        ArgumentError: no or too many rows or columns, or a seed that is none.
    """
    for name, count in (("rows", rows), ("columns", columns)):
        if not is_whole(count, 1, _MOST_LINES):
            raise argument_error(name, f"be a whole number from 1 to {_MOST_LINES}", repr(count))
    streams = Streams(seed)
    population = draw_population(card, rows, columns, streams.generator(Purpose.POPULATION, 0))
    window = conductance_window(card)
    levels = DiscreteLevels(max(2, round(card.programmable_levels.value)))
    share = levels.quantise(streams.generator(Purpose.TEST_PATTERN, 0).random((rows, columns)))
    state = program(
        population, window.low + window.span * share, window.span, WriteVerify(), card.switching_noise.value,
        streams.generator(Purpose.PROGRAMMING, 0),
    )  # fmt: skip
    return ArrayState(
        conductance=population.conductance(state.switched_fraction),
        origin=f"drawn from the card '{card.name}' with seed {seed}, each cell programmed to one of {levels.count}"
        " levels by write-verify",
        unconverged=int(np.count_nonzero(~state.converged)),
    )


def read_state(path: Path) -> ArrayState:
    """Read conductances [S] from a ``.npy`` file or a table of comma-separated numbers, a row a line.

    Raises:
        DataFileError: the file is missing, too large, of another kind, ragged, or holds numbers that are none,
            negative, infinite or beyond 1 kS; says where.
    """
    raw = read_bytes(path, what="File of conductances", limit=LARGEST_FILE)
    table = _from_npy(raw, path) if raw.startswith(_NPY) else _from_text(raw, path)
    if max(table.shape) > _MOST_LINES:
        raise DataFileError(f"'{path}' holds {table.shape[0]} x {table.shape[1]} conductances; {_MOST_LINES} a side are"
                            " the most.")  # fmt: skip
    bad = ~(np.isfinite(table) & (table >= 0.0))
    if bad.any():
        row, column = (int(k) for k in np.argwhere(bad)[0])
        raise DataFileError(
            f"'{path}' holds {table[row, column]:g} S in row {row + 1}, column {column + 1}. Conductances are finite"
            " and not negative."
        )
    if table.max() > _LARGEST_CONDUCTANCE:
        row, column = (int(k) for k in np.argwhere(table > _LARGEST_CONDUCTANCE)[0])
        raise DataFileError(
            f"'{path}' holds {table[row, column]:g} S in row {row + 1}, column {column + 1};"
            f" {_LARGEST_CONDUCTANCE:g} S are the most. Are the numbers in siemens?"
        )
    return ArrayState(table, f"read from '{path.name}'")


def _from_npy(raw: bytes, path: Path) -> Array:
    refusal = f"'{path}' is no .npy file of a table of real numbers. Save one with numpy.save(path, conductances)."
    stream = io.BytesIO(raw)
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = read(stream)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError, tokenize.TokenError):
        raise DataFileError(refusal) from None
    size = kind.itemsize
    for side in shape:
        size *= side
    # Known before anything is allocated: a header may announce what the file does not hold.
    if len(shape) != 2 or kind.kind not in "fiu" or size != len(raw) - stream.tell() or not size:
        raise DataFileError(refusal)
    stream.seek(0)
    try:
        return np.asarray(np.load(stream, allow_pickle=False), dtype=np.float64)
    except (ValueError, EOFError, OSError):
        raise DataFileError(refusal) from None


def _from_text(raw: bytes, path: Path) -> Array:
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise DataFileError(
            f"'{path}' is neither a .npy file nor text. Give conductances in S, comma-separated, a row a line."
        ) from None
    rows: list[list[float]] = []
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        try:
            row = [float(part) for part in line.split(",")]
        except ValueError:
            raise DataFileError(
                f"'{path}', line {number}: {line.strip()[:40]!r} is not a row of comma-separated numbers in S."
                " Begin headings with '#'."
            ) from None
        if rows and len(row) != len(rows[0]):
            raise DataFileError(f"'{path}', line {number}: {len(row)} numbers, but {len(rows[0])} in the rows before.")
        rows.append(row)
    if not rows:
        raise DataFileError(f"'{path}' holds no numbers. Give conductances in S, comma-separated, a row a line.")
    return np.array(rows)
