"""The domain ensemble against a plain NumPy reference, and what it promises about steps, cells, threads and draws."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from ferrogen.core.errors import ArgumentError
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.polarization.domains import (
    DomainEnsemble,
    DomainState,
    advance,
    draw_domains,
    follow,
    initial_state,
    mean_domains,
    polarization,
)
from ferrogen.device.polarization.spec import SwitchingSpec
from ferrogen.device.waveforms import triangle

Make = Callable[..., SwitchingSpec]
EXPONENTS = (1.0, 1.5, 2.0)


def plain(
    ensemble: DomainEnsemble, state: DomainState, fields: NDArray[np.float64], durations: NDArray[np.float64],
    temperature: float = 300.0,
) -> tuple[NDArray[np.float64], DomainState]:  # fmt: skip
    """Equations (1.8) and (1.9), written as they stand."""
    up, history, direction = state.up.copy(), state.history.copy(), state.direction.copy()
    fields = np.broadcast_to(fields, (ensemble.cells, durations.size))
    activation = ensemble.activation_field * (300.0 / temperature) ** (1.0 / ensemble.field_exponent)
    out = []
    for k, duration in enumerate(durations):
        local = fields[:, k, None] - ensemble.local_bias_field
        with np.errstate(divide="ignore", over="ignore"):
            tau = ensemble.attempt_time * np.exp((activation / np.abs(local)) ** ensemble.field_exponent)
        sign = np.sign(local).astype(np.int8)
        history[sign * direction < 0] = 0.0
        direction[sign != 0] = sign[sign != 0]
        b = ensemble.nucleation_exponent
        target = (sign > 0).astype(float)
        up = target + (up - target) * np.exp(history**b - (history + duration / tau) ** b)
        history += duration / tau
        out.append(ensemble.remanent_polarization * np.sum(ensemble.weight * (2.0 * up - 1.0), axis=1))
    return np.stack(out, axis=1), DomainState(up, history, direction)


def some_waveform(cells: int, steps: int, seed: int = 3) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    random = np.random.default_rng(seed)
    fields = random.uniform(-2.5e8, 2.5e8, (cells, steps))
    fields[:, ::7] = 0.0
    fields[:, 3::5] = fields[:, 2::5][:, : fields[:, 3::5].shape[1]]  # repeated fields reuse their rates
    return fields, 10.0 ** random.uniform(-8.0, -3.0, steps)


@pytest.mark.parametrize("nucleation", EXPONENTS)
@pytest.mark.parametrize("domains", [1, 7, 100])
def test_agrees_with_plain_numpy(switching: Make, nucleation: float, domains: int) -> None:
    spec = switching(nucleation_exponent=nucleation, local_bias_field=1e7)
    ensemble = draw_domains(spec, domains * 1e-16, 13, np.random.default_rng(1))
    fields, durations = some_waveform(13, 60)  # 100 domains: three blocks of cells, the last one not full
    start = initial_state(ensemble, 0.3)
    out, after = follow(ensemble, start, fields, durations, temperature=350.0)
    expected, state = plain(ensemble, start, fields, durations, 350.0)
    # The reference itself loses digits where (h + d)^b - h^b cancels: h up to 1e3 squared, times 1e-16.
    np.testing.assert_allclose(out, expected, rtol=1e-9, atol=1e-9 * 0.24)
    np.testing.assert_allclose(after.up, state.up, rtol=1e-9, atol=1e-10)
    if nucleation != 1.0:  # Markov domains keep no history
        np.testing.assert_allclose(after.history, state.history, rtol=1e-9)
        np.testing.assert_array_equal(after.direction, state.direction)


@pytest.mark.parametrize("nucleation", EXPONENTS)
def test_splitting_a_pulse_changes_nothing(switching: Make, nucleation: float) -> None:
    ensemble = draw_domains(switching(nucleation_exponent=nucleation), 3e-15, 3, np.random.default_rng(2))
    start = initial_state(ensemble)
    _, once = follow(ensemble, start, [1.4e8], [1e-4])
    _, often = follow(ensemble, start, np.full(1000, 1.4e8), np.full(1000, 1e-7))
    # A thousand roundings of numbers of order one.
    np.testing.assert_allclose(often.up, once.up, rtol=0.0, atol=1e-12)
    np.testing.assert_allclose(often.history, once.history, rtol=1e-12)


@pytest.mark.parametrize("nucleation", EXPONENTS)
def test_identical_pulses_accumulate_as_one_long_pulse(switching: Make, nucleation: float) -> None:
    ensemble = draw_domains(
        switching(nucleation_exponent=nucleation, bias_width=0.0), 3e-15, 2, np.random.default_rng(2)
    )
    start = initial_state(ensemble)
    fields, durations = np.tile([1.4e8, 0.0], 50), np.tile([1e-6, 1e-3], 50)
    out, pulsed = follow(ensemble, start, fields, durations)
    _, long = follow(ensemble, start, [1.4e8], [50e-6])
    np.testing.assert_allclose(pulsed.up, long.up, atol=1e-12)
    assert np.all(np.diff(out[:, ::2], axis=1) > 0.0)


def test_rates_are_kept_only_where_neither_field_nor_duration_changes(switching: Make) -> None:
    ensemble = draw_domains(switching(), 1e-15, 2, np.random.default_rng(2))
    fields = np.array([[1e8, 1e8, 1e8, 1e8, 1e8], [1e8, 1e8, 1.6e8, 1.6e8, -1e8]])
    durations = np.array([1e-5, 1e-5, 1e-5, 1e-4, 1e-4])
    out, _ = follow(ensemble, initial_state(ensemble), fields, durations)
    expected, _ = plain(ensemble, initial_state(ensemble), fields, durations)
    np.testing.assert_allclose(out, expected, rtol=1e-9)


def test_history_restarts_when_the_local_field_turns_and_not_at_zero_field(switching: Make) -> None:
    ensemble = draw_domains(switching(nucleation_exponent=2.0, bias_width=0.0), 1e-15, 1, np.random.default_rng(2))
    state = advance(ensemble, initial_state(ensemble), 1.5e8, 1e-5)
    kept = advance(ensemble, state, 0.0, 1.0)
    np.testing.assert_array_equal(kept.history, state.history)
    np.testing.assert_array_equal(kept.direction, state.direction)
    turned = advance(ensemble, state, -1.5e8, 1e-6)
    np.testing.assert_allclose(turned.history, state.history / 10.0, rtol=1e-12)
    assert np.all(turned.direction == -1)


def test_mean_field_is_the_mean_of_random_cells(switching: Make) -> None:
    """Independent domains: the standard error is exact, and the level is 1e-3 over all comparisons."""
    for nucleation in (1.0, 2.0):
        one = draw_domains(switching(nucleation_exponent=nucleation), 4e-16, 1, np.random.default_rng(4))
        cells = 20000
        many = one.select(np.zeros(cells, dtype=int))
        many = replace(many, address=np.arange(cells, dtype=np.uint64))
        fields, durations = np.array([1.5e8, 1.2e8, -1.3e8, 0.0, 1.8e8]), np.full(5, 1e-5)
        _, mean = follow(one, initial_state(one), fields, durations)
        key = Streams(5).key(Purpose.SWITCHING)
        _, drawn = follow(many, initial_state(many), fields, durations, key=key)
        assert set(np.unique(drawn.up)) <= {0.0, 1.0}
        p = mean.up[0]
        z = (drawn.up.mean(axis=0) - p) / np.sqrt(p * (1.0 - p) / cells)
        assert np.max(np.abs(z)) < stats.norm.isf(1e-3 / 2 / (2 * p.size))


@pytest.mark.parametrize("nucleation", EXPONENTS)
def test_draws_depend_on_neither_batch_nor_run_nor_threads(switching: Make, nucleation: float) -> None:
    ensemble = draw_domains(switching(nucleation_exponent=nucleation), 2e-15, 9, np.random.default_rng(6))
    fields, durations = some_waveform(9, 40)
    key = Streams(7).key(Purpose.SWITCHING)
    start = initial_state(ensemble, 0.5, key=key)
    out, after = follow(ensemble, start, fields, durations, key=key, step=3)

    threaded, _ = follow(ensemble, start, fields, durations, key=key, step=3, threads=4)
    np.testing.assert_array_equal(threaded, out)

    some = np.array([7, 2])
    part, _ = follow(ensemble.select(some), start.select(some), fields[some], durations, key=key, step=3)
    np.testing.assert_array_equal(part, out[some])
    np.testing.assert_array_equal(initial_state(ensemble.select(some), 0.5, key=key).up, start.up[some])

    first, middle = follow(ensemble, start, fields[:, :17], durations[:17], key=key, step=3)
    second, end = follow(ensemble, middle, fields[:, 17:], durations[17:], key=key, step=20)
    np.testing.assert_array_equal(np.concatenate([first, second], axis=1), out)
    np.testing.assert_array_equal(end.up, after.up)

    other, _ = follow(ensemble, start, fields, durations, key=Streams(8).key(Purpose.SWITCHING), step=3)
    shifted, _ = follow(ensemble, start, fields, durations, key=key, step=4)
    assert not np.array_equal(other, out)
    assert not np.array_equal(shifted, out)


def test_mean_field_does_not_depend_on_threads_and_starts_where_it_was_told(switching: Make) -> None:
    ensemble = draw_domains(switching(remanent_spread=0.02), 2e-15, 5, np.random.default_rng(6))
    fields, durations = some_waveform(5, 30)
    start = initial_state(ensemble, 0.25)
    np.testing.assert_allclose(polarization(ensemble, start), -0.5 * ensemble.remanent_polarization, rtol=1e-12)
    one, state = follow(ensemble, start, fields, durations)
    two, _ = follow(ensemble, start, fields, durations, threads=3)
    np.testing.assert_array_equal(one, two)
    np.testing.assert_allclose(polarization(ensemble, state), one[:, -1], rtol=1e-12)
    np.testing.assert_array_equal(start.up, 0.25)  # the state given is not changed


def test_drawn_domains_have_the_spreads_of_the_card(switching: Make) -> None:
    """KS at 1e-3 for each of three comparisons, with fixed seed."""
    spec = switching(local_bias_field=3e7, remanent_spread=0.02)
    ensemble = draw_domains(spec, 1e-14, 300, np.random.default_rng(8))
    assert ensemble.domains == 100
    field = np.log(ensemble.activation_field / 1.55e8).ravel() / 0.33
    bias = ((ensemble.local_bias_field - 3e7) / 0.24e8).ravel()
    scale = (ensemble.remanent_polarization - 0.24) / 0.02
    for sample in (field, bias, scale):
        assert stats.kstest(sample, "norm").pvalue > 1e-3
    fewer = draw_domains(spec, 1e-14, 10, np.random.default_rng(8))
    np.testing.assert_array_equal(fewer.activation_field, ensemble.activation_field[:10])
    np.testing.assert_array_equal(fewer.remanent_polarization, ensemble.remanent_polarization[:10])
    assert draw_domains(spec, 1e-18, 1, np.random.default_rng(8)).domains == 1


def test_higher_temperature_switches_more(switching: Make) -> None:
    ensemble = mean_domains(switching())
    start = initial_state(ensemble)
    levels = [follow(ensemble, start, [1.2e8], [1e-5], temperature=t)[0][0, 0] for t in (200.0, 300.0, 400.0)]
    assert levels[0] < levels[1] < levels[2]


def test_without_spread_one_node_is_enough(switching: Make) -> None:
    ensemble = mean_domains(switching(log_width=0.0, bias_width=0.0))
    assert (ensemble.cells, ensemble.domains) == (1, 1)
    assert mean_domains(switching(bias_width=0.0)).domains == mean_domains(switching(log_width=0.0)).domains == 512


@settings(max_examples=60, deadline=None)
@given(
    field=st.floats(allow_nan=True, allow_infinity=True),
    duration=st.floats(allow_nan=True, allow_infinity=True),
    temperature=st.floats(allow_nan=True, allow_infinity=True),
    nucleation=st.sampled_from([1.0, 2.0, 0.5, 3.7]),
)
def test_any_number_gives_a_finite_polarization_or_a_typed_error(
    switching: Make, field: float, duration: float, temperature: float, nucleation: float
) -> None:
    ensemble = replace(mean_domains(switching(), 8, 4), nucleation_exponent=nucleation)
    try:
        out, state = follow(ensemble, initial_state(ensemble, 0.5), [field, -field], [duration] * 2,
                            temperature=temperature)  # fmt: skip
    except ArgumentError:
        return
    assert np.all(np.abs(out) <= 0.24 * (1.0 + 1e-12))
    assert np.all(np.isfinite(state.history))
    assert np.all((state.up >= 0.0) & (state.up <= 1.0))


def test_what_cannot_be_used_is_refused(switching: Make) -> None:
    ensemble = mean_domains(switching(), 8, 4)
    start = initial_state(ensemble)
    key = np.uint64(1)
    bad_calls: list[Callable[[], object]] = [
        lambda: follow(ensemble, start, [1e8, 1e8], [1e-6]),
        lambda: follow(ensemble, start, [1e8], [0.0]),
        lambda: follow(ensemble, start, [1e8], [1e-6], temperature=-1.0),
        lambda: follow(ensemble, start, [1e8], [1e-6], step=-1),
        lambda: follow(ensemble, start, [1e8], [1e-6], threads=0),
        lambda: follow(ensemble, initial_state(ensemble, 0.5), [1e8], [1e-6], key=key),
        lambda: follow(ensemble, initial_state(mean_domains(switching(), 4, 4)), [1e8], [1e-6]),
        lambda: advance(ensemble, start, [[1e8]], 1e-6),
        lambda: initial_state(ensemble, 1.5),
        lambda: initial_state(ensemble, [0.1, 0.2, 0.3]),
        lambda: draw_domains(switching(), 1e-14, 0, np.random.default_rng(1)),
        lambda: draw_domains(switching(), -1.0, 1, np.random.default_rng(1)),
        lambda: mean_domains(switching(), 0),
        lambda: replace(ensemble, weight=2.0 * ensemble.weight),
        lambda: replace(ensemble, activation_field=0.0 * ensemble.activation_field),
        lambda: replace(ensemble, local_bias_field=ensemble.local_bias_field[:, :3]),
        lambda: replace(ensemble, remanent_polarization=np.array([np.nan])),
        lambda: replace(ensemble, remanent_polarization=np.array([-0.1])),
        lambda: replace(ensemble, nucleation_exponent=9.0),
        lambda: replace(ensemble, attempt_time=0.0),
        lambda: replace(ensemble, address=np.zeros(3, dtype=np.uint64)),
    ]
    for call in bad_calls:
        with pytest.raises(ArgumentError):
            call()


def test_a_loop_is_driven_by_any_waveform(switching: Make) -> None:
    ensemble = mean_domains(switching())
    wave = triangle(3e8, 1e3, cycles=2)
    out, _ = follow(ensemble, initial_state(ensemble), wave.voltages, wave.durations)
    up, down = out[0, 500], out[0, 700]  # after a quarter and three quarters of the second cycle
    assert up == pytest.approx(0.24, rel=0.03)
    assert down == pytest.approx(-0.24, rel=0.03)
