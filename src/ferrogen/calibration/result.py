"""What a calibration hands over: a card fragment, goodness of fit, warnings, residuals and curves to look at."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.calibration.fragment import CardFragment, write_fragment
from ferrogen.core.errors import argument_error
from ferrogen.core.files import atomic_path, write_json


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis of a figure: what it shows, its SI unit, and whether it is logarithmic."""

    name: str
    unit: str
    logarithmic: bool = False


@dataclass(frozen=True, slots=True)
class Series:
    """One curve: data and model at the same abscissae, in SI units. Either may be absent (None)."""

    label: str
    x: ArrayLike
    data: ArrayLike | None
    model: ArrayLike | None


@dataclass(frozen=True, slots=True)
class Panel:
    """Curves that belong into one pair of axes: data and model above, residuals below."""

    title: str
    x: Axis
    y: Axis
    series: Sequence[Series]
    residuals: bool = True


@dataclass(frozen=True, slots=True)
class Calibration:
    """The result of one calibration.

    Attributes:
        kind: which one.
        fragment: what goes into a card.
        summary: lines that tell a person what came out.
        goodness: figures of merit by name (with the unit in the name, e.g. ``"rmse [C/m^2]"``).
        warnings: sentences: what is doubtful.
        record: everything else worth keeping, ready for JSON: fits with correlations, comparisons, predictions.
        residuals: columns of ``residuals.csv``, ``"name [unit]"`` -> values of one length.
        panels: curves for ``residuals.png``.
        provenance: versions, files, seed; filled in by :func:`ferrogen.calibration.calibrate.calibrate`.
    """

    kind: str
    fragment: CardFragment
    summary: tuple[str, ...]
    goodness: Mapping[str, float]
    warnings: tuple[str, ...] = ()
    record: Mapping[str, Any] = field(default_factory=dict)
    residuals: Mapping[str, ArrayLike] = field(default_factory=dict)
    panels: tuple[Panel, ...] = ()
    provenance: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """Return all but residuals and curves as plain values for JSON; what is not finite becomes None."""
        return {
            "kind": self.kind,
            "summary": list(self.summary),
            "goodness": jsonable(self.goodness),
            "warnings": list(self.warnings),
            "not_identified": list(self.fragment.not_identified),
            "card_fragment": jsonable(self.fragment.plain()),
            "record": jsonable(self.record),
            "provenance": jsonable(self.provenance),
        }


def write_calibration(result: Calibration, folder: Path) -> list[str]:
    """Write ``fragment.toml``, ``calibration.json`` and, if there are any, ``residuals.csv``.

    Returns:
        the names of the files.

    Raises:
        ArgumentError: residual columns of different length.
        OutputError: the folder cannot be written.
    """
    write_fragment(result.fragment, folder / "fragment.toml", heading=_heading(result))
    write_json(folder / "calibration.json", result.document())
    names = ["fragment.toml", "calibration.json"]
    if result.residuals:
        _write_columns(folder / "residuals.csv", result.residuals)
        names.append("residuals.csv")
    return names


def _heading(result: Calibration) -> list[str]:
    files = ", ".join(str(item["name"]) for item in result.provenance.get("files", []))
    version = result.provenance.get("ferrogen", "")
    return [f"ferrogen {version} calibrate {result.kind}{': ' if files else ''}{files}", *result.warnings]


def _write_columns(path: Path, columns: Mapping[str, ArrayLike]) -> None:
    arrays = {name: np.asarray(values) for name, values in columns.items()}
    if len({array.shape for array in arrays.values()}) > 1 or any(array.ndim != 1 for array in arrays.values()):
        raise argument_error(
            "residuals", "be columns of one length", {name: array.shape for name, array in arrays.items()}
        )
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(arrays)
        writer.writerows([_cell(value) for value in row] for row in zip(*arrays.values(), strict=True))


def _cell(value: Any) -> str:
    if isinstance(value, float | np.floating):
        return "" if math.isnan(value) else f"{float(value):.9g}"
    return str(value)


def jsonable(value: Any) -> Any:
    """Return a value as JSON can hold it: arrays as lists, NumPy scalars plain, what is not finite None."""
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return jsonable(_list(value))
    if isinstance(value, list | tuple):
        return [jsonable(item) for item in value]
    if isinstance(value, np.generic):
        return jsonable(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _list(array: NDArray[Any]) -> Any:
    return array.tolist()
