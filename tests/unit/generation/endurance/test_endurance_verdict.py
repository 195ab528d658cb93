"""Verdicts: what fails is what lies beyond its limit with its whole interval."""

from __future__ import annotations

from typing import Any

import pytest

from ferrogen.generation.endurance.verdict import judge


def score(value: float, half: float) -> dict[str, float]:
    return {"value": value, "low": value - half, "high": value + half}


def record(cycle: int, **changes: Any) -> dict[str, Any]:
    usual = {
        "cycle": cycle,
        "latent_mean": score(0.0, 0.01),
        "latent_deviation": score(1.0, 0.01),
        "latent_lag_1": score(0.0, 0.01),
        "frechet_distance": score(1.0, 0.05),
        "cells_astray": 0.1,
        "image_error": 0.05,
    }
    return usual | changes


def test_a_chip_that_stays_as_it_is_is_stable_and_intact() -> None:
    found = judge("none", record(0), [record(1), record(10)])
    assert found.stable
    assert found.intact
    assert found.failures == ()
    assert "stable over 10 cycles" in found.summary


@pytest.mark.parametrize(
    ("change", "criterion"),
    [
        ({"latent_mean": score(-0.07, 0.01)}, "latent_mean"),
        ({"latent_deviation": score(0.93, 0.01)}, "latent_deviation"),
        ({"latent_lag_1": score(0.08, 0.01)}, "latent_lag_1"),
        ({"frechet_distance": score(1.3, 0.05)}, "frechet_distance in use"),
        ({"latent_deviation": None}, "latents"),
    ],
)
def test_each_criterion_fails_at_its_first_checkpoint(change: dict[str, Any], criterion: str) -> None:
    found = judge("none", record(0), [record(1), record(10, **change), record(100, **change)])
    assert not found.stable
    assert found.intact
    assert [(item.criterion, item.cycle) for item in found.failures] == [(criterion, 10)]
    assert "not stable" in found.summary


def test_an_interval_that_reaches_the_limit_is_not_held_against_the_chip() -> None:
    wide = {"latent_deviation": score(0.93, 0.03), "frechet_distance": score(1.3, 0.4)}
    found = judge("none", record(0), [record(1), record(10, **wide)])
    assert found.stable
    # Relative half widths of both distances, 0.05 and 0.4 in 1.3, are added in quadrature to the growth of 1.3 times.
    assert "cannot exclude that the Frechet distance grew by up to 71%" in found.summary


def test_a_loss_before_the_first_image_is_no_instability_but_is_told() -> None:
    bad = {"frechet_distance": score(2.0, 0.05)}
    found = judge("full", record(0), [record(1, **bad), record(10, **bad)])
    assert found.stable
    assert not found.intact
    assert "degraded before the first image" in found.summary
    assert "from 1.00 [0.95, 1.05] to 2.00 [1.95, 2.05]" in found.summary


def test_runs_without_image_scores_are_judged_by_their_latents() -> None:
    bare = {"frechet_distance": None}
    found = judge("none", record(0, **bare), [record(1, **bare), record(5, **bare)])
    assert found.stable
    assert "1.00 [0.99, 1.01]" in found.summary
