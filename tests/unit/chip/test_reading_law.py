"""Readings drawn from their law, against the same traps followed one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.reader import StatisticalReader, statistical_reader, window_reader
from ferrogen.chip.reading_law import ReadingLaw, SeenTraps, reading_law
from ferrogen.chip.spec import ChipSpec
from ferrogen.core.errors import ArgumentError
from ferrogen.device.noise.rtn.windows import window_sums

KEY = np.uint64(8)


def programmed(rows: int, pairs: int) -> Chip:
    chip = Chip("hzo-mfis-nor", seed=3, spec=ChipSpec(rows=rows, columns=2 * pairs))
    share = np.clip(np.abs(np.random.default_rng(3).laplace(0.0, 0.2, (rows, 2 * pairs))), 0.0, 1.0)
    chip.program(0, chip.window.low + chip.window.span * share, samples=True)
    return chip


def random_traps(seed: int, counts: list[int], slowest: float = -2.0) -> SeenTraps:
    """Traps of readings that share none."""
    random = np.random.default_rng(seed)
    total = sum(counts)
    rates = 10.0 ** random.uniform(slowest, 3.0, (2, total, 4))
    rates[:, :, 1] = rates[:, :, 0]
    return SeenTraps(
        trap=np.arange(total),
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        steps=random.lognormal(0.0, 0.9, total) * random.choice([-1.0, 1.0], total),
        to_one=rates[0],
        to_zero=rates[1],
    )


def followed(traps: SeenTraps, cycles: int, noise: np.ndarray) -> np.ndarray:
    """The same readings with every trap followed."""
    sums = window_sums(
        KEY, traps.trap.astype(np.uint64), traps.starts, traps.steps, traps.to_one, traps.to_zero,
        np.array([True, True, False, False]), first_cycle=0, cycles=cycles,
    )  # fmt: skip
    normals = np.random.default_rng(2).standard_normal((cycles, noise.shape[0]))
    return (sums[:, :, 1] - sums[:, :, 0]).T + noise * normals


def moments_of_table(law: ReadingLaw) -> np.ndarray:
    """Mean, variance, third and fourth cumulant of what the table makes of normals, ``(4, readings)``."""
    z = np.linspace(-7.0, 7.0, 100_001)
    weight = np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi) * (z[1] - z[0])
    x = law.quantile(np.repeat(z[:, None], law.deviation.shape[0], axis=1))
    mean = weight @ x
    second, third, fourth = (weight @ (x - mean) ** n for n in (2, 3, 4))
    return np.stack([mean, second, third, fourth - 3 * second**2])


@settings(max_examples=20)
@given(
    seed=st.integers(0, 10_000),
    counts=st.lists(st.integers(1, 40), min_size=1, max_size=4),
    noise=st.floats(0.02, 1.0),
)
def test_the_table_has_the_cumulants_of_its_traps(seed: int, counts: list[int], noise: float) -> None:
    traps = random_traps(seed, counts)
    law = reading_law(traps, np.full(len(counts), noise), resolved_share=1.0)
    found, deviation = moments_of_table(law), law.deviation
    assert np.abs((found[0] - law.cumulants[0]) / deviation).max() < 1e-4
    np.testing.assert_allclose(found[1], law.cumulants[1], rtol=5e-4)
    # Straight pieces and the cut at six deviations cost the heavy tails' higher cumulants a little.
    assert np.abs((found[2] - law.cumulants[2]) / deviation**3).max() < 2e-3 * (1 + np.abs(law.excess_kurtosis).max())
    assert np.abs((found[3] - law.cumulants[3]) / deviation**4).max() < 5e-3 * (1 + np.abs(law.excess_kurtosis).max())


@pytest.mark.parametrize(
    ("rows", "voltage", "time"), [(128, 1.2, 1e-3), (4, 1.2, 1e-3), (1, 1.2, 1e-3), (64, 0.2, 1e-3), (64, 1.2, 1e-5)]
)
def test_distributions_are_those_of_followed_traps(rows: int, voltage: float, time: float) -> None:
    """Two-sample KS of 8 readings at the level 1e-3 (Bonferroni), from many traps to readings that one trap rules."""
    chip = programmed(rows, 16)
    point = OperatingPoint(sample_voltage=voltage, sampling_time=time, multiply_time=min(time, 1e-4))
    tile = chip.tile(0)
    drawn = statistical_reader(tile, point, readings=8, pairs_per_reading=2, resolved_share=0.99).read(0, 20_000)
    read = window_reader(tile, point, readings=8, pairs_per_reading=2, resolved_share=0.99).read(
        0, 2000 if rows == 128 else 6000
    )
    least = min(stats.ks_2samp(drawn[:, k], read[:, k]).pvalue for k in range(8))
    assert least > 1e-3 / 8


def test_unresolved_traps_are_gaussian_and_moments_are_kept() -> None:
    chip = programmed(64, 16)
    most, every = (
        statistical_reader(chip.tile(0), OperatingPoint(), readings=8, pairs_per_reading=2, resolved_share=share).law
        for share in (0.99, 1.0)
    )
    assert 0 < most.resolved_traps < 0.3 * every.resolved_traps
    np.testing.assert_array_equal(most.cumulants, every.cumulants)
    for law in (most, every):
        found = moments_of_table(law)
        np.testing.assert_allclose(found[0] / law.deviation, law.cumulants[0] / law.deviation, atol=1e-4)
        np.testing.assert_allclose(found[1], law.cumulants[1], rtol=1e-3)
        np.testing.assert_allclose(found[2] / law.deviation**3, law.skewness, atol=5e-3)
        np.testing.assert_allclose(found[3] / law.deviation**4, law.excess_kurtosis, atol=2e-2)


def test_memory_has_the_exact_autocovariance() -> None:
    """Slow traps without a rest: lag 1 is far from zero. z of lags 1 to 4 of 3 readings, at the level 1e-3."""
    traps = random_traps(5, [30, 30, 30], slowest=-1.0)
    traps.to_one[:, :2] *= 0.05
    traps.to_zero[:, :2] *= 0.05
    traps.to_one[:, 2:] *= 1e-4
    traps.to_zero[:, 2:] *= 1e-4
    law = reading_law(traps, np.full(3, 0.01), resolved_share=1.0)
    cycles = 60_000
    drawn = law.draw(KEY, 0, cycles) - law.cumulants[0]
    seen = followed(traps, cycles, np.full(3, 0.01)) - law.cumulants[0]
    expected = law.autocovariance[:4] / law.cumulants[1]
    assert np.abs(expected[0]).min() > 0.05
    for x in (drawn, seen):
        found = np.stack([(x[lag:] * x[:-lag]).mean(axis=0) / law.cumulants[1] for lag in (1, 2, 3, 4)])
        # Bartlett's variance, doubled for what is not normal
        error = np.sqrt(2 * (1 + 2 * ((law.autocovariance / law.cumulants[1]) ** 2).sum(axis=0)) / cycles)
        assert np.abs((found - expected) / error).max() < stats.norm.isf(1e-3 / 2 / 12)


def test_shared_traps_correlate_readings() -> None:
    one = random_traps(9, [25])
    traps = SeenTraps(
        trap=np.concatenate([one.trap, one.trap[:20], np.arange(25, 30)]),
        starts=np.array([0, 25, 50]),
        steps=np.concatenate([one.steps, -0.5 * one.steps[:20], one.steps[20:]]),
        to_one=np.concatenate([one.to_one, one.to_one]),
        to_zero=np.concatenate([one.to_zero, one.to_zero]),
    )
    noise = np.full(2, 0.05)
    law, cycles = reading_law(traps, noise, resolved_share=1.0), 20_000
    assert law.covariance is not None
    expected = law.covariance[0, 1] / math.sqrt(law.covariance[0, 0] * law.covariance[1, 1])
    assert expected < -0.3
    np.testing.assert_allclose(np.diag(law.covariance), law.cumulants[1])
    error = 3.3 * 1.5 / math.sqrt(cycles)  # level 1e-3, with half as much again for what is not normal
    for readings in (followed(traps, cycles, noise), law.draw(KEY, 0, cycles)):
        assert float(np.asarray(np.corrcoef(readings.T))[0, 1]) == pytest.approx(expected, abs=error)


def test_a_cycle_gives_the_same_reading_however_it_is_asked_for() -> None:
    law = reading_law(random_traps(2, [20, 20]), np.full(2, 0.1), resolved_share=0.9)
    whole = law.draw(KEY, 0, 100)
    assert np.array_equal(whole[40:50], law.draw(KEY, 40, 10))
    assert np.array_equal(whole[:1], law.draw(KEY, 0, 1))
    assert not np.array_equal(whole, law.draw(np.uint64(9), 0, 100))
    assert law.draw(KEY, 2**40, 2).shape == (2, 2)
    assert law.draw(KEY, 5, 0).shape == (0, 2)


def test_readings_without_noise_are_silent_and_lone_traps_rest_at_zero() -> None:
    silent = reading_law(random_traps(1, [0, 3]), np.zeros(2), resolved_share=1.0)
    assert np.all(silent.draw(KEY, 0, 50)[:, 0] == 0.0)
    assert silent.skewness[0] == silent.excess_kurtosis[0] == 0.0
    # One slow trap and no amplifier: it stays where it is in both windows with the probability of no point in either.
    lone = SeenTraps(
        trap=np.arange(1), starts=np.array([0, 1]), steps=np.ones(1),
        to_one=np.full((1, 4), 0.05), to_zero=np.full((1, 4), 0.05),
    )  # fmt: skip
    law, cycles = reading_law(lone, np.zeros(1), resolved_share=1.0), 20_000
    rests = math.exp(-2 * 0.05)
    found = np.mean(law.draw(KEY, 0, cycles) == 0.0)
    # what moves by less than the smoothing counts as rest, too
    assert rests - 3.3 * math.sqrt(rests * (1 - rests) / cycles) < found < rests + 0.01


def test_an_unknown_fidelity_is_refused() -> None:
    chip = programmed(4, 4)
    with pytest.raises(ArgumentError, match="`fidelity` must be 'statistical' or 'cell'"):
        chip.reader(OperatingPoint(), tile=0, readings=1, fidelity="exact")  # type: ignore[arg-type]
    reader = chip.reader(OperatingPoint(), tile=0, readings=2, fidelity="statistical")
    assert isinstance(reader, StatisticalReader)
    assert reader.resolved_traps <= reader.traps
