"""The generators of ``examples/``: every step's noise is drawn through a source, and images have numbers."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from scipy.stats import chi2

from ferrogen import Chip, ChipSpec, map_to_chip
from ferrogen.generation.latent_source import count_draws, dedicated_source
from ferrogen.mapping.convert.latents import ServedRandomness
from ferrogen.sampler.latents import SamplerSpec

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(scope="module")
def modules() -> Iterator[tuple[ModuleType, ModuleType, ModuleType]]:
    """The scripts as modules; they find each other as they do when they are run."""
    sys.path.insert(0, str(EXAMPLES))
    try:
        import flow_matching
        import four_ways
        import gan

        yield four_ways, flow_matching, gan
    finally:
        sys.path.remove(str(EXAMPLES))


Scripts = tuple[ModuleType, ModuleType, ModuleType]


def test_every_step_but_the_last_renews_a_whole_picture_of_noise(modules: Scripts) -> None:
    four_ways, flow_matching, _ = modules
    flow = flow_matching.Flow()
    four_ways.initialise(flow, 1)
    assert count_draws(flow_matching.Generator(flow, 5), torch.arange(2)) == (784,) * 5  # the start, and four renewals


def test_images_are_the_same_in_any_batch_and_differ_from_each_other(modules: Scripts) -> None:
    four_ways, flow_matching, _ = modules
    flow = flow_matching.Flow()
    four_ways.initialise(
        flow,
        1,
    )
    generator, source = flow_matching.Generator(flow, 3), four_ways.IdealSource()

    def draw(numbers: list[int]) -> torch.Tensor:
        with torch.inference_mode(), ServedRandomness(source, np.array(numbers)):
            made: torch.Tensor = generator(torch.tensor(numbers))
        return made

    together, alone = draw([3, 4]), draw([4])
    torch.testing.assert_close(together[1], alone[0], rtol=1e-4, atol=1e-4)
    assert (together[0] - together[1]).abs().max() > 0.1


def test_steps_follow_the_law_of_ancestral_sampling_for_gaussian_data(modules: Scripts) -> None:
    """Exact variance after a few steps, from the posterior in noise-over-signal notation (arXiv:2006.11239, eq. 7).

    Both tests of a run (mean and variance) together raise a false alarm once in 1000.
    """
    four_ways, flow_matching, _ = modules
    mean, spread, count = 0.3, 0.7, 40_000
    times = flow_matching.schedule(7, 1.0)

    def velocity(x: torch.Tensor, step: int) -> torch.Tensor:
        t = times[step]
        centred = (x - (1.0 - t) * mean) / ((1.0 - t) ** 2 * spread**2 + t * t)
        return t * centred - mean - (1.0 - t) * spread**2 * centred

    numbers = np.arange(count)
    with torch.inference_mode(), ServedRandomness(four_ways.IdealSource(), numbers):
        x = flow_matching.ancestral(velocity, torch.randn(count, 1), times, clip=False)[:, 0].double().numpy()

    # y = x_t / (1 - t) = data + s e with s = t / (1 - t). From t = 1 nothing of the noise is kept, and the data's
    # estimate is their mean.
    variance, before = (times[1] / (1.0 - times[1])) ** 2, times[1] / (1.0 - times[1])
    for t in times[2:]:
        s = t / (1.0 - t)
        shrink, keep = spread**2 / (spread**2 + before**2), (s / before) ** 2
        variance = (shrink + keep * (1.0 - shrink)) ** 2 * variance + s**2 * (1.0 - keep)
        before = s
    low, high = chi2.ppf([0.25e-3, 1 - 0.25e-3], count - 1) / (count - 1)
    assert low < x.var(ddof=1) / variance < high
    assert abs(x.mean() - mean) < 3.48 * np.sqrt(variance / count)


def test_the_gans_latents_come_from_the_chip_and_ways_repeat(modules: Scripts) -> None:
    four_ways, _, gan = modules
    maker = gan.Generator()
    four_ways.initialise(maker, 3)
    gan.settle(maker)
    chip = Chip(four_ways.CARD, seed=2, spec=ChipSpec(rows=128, columns=256, tiles=64))
    draws = count_draws(maker, torch.arange(2))
    assert draws == (gan.LATENT,)
    mapped = map_to_chip(maker, chip, torch.arange(8), latent_source=four_ways.IdealSource())
    assert mapped.report().coverage == 1.0
    assert not mapped.report().norms_digital
    ideal = four_ways.draw_mapped(mapped, four_ways.IdealSource(), 4)
    noisy = four_ways.draw_mapped(mapped, dedicated_source(chip, draws, spec=SamplerSpec(calibration_reads=1024)), 4)
    np.testing.assert_array_equal(four_ways.draw_mapped(mapped, four_ways.IdealSource(), 4), ideal)
    assert np.abs(noisy - ideal).max() > 0.1  # other latents make other images
    deviation = ideal - four_ways.draw_float(maker, four_ways.IdealSource(), 4)
    assert 0.0 < np.sqrt(np.mean(deviation**2)) < 0.1  # the same latents make nearly the same


def test_weights_return_from_their_file(modules: Scripts, tmp_path: Path) -> None:
    four_ways, _, gan = modules
    maker, other = gan.Generator(), gan.Generator()
    four_ways.initialise(maker, 3)
    four_ways.save_half(maker, tmp_path / "w.safetensors")
    four_ways.load_half(other, tmp_path / "w.safetensors")
    for mine, given in zip(other.state_dict().values(), maker.state_dict().values(), strict=True):
        torch.testing.assert_close(mine, given, rtol=1e-3, atol=1e-4)


def test_a_few_steps_of_training_help(modules: Scripts) -> None:
    four_ways, flow_matching, _ = modules
    _, losses = flow_matching.train(four_ways.training_digits(None, 64), 15, batch=16)
    assert np.mean(losses[-3:]) < 0.9 * np.mean(losses[:3])
