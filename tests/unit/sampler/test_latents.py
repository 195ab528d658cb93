"""Latents: addressed, calibrated, normal; and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.reader import ReadingFidelity
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.periphery import Periphery
from ferrogen.core.errors import ArgumentError, CapacityError, SilentCellsError, ValidityError
from ferrogen.device.card import load_card
from ferrogen.device.noise.rtn.windows import window_sums
from ferrogen.sampler.latents import LatentSampler, SamplerSpec

POINT = OperatingPoint()


def programmed(seed: int = 3, threads: int = 1, spec: ChipSpec | None = None) -> Chip:
    chip = Chip("hzo-mfis-nor", seed=seed, threads=threads, spec=spec or ChipSpec())
    generator = np.random.default_rng(seed)
    share = np.clip(np.abs(generator.laplace(0.0, 0.2, (chip.spec.rows, chip.spec.columns))), 0.0, 1.0)
    chip.program(0, chip.window.low + chip.window.span * share, samples=True)
    return chip


@pytest.fixture(scope="module")
def sampler() -> LatentSampler:
    return LatentSampler(programmed(), POINT, 32)


def test_latents_of_an_image_do_not_depend_on_how_they_are_asked_for(sampler: LatentSampler) -> None:
    whole = sampler.draw(0, 40)
    backwards = np.concatenate([sampler.draw(k, 10) for k in (30, 20, 10, 0)][::-1])
    single = np.concatenate([sampler.draw(k, 1) for k in range(5)])
    assert np.array_equal(whole, backwards)
    assert np.array_equal(whole[:5], single)


def test_threads_do_not_matter(sampler: LatentSampler) -> None:
    threaded = LatentSampler(programmed(threads=2), POINT, 32)
    assert np.array_equal(threaded.draw(7, 20), sampler.draw(7, 20))


def test_another_seed_is_another_chip(sampler: LatentSampler) -> None:
    assert not np.array_equal(LatentSampler(programmed(seed=4), POINT, 32).draw(0, 4), sampler.draw(0, 4))


def test_latents_at_the_default_point_are_standard_normal(sampler: LatentSampler) -> None:
    """The issue's limits, on 10^5 latents; sampling errors are 0.003 (mean), 0.002 (deviation), 0.004 (KS at 5 %)."""
    from scipy import stats

    z = sampler.draw(0, 3200)
    assert abs(z.mean()) < 0.02
    assert abs(z.std() - 1.0) < 0.02
    assert stats.kstest(z.ravel(), "norm").statistic < 0.02
    assert abs(np.mean(z[1:] * z[:-1])) < 0.05
    correlations = np.corrcoef(z.T)[np.triu_indices(32, 1)]
    # 496 pairs with a standard error of 0.0177 each: the largest of independent ones stays below 5 of them.
    assert np.abs(correlations).max() < 5.0 / np.sqrt(len(z))
    assert sampler.telegraph_share() > 0.99


def test_either_fidelity_gives_the_same_statistics() -> None:
    """Latents drawn from their law against traps followed one by one, 8 latents; all z together at the level 1e-3."""
    from scipy import stats

    chip, spec = programmed(), SamplerSpec(calibration_reads=512)
    cell = LatentSampler(chip, POINT, 8, spec, fidelity="cell")
    statistical = LatentSampler(chip, POINT, 8, spec, calibration=cell.in_use)
    counts = {"cell": 2500, "statistical": 50_000}
    drawn = {"cell": cell.draw(0, counts["cell"]), "statistical": statistical.draw(0, counts["statistical"])}

    def blocks(z: np.ndarray) -> np.ndarray:
        """Statistics of 50 blocks of images, ``(50, statistics)``."""
        centred = z - drawn["statistical"].mean(axis=0)
        parts = centred.reshape(50, -1, 8)
        moments = [(parts**n).mean(axis=1) for n in (1, 2, 3, 4)]
        lag = (parts[:, 1:] * parts[:, :-1]).mean(axis=1)
        pairs = np.einsum("bki,bkj->bij", parts, parts)[:, *np.triu_indices(8, 1)] / parts.shape[1]
        return np.concatenate([*moments, lag, pairs], axis=1)

    one, two = (blocks(drawn[name]) for name in ("cell", "statistical"))
    error = np.hypot(one.std(axis=0, ddof=1), two.std(axis=0, ddof=1)) / np.sqrt(50)
    z = (one.mean(axis=0) - two.mean(axis=0)) / error
    assert np.abs(z).max() < stats.t.isf(1e-3 / 2 / z.size, 49)
    least = min(stats.ks_2samp(drawn["cell"][:, k], drawn["statistical"][:, k]).pvalue for k in range(8))
    assert least > 1e-3 / 8


def test_double_sampling_is_what_decorrelates() -> None:
    """Raw windows of the same cells remember; their doubly sampled differences do not."""
    chip = programmed()
    tile = chip.tile(0)
    population = tile.population()
    from ferrogen.chip.schedule import chip_schedule

    schedule = chip_schedule(POINT, samples=True, observe="windows")
    to_one, to_zero = tile.event_means(population, schedule, POINT.temperature)
    stop = int(population.traps.starts[population.rows * 8])
    sums = window_sums(
        np.uint64(5),
        np.arange(stop, dtype=np.uint64),
        population.traps.starts[:: population.rows][:9],
        tile.steps(population)[:stop],
        to_one[:stop],
        to_zero[:stop],
        schedule.observed,
        first_cycle=0,
        cycles=1500,
    )

    def lag_one(x: np.ndarray) -> float:
        x = x - x.mean(axis=1, keepdims=True)
        return float(np.mean(np.mean(x[:, 1:] * x[:, :-1], axis=1) / x.var(axis=1)))

    assert lag_one(sums[:, :, 1]) > 0.2
    assert abs(lag_one(sums[:, :, 1] - sums[:, :, 0])) < 0.05


def test_too_few_bit_lines_are_refused_with_numbers() -> None:
    with pytest.raises(CapacityError, match=r"40 latents of 2 pairs need 80 pairs .* there are 64"):
        LatentSampler(programmed(), POINT, 40)


@pytest.mark.parametrize("fidelity", ["statistical", "cell"])
def test_cells_without_noise_are_refused(fidelity: ReadingFidelity) -> None:
    card = load_card("hzo-mfis-nor")
    silent = card.model_copy(update={"traps_per_cell": card.traps_per_cell.model_copy(update={"value": 0.0})})
    spec = replace(ChipSpec(), periphery=Periphery.ideal())
    chip = Chip(silent, seed=1, spec=spec)
    chip.program(0, np.full((128, 128), chip.window.high), samples=True)
    with pytest.raises(SilentCellsError, match=r"sample_voltage.*1\.2 V.*never changed"):
        LatentSampler(chip, POINT, 4, fidelity=fidelity)


def test_bad_arguments_are_refused(sampler: LatentSampler) -> None:
    with pytest.raises(ArgumentError, match="calibration_reads"):
        SamplerSpec(calibration_reads=10)
    with pytest.raises(ArgumentError, match="pairs_per_latent"):
        SamplerSpec(pairs_per_latent=0)
    with pytest.raises(ArgumentError, match="latents"):
        LatentSampler(sampler.chip, POINT, 0)
    with pytest.raises(ArgumentError, match="first"):
        sampler.draw(-1, 2)
    with pytest.raises(ArgumentError, match="fidelity"):
        LatentSampler(sampler.chip, POINT, 4, fidelity="exact")  # type: ignore[arg-type]
    with pytest.raises(ValidityError, match="sample_voltage"):
        LatentSampler(sampler.chip, OperatingPoint(sample_voltage=3.0), 4)


def test_a_higher_voltage_makes_more_noise() -> None:
    chip = programmed()
    noise = [LatentSampler(chip, OperatingPoint(sample_voltage=v), 8).relative_noise() for v in (0.2, 0.6, 1.2)]
    assert noise[0] < 0.5 * noise[1] < 0.5 * noise[2]
