"""``sweep``: the map of randomness and image quality over sample voltage and sampling time."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ferrogen.chip.point import OperatingPoint
from ferrogen.core.errors import SilentCellsError, argument_error
from ferrogen.generation.datasets.image_set import ImageSet
from ferrogen.generation.evaluation import check_shape
from ferrogen.generation.generator import ChipGenerator
from ferrogen.generation.model import VAE
from ferrogen.generation.scores import JUDGES
from ferrogen.metrics.features import FeatureNetwork
from ferrogen.metrics.frechet import Moments, feature_moments, frechet_distance
from ferrogen.metrics.randomness import latent_statistics
from ferrogen.metrics.reference import load_reference_moments
from ferrogen.metrics.score import Score
from ferrogen.sampler.latents import Calibration

COLUMNS = {
    "sample_voltage": "V",
    "sampling_time": "s",
    "relative_noise": "1",
    "telegraph_share": "1",
    "ks_distance": "1",
    "lag_1_autocorrelation": "1",
    "excess_kurtosis": "1",
    "frechet_distance": "1",
    "frechet_low": "1",
    "frechet_high": "1",
    "kept_standard_deviation": "1",
    "kept_offset": "1",
    "kept_frechet_distance": "1",
    "kept_frechet_low": "1",
    "kept_frechet_high": "1",
    "images": "1",
}
"""Names and units of a sweep's table."""


@dataclass(frozen=True, slots=True)
class SweepPoint:
    """One point of the map; see :data:`COLUMNS`.

    The quantities named ``kept_`` belong to latents scaled with the calibration of the generator's first point: what
    the knobs do to a chip that is not calibrated anew. The others belong to latents calibrated at the point itself;
    they are NaN where the readings never changed, so that there is nothing to calibrate.
    """

    sample_voltage: float
    sampling_time: float
    kept_standard_deviation: float
    kept_offset: float
    kept_frechet_distance: float
    kept_frechet_low: float
    kept_frechet_high: float
    images: int
    relative_noise: float = 0.0
    telegraph_share: float = 0.0
    ks_distance: float = math.nan
    lag_1_autocorrelation: float = math.nan
    excess_kurtosis: float = math.nan
    frechet_distance: float = math.nan
    frechet_low: float = math.nan
    frechet_high: float = math.nan


def reference_moments(
    generator: ChipGenerator, network: FeatureNetwork, data: ImageSet | None, judge: str | None = None
) -> Moments:
    """Return the moments of real images' features: of the data's held-out images, or shipped ones.

    Args:
        generator: whose images are to be compared.
        network: feature network.
        data: of the model's size and colours; None: shipped moments.
        judge: name of the shipped moments; None: those that suit the size of the images.

    Raises:
        ArgumentError: images of another shape, or no data where no moments are shipped.
    """
    if data is not None:
        check_shape(generator, data)
        return feature_moments(network.extract(data.test_images.astype(np.float32) / 255.0).features)
    if judge is None:
        judge = "mnist" if isinstance(generator.vae, VAE) else "faces"
    if judge not in JUDGES.values():
        must = "be given unless the images are digits that the shipped network judges"
        raise argument_error("data", must, "absent", "Say with --data what the images are compared with.")
    return load_reference_moments(judge)


def sweep(
    generator: ChipGenerator,
    voltages: Sequence[float],
    times: Sequence[float],
    reference: Moments,
    network: FeatureNetwork,
    *,
    count: int = 1000,
    progress: Callable[[SweepPoint], None] | None = None,
) -> list[SweepPoint]:
    """Measure randomness and image quality on a grid of sample voltages [V] and sampling times [s].

    The cells are programmed once. Every point is measured twice: with the latent calibration of the generator's first
    point kept, and with latents calibrated at the point itself.

    Args:
        generator: model on a chip; it is left at the last point.
        voltages: sample voltages [V].
        times: sampling times [s].
        reference: moments of real images' features.
        network: feature network.
        count: images a point, at least 16.
        progress: called with every finished point.

    Raises:
        ValidityError: a point outside the card's validity (found before any work).
        ArgumentError: no voltages or times, or a count below 16.
    """
    if not voltages or not times:
        raise argument_error("voltages", "and times hold at least one value each", f"{list(voltages)}, {list(times)}")
    if count < 16:
        raise argument_error("count", "be at least 16 images a point", count)
    points = [replace(generator.at, sample_voltage=v, sampling_time=t) for t in times for v in voltages]
    for point in points:
        point.check(generator.chip.device)
    kept = generator.sampler.in_use
    results = []
    for point in points:
        results.append(_measure(generator, point, kept, reference, network, count))
        if progress is not None:
            progress(results[-1])
    return results


def _measure(
    generator: ChipGenerator,
    point: OperatingPoint,
    kept: Calibration,
    reference: Moments,
    network: FeatureNetwork,
    count: int,
) -> SweepPoint:
    def distance() -> Score:
        features = network.extract(generator.images(0, count)).features
        return frechet_distance(features, reference, seed=generator.chip.seed)

    generator.move(point, calibration=kept)
    scaled = distance()
    latents = generator.draw_latents(0, count).astype(np.float64)
    result = SweepPoint(
        sample_voltage=point.sample_voltage,
        sampling_time=point.sampling_time,
        # From image to image, latent by latent: the spread of fixed offsets over latents is no randomness.
        kept_standard_deviation=float(np.sqrt(np.mean(latents.var(axis=0)))),
        kept_offset=float(np.sqrt(np.mean(latents.mean(axis=0) ** 2))),
        kept_frechet_distance=scaled.value,
        kept_frechet_low=scaled.low,
        kept_frechet_high=scaled.high,
        images=count,
    )
    try:
        generator.calibrate_latents()
    except SilentCellsError:  # the finding of this point, not a failure of the sweep
        return result
    statistics = latent_statistics(generator.draw_latents(0, count), seed=generator.chip.seed)
    own = distance()
    return replace(
        result,
        relative_noise=generator.sampler.relative_noise(),
        telegraph_share=generator.sampler.telegraph_share(),
        ks_distance=statistics["ks_distance"].value,
        lag_1_autocorrelation=statistics["autocorrelation_lag_1"].value,
        excess_kurtosis=statistics["excess_kurtosis"].value,
        frechet_distance=own.value,
        frechet_low=own.low,
        frechet_high=own.high,
    )


def grid(
    points: Sequence[SweepPoint], name: str, voltages: Sequence[float], times: Sequence[float]
) -> NDArray[np.float64]:
    """Return one quantity of a sweep as a map ``(times, voltages)``."""
    values = np.array([float(getattr(point, name)) for point in points])
    return values.reshape(len(times), len(voltages))
