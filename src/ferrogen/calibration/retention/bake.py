"""``retention`` without times: two files, or two columns, of the same cells before and after a bake."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ferrogen.calibration.fragment import CardFragment
from ferrogen.calibration.kind import Request
from ferrogen.calibration.result import Axis, Calibration, Panel, Series
from ferrogen.calibration.retention.paired import level_changes, split_levels
from ferrogen.core.errors import DataFileError
from ferrogen.core.streams import Purpose

Array = NDArray[np.float64]

PROXY = (
    "The cells are oxide RRAM, not ferroelectric tunnel junctions: what they show is a proxy, and no parameter of a"
    " card follows from it."
)


def calibrate_bake(request: Request) -> Calibration:
    """Describe how cells changed between two readings.

    Raises:
        DataFileError: not two columns of the same cells, or a resistance that is none.
        ArgumentError: more levels than the cells allow.
    """
    before, after = _pair(request)
    count = round(request.number("levels"))
    generator = request.streams.generator(Purpose.CALIBRATION)
    labels = split_levels(np.log(before), count)
    levels = level_changes(before, after, labels, generator)
    whole = level_changes(before, after, np.zeros(before.size, dtype=np.intp), generator)[0]
    change = np.log(after / before)
    said = ["Two times tell no law of retention: neither a time nor an exponent is identified."]
    warnings = (
        [PROXY]
        if request.word("device") == "rram"
        else ["If the cells are not ferroelectric tunnel junctions (--set device=rram says so), this is a proxy."]
    )
    worst = max(levels, key=lambda item: item.core)
    return Calibration(
        kind="retention",
        fragment=CardFragment({}, tuple(said)),
        summary=(
            (f"{before.size} cells, {count} levels: ln(R_after/R_before) has the median {whole.median:+.4f}"
            f" ({whole.median_low:+.4f} to {whole.median_high:+.4f}), standard deviation {whole.deviation:.3f}, robust"
            f" {whole.core:.4f}; {100 * whole.tail_share:.1f} % of cells lie beyond three robust standard deviations."),
            f"The level at {worst.resistance:.3g} Ohm scatters most (robust {worst.core:.3f}).",
        ),
        goodness={
            "median of ln(R_after/R_before) [1]": whole.median,
            "standard deviation of ln(R_after/R_before) [1]": whole.deviation,
        },
        warnings=tuple(warnings),
        record={
            "levels": [item.record() for item in levels],
            "all": whole.record(),
            "bake_time": request.number("bake_time"),
        },
        residuals={
            "level": labels.astype(np.float64),
            "before [Ohm]": before,
            "after [Ohm]": after,
            "ln(after/before) [1]": change,
        },
        panels=(
            Panel(
                "Change in the bake",
                Axis("ln(R_after/R_before)", "1"),
                Axis("share of cells below", "1"),
                [
                    Series(
                        f"{item.resistance:.3g} Ohm", np.sort(change[labels == k]),
                        (np.arange(item.cells) + 0.5) / item.cells, None,
                    )
                    for k, item in enumerate(levels)
                ],
                residuals=False,
            ),
        ),
    )  # fmt: skip


def _pair(request: Request) -> tuple[Array, Array]:
    """Return resistances before and after, of two files with a column each, or of one with two."""
    parts: list[Array] = []
    for table in request.tables:
        if table.units["value"] not in ("Ohm", "S"):
            raise DataFileError(f"'{table.name}': cells before and after a bake must be in Ohm or S.")
        values = table.read()["value"]
        if not (values > 0.0).all():
            raise DataFileError(f"'{table.name}': a resistance or conductance is zero or negative; its log is none.")
        parts += [column if table.units["value"] == "Ohm" else 1.0 / column for column in values.T]
    if len(parts) != 2:
        raise DataFileError(
            f"Tables without times must hold two columns in all, before and after a bake, but they hold {len(parts)}."
            " Give two files with a column each, or one with two; or name the column of times."
        )
    before, after = parts
    if before.size != after.size:
        raise DataFileError(f"Before the bake there are {before.size} cells, after it {after.size}: rows must match.")
    if not (np.isfinite(before).all() and np.isfinite(after).all()):
        raise DataFileError("A resistance is too large or too small to be one.")
    return before, after
