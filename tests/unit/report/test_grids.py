from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ferrogen.core.errors import ArgumentError
from ferrogen.report.grids import comparison_figure, image_grid, save_png


def numbered(count: int, height: int = 4, width: int = 3) -> np.ndarray:
    """Image k is flat, with grey value k / 255."""
    return np.arange(count)[:, None, None] / 255.0 * np.ones((count, height, width))


def read(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image.convert("L"))


def test_images_lie_in_reading_order_on_white() -> None:
    page = image_grid(numbered(5), columns=3, scale=2, gap=1)
    assert page.dtype == np.uint8
    assert page.shape == (2 * 8 + 1, 3 * 6 + 2)
    for k in range(5):
        y, x = (k // 3) * 9, (k % 3) * 7
        assert np.all(page[y : y + 8, x : x + 6] == k)
    assert np.all(page[9:, 14:] == 255)  # the place of the missing sixth image
    assert np.all(page[8] == 255)
    assert np.all(page[:, 6] == 255)


def test_colours_stay_what_they_are(tmp_path: Path) -> None:
    colours = np.random.default_rng(3).integers(0, 256, (4, 5, 6, 3)).astype(np.uint8)
    page = image_grid(colours / 255.0, columns=2, scale=1, gap=1)
    assert page.shape == (11, 13, 3)
    assert np.array_equal(page[6:, 7:], colours[3])
    save_png(tmp_path / "page.png", page)
    with Image.open(tmp_path / "page.png") as image:
        assert np.array_equal(np.asarray(image), page)
    comparison_figure(tmp_path / "both.png", [("colour", colours[:1] / 255.0), ("grey", numbered(1, 5, 6))])
    with Image.open(tmp_path / "both.png") as image:
        shown = np.asarray(image.convert("RGB"))
    assert len({tuple(pixel) for pixel in shown.reshape(-1, 3)} & {tuple(c) for c in colours[0].reshape(-1, 3)}) == 30


@pytest.mark.parametrize(("count", "rows", "columns"), [(1, 1, 1), (2, 1, 2), (3, 2, 2), (64, 8, 8), (1000, 32, 32)])
def test_a_grid_is_about_square(count: int, rows: int, columns: int) -> None:
    page = image_grid(np.zeros((count, 5, 5)), scale=1, gap=0)
    assert page.shape == (5 * rows, 5 * columns)


def test_a_grid_is_no_wider_than_its_images() -> None:
    assert image_grid(numbered(2), columns=10, scale=1, gap=0).shape == (4, 6)


@pytest.mark.parametrize(
    "images",
    [
        np.zeros((0, 4, 4)),
        np.zeros((4, 4)),
        np.zeros((2, 4, 4, 4)),
        np.full((1, 2, 2), np.nan),
        np.full((1, 2, 2), 1.01),
        -np.ones((1, 2, 2)),
    ],
    ids=["none", "flat", "four colours", "nan", "above", "below"],
)
def test_unusable_images_are_refused(images: np.ndarray) -> None:
    with pytest.raises(ArgumentError, match="images"):
        image_grid(images)


@pytest.mark.parametrize("argument", [{"columns": 0}, {"scale": 0}, {"gap": -1}])
def test_unusable_layouts_are_refused(argument: dict[str, int]) -> None:
    with pytest.raises(ArgumentError, match=next(iter(argument))):
        image_grid(numbered(4), **argument)


def test_float32_rounding_above_one_is_white() -> None:
    assert np.all(image_grid(np.full((1, 2, 2), 1.0 + 1e-7), scale=1) == 255)


def test_png_keeps_every_grey_value(tmp_path: Path) -> None:
    page = np.arange(256, dtype=np.uint8).reshape(16, 16)
    save_png(tmp_path / "page.png", page)
    assert np.array_equal(read(tmp_path / "page.png"), page)
    with pytest.raises(ArgumentError, match="uint8"):
        save_png(tmp_path / "page.png", page.astype(np.float64))  # type: ignore[arg-type]


@pytest.mark.parametrize("count", [1, 3, 64])
def test_a_comparison_shows_the_pixels_of_every_panel_unchanged(tmp_path: Path, count: int) -> None:
    rng = np.random.default_rng(count)
    first, second = rng.random((2, count, 28, 28))
    path = tmp_path / "compare.png"
    comparison_figure(path, [("chip", first), ("ideal", second)])
    shown = read(path)
    columns = int(np.ceil(np.sqrt(count)))
    scale = round((420 - 3 * (columns - 1)) / (columns * 28))
    left, right = (image_grid(images, columns, scale=scale, gap=3) for images in (first, second))
    height, width = left.shape
    x = 32
    y = next(
        y for y in range(shown.shape[0] - height + 1) if np.array_equal(shown[y : y + height, x : x + width], left)
    )
    x += width + 44
    assert np.array_equal(shown[y : y + height, x : x + width], right)


def test_a_comparison_of_many_shows_the_first_sixty_four(tmp_path: Path) -> None:
    images = np.random.default_rng(1).random((1000, 8, 8))
    other = images.copy()
    other[64:] = 0.0
    comparison_figure(tmp_path / "a.png", [("chip", images)])
    comparison_figure(tmp_path / "b.png", [("chip", other)])
    comparison_figure(tmp_path / "c.png", [("chip", images[:64])])
    a, b, c = (read(tmp_path / f"{name}.png") for name in "abc")
    assert np.array_equal(a, b)
    assert a.shape == c.shape
    assert not np.array_equal(a, c)  # "first 64 of 1000 images" against "64 images"


def test_a_comparison_without_panels_or_with_bad_images_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="panels"):
        comparison_figure(tmp_path / "x.png", [])
    with pytest.raises(ArgumentError, match="chip"):
        comparison_figure(tmp_path / "x.png", [("chip", np.full((2, 3, 3), 7.0))])
    assert list(tmp_path.iterdir()) == []
