"""Roots of falling functions, many at once, each found as if it were alone."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def falling_root(function: Callable[[Array], Array], low: Array, high: Array, tolerance: float, most: int) -> Array:
    """Return where falling functions cross zero: regula falsi of Illinois kind, with a halving every third trial.

    The functions may jump (a domain flips): the root is then the jump. What happens to one of them does not depend on
    the others.

    Args:
        function: of all arguments at once, shape ``(n,)`` to ``(n,)``; not negative at ``low``, not positive at
            ``high``.
        low: brackets, shape ``(n,)``.
        high: likewise.
        tolerance: of the root and of the function's value there.
        most: trials; enough to halve the bracket down to the tolerance.

    Returns:
        the roots, to within the tolerance.
    """
    low, high = np.array(low), np.array(high)
    above, below = function(low), function(high)
    root, side = 0.5 * (low + high), np.zeros(low.shape)
    done = high - low <= tolerance
    for trial in range(most):
        if done.all():
            break
        span = np.where(above - below > 0.0, above - below, 1.0)
        guess = low + (high - low) * np.clip(above / span, 0.0, 1.0)
        guess = 0.5 * (low + high) if trial % 3 == 2 else guess
        guess = np.where(done, root, guess)
        value = function(guess)
        root = guess
        rises = value > 0.0
        # Illinois: an end that stays twice in a row counts half, or the other end would creep.
        below = np.where(done | ~rises, below, np.where(side > 0.0, 0.5 * below, below))
        above = np.where(done | rises, above, np.where(side < 0.0, 0.5 * above, above))
        low, above = np.where(rises & ~done, guess, low), np.where(rises & ~done, value, above)
        high, below = np.where(~rises & ~done, guess, high), np.where(~rises & ~done, value, below)
        side = np.where(rises, 1.0, -1.0)
        done |= (np.abs(value) <= tolerance) | (high - low <= tolerance)
    return root
