"""Scores that need no data set: what a run can say of itself."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ferrogen.metrics.classes import class_entropy, class_histogram, classifier_confidence
from ferrogen.metrics.frechet import frechet_distance
from ferrogen.metrics.randomness import latent_statistics
from ferrogen.metrics.reference import load_reference_moments
from ferrogen.metrics.score import Score

JUDGES: Final = {"mnist": "mnist"}
"""Shipped models, and the shipped network and moments that judge their images without any data."""

_LEAST_LATENTS = 16
_LEAST_IMAGES = 6


def judge_of(model: object) -> str | None:
    """Return the name of the feature network that judges a shipped model's images; None: there is none."""
    return JUDGES.get(model) if isinstance(model, str) else None


def latent_scores(latents: NDArray[np.float32], seed: int) -> dict[str, Score]:
    """Return the statistics of latents ``(n, latents)``, names beginning with ``latent_``; none below 16 images."""
    if len(latents) < _LEAST_LATENTS:
        return {}
    found = {f"latent_{name}": score for name, score in latent_statistics(latents, seed=seed).items()}
    return found | {score.name: score for score in _worst(latents)}


def _worst(latents: NDArray[np.float32]) -> list[Score]:
    """Return the largest error of a single latent's mean and deviation: what its calibration left."""
    count = len(latents)
    means = np.abs(latents.mean(axis=0, dtype=np.float64))
    deviations = np.abs(latents.std(axis=0, dtype=np.float64) - 1.0)
    scores = []
    for name, values, error in (
        ("mean", means, 1.96 / math.sqrt(count)),
        ("deviation", deviations, 1.96 / math.sqrt(2.0 * count)),
    ):
        worst = float(values.max())
        scores.append(
            Score(
                name=f"worst_latent_{name}_error",
                value=worst,
                low=max(0.0, worst - error),
                high=worst + error,
                n=count,
                definition=f"largest |{name} - {'0' if name == 'mean' else '1'}| of a single latent; 95 % interval of"
                " that one latent's estimate, as if it had not been picked as the worst",
            )
        )
    return scores


def image_scores(images: NDArray[np.float32], features: str | Path | None, seed: int) -> dict[str, Score]:
    """Return what the feature network says of pictures on their own; none below 6 images.

    Args:
        images: in [0, 1].
        features: name or path of a feature network; None for no scores.
        seed: of the bootstrap.
    """
    if features is None or len(images) < _LEAST_IMAGES:
        return {}
    from ferrogen.metrics.features import load_feature_network

    found = load_feature_network(features).extract(images)
    scores = []
    if found.probabilities is not None:
        scores += [classifier_confidence(found.probabilities), class_entropy(found.probabilities, seed=seed)]
    if features in JUDGES.values():
        scores.append(frechet_distance(found.features, load_reference_moments(str(features)), seed=seed))
    classes = {} if found.probabilities is None else class_histogram(found.probabilities)
    return {score.name: score for score in scores} | classes
