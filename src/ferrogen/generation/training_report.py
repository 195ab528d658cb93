"""What a training run leaves beside the weights: its curves as numbers and figure, and the model card."""

from __future__ import annotations

import csv
import math
import platform
from pathlib import Path
from typing import Final

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch.nn.functional import binary_cross_entropy_with_logits

from ferrogen import __version__
from ferrogen.core.streams import Purpose, Streams
from ferrogen.generation.idx import ImageData
from ferrogen.generation.model import PIXELS, SIDE, VAE
from ferrogen.generation.trainer import CURVES, TrainingSettings
from ferrogen.metrics.features import load_feature_network
from ferrogen.metrics.frechet import frechet_distance
from ferrogen.metrics.manifold import precision_recall
from ferrogen.metrics.nearest import nearest_training_distance

MNIST_SHA256: Final = "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757"
"""Of the pixels of MNIST's 60,000 training images in their official order."""

JUDGED_IMAGES: Final = 10_000
_COMPARED: Final = 1_000

_DIGIT_PROTOCOL: Final = f"""\
Ideal latents, digital products, {JUDGED_IMAGES:,} images; the test images were used after the last step only.
Frechet distance, precision and recall are measured in the feature space of the digit network shipped with
ferrogen. They are not Inception distances; compare them with nothing measured otherwise."""


def write_curves(folder: Path, curves: NDArray[np.float64], steps_per_epoch: int) -> None:
    """Write ``curves.csv`` and ``curves.png``.

    Args:
        folder: where to.
        curves: shape ``(rows, 1 + len(CURVES))``; a row holds a step and the means since the row before.
        steps_per_epoch: how many steps make an epoch.
    """
    with (folder / "curves.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["step", "epoch", *CURVES])
        for step, *values in curves.tolist():
            writer.writerow([int(step), f"{step / steps_per_epoch:.3f}", *(f"{value:.6g}" for value in values)])
    epochs = curves[:, 0] / steps_per_epoch
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    for axes, names, label in (
        (left, CURVES[:2], "nats per training image"),
        (right, CURVES[2:], "logistic loss (nats)"),
    ):
        for name in names:
            legend = name.removesuffix("_nats").replace("_", " ")
            axes.plot(epochs, curves[:, 1 + CURVES.index(name)], label=legend, linewidth=1.0)
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0.0)
        axes.legend()
    figure.savefig(folder / "curves.png", dpi=150)


def reconstruction_nats(model: VAE, images: NDArray[np.uint8]) -> float:
    """Return the mean reconstruction error of images coded by their mean latents, in nats per image."""
    total = 0.0
    with torch.no_grad():
        for first in range(0, len(images), 500):
            part = images[first : first + 500]
            pixels = torch.from_numpy(part.reshape(len(part), PIXELS).astype(np.float32) / 255.0)
            mean, _ = model.encoder(pixels)
            logits = model.decoder.logits(mean)
            total += float(binary_cross_entropy_with_logits(logits, pixels, reduction="sum"))
    return total / len(images)


def draw_images(model: VAE, count: int, seed: int) -> NDArray[np.float32]:
    """Draw images from ideal standard-normal latents, digitally.

    Returns:
        float32, shape ``(count, 28, 28)``, values in [0, 1].
    """
    normals = Streams(seed).generator(Purpose.IDEAL_LATENT).standard_normal((count, model.spec.latent), np.float32)
    with torch.no_grad():
        images: NDArray[np.float32] = model.decoder(torch.from_numpy(normals)).numpy()
    return images.reshape(count, SIDE, SIDE)


def digit_figures(model: VAE, data: ImageData, seed: int) -> dict[str, str]:
    """Judge digits drawn from the prior against the test images, in the space of the shipped feature network.

    Args:
        model: trained on MNIST.
        data: MNIST.
        seed: addresses the latents and the bootstrap.

    Returns:
        Text per figure, each with its 95 % interval and number of images.
    """
    network = load_feature_network("mnist")
    images, train_images, test_images = (
        draw_images(model, JUDGED_IMAGES, seed),
        data.train_images.astype(np.float32) / 255.0,
        data.test_images.astype(np.float32) / 255.0,
    )
    drawn, real = network.extract(images), network.extract(test_images)
    train = network.extract(train_images[:JUDGED_IMAGES])
    nearest = nearest_training_distance(images[:_COMPARED], train_images, test_images[:_COMPARED]).scores
    precision, recall = precision_recall(drawn.features, real.features)
    floor_precision, floor_recall = precision_recall(train.features, real.features)
    shares = np.bincount(drawn.probabilities.argmax(1), minlength=10) / JUDGED_IMAGES
    return {
        "Frechet distance to the test images": str(frechet_distance(drawn.features, real.features, seed=seed)),
        "the same for 10,000 training images (floor)": str(frechet_distance(train.features, real.features, seed=seed)),
        "Precision": str(precision),
        "Recall": str(recall),
        "Precision and recall of the 10,000 training images": f"{floor_precision} and {floor_recall}",
        "Distance to the nearest training image (median, pixels of full scale)": str(
            nearest["nearest_training_distance"]
        ),
        "the same for test images": str(nearest["nearest_held_out_distance"]),
        "Closer to a training image than 99 % of test images are": str(nearest["close_copies"]),
        "Share of the rarest and the most frequent digit": f"{100 * shares.min():.1f} % and {100 * shares.max():.1f} %",
    }


def write_model_card(path: Path, model: VAE, settings: TrainingSettings, data: ImageData, data_sha256: str) -> None:
    """Write the model card: what it is, data and licence, figures, how it was made.

    On MNIST the figures are those of :func:`digit_figures`; on other data only the reconstruction is given,
    for the shipped feature network knows digits only.

    Args:
        path: the Markdown file.
        model: the finished model.
        settings: how it was trained.
        data: what it was trained on; the test images are used here and nowhere else.
        data_sha256: fingerprint of the training images.
    """
    mnist = data_sha256 == MNIST_SHA256
    figures = {
        "Reconstruction of the test images": f"{reconstruction_nats(model, data.test_images):.1f} nats an image"
        f" (n = {len(data.test_images)})"
    }
    if mnist:
        figures |= digit_figures(model, data, settings.seed)
    shapes = [tuple(layer.get_parameter("weight").shape) for layer in model.decoder.layers]
    layers = ", ".join(f"{columns} x {rows}" for rows, columns in shapes)
    weights = sum(math.prod(shape) for shape in shapes)
    source = (
        "MNIST, 60,000 training images, (c) Yann LeCun and Corinna Cortes, derived from NIST data"
        if mnist
        else f"{len(data.train_images)} images of a data set not recognised"
    )
    licence = "CC BY-SA 3.0" if mnist else "not known to ferrogen; see where the data came from"
    command = "ferrogen train --data FOLDER --out FOLDER" + "".join(
        f" --{name} {value}"
        for name, value in (
            ("epochs", settings.epochs),
            ("seed", settings.seed),
            ("latent", model.spec.latent),
        )
    )
    changed = {
        name: value
        for name, value in settings.model_dump(exclude={"epochs", "seed"}).items()
        if value != TrainingSettings.model_fields[name].default
    }
    protocol = _DIGIT_PROTOCOL if mnist else "The test images were used after the last step only."
    remark = f"with settings changed from Python: {changed}." if changed else "with the default settings:"
    figure_rows = "\n".join(f"| {name} | {value} |" for name, value in figures.items())
    setting_rows = "\n".join(f"| `{name}` | {value} |" for name, value in settings.model_dump().items())
    path.write_text(
        f"""# Model card: variational autoencoder of 28 x 28 images

| | |
|---|---|
| Encoder (digital) | three convolutions and a linear layer |
| Decoder | linear layers {layers}; ReLU between, sigmoid at the end |
| Analog weights | {weights:,} in the decoder, without biases |
| Latent | {model.spec.latent} dimensions, standard normal |
| Output | 784 grey values from 0 to 1, bright on dark |
| Data | {source} |
| Fingerprint of the data | SHA-256 of the training pixels `{data_sha256}` |
| Licence of the data | {licence} |

## Figures

{protocol}

| figure | value |
|---|---|
{figure_rows}

## How it was made

```
{command}
```

{remark}

| setting | value |
|---|---|
{setting_rows}

Versions: ferrogen {__version__}, PyTorch {torch.__version__}, NumPy {np.__version__}, Python
{platform.python_version()}. On one machine and PyTorch version the weights are reproducible bit by bit.

## What it is not for

It draws digits like its training images and nothing else; it has no notion of which digit is wanted.
""",
        encoding="utf-8",
    )
