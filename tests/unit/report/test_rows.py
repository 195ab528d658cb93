"""Rows of images keep every pixel and name every row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ferrogen.core.errors import ArgumentError
from ferrogen.report.rows import rows_figure


def test_every_pixel_is_there_in_its_place(tmp_path: Path) -> None:
    images = np.random.default_rng(0).random((2, 3, 8, 8, 3))
    path = tmp_path / "rows.png"
    rows_figure(path, [("one", images), ("two", images[..., 0])], rows=["a", "b"], columns=["1", "2", "3"], caption="c")
    with Image.open(path) as figure:
        page = np.asarray(figure.convert("RGB"))
    tile = np.round(255 * images[1, 2]).astype(np.uint8)
    # Somewhere each pixel of the tile is a square of 4 x 4 equal pixels.
    corner = np.argwhere((page == tile[0, 0]).all(axis=2))
    assert any(np.array_equal(page[y : y + 32 : 4, x : x + 32 : 4], tile) for y, x in corner)


def test_much_is_cut_and_little_is_enough(tmp_path: Path) -> None:
    rows_figure(tmp_path / "many.png", [("many", np.zeros((60, 1, 8, 8)))], rows=[str(k) for k in range(60)])
    rows_figure(tmp_path / "one.png", [("one", np.ones((1, 1, 8, 8)))])
    with Image.open(tmp_path / "many.png") as many, Image.open(tmp_path / "one.png") as one:
        assert many.size[1] > 20 * one.size[1] / 5


@pytest.mark.parametrize(
    ("images", "labels", "says"),
    [
        (np.zeros((2, 8, 8)), [], "shape"),
        (np.zeros((1, 0, 8, 8)), [], "shape"),
        (np.full((1, 1, 8, 8), np.nan), [], "values"),
        (np.full((1, 1, 8, 8), 7.0), [], "values"),
        (np.zeros((2, 1, 8, 8)), ["a"], "one for each"),
    ],
)
def test_other_arrays_are_refused(tmp_path: Path, images: np.ndarray, labels: list[str], says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        rows_figure(tmp_path / "x.png", [("x", images)], rows=labels)
    with pytest.raises(ArgumentError, match="at least one panel"):
        rows_figure(tmp_path / "x.png", [])
    assert not list(tmp_path.iterdir())
