"""How surely, how well and how diversely digits are drawn by label: ways to a prior of classes, then each digit.

    python benchmarks/class_priors.py --data FOLDER [--count 500] [--shipped-only]

FOLDER holds MNIST's IDX files; the numbers go to results/class_priors.json. First ways to find where a class lies in
the latents of the shipped digits' VAE, drawn in float32 with pseudo-random noise; then the shipped class file, digit by
digit, on the chip (seed 0) and beside it the same latents in float32. Accuracy: how often the digits' feature network,
which takes no part in the fits, names the wanted digit. Frechet distance and diversity are taken within each digit,
against the test images of that digit.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from timing import write_results

from ferrogen.chip.chip import Chip
from ferrogen.core.streams import Purpose, Streams
from ferrogen.generation.class_fit import ClassFitSettings, fit_classes
from ferrogen.generation.class_prior import (
    ClassPrior,
    class_file_of,
    class_latents,
    encoder_fingerprint,
    joined,
    load_class_prior,
)
from ferrogen.generation.datasets.loading import load_data
from ferrogen.generation.gaussian_mixture import fit_mixture
from ferrogen.generation.generator import ChipGenerator
from ferrogen.generation.model_file import AnyVAE, load_vae
from ferrogen.generation.pictures import as_pictures
from ferrogen.generation.reconstruction import encode
from ferrogen.metrics.classes import diversity
from ferrogen.metrics.features import Features, load_feature_network
from ferrogen.metrics.frechet import frechet_distance
from ferrogen.metrics.score import Score, proportion_score

DIGITS = 10
NAMES = tuple(map(str, range(DIGITS)))


def judged(features: Features, labels: NDArray[np.int64], real: Features, real_labels: NDArray[Any]) -> dict[str, Any]:
    """Return accuracy (all, and the least digit's), the mean Frechet distance within a digit, diversity within one."""
    if features.probabilities is None:
        raise RuntimeError("the digits' feature network names classes")
    right = features.probabilities.argmax(axis=1) == labels
    each = [frechet_distance(features.features[labels == k], real.features[real_labels == k]) for k in range(DIGITS)]
    within = diversity(features.features, labels, real.features, real_labels.astype(np.int64))[1]
    return {
        "accuracy": proportion_score("accuracy", int(right.sum()), len(right), "share of wanted digits named so"),
        "least": min(float(right[labels == k].mean()) for k in range(DIGITS)),
        "frechet": float(np.mean([score.value for score in each])),
        "diversity": within,
    }


def encoded_prior(model: AnyVAE, images: NDArray[np.float32], labels: NDArray[Any], components: int) -> ClassPrior:
    """Fit mixtures to draws from the laws that the encoder gives labelled training images: the plain way."""
    mean, deviation = encode(model, images)
    noise = Streams(0).generator(Purpose.CLASS_PRIOR, 5000).standard_normal(mean.shape)
    codes = mean + deviation * noise
    fits = [
        fit_mixture(codes[labels == k], components, Streams(0).generator(Purpose.CLASS_PRIOR, 5001, components, k))
        for k in range(DIGITS)
    ]
    return joined(fits, NAMES, encoder_fingerprint(model), {})


def draw(model: AnyVAE, prior: ClassPrior, labels: NDArray[np.int64], spread: float) -> NDArray[np.float32]:
    """Draw digits in float32 with pseudo-random noise."""
    generator = Streams(1).generator(Purpose.CLASS_PRIOR, 5002)
    noise = generator.standard_normal((len(labels), model.spec.latent))
    latents, _ = prior.latents(labels, noise, generator.standard_normal(len(labels)), spread)
    with torch.inference_mode():
        return as_pictures(model.decoder(torch.from_numpy(latents)), model.spec)


def row(name: str, found: dict[str, Any]) -> str:
    """Write a line of the first table."""
    accuracy, within = found["accuracy"], found["diversity"]
    return (
        f"| {name} | {accuracy.value:.3f} [{accuracy.low:.3f}, {accuracy.high:.3f}] | {found['least']:.3f}"
        f" | {found['frechet']:.2f} | {within.value:.3f} [{within.low:.3f}, {within.high:.3f}] |"
    )


def scaled(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return pictures in [0, 1]."""
    return images.astype(np.float32) / np.float32(255)


def plain(found: dict[str, Any]) -> dict[str, Any]:
    """Make scores ready for JSON."""
    return {key: value.to_dict() if isinstance(value, Score) else value for key, value in found.items()}


def main() -> None:
    """Measure, print tables, write JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--count", type=int, default=500, help="images of each digit")
    parser.add_argument("--shipped-only", action="store_true", help="leave out the ways; writes no results")
    options = parser.parse_args()
    torch.set_num_threads(1)
    data, model, network = load_data(options.data), load_vae("mnist"), load_feature_network("mnist")
    if data.train_labels is None or data.test_labels is None:
        raise SystemExit("the data have no labels")
    train, train_labels, test_labels = data.train_images, data.train_labels, data.test_labels
    real = network.extract(data.test_images.astype(np.float32) / 255.0)
    labels = np.repeat(np.arange(DIGITS), options.count)
    rows: list[dict[str, Any]] = []

    def judge(images: NDArray[np.float32]) -> dict[str, Any]:
        return judged(network.extract(images), labels, real, test_labels)

    first = np.concatenate([np.flatnonzero(train_labels == k)[: options.count] for k in range(DIGITS)])
    print(f"Ways to the classes, float32, {options.count} images a digit\n")
    print("| way | accuracy | least digit | Frechet within | diversity within |\n|---|---|---|---|---|")

    def add(name: str, images: NDArray[np.float32]) -> None:
        found = judge(images)
        rows.append({"way": name} | plain(found))
        print(row(name, found), flush=True)

    add("(training images)", scaled(train[first]))
    likelihoods: dict[int, float] = {}
    everything = None if options.shipped_only else scaled(train)
    if everything is not None:
        for components in (1, 4, 16):
            prior = encoded_prior(model, everything, train_labels, components)
            for spread in (1.0, 0.8):
                add(f"encoded images, {components} Gaussians, spread {spread}", draw(model, prior, labels, spread))
        for components in (1, 4, 16):
            for rounds in (0, 1, 2, 3, 4, 5, 6) if components == 4 else (0, 5):
                settings = ClassFitSettings(components=components, rounds=rounds)
                fit = fit_classes(model, train, train_labels, NAMES, settings)
                likelihoods[components] = fit.held_out_log_likelihood
                for spread in (1.0, 0.8) if components == 4 and rounds in (0, 5) else (1.0,):
                    name = f"the prior, {components} Gaussians, {rounds} rounds, spread {spread}"
                    add(name, draw(model, fit.prior, labels, spread))
        print(f"\nHeld-out log-likelihood of the first mixtures, nats, by components: {likelihoods}\n")

    generator = ChipGenerator("mnist", Chip("hzo-mfis-nor", seed=0))
    prior = load_class_prior(class_file_of("mnist"), model)
    latents, _ = class_latents(prior, generator, labels, 0)
    chip = generator.decode(latents, np.arange(len(labels)))
    ideal = generator.decode_ideally(latents)
    add("shipped, on the chip", chip)
    add("shipped, the chip's latents in float32", ideal)
    heads = ("digit", "accuracy, chip", "accuracy, float32", "Frechet, chip", "Frechet, float32", "training images")
    print(f"\n| {' | '.join(heads)} | diversity, chip |")
    print("|---|---|---|---|---|---|---|")
    seen = [network.extract(images) for images in (chip, ideal, scaled(train[first]))]
    for k in range(DIGITS):
        mine = labels == k
        own = real.features[test_labels == k]
        right = [
            proportion_score(
                "accuracy", int((f.probabilities[mine].argmax(axis=1) == k).sum()), int(mine.sum()), "share"
            )
            for f in seen[:2]
            if f.probabilities is not None
        ]
        distances = [frechet_distance(f.features[mine], own) for f in seen]
        same = np.zeros(int(mine.sum()), dtype=np.int64)
        spread_score = diversity(seen[0].features[mine], same, own, np.zeros(len(own), dtype=np.int64))[0]
        scores = [*right, *distances, spread_score]
        names = (
            "accuracy_chip",
            "accuracy_float32",
            "frechet_chip",
            "frechet_float32",
            "frechet_training",
            "diversity",
        )
        rows.append({"digit": k} | {name: score.to_dict() for name, score in zip(names, scores, strict=True)})
        texts = [f"{s.value:.3f} [{s.low:.3f}, {s.high:.3f}]" for s in right]
        texts += [f"{s.value:.2f} [{s.low:.2f}, {s.high:.2f}]" for s in (*distances, spread_score)]
        print(f"| {k} | {' | '.join(texts)} |", flush=True)
    facts = {str(components): value for components, value in likelihoods.items()}
    if options.shipped_only:
        return
    write_results("class_priors", rows, images_a_digit=options.count, held_out_log_likelihood_nats=facts)


if __name__ == "__main__":
    main()
