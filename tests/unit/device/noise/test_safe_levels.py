"""Levels that telegraph noise leaves apart: against drawn cells, at both ends of the window, and refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from ferrogen.core.errors import ArgumentError, ValidityError
from ferrogen.device.card import DeviceCard
from ferrogen.device.noise.amplitude import state_amplitude
from ferrogen.device.noise.rtn.closed_form import window_variance
from ferrogen.device.noise.safe_levels import (
    SafeLevels,
    geometric_fractions,
    level_fractions,
    safe_levels,
    safe_share,
)
from ferrogen.device.noise.traps import draw_traps

READ: dict[str, Any] = {"voltage": 1.2, "temperature": 300.0, "duration": 1e-3, "share": 0.1}


def test_the_noise_of_a_level_is_that_of_drawn_cells(card: DeviceCard) -> None:
    levels = safe_levels(card, **READ)
    traps = draw_traps(card, 40_000, np.random.default_rng(1))
    unit = window_variance(*traps.rates(1.2, 300.0), 1e-3)
    for k in (0, 15, 31):
        square = state_amplitude(traps.amplitude, levels.fraction[k], 2.0, 0.5) ** 2 * unit
        cells = np.bincount(traps.cell, weights=square, minlength=40_000)
        # five standard errors of a mean square
        assert levels.relative_noise[k] ** 2 == pytest.approx(cells.mean(), abs=5 * cells.std() / np.sqrt(40_000))
    np.testing.assert_allclose(levels.noise, levels.relative_noise * levels.conductance)
    np.testing.assert_allclose(levels.spacing, (20e-9 - 0.4e-9) / 31)
    np.testing.assert_array_equal(levels.safe, levels.noise < 0.1 * levels.spacing)


def test_low_voltages_are_safe_and_high_conductances_are_not(card: DeviceCard) -> None:
    quiet, noisy = safe_levels(card, **{**READ, "voltage": 0.1}), safe_levels(card, **READ)
    assert np.all(quiet.safe)
    assert quiet.longest_run == slice(0, 32)
    assert 0 < np.count_nonzero(noisy.safe) < 32
    assert noisy.longest_run.start == 0
    assert noisy.longest_run.stop == np.count_nonzero(noisy.safe)  # from the off state up
    more = safe_levels(card, **{**READ, "share": 0.3})
    assert np.count_nonzero(more.safe) > np.count_nonzero(noisy.safe)
    wide = safe_levels(card, **READ, fraction=level_fractions(card, 4))
    assert wide.safe.mean() > noisy.safe.mean()


def test_shares_of_cells(card: DeviceCard) -> None:
    traps = draw_traps(card, 3000, np.random.default_rng(2))
    shares = safe_share(card, traps, **READ)
    assert shares.shape == (32,)
    assert np.all(np.diff(shares) <= 0.0)  # equal spacing: the noise grows with the conductance
    assert shares[0] > 0.99
    # the on state, by hand, at the card's own amplitudes
    unit = window_variance(*traps.rates(1.2, 300.0), 1e-3) * traps.amplitude**2
    noise = np.sqrt(np.bincount(traps.cell, weights=unit, minlength=3000)) * 20e-9
    assert shares[-1] == np.mean(noise < 0.1 * (20e-9 - 0.4e-9) / 31)
    certain = safe_share(card, traps, **{**READ, "share": 1e9})
    np.testing.assert_array_equal(certain, 1.0)
    without = card.model_copy(update={"traps_per_cell": card.traps_per_cell.model_copy(update={"value": 0.0})})
    np.testing.assert_array_equal(safe_share(without, draw_traps(without, 5, np.random.default_rng(0)), **READ), 1.0)
    assert np.all(safe_levels(without, **READ).safe)


def test_fractions(card: DeviceCard) -> None:
    ratio = geometric_fractions(card, 6) * (20e-9 - 0.4e-9) + 0.4e-9
    np.testing.assert_allclose(ratio[1:] / ratio[:-1], 50 ** (1 / 5))
    assert level_fractions(card).shape == (32,)


def test_the_longest_run() -> None:
    def run(safe: list[bool]) -> slice:
        zeros = np.zeros(len(safe))
        return SafeLevels(zeros, zeros, zeros, zeros, zeros, np.array(safe)).longest_run

    assert run([True, False, True, True, False]) == slice(2, 4)
    assert run([True, False, True]) == slice(0, 1)
    assert run([False, False]) == slice(0, 0)
    assert run([False, True, True]) == slice(1, 3)


@pytest.mark.parametrize(
    ("change", "name", "error"),
    [
        ({"voltage": 2.0}, "voltage", ValidityError),
        ({"temperature": 500.0}, "temperature", ValidityError),
        ({"duration": 100.0}, "duration", ValidityError),
        ({"share": 0.0}, "share", ArgumentError),
        ({"fraction": [0.5]}, "fraction", ArgumentError),
        ({"fraction": [0.5, 0.1]}, "fraction", ArgumentError),
        ({"fraction": [0.5, np.nan]}, "fraction", ArgumentError),
    ],
)
def test_refusals(card: DeviceCard, change: dict[str, Any], name: str, error: type[Exception]) -> None:
    with pytest.raises(error, match=f"`{name}`"):
        safe_levels(card, **{**READ, **change})
    with pytest.raises(error, match=f"`{name}`"):
        safe_share(card, draw_traps(card, 3, np.random.default_rng(0)), **{**READ, **change})
    for call in (level_fractions, geometric_fractions):
        with pytest.raises(ArgumentError, match="`count`"):
            call(card, 1)
