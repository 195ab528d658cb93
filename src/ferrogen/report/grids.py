"""Pictures of pictures: a grid of images as one array, and labelled grids side by side."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import argument_error
from ferrogen.core.files import atomic_path
from ferrogen.report.style import DPI, GREY, new_figure, save_figure, styled

MOST_SHOWN: Final = 64
"""A panel of :func:`comparison_figure` shows the first so many images."""

_TOLERANCE = 1e-6  # float32 decoders overshoot by rounding; more than that is a mistake worth hearing of
_PANEL = 420  # pixels a panel is wide, about


def _checked(images: NDArray[Any], name: str) -> NDArray[np.float64]:
    array = np.asarray(images, dtype=np.float64)
    if not (array.ndim == 3 or (array.ndim == 4 and array.shape[3] == 3)) or 0 in array.shape:
        shapes = "have the shape (images, height, width) or (images, height, width, 3) with at least one image"
        raise argument_error(name, shapes, array.shape)
    low, high = float(array.min()), float(array.max())
    if not (low >= -_TOLERANCE and high <= 1.0 + _TOLERANCE):  # NaN fails both
        raise argument_error(
            name,
            "hold values from 0 (dark) to 1 (bright)",
            f"between {low:g} and {high:g}",
            "Divide 8-bit images by 255; look for NaN.",
        )
    return np.clip(array, 0.0, 1.0)


def image_grid(images: NDArray[Any], columns: int | None = None, *, scale: int = 2, gap: int = 2) -> NDArray[np.uint8]:
    """Lay images out in rows, from the top left, on white.

    Args:
        images: values in [0, 1], shape ``(images, height, width)`` if grey, ``(images, height, width, 3)`` if RGB.
        columns: images in a row; about the square root of their number if not given.
        scale: pixels a side that one image pixel becomes.
        gap: white pixels between neighbours.

    Returns:
        uint8 array of shape ``(height, width)`` or ``(height, width, 3)``, 0 dark to 255 bright.

    Raises:
        ArgumentError: another shape, values outside [0, 1] or NaN, a number below 1 (``gap``: below 0).
    """
    array = _checked(images, "images")
    count, height, width = array.shape[:3]
    columns = math.ceil(math.sqrt(count)) if columns is None else columns
    for name, value, least in (("columns", columns, 1), ("scale", scale, 1), ("gap", gap, 0)):
        if value < least:
            raise argument_error(name, f"be at least {least}", value)
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    tiles = np.round(255.0 * array).astype(np.uint8).repeat(scale, axis=1).repeat(scale, axis=2)
    step_y, step_x = height * scale + gap, width * scale + gap
    page = np.full((rows * step_y - gap, columns * step_x - gap, *array.shape[3:]), 255, dtype=np.uint8)
    for k, tile in enumerate(tiles):
        y, x = (k // columns) * step_y, (k % columns) * step_x
        page[y : y + height * scale, x : x + width * scale] = tile
    return page


def save_png(path: Path, array: NDArray[np.uint8]) -> None:
    """Write a grey ``(height, width)`` or colour ``(height, width, 3)`` uint8 array as PNG, atomically.

    Raises:
        ArgumentError: another shape or type.
        OutputError: the folder cannot be written.
    """
    from PIL import Image

    if array.dtype != np.uint8 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] == 3)):
        what = f"{array.dtype} of shape {array.shape}"
        raise argument_error("array", "be uint8 of shape (height, width) or (height, width, 3)", what)
    with atomic_path(path) as temporary:
        Image.fromarray(array).save(temporary, format="PNG", optimize=True)


def _subtitle(count: int, shown: int) -> str:
    if count > shown:
        return f"first {shown} of {count} images"
    return "1 image" if count == 1 else f"{count} images"


def comparison_figure(path: Path, panels: Sequence[tuple[str, NDArray[Any]]], *, caption: str = "") -> None:
    """Write labelled image grids side by side, pixel for pixel (no resampling).

    Args:
        path: PNG file.
        panels: (title, images as for :func:`image_grid`); of more than 64 images the first 64 are shown, and the panel
            says so.
        caption: one or two sentences below.

    Raises:
        ArgumentError: no panel, or images as :func:`image_grid` refuses them.
        OutputError: the folder cannot be written.
    """
    if not panels:
        raise argument_error("panels", "hold at least one panel", "empty")
    pages: list[NDArray[np.uint8]] = []
    labels: list[tuple[str, str]] = []
    for title, images in panels:
        shown = _checked(images[:MOST_SHOWN], f"panels['{title}']")
        columns = math.ceil(math.sqrt(shown.shape[0]))
        scale = max(1, round((_PANEL - 3 * (columns - 1)) / (columns * shown.shape[2])))
        pages.append(image_grid(shown, columns, scale=scale, gap=3))
        labels.append((textwrap.fill(title, 34), _subtitle(int(images.shape[0]), shown.shape[0])))
    margin, between = 32, 44
    width = 2 * margin + sum(page.shape[1] for page in pages) + between * (len(pages) - 1)
    body = max(page.shape[0] for page in pages)
    text = textwrap.fill(caption, max(20, int(width / DPI * 14.5))) if caption else ""
    above = 60 + 28 * max(title.count("\n") + 1 for title, _ in labels)
    below = margin + (20 * (text.count("\n") + 1) + 12 if text else 0)
    height = above + body + below
    with styled():
        figure = new_figure(width / DPI, height / DPI, constrained=False)
        x = margin
        for page, (title, subtitle) in zip(pages, labels, strict=True):
            rows, columns = page.shape[:2]
            # Grey as it is: a colour map would round it.
            colours = np.repeat(page[:, :, None], 3, axis=2) if page.ndim == 2 else page
            figure.figimage(colours, x, height - above - rows)
            figure.text(x / width, (height - above + 36) / height, title, fontsize=11, fontweight="bold", va="bottom")
            figure.text(x / width, (height - above + 8) / height, subtitle, fontsize=8.5, color=GREY, va="bottom")
            x += columns + between
        if text:
            figure.text(margin / width, 14 / height, text, fontsize=8.5, color=GREY, va="bottom", linespacing=1.3)
        save_figure(figure, path)
