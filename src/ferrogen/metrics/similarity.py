"""Do pictures of one set look alike? Structural similarity of random pairs, over several scales."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.core.errors import argument_error
from ferrogen.core.streams import Purpose, Streams
from ferrogen.metrics.checks import check_pictures
from ferrogen.metrics.score import Score, mean_score

PAIRS: Final = 2000
"""Pairs of pictures that are compared at most."""

SCALE_WEIGHTS: Final = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the scales, finest first (Wang 2003, table 1)."""

_WINDOW: Final = 11
_DEVIATION: Final = 1.5
_LEAST_SIDE: Final = 4
_LUMINANCE: Final = 0.01**2
_CONTRAST: Final = 0.03**2
_CHUNK_VALUES: Final = 2_000_000
_ADDRESS: Final = 7  # apart from the bootstraps of other scores

_Floats = NDArray[np.float64]


def multiscale_similarity(first: ArrayLike, second: ArrayLike) -> _Floats:
    """Return the structural similarity (MS-SSIM) of pictures, pair by pair.

    Wang et al. 2003, doi:10.1109/ACSSC.2003.1292216: contrast and structure at every scale, luminance at the coarsest,
    each averaged over the picture and raised to its weight. Two conventions for small pictures, those of the usual
    implementations: the Gaussian window (11 pixels, deviation 1.5) shrinks in proportion where it does not fit; and a
    picture is halved (means of 2 x 2) only while 4 pixels remain, the weights of fewer than five scales being
    divided by their sum. Colours are compared one by one and averaged; a negative structure counts as 0.

    Args:
        first: ``(n, h, w)`` or ``(n, h, w, 3)`` in [0, 1], sides of at least 4.
        second: of the same shape.

    Returns:
        float64 ``(n,)``, at most 1 (equal pictures).

    Raises:
        ArgumentError: shapes that differ, sides below 4, NaN, values outside [0, 1].
    """
    one = check_pictures("first", first)
    if min(one.shape[1:3]) < _LEAST_SIDE:
        raise argument_error("first", f"have sides of at least {_LEAST_SIDE} pixels", f"of shape {one.shape}")
    other = check_pictures("second", second, shape=one.shape[1:])
    if len(other) != len(one):
        raise argument_error("second", f"hold {len(one)} pictures, as first does", len(other))
    step = max(1, _CHUNK_VALUES // int(np.prod(one.shape[1:])))
    return np.concatenate(
        [_similarity(one[start : start + step], other[start : start + step]) for start in range(0, len(one), step)]
    )


def pair_similarity(pictures: ArrayLike, *, seed: int = 0, name: str = "ms_ssim") -> Score:
    """Score how alike two random pictures of a set are: a measure of lost diversity (Odena et al., arXiv:1610.09585).

    Compare with the value of real pictures of the same size; more is less diverse. Blurred sets score higher, noisy
    ones lower, at equal diversity of content. Each picture is in one pair only, so that the pairs are independent.

    Args:
        pictures: ``(n, h, w)`` or ``(n, h, w, 3)`` in [0, 1], n >= 4, sides of at least 4.
        seed: addresses the choice of the pairs.
        name: of the score.

    Returns:
        The mean MS-SSIM over up to 2000 pairs with a Student t interval; ``n`` counts the pictures in them.

    Raises:
        ArgumentError: fewer than 4 pictures, sides below 4, NaN, values outside [0, 1].
    """
    checked = check_pictures("pictures", pictures)
    if len(checked) < 4:
        raise argument_error("pictures", "hold at least 4 pictures", len(checked))
    pairs = min(len(checked) // 2, PAIRS)
    order = Streams(seed).generator(Purpose.BOOTSTRAP, _ADDRESS).permutation(len(checked))[: 2 * pairs]
    values = multiscale_similarity(checked[order[:pairs]], checked[order[pairs:]])
    definition = (
        f"Mean MS-SSIM (Wang 2003, doi:10.1109/ACSSC.2003.1292216; {_scales(checked.shape)} scales) of {pairs} disjoint"
        " random pairs of pictures; more is less diverse; 95 % Student t interval over pairs."
    )
    return replace(mean_score(name, values, definition), n=2 * pairs)


def _scales(shape: tuple[int, ...]) -> int:
    side, scales = min(shape[1:3]), 1
    while scales < len(SCALE_WEIGHTS) and side // 2 >= _LEAST_SIDE:
        side, scales = side // 2, scales + 1
    return scales


def _similarity(first: NDArray[np.float32], second: NDArray[np.float32]) -> _Floats:
    pair = np.stack([first, second]).astype(np.float64)
    pair = np.ascontiguousarray(np.moveaxis(pair, -1, 2)) if pair.ndim == 5 else pair[:, :, None]  # 2, n, colours, h, w
    scales = _scales(first.shape)
    weights = np.array(SCALE_WEIGHTS[:scales]) / sum(SCALE_WEIGHTS[:scales])
    product = np.ones(pair.shape[1:3])
    for scale, weight in enumerate(weights):
        whole, structure = _maps(pair[0], pair[1])
        used = whole if scale == scales - 1 else structure
        product *= np.maximum(used.mean(axis=(2, 3)), 0.0) ** weight
        pair = _halved(pair)
    return np.asarray(product.mean(axis=1))


def _maps(x: _Floats, y: _Floats) -> tuple[_Floats, _Floats]:
    """Return luminance times contrast and structure, and the latter alone, at every place of the window."""
    rows, columns = _window(x.shape[2]), _window(x.shape[3]).T

    def mean(values: _Floats) -> _Floats:
        return np.asarray(rows @ values @ columns)

    mean_x, mean_y = mean(x), mean(y)
    squares, cross = mean_x**2 + mean_y**2, mean_x * mean_y
    variances = mean(x * x + y * y) - squares
    structure = (2.0 * (mean(x * y) - cross) + _CONTRAST) / (variances + _CONTRAST)
    return (2.0 * cross + _LUMINANCE) / (squares + _LUMINANCE) * structure, structure


def _window(side: int) -> _Floats:
    """Return the matrix that averages with a Gaussian window at every place where it fits."""
    size = min(_WINDOW, side)
    offset = np.arange(size) - (size - 1) / 2.0
    gauss = np.exp(-0.5 * (offset / (_DEVIATION * size / _WINDOW)) ** 2)
    gauss /= gauss.sum()
    places = side - size + 1
    matrix = np.zeros((places, side))
    for place in range(places):
        matrix[place, place : place + size] = gauss
    return matrix


def _halved(pair: _Floats) -> _Floats:
    height, width = pair.shape[3] // 2 * 2, pair.shape[4] // 2 * 2
    even = pair[..., :height, :width]
    return np.asarray((even[..., ::2, ::2] + even[..., 1::2, ::2] + even[..., ::2, 1::2] + even[..., 1::2, 1::2]) / 4.0)
