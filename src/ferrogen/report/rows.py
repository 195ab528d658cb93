"""Rows of images with a name for every row and column: ways through a latent space, reconstructions, classes."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import argument_error
from ferrogen.report.style import DPI, GREY, new_figure, save_figure, styled

MOST_ROWS: Final = 40
MOST_COLUMNS: Final = 40

_TOLERANCE = 1e-6  # float32 decoders overshoot by rounding; more than that is a mistake worth hearing of
_PANEL = 760  # pixels a panel is wide at most, about
_MARGIN, _BETWEEN, _GAP = 28, 40, 3
_LINE = 20  # pixels of a line of text


def rows_figure(
    path: Path,
    panels: Sequence[tuple[str, NDArray[Any]]],
    *,
    rows: Sequence[str] = (),
    columns: Sequence[str] = (),
    caption: str = "",
) -> None:
    """Write labelled rows of images side by side, pixel for pixel (no resampling).

    Args:
        path: PNG file.
        panels: (title, images in [0, 1] of shape ``(rows, columns, height, width)`` or ``(..., 3)``); the first 40
            rows and columns are shown, and the caption says if that is not all.
        rows: what each row is, written left of the first panel; none, if empty.
        columns: what each column is, written above every panel; none, if empty.
        caption: a few sentences below.

    Raises:
        ArgumentError: no panel, images of another shape or outside [0, 1], or labels that do not match their number.
        OutputError: the folder cannot be written.
    """
    if not panels:
        raise argument_error("panels", "hold at least one panel", "empty")
    checked = [_checked(images, f"panels['{title}']") for title, images in panels]
    count_rows, count_columns = checked[0].shape[:2]
    for name, labels, wanted in (("rows", rows, count_rows), ("columns", columns, count_columns)):
        if labels and len(labels) != wanted:
            raise argument_error(name, f"be {wanted}, one for each", len(labels))
    if count_rows > MOST_ROWS or count_columns > MOST_COLUMNS:
        note = f"Shown: the first {min(count_rows, MOST_ROWS)} of {count_rows} rows and"
        caption = f"{note} {min(count_columns, MOST_COLUMNS)} of {count_columns} columns. {caption}".rstrip()
    pages, steps = zip(*(_page(images[:MOST_ROWS, :MOST_COLUMNS]) for images in checked), strict=True)
    left = max((12 + 8 * max(map(len, label.split("\n"))) for label in rows), default=0)
    head = _LINE * max((label.count("\n") + 1 for label in columns), default=0)
    titles = [
        textwrap.fill(title, max(16, page.shape[1] // 11)) for (title, _), page in zip(panels, pages, strict=True)
    ]
    above = _MARGIN + head + 28 * max(title.count("\n") + 1 for title in titles)
    body = max(page.shape[0] for page in pages)
    width = max(2 * _MARGIN + left + sum(page.shape[1] for page in pages) + _BETWEEN * (len(pages) - 1), 520)
    text = textwrap.fill(caption, max(20, int(width / DPI * 14.5))) if caption else ""
    height = above + body + _MARGIN + (_LINE * (text.count("\n") + 1) + 12 if text else 0)
    with styled():
        figure = new_figure(width / DPI, height / DPI, constrained=False)
        x = _MARGIN + left
        for number, (page, (step_y, step_x), title) in enumerate(zip(pages, steps, titles, strict=True)):
            figure.figimage(page, x, height - above - page.shape[0])
            figure.text(
                x / width, (height - above + head + 8) / height, title, fontsize=11, fontweight="bold", va="bottom"
            )
            for k, label in enumerate(columns[:MOST_COLUMNS]):
                centre = (x + (k + 0.5) * step_x) / width
                y = (height - above + 5) / height
                figure.text(centre, y, label, fontsize=7.5, color=GREY, ha="center", va="bottom", linespacing=1.1)
            if number == 0:
                for k, label in enumerate(rows[:MOST_ROWS]):
                    centre = (height - above - (k + 0.5) * step_y) / height
                    figure.text((x - 8) / width, centre, label, fontsize=8.5, ha="right", va="center")
            x += page.shape[1] + _BETWEEN
        if text:
            figure.text(_MARGIN / width, 14 / height, text, fontsize=8.5, color=GREY, va="bottom", linespacing=1.3)
        save_figure(figure, path)


def _page(images: NDArray[np.float64]) -> tuple[NDArray[np.uint8], tuple[int, int]]:
    """Lay rows of images out on white, RGB; also return the steps from image to image, down and across."""
    count_rows, count_columns, height, width = images.shape[:4]
    scale = max(1, min(4, math.floor((_PANEL / count_columns - _GAP) / width)))
    step_y, step_x = height * scale + _GAP, width * scale + _GAP
    page = np.full((count_rows * step_y - _GAP, count_columns * step_x - _GAP, 3), 255, dtype=np.uint8)
    pixels = np.round(255.0 * images).astype(np.uint8).repeat(scale, axis=2).repeat(scale, axis=3)
    for row in range(count_rows):
        for column in range(count_columns):
            y, x = row * step_y, column * step_x
            page[y : y + height * scale, x : x + width * scale] = pixels[row, column]
    return page, (step_y, step_x)


def _checked(images: NDArray[Any], name: str) -> NDArray[np.float64]:
    """Return rows of images as RGB, ``(rows, columns, height, width, 3)``."""
    array = np.asarray(images, dtype=np.float64)
    if array.ndim == 4:
        array = np.repeat(array[..., None], 3, axis=-1)
    if array.ndim != 5 or array.shape[-1] != 3 or 0 in array.shape:
        raise argument_error(name, "have the shape (rows, columns, height, width) or (..., 3)", np.shape(images))
    low, high = float(array.min()), float(array.max())
    if not (low >= -_TOLERANCE and high <= 1.0 + _TOLERANCE):  # NaN fails both
        must, remedy = "hold values from 0 (black) to 1 (white)", "Divide 8-bit images by 255; look for NaN."
        raise argument_error(name, must, f"between {low:g} and {high:g}", remedy)
    return np.clip(array, 0.0, 1.0)
