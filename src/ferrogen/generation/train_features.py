"""``ferrogen train --model features``: the network that images are judged by, on any data set.

Labelled 28 x 28 grey images train a classifier, whose scores know classes; all others train a network without labels
(:mod:`ferrogen.generation.train_picture_features`).

A run is a pure function of (data, epochs, seed) on one machine and torch version: every random number is
addressed, one thread fixes the order of the sums, and the test images are looked at once, at the end.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ferrogen.core.errors import argument_error
from ferrogen.core.files import atomic_path
from ferrogen.core.streams import Purpose, Streams
from ferrogen.generation.datasets.image_set import ImageSet
from ferrogen.generation.feature_card import classifier_card, data_facts, picture_card
from ferrogen.generation.feature_training import cosine_schedule, fill, one_thread
from ferrogen.generation.train_picture_features import BATCH, DEFAULT_EPOCHS, fit_picture_network
from ferrogen.metrics.classifier_network import IMAGE_SIZE, ClassifierNetwork, empty_classifier_network
from ferrogen.metrics.features import save_feature_network
from ferrogen.metrics.picture_network import PictureNetwork
from ferrogen.metrics.score import Score, proportion_score

_BATCH: Final = 128
_PEAK_RATE: Final = 4e-3
_WEIGHT_DECAY: Final = 1e-3
_MAX_SHIFT: Final = 2.0  # pixels
_MAX_ROTATION: Final = math.radians(12.0)
_MAX_SCALING: Final = 0.1
_RISE: Final = 0.2
_CLASSIFIER_EPOCHS: Final = 10
_CLASS_LIMIT: Final = 1000


def train_features(
    data: ImageSet, out: Path, *, epochs: int | None = None, seed: int = 0, progress: bool = False
) -> Path:
    """Train a feature network and write its weights and model card.

    Args:
        data: only the training images are learnt from. 28x28 grey images with labels train a classifier; others are
            resized to 64x64 and train a network without classes.
        out: the safetensors file to write; the model card goes beside it with the suffix ``.md``.
        epochs: passes over the training images; by default 10 for the classifier, 45 for the other.
        seed: addresses the initial weights, the order of the images and their distortions.
        progress: show a progress bar on standard error.

    Returns:
        ``out``.

    Raises:
        ArgumentError: too few images, labels above 999, fewer than one epoch, or a bad seed.
        OutputError: the folder cannot be written.
    """
    if epochs is not None and epochs < 1:
        raise argument_error("epochs", "be at least 1", epochs)
    if out.suffix != ".safetensors":
        raise argument_error("out", "be a file name that ends in .safetensors", f"'{out}'")
    labelled = data.train_labels is not None and data.test_labels is not None
    train = _train_classifier if labelled and data.train_images.shape[1:] == (IMAGE_SIZE, IMAGE_SIZE) else _train_other
    with atomic_path(out) as temporary:
        card = train(data, temporary, out.name, epochs, seed, progress=progress)
    with atomic_path(out.with_suffix(".md")) as temporary:
        temporary.write_text(card, encoding="utf-8")
    return out


def test_accuracy(network: ClassifierNetwork, data: ImageSet) -> Score:
    """Score the share of test images that the network classifies correctly, with its Wilson interval.

    Raises:
        ArgumentError: the data have no labels.
    """
    if data.test_labels is None:
        raise argument_error("data", "have labels", "none")
    probabilities = network.extract(data.test_images.astype(np.float32) / 255.0).class_probabilities
    hits = int(np.count_nonzero(probabilities.argmax(axis=1) == data.test_labels))
    definition = "Share of test images classified correctly; 95 % Wilson interval over images."
    return proportion_score("test_accuracy", hits, len(data.test_labels), definition)


test_accuracy.__test__ = False  # type: ignore[attr-defined]  # not a test, though named like one


def _train_classifier(data: ImageSet, out: Path, name: str, epochs: int | None, seed: int, *, progress: bool) -> str:
    epochs = _CLASSIFIER_EPOCHS if epochs is None else epochs
    network = empty_classifier_network(_class_count(data)).to_empty(device="cpu")
    names = data.class_names
    network.class_names = names if len(names) == network.class_count else ()
    streams = Streams(seed)
    with one_thread():
        fill(network, streams)
        _fit(network, data, epochs, streams, progress=progress)
        accuracy = test_accuracy(network, data)
    facts = data_facts(data) | {
        "epochs": str(epochs),
        "seed": str(seed),
        "features": str(network.feature_count),
        "test_accuracy": f"{accuracy.value:.4f}",
        "test_accuracy_interval": f"{accuracy.low:.4f} to {accuracy.high:.4f} (95 %, Wilson)",
        "test_images": str(accuracy.n),
    }
    save_feature_network(out, network, facts)
    distortions = (
        f"shifts up to {_MAX_SHIFT:g} pixels, rotations up to {math.degrees(_MAX_ROTATION):g} degrees,"
        f" scaling up to {100 * _MAX_SCALING:g} %"
    )
    return classifier_card(name, facts, network, accuracy, distortions)


def _train_other(data: ImageSet, out: Path, name: str, epochs: int | None, seed: int, *, progress: bool) -> str:
    epochs = DEFAULT_EPOCHS if epochs is None else epochs
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=not progress) as bar:
        task = bar.add_task("Training the feature network", total=epochs * (len(data.train_images) // BATCH))
        network: PictureNetwork = fit_picture_network(
            data.train_images, epochs=epochs, seed=seed, step_done=lambda done, _parts: bar.update(task, completed=done)
        )
    facts = data_facts(data) | {
        "epochs": str(epochs),
        "seed": str(seed),
        "features": str(network.feature_count),
        "training_images": str(len(data.train_images)),
    }
    save_feature_network(out, network, facts)
    return picture_card(name, facts)


def _class_count(data: ImageSet) -> int:
    labels, others = data.train_labels, data.test_labels
    if labels is None or others is None or len(data.train_images) < _BATCH:
        raise argument_error("data", f"hold at least {_BATCH} labelled training images", len(data.train_images))
    top = max(int(labels.max()), int(others.max(initial=0)))
    if top >= _CLASS_LIMIT or min(int(labels.min()), int(others.min(initial=0))) < 0:
        raise argument_error("data", f"have labels from 0 to {_CLASS_LIMIT - 1}", f"labelled up to {top}")
    return max(2, top + 1)


def _fit(network: ClassifierNetwork, data: ImageSet, epochs: int, streams: Streams, *, progress: bool) -> None:
    images = torch.from_numpy(data.train_images.astype(np.float32) / 255.0).unsqueeze(1)
    labels = torch.from_numpy(np.asarray(data.train_labels).astype(np.int64))
    steps = len(images) // _BATCH
    optimiser = torch.optim.AdamW(network.parameters(), lr=_PEAK_RATE, weight_decay=_WEIGHT_DECAY)
    network.train()
    for step, (epoch, index) in enumerate(_steps(epochs, steps, progress=progress)):
        if index == 0:
            generator = streams.generator(Purpose.TRAINING, epoch)
            order = torch.from_numpy(generator.permutation(len(images)))
        chosen = order[index * _BATCH : (index + 1) * _BATCH]
        for group in optimiser.param_groups:
            group["lr"] = _PEAK_RATE * cosine_schedule(step / (epochs * steps), rise=_RISE)
        logits, _ = network(_distort(images[chosen], generator))
        loss = functional.cross_entropy(logits, labels[chosen])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    network.eval()


def _steps(epochs: int, steps: int, *, progress: bool) -> Iterator[tuple[int, int]]:
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=not progress) as bar:
        task = bar.add_task("Training the feature network", total=epochs * steps)
        for epoch in range(epochs):
            for index in range(steps):
                yield epoch, index
                bar.advance(task)


def _distort(images: torch.Tensor, generator: np.random.Generator) -> torch.Tensor:
    """Shift, rotate and scale each image by its own random amount."""
    amount: NDArray[np.float32] = generator.uniform(-1.0, 1.0, size=(len(images), 4)).astype(np.float32)
    shift = amount[:, :2] * (2.0 * _MAX_SHIFT / IMAGE_SIZE)  # grid units: the image spans -1 to 1
    angle = amount[:, 2] * _MAX_ROTATION
    scale = 1.0 + amount[:, 3] * _MAX_SCALING
    cosine, sine = np.cos(angle) * scale, np.sin(angle) * scale
    rows = np.stack([cosine, -sine, shift[:, 0], sine, cosine, shift[:, 1]], axis=1).reshape(-1, 2, 3)
    grid = functional.affine_grid(torch.from_numpy(rows), list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, align_corners=False)
