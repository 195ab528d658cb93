"""What the README claims of the shipped digits, on fewer images (`ferrogen evaluate mnist` has the full figures)."""

from __future__ import annotations

import numpy as np
import pytest

from ferrogen.chip.chip import Chip
from ferrogen.generation.generator import ChipGenerator
from ferrogen.metrics.features import load_feature_network
from ferrogen.metrics.frechet import feature_moments, gaussian_frechet_distance
from ferrogen.metrics.randomness import latent_statistics
from ferrogen.metrics.reference import load_reference_moments

COUNT = 4000


@pytest.fixture(scope="module")
def generator() -> ChipGenerator:
    return ChipGenerator("mnist", Chip("hzo-mfis-nor", seed=7, threads=2))


@pytest.mark.slow
def test_chip_images_are_nearly_as_good_as_the_ideal_models(generator: ChipGenerator) -> None:
    """The issue's limit is 1.10 on 10,000 images; on 4,000 either distance scatters by about 8 %, hence 1.25."""
    network, reference = load_feature_network(), load_reference_moments()

    def distance(images: np.ndarray) -> float:
        return gaussian_frechet_distance(feature_moments(network.extract(images).features), reference)

    chip = distance(generator.images(0, COUNT))
    ideal = distance(generator.decode_ideally(generator.ideal_latents(0, COUNT)))
    assert chip < 1.25 * ideal


@pytest.mark.slow
def test_latents_keep_their_limits(generator: ChipGenerator) -> None:
    found = latent_statistics(generator.draw_latents(0, 8000))
    assert abs(found["mean"].value) < 0.02
    assert abs(found["standard_deviation"].value - 1.0) < 0.02
    assert found["ks_distance"].value < 0.02
    assert abs(found["autocorrelation_lag_1"].value) < 0.05
    assert found["max_column_correlation"].value < 0.05
