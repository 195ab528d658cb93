"""Fitting a prior for every class of a trained model, from labelled images.

The latents of encoded images do not fill the prior: with the shipped digits' encoder they spread over 0.6 standard
deviations. What a decoder was taught to draw from is the prior, so a class is looked for there:

1. Labelled images are encoded; a Gaussian mixture of the means for each class is a classifier of codes.
2. Latents are drawn from the prior, decoded and encoded again; those whose class is beyond doubt for this classifier
   are the first members of the class. A mixture is fitted to each class.
3. Gaussians do not end where a class does. So latents are drawn from the mixture, those that are still beyond doubt
   are kept, and a mixture is fitted to them, a few rounds (the cross-entropy method's step, R. Y. Rubinstein,
   doi:10.1023/A:1010091220143).

Only the model itself and the labels of its data take part, and no network that judges images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from ferrogen import __version__
from ferrogen.core.errors import argument_error
from ferrogen.core.spec import Spec
from ferrogen.core.streams import Purpose, Streams
from ferrogen.generation.class_prior import ClassPrior, encoder_fingerprint, joined
from ferrogen.generation.gaussian_mixture import GaussianMixture, fit_mixture, most_components
from ferrogen.generation.model_file import AnyVAE
from ferrogen.generation.pictures import as_network_input

_BATCH: Final = 500
_HELD_OUT: Final = 5  # every fifth
_PRIOR_BATCHES: Final = 40  # batches of the prior a class is looked for in, over what even shares would need

Progress = Callable[[str, float], None]
"""Called with what is being done and the finished fraction of the whole."""


class ClassFitSettings(Spec):
    """How a prior of classes is fitted.

    Attributes:
        components: Gaussians a class at most.
        rounds: of drawing from the mixtures and keeping what is beyond doubt.
        draws: latents a class that every fit sees, about.
        certainty: probability of its class from which a code is beyond doubt.
        code_components: Gaussians a class of the classifier of codes.
        seed: addresses all random numbers.
    """

    components: Annotated[int, Field(ge=1, le=256)] = 4
    rounds: Annotated[int, Field(ge=0, le=20)] = 5
    draws: Annotated[int, Field(ge=100, le=100_000)] = 4000
    certainty: Annotated[float, Field(gt=0.5, lt=1.0)] = 0.99
    code_components: Annotated[int, Field(ge=1, le=256)] = 8
    seed: Annotated[int, Field(ge=0, lt=2**63)] = 0


@dataclass(frozen=True, slots=True)
class ClassFit:
    """A fitted prior and what was found on the way.

    Attributes:
        prior: of the classes.
        code_accuracy: share of held-out labelled images whose class the classifier of codes names.
        held_out: how many these were.
        held_out_log_likelihood: mean over the classes, in nats a latent vector, of the first mixtures (step 2) for
            members they were not fitted to.
        yields: share of the latents drawn from the mixtures that were beyond doubt: before the first round, and after
            each; mean over the classes.
    """

    prior: ClassPrior
    code_accuracy: float
    held_out: int
    held_out_log_likelihood: float
    yields: tuple[float, ...]


def fit_classes(
    model: AnyVAE,
    pictures: NDArray[np.generic],
    labels: NDArray[np.integer],
    names: tuple[str, ...],
    settings: ClassFitSettings | None = None,
    progress: Progress | None = None,
) -> ClassFit:
    """Fit a prior for every class of labelled training images.

    Args:
        model: trained on them.
        pictures: uint8 from 0 to 255, or float32 from 0 to 1, ``(n, height, width)`` or ``(n, height, width, 3)``.
        labels: index of each picture's class in ``names``, ``(n,)``.
        names: of the classes.
        settings: how; the defaults, if not given.
        progress: called with the stage and the finished fraction.

    Raises:
        ArgumentError: shapes or labels that do not fit, a class with too few pictures, or one that the model draws
            too rarely to be found.
    """
    settings = settings or ClassFitSettings()
    report = progress or (lambda _stage, _done: None)
    _check(pictures, labels, names, model.spec.latent)
    streams = Streams(settings.seed)
    codes = encoded_means(model, pictures, lambda done: report("encoding labelled images", 0.15 * done))
    held = np.arange(len(codes)) % _HELD_OUT == 0
    judge = _CodeClassifier.fitted(codes[~held], labels[~held], len(names), settings)
    accuracy = float((judge.probabilities(codes[held]).argmax(axis=1) == labels[held]).mean()) if held.any() else 0.0

    def fitted(members: list[NDArray[np.float32]], fit: int) -> list[GaussianMixture]:
        return [
            fit_mixture(found, settings.components, streams.generator(Purpose.CLASS_PRIOR, fit, k))
            for k, found in enumerate(members)
        ]

    report("looking for the classes", 0.15)
    members = _found_in_prior(
        model, judge, names, settings, lambda done: report("looking for the classes", 0.15 + 0.25 * done)
    )
    parts = [(found[np.arange(len(found)) % _HELD_OUT > 0], found[::_HELD_OUT]) for found in members]
    first = fitted([kept for kept, _ in parts], 0)
    likelihood = float(np.mean([m.log_density(left).mean() for m, (_, left) in zip(first, parts, strict=True)]))
    mixtures = fitted(members, 0)
    yields: list[float] = []
    for step in range(settings.rounds + 1):
        report("fitting", 0.4 + 0.6 * step / (settings.rounds + 1))
        kept, shares = [], []
        for k, mixture in enumerate(mixtures):
            drawn = _drawn(mixture, settings.draws, streams.generator(Purpose.CLASS_PRIOR, 1000 + step, k))
            sure = judge.probabilities(_codes_of(model, drawn))[:, k] >= settings.certainty
            shares.append(float(sure.mean()))
            kept.append(drawn[sure])
        yields.append(float(np.mean(shares)))
        if step < settings.rounds:
            _check_enough(kept, names, settings.draws, model.spec.latent)
            mixtures = fitted(kept, step + 1)
    report("done", 1.0)
    facts = {
        "ferrogen": __version__,
        "labelled_images": str(len(pictures)),
        "code_accuracy": f"{accuracy:.4f} (n = {int(held.sum())})",
        **{name: str(value) for name, value in settings.model_dump().items()},
    }
    prior = joined(mixtures, names, encoder_fingerprint(model), facts)
    return ClassFit(prior, accuracy, int(held.sum()), likelihood, tuple(yields))


def encoded_means(
    model: AnyVAE, pictures: NDArray[np.generic], progress: Callable[[float], None] | None = None
) -> NDArray[np.float32]:
    """Return the mean latents of pictures (uint8, or float32 in [0, 1]), ``(n, latent)``."""
    parts = []
    for first in range(0, len(pictures), _BATCH):
        part = pictures[first : first + _BATCH]
        scaled = part.astype(np.float32) / 255.0 if part.dtype == np.uint8 else part.astype(np.float32)
        with torch.inference_mode():
            parts.append(model.encoder(as_network_input(scaled, model.spec))[0].numpy())
        if progress is not None:
            progress(min(1.0, (first + _BATCH) / len(pictures)))
    return np.concatenate(parts)


@dataclass(frozen=True, slots=True)
class _CodeClassifier:
    """Names the class of a code: Bayes' rule with a mixture for each class and equal shares of the classes."""

    mixtures: list[GaussianMixture]

    @staticmethod
    def fitted(
        codes: NDArray[np.float32], labels: NDArray[np.integer], classes: int, settings: ClassFitSettings
    ) -> _CodeClassifier:
        streams = Streams(settings.seed)
        return _CodeClassifier(
            [
                fit_mixture(
                    codes[labels == k], settings.code_components, streams.generator(Purpose.CLASS_PRIOR, 999, k)
                )
                for k in range(classes)
            ]
        )

    def probabilities(self, codes: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the probability of each class, ``(n, classes)``."""
        logs = np.stack([mixture.log_density(codes) for mixture in self.mixtures], axis=1)
        return np.asarray(np.exp(logs - np.logaddexp.reduce(logs, axis=1)[:, None]))


def _codes_of(model: AnyVAE, latents: NDArray[np.float32]) -> NDArray[np.float32]:
    """Decode latents and encode the images again."""
    parts = []
    with torch.inference_mode():
        for first in range(0, len(latents), _BATCH):
            images = model.decoder(torch.from_numpy(latents[first : first + _BATCH]))
            parts.append(model.encoder(images)[0].numpy())
    return np.concatenate(parts)


def _drawn(mixture: GaussianMixture, count: int, generator: np.random.Generator) -> NDArray[np.float32]:
    chosen = generator.choice(len(mixture.weights), size=count, p=mixture.weights)
    noise = generator.standard_normal((count, mixture.means.shape[1]))
    moved = np.einsum("nij,nj->ni", mixture.factors[chosen], noise)
    return np.asarray((mixture.means[chosen] + moved).astype(np.float32))


def _found_in_prior(
    model: AnyVAE,
    judge: _CodeClassifier,
    names: tuple[str, ...],
    settings: ClassFitSettings,
    progress: Callable[[float], None],
) -> list[NDArray[np.float32]]:
    """Draw from the prior until every class has ``draws`` members that are beyond doubt, or the patience ends."""
    generator = Streams(settings.seed).generator(Purpose.CLASS_PRIOR, 998)
    found: list[list[NDArray[np.float32]]] = [[] for _ in names]
    batch = max(_BATCH, settings.draws * len(names) // 10)
    looked = 0
    for _ in range(_PRIOR_BATCHES):
        latents = generator.standard_normal((batch, model.spec.latent), dtype=np.float32)
        probabilities = judge.probabilities(_codes_of(model, latents))
        looked += batch
        for k, members in enumerate(found):
            members.append(latents[probabilities[:, k] >= settings.certainty])
        rarest = min(sum(map(len, members)) for members in found)
        progress(min(1.0, rarest / settings.draws))
        if rarest >= settings.draws:
            break
    joined_members = [np.concatenate(members)[: settings.draws] for members in found]
    _check_enough(joined_members, names, looked, model.spec.latent)
    return joined_members


def _check_enough(members: list[NDArray[np.float32]], names: tuple[str, ...], of: int, latent: int) -> None:
    least = 8 * (latent + 1)
    for name, found in zip(names, members, strict=True):
        if most_components(len(found), latent) < 2:
            raise argument_error(
                "certainty",
                f"leave at least {least} drawn images of every class",
                f"such that of class '{name}' only {len(found)} of {of} are beyond doubt",
                "Lower it, draw more, or train the model until it draws this class.",
            )


def _check(pictures: NDArray[np.generic], labels: NDArray[np.integer], names: tuple[str, ...], latent: int) -> None:
    if labels.shape != (len(pictures),):
        raise argument_error("labels", f"be {len(pictures)}, one a picture", f"of shape {labels.shape}")
    if len(names) < 2 or len(set(names)) < len(names):
        raise argument_error("names", "be those of at least two different classes", f"{names}")
    if len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < len(names):
        raise argument_error("labels", f"be from 0 to {len(names) - 1}", f"up to {int(labels.max())}")
    counts = np.bincount(labels, minlength=len(names))
    least = 2 * (latent + 1)
    if counts.min() < least:
        rarest = names[int(counts.argmin())]
        remedy = "Leave the class out, or add pictures."
        raise argument_error(
            "labels", f"name at least {least} pictures of every class", f"{counts.min()} of '{rarest}'", remedy
        )
