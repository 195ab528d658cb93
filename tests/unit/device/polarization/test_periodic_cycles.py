"""Equal cycles in one step against the compiled kernel, cycle by cycle."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from ferrogen.core.errors import ArgumentError
from ferrogen.device.card import load_card
from ferrogen.device.polarization import domains
from ferrogen.device.polarization.periodic import FieldTrain, cycle_map, nested_map
from ferrogen.device.polarization.spec import SwitchingSpec

ENSEMBLE = domains.mean_domains(load_card("hzo-mfis-nor").require(SwitchingSpec), 12, 6)


@pytest.mark.parametrize("nucleation", [1.0, 1.5, 2.0])
@pytest.mark.parametrize(
    "fields", [(-0.6e8, 0.2e8), (-0.6e8, -0.1e8), (0.8e8, -0.7e8, 0.0), (0.9e8,), (0.0, 0.0)], ids=str
)
def test_many_cycles_are_the_kernels_cycles(nucleation: float, fields: tuple[float, ...]) -> None:
    ensemble = dataclasses.replace(ENSEMBLE, nucleation_exponent=nucleation)
    durations = (2e-3, 1e-3, 5e-4)[: len(fields)]
    start = domains.initial_state(ensemble, 0.3)
    _, start = domains.follow(ensemble, start, [1.2e8], [1e-6], temperature=350.0)
    cycles = 23
    _, expected = domains.follow(ensemble, start, fields * cycles, durations * cycles, temperature=350.0)
    found = cycle_map(
        ensemble, start.history, start.direction, np.array(fields)[:, None], durations, cycles, temperature=350.0
    )
    # Both follow the same exact law; what is left is rounding and the kernel's own exp and log (1e-12).
    np.testing.assert_allclose(found.keep * start.up + found.gain, expected.up, rtol=0.0, atol=1e-11)
    if nucleation != 1.0:  # Markov domains have no history
        np.testing.assert_allclose(found.history, expected.history, rtol=1e-9, atol=1e-290)
        np.testing.assert_array_equal(found.direction, expected.direction)


def test_cycles_compose_and_rare_switching_adds_up() -> None:
    shape = ENSEMBLE.activation_field.shape
    fields = np.array([[-0.25e8], [0.22e8]])
    none, still = np.zeros(shape), np.zeros(shape, dtype=np.int8)
    whole = cycle_map(ENSEMBLE, none, still, fields, (1e-3, 1e-3), 1e6)
    first = cycle_map(ENSEMBLE, none, still, fields, (1e-3, 1e-3), 300.0)
    then = cycle_map(ENSEMBLE, first.history, first.direction, fields, (1e-3, 1e-3), 1e6 - 300.0)
    np.testing.assert_allclose(whole.keep, then.keep * first.keep, rtol=1e-9, atol=1e-300)
    np.testing.assert_allclose(whole.gain, then.keep * first.gain + then.gain, rtol=1e-9, atol=1e-300)
    assert np.all((whole.keep + whole.gain <= 1.0 + 1e-12) & (whole.gain >= 0.0))
    # Domains for which a cycle is next to nothing: a million cycles do a million times as much.
    once = cycle_map(ENSEMBLE, first.history, first.direction, fields, (1e-3, 1e-3))
    turning = (np.sign(-0.25e8 - ENSEMBLE.local_bias_field) * np.sign(0.22e8 - ENSEMBLE.local_bias_field)) < 0
    rare = turning & (once.gain > 0.0) & (once.gain < 1e-12) & (1.0 - once.keep < 1e-10)
    assert rare.any()
    later = cycle_map(ENSEMBLE, first.history, first.direction, fields, (1e-3, 1e-3), 1000.0)
    np.testing.assert_allclose(later.gain[rare], 1000.0 * once.gain[rare], rtol=1e-6)


@pytest.mark.parametrize("nucleation", [1.0, 2.0])
def test_trains_within_cycles_are_the_kernels_cycles(nucleation: float) -> None:
    ensemble = dataclasses.replace(ENSEMBLE, nucleation_exponent=nucleation)
    start = domains.initial_state(ensemble, 0.4)
    trains = (((0.9e8, -0.2e8), (1e-6, 2e-6), 5), ((-0.8e8, -0.2e8), (1e-6, 1e-6), 7), ((0.0,), (1e-5,), 1))
    fields = [field for part, _, count in trains for field in part * count]
    durations = [duration for _, part, count in trains for duration in part * count]
    cycles = 11
    _, expected = domains.follow(ensemble, start, fields * cycles, durations * cycles)
    found = nested_map(
        ensemble, start.history, start.direction,
        [FieldTrain(np.array(part)[:, None], length, count) for part, length, count in trains], cycles,
    )  # fmt: skip
    np.testing.assert_allclose(found.keep * start.up + found.gain, expected.up, rtol=0.0, atol=1e-11)
    assert np.ptp(expected.up) > 0.5
    if nucleation == 2.0:
        np.testing.assert_allclose(found.history, expected.history, rtol=1e-9, atol=1e-290)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"cycles": 0.5}, "cycles"),
        ({"cycles": np.nan}, "cycles"),
        ({"durations": (1e-3, -1.0)}, "durations"),
        ({"fields": np.array([[np.inf], [0.0]])}, "fields"),
        ({"fields": np.zeros((3, 1))}, "fields"),
        ({"temperature": 0.0}, "temperature"),
    ],
    ids=str,
)
def test_what_cannot_be_is_refused(changes: dict[str, object], words: str) -> None:
    shape = ENSEMBLE.activation_field.shape
    given: dict[str, object] = {"fields": np.zeros((2, 1)), "durations": (1e-3, 1e-3)} | changes
    with pytest.raises(ArgumentError, match=words):
        cycle_map(ENSEMBLE, np.zeros(shape), np.zeros(shape, dtype=np.int8), **given)  # type: ignore[arg-type]
