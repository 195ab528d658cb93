"""The checks that every score shares: shapes, counts, finite values, each refused in one line."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import argument_error


def check_matrix(name: str, value: Any, *, rows: int = 1, columns: int | None = None) -> NDArray[np.float64]:
    """Return ``value`` as a finite float64 matrix.

    Args:
        name: the argument's public name.
        value: what was given.
        rows: the least number of rows.
        columns: the exact number of columns, if it matters.

    Raises:
        ArgumentError: not numeric, not two-dimensional, too few rows, another number of columns, NaN or
            infinity.
    """
    array = _numeric(name, value)
    if array.ndim != 2:
        raise argument_error(name, "be a matrix (rows, columns)", f"an array of shape {array.shape}")
    if array.shape[0] < rows:
        raise argument_error(name, f"have at least {rows} rows", f"of shape {array.shape}", "Give more samples.")
    if array.shape[1] < 1 or (columns is not None and array.shape[1] != columns):
        wanted = f"{columns} columns" if columns is not None else "at least 1 column"
        raise argument_error(name, f"have {wanted}", f"of shape {array.shape}")
    _check_finite(name, array)
    return np.ascontiguousarray(array, dtype=np.float64)


def check_images(name: str, value: Any, *, height: int | None = None, width: int | None = None) -> NDArray[np.float32]:
    """Return ``value`` as float32 grey images ``(n, height, width)`` in [0, 1].

    Raises:
        ArgumentError: not numeric, not three-dimensional, empty, another size, NaN, or outside [0, 1].
    """
    array = _numeric(name, value)
    size = f"{height or 'height'}, {width or 'width'}"
    fits = array.ndim == 3 and height in (None, array.shape[1]) and width in (None, array.shape[2])
    if not fits or 0 in array.shape[1:]:
        raise argument_error(name, f"be grey images of shape (n, {size})", f"an array of shape {array.shape}")
    return _checked_values(name, array)


def _checked_values(name: str, array: NDArray[Any]) -> NDArray[np.float32]:
    if array.shape[0] == 0:
        raise argument_error(name, "hold at least one image", f"of shape {array.shape}")
    _check_finite(name, array)
    low, high = float(array.min()), float(array.max())
    if low < 0.0 or high > 1.0:
        remedy = "Divide 8-bit images by 255." if low >= 0.0 and high > 2.0 else "Clip or rescale the images."
        raise argument_error(name, "hold values from 0 to 1", f"from {low:.6g} to {high:.6g}", remedy)
    return np.ascontiguousarray(array, dtype=np.float32)


def check_pictures(
    name: str, value: Any, *, shape: tuple[int, ...] | None = None, square: bool = False
) -> NDArray[np.float32]:
    """Return ``value`` as float32 pictures, ``(n, height, width)`` grey or ``(n, height, width, 3)`` RGB, in [0, 1].

    Args:
        name: the argument's public name.
        value: what was given.
        shape: that of one picture, if it matters.
        square: whether height and width must be equal.

    Raises:
        ArgumentError: not numeric, another shape, empty, NaN, or outside [0, 1].
    """
    array = _numeric(name, value)
    fits = array.ndim == 3 or (array.ndim == 4 and array.shape[3] == 3)
    if not fits or 0 in array.shape[1:] or (square and array.shape[1] != array.shape[2]):
        kind = (
            "square grey (n, side, side) or RGB (n, side, side, 3)" if square else "grey (n, h, w) or RGB (n, h, w, 3)"
        )
        raise argument_error(name, f"be {kind} pictures", f"an array of shape {array.shape}")
    if shape is not None and array.shape[1:] != shape:
        wanted = f"(n, {', '.join(map(str, shape))})"
        raise argument_error(name, f"have the shape {wanted}", f"{array.shape}")
    return _checked_values(name, array)


def check_batch(batch: int) -> None:
    """Refuse a batch below one picture.

    Raises:
        ArgumentError: with the value.
    """
    if batch < 1:
        raise argument_error("batch", "be at least 1", batch)


def check_probabilities(name: str, value: Any) -> NDArray[np.float64]:
    """Return ``value`` as class probabilities ``(n, classes)`` whose rows sum to one.

    Raises:
        ArgumentError: no matrix, negative entries, or rows that do not sum to one within 1e-4.
    """
    matrix = check_matrix(name, value, rows=1)
    worst = float(np.abs(matrix.sum(axis=1) - 1.0).max())
    if matrix.min() < 0.0 or worst > 1e-4:
        raise argument_error(
            name,
            "hold probabilities (not negative, rows that sum to 1)",
            f"off by up to {worst:.3g} with a least entry of {matrix.min():.3g}",
            "Apply a softmax over the classes first.",
        )
    return matrix


def _numeric(name: str, value: Any) -> NDArray[Any]:
    try:
        array = np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise argument_error(name, "be an array of real numbers", type(value).__name__) from error
    if array.dtype.kind not in "fiub":
        raise argument_error(name, "be an array of real numbers", f"of type {array.dtype}")
    return array


def _check_finite(name: str, array: NDArray[Any]) -> None:
    bad = array.size - int(np.count_nonzero(np.isfinite(array)))
    if bad:
        raise argument_error(
            name,
            "be finite",
            f"NaN or infinite in {bad} of {array.size} entries",
            "Look for the step that made them.",
        )
