"""When a fit is none: sentences for a model that leaves too much, and for points that do not belong to the others."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_LEAST_EXPLAINED = 0.95  # share of the variance; the measured films are described to 0.99 and more
_FAR = 8.0  # robust standard deviations: of a million normal numbers none lies there
_SHOWN = 5


def misfit_sentences(data: Array, residuals: Array, unit: str) -> list[str]:
    """Return a sentence if a model leaves more than a twentieth of the variance of the data.

    Args:
        data: what was fitted, shape ``(n,)``.
        residuals: data minus model, shape ``(n,)``, in the same unit.
        unit: of both, for the sentence.
    """
    spread, left = float(np.std(data)), math.sqrt(float(np.mean(residuals**2)))
    if left**2 <= (1.0 - _LEAST_EXPLAINED) * spread**2:
        return []
    return [
        (
            f"The model does not describe the data: it leaves {left:.3g} {unit} of a scatter of {spread:.3g}"
            " about their mean. Do not use the values; look at residuals.png, and check columns, units and signs."
        )
    ]


def robust_scale(residuals: Array) -> float:
    """Return the standard deviation that normal residuals of this median size would have."""
    return 1.4826 * float(np.median(np.abs(residuals - np.median(residuals))))


def outlier_sentences(residuals: Array, unit: str) -> list[str]:
    """Return a sentence if points lie more than 8 robust standard deviations off.

    Args:
        residuals: data minus a model that such points do not draw to themselves, shape ``(n,)``.
        unit: of them, for the sentence.
    """
    scale = robust_scale(residuals)
    far = np.flatnonzero(np.abs(residuals) > _FAR * scale) if scale > 0.0 else np.empty(0, dtype=np.intp)
    if not far.size:
        return []
    rows = ", ".join(str(k + 1) for k in far[:_SHOWN]) + (" ..." if far.size > _SHOWN else "")
    return [
        (
            f"{far.size} points (rows {rows}) lie more than {_FAR:g} robust deviations ({scale:.2g} {unit} each)"
            " off what the others say: look at them, and leave them out if they are wrong."
        )
    ]
