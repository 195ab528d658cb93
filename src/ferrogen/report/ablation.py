"""What each imperfection costs: bars with intervals, the same images under every imperfection, and a table."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import argument_error
from ferrogen.report.rows import MOST_ROWS, rows_figure
from ferrogen.report.style import BLUE, GREEN, GREY, INK, ORANGE, headline, new_figure, save_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from ferrogen.generation.ablation.study import AblationRow, Difference

_COLOURS: Final = {"sampler": GREEN, "products": BLUE, "whole": GREY}
_LINEAR_SHARE = 1.5  # of the narrowest interesting interval: where the axis turns from linear to logarithmic


def interval_of(difference: Difference) -> tuple[float, float]:
    """Return the interval that is shown: over chips; over images, with one chip."""
    if math.isfinite(difference.chips_low):
        return difference.chips_low, difference.chips_high
    return difference.images_low, difference.images_high


def ablation_figure(path: Path, rows: Sequence[AblationRow], *, title: str, caption: str, footer: str = "") -> None:
    """Write differences of the Frechet distance as sorted bars: alone beside the ideal, left out and added beside all.

    The axis is linear about zero and logarithmic beyond. Dots are single chips.

    Args:
        path: PNG file.
        rows: of the ablation.
        title: above.
        caption: below.
        footer: last line.

    Raises:
        ArgumentError: no rows of imperfections.
        OutputError: the folder cannot be written.
    """
    panels = {
        "alone, on an otherwise ideal chip": [row for row in rows if row.case.how == "alone"],
        "left out of, or added to, the whole chip": [row for row in rows if row.case.how in ("left out", "added")],
        "the chip's two modes": [row for row in rows if row.case.how == "reference" and row.case.name != "ideal"],
    }
    shown = {name: sorted(part, key=lambda row: row.frechet_difference.value) for name, part in panels.items() if part}
    if not shown or not any(row.case.how != "reference" for row in rows):
        raise argument_error("rows", "hold at least one imperfection", len(rows))
    halves = [0.5 * (high - low) for row in rows for low, high in [interval_of(row.frechet_difference)] if high > low]
    linear = _LINEAR_SHARE * float(np.median(halves)) if halves else 0.1
    with styled():
        heights = [len(part) for part in shown.values()]
        figure = new_figure(9.5, 1.9 + 0.27 * sum(heights) + 0.5 * len(heights))
        grid = figure.subplots(len(shown), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": heights})
        for axes, (name, part) in zip(grid[:, 0], shown.items(), strict=True):
            _draw_bars(axes, part, linear)
            axes.set_title(name[:1].upper() + name[1:], fontweight="bold")
        grid[-1, 0].set_xlabel(
            "Fréchet distance minus that of the ideal (alone, modes) or of the whole chip (left out, added)"
        )
        headline(figure, title, caption, footer=footer)
        save_figure(figure, path)


def _draw_bars(axes: Axes, rows: Sequence[AblationRow], linear: float) -> None:
    for k, row in enumerate(rows):
        found = row.frechet_difference
        low, high = interval_of(found)
        colour = ORANGE if row.case.how == "added" else _COLOURS[row.case.part]
        axes.barh(k, found.value, height=0.62, color=colour, alpha=0.9 if found.is_seen else 0.35)
        axes.plot([low, high], [k, k], color=INK, linewidth=1.3, solid_capstyle="butt")
        axes.plot(found.each, [k] * len(found.each), linestyle="none", marker="o", markersize=3.2, color=INK)
    axes.set_yticks(range(len(rows)), [_name(row) for row in rows])
    axes.tick_params(axis="y", length=0, labelsize=8.5)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    axes.grid(visible=False, axis="y")
    axes.axvline(0.0, color=GREY, linewidth=0.9)
    axes.set_xscale("symlog", linthresh=linear)


def _name(row: AblationRow) -> str:
    part = "sampler: " if row.case.part == "sampler" else ""
    sign = {"left out": "\N{MINUS SIGN} ", "added": "+ "}.get(row.case.how, "")
    return f"{sign}{part}{row.case.name}"


def ablation_images(path: Path, rows: Sequence[AblationRow], *, caption: str = "") -> None:
    """Write the same images under every imperfection, a row each: alone at the left, of the whole chip at the right.

    Args:
        path: PNG file.
        rows: of the ablation.
        caption: below.

    Raises:
        ArgumentError: no rows.
        OutputError: the folder cannot be written.
    """
    references = [row for row in rows if row.case.how == "reference" and row.case.name != "ideal chip"]
    beside = [row for row in rows if row.case.how in ("left out", "added")]
    names: list[str] = []
    for row in rows:
        if row.case.how != "reference" and row.case.name not in names:
            names.append(row.case.name)
    chosen = [(row.case.name, row.strip, row.strip) for row in references]
    alone = {row.case.name: row.strip for row in rows if row.case.how == "alone"}
    other = {row.case.name: row.strip for row in beside}
    if not rows:
        raise argument_error("rows", "hold at least one case", 0)
    blank = np.full_like(rows[0].strip, 255)
    some = names[: MOST_ROWS - len(chosen)]
    chosen.extend((name, alone.get(name, blank), other.get(name, blank)) for name in some)

    def stacked(side: int) -> NDArray[Any]:
        return np.stack([np.asarray(entry[side], dtype=np.float64) / 255.0 for entry in chosen])

    rows_figure(
        path,
        [("alone, on an otherwise ideal chip", stacked(1)), ("left out of, or added to, the whole chip", stacked(2))],
        rows=[entry[0].split(" (")[0] for entry in chosen],
        caption=caption,
    )


def ablation_table(rows: Sequence[AblationRow]) -> str:
    """Return the ablation as Markdown tables, one for the references and one for each way of looking."""
    kernel = any(math.isfinite(row.kernel) for row in rows)
    classes = any(math.isfinite(row.confidence) for row in rows)
    parts = []
    titles = {
        "reference": "The two modes (difference to the ideal)",
        "alone": "Alone, on an otherwise ideal chip (difference to the ideal)",
        "left out": "Left out of the whole chip (difference to the whole chip: negative is what it costs)",
        "added": "Added to the whole chip, which has none by default (difference to the whole chip)",
    }
    for how, title in titles.items():
        chosen = [row for row in rows if row.case.how == how]
        if not chosen:
            continue
        if how != "reference":
            chosen.sort(key=lambda row: -abs(row.frechet_difference.value))
        head = ["imperfection", "value", "Fréchet distance", "difference", "over images", "over chips", "seen"]
        head += ["kernel distance x 1000", "difference x 1000"] if kernel else []
        head += ["rms to float decoder", "rms to ideal"]
        head += ["confidence"] if classes else []
        head += ["precision", "recall"] if kernel else []
        lines = [f"### {title}", "", _line(head), _line(["---"] * len(head))]
        lines += [_line(_cells(row, kernel=kernel, classes=classes)) for row in chosen]
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _cells(row: AblationRow, *, kernel: bool, classes: bool) -> list[str]:
    found = row.frechet_difference
    value = row.case.value + (" (assumed)" if row.case.assumed else "")
    name = f"{row.case.part}: {row.case.name}" if row.case.part == "sampler" else row.case.name
    same = not any(found.each) and found.images_low == found.images_high
    cells = [
        name,
        value,
        f"{row.frechet:.3f} [{row.frechet_low:.3f}, {row.frechet_high:.3f}]",
        _signed(found.value),
        _range(found.images_low, found.images_high),
        _range(found.chips_low, found.chips_high) if math.isfinite(found.chips_low) else "one chip",
        "" if same else ("yes" if found.is_seen else "no"),
    ]
    if kernel:
        other = row.kernel_difference
        low, high = interval_of(other)
        cells += [f"{1e3 * row.kernel:.3f}", f"{1e3 * other.value:+.3f} [{1e3 * low:+.3f}, {1e3 * high:+.3f}]"]
    cells += [f"{row.rms_decoder:.2e}", f"{row.rms_ideal:.2e}"]
    cells += [f"{row.confidence:.4f}"] if classes else []
    cells += [f"{row.precision:.3f}", f"{row.recall:.3f}"] if kernel else []
    return cells


def _signed(value: float) -> str:
    """Write a difference with its sign, small ones as powers of ten."""
    return f"{value:+.4f}" if value == 0.0 or abs(value) >= 1e-3 else f"{value:+.1e}"


def _range(low: float, high: float) -> str:
    return f"[{_signed(low)}, {_signed(high)}]"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def ablation_columns(rows: Sequence[AblationRow]) -> dict[str, list[Any]]:
    """Return the ablation as columns with units, for a CSV file."""
    columns: dict[str, list[Any]] = {
        "imperfection [text]": [row.case.name for row in rows],
        "part [text]": [row.case.part for row in rows],
        "how [text]": [row.case.how for row in rows],
        "value [text]": [row.case.value for row in rows],
        "assumed [0 or 1]": [int(row.case.assumed) for row in rows],
        "base [text]": [row.case.base for row in rows],
    }
    for name in ("images", "chips", "frechet", "frechet_low", "frechet_high"):
        columns[f"{name} [1]"] = [getattr(row, name) for row in rows]
    for which in ("frechet", "kernel"):
        found = [getattr(row, f"{which}_difference") for row in rows]
        if which == "kernel":
            columns["kernel [1]"] = [row.kernel for row in rows]
        for name in ("value", "images_low", "images_high", "chips_low", "chips_high"):
            suffix = "" if name == "value" else f"_{name}"
            columns[f"{which}_difference{suffix} [1]"] = [getattr(item, name) for item in found]
    for name in ("rms_decoder", "rms_ideal", "confidence", "precision", "recall"):
        columns[f"{name} [1]"] = [getattr(row, name) for row in rows]
    return columns
