"""What a training run leaves beside the weights: its curves as numbers and figure, and the model card."""

from __future__ import annotations

import csv
import math
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ferrogen import __version__
from ferrogen.core.streams import Purpose, Streams
from ferrogen.generation.convolutional.model import FIRST_SIDE, ConvVAE
from ferrogen.generation.datasets.description import shipped_description
from ferrogen.generation.datasets.image_set import ImageSet
from ferrogen.generation.model import VAE
from ferrogen.generation.model_file import AnyVAE
from ferrogen.generation.pictures import as_network_input, as_pictures
from ferrogen.generation.recipes import AnySettings
from ferrogen.metrics.features import load_feature_network
from ferrogen.metrics.frechet import frechet_distance
from ferrogen.metrics.manifold import precision_recall
from ferrogen.metrics.nearest import nearest_training_distance

JUDGED_IMAGES: Final = 10_000
JUDGED_FACES: Final = 5_000
_COMPARED: Final = 1_000
_FEWEST: Final = 500
_AT_ONCE: Final = 250
_NAMED: Final = 20
_PRODUCTS: Final = (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)
_PANELS: Final = {
    "_nats": "nats per training image",
    "_error": "share of full scale, of variance",
    "_loss": "logistic loss (nats)",
}
_NO_TERMS: Final = (
    "Whoever passes these weights on needs the right to use the data in that way; what it draws can resemble them."
)

_DIGIT_PROTOCOL: Final = f"""\
Ideal latents, digital products, {JUDGED_IMAGES:,} images; the test images were used after the last step only.
Frechet distance, precision and recall are measured in the feature space of the digit network shipped with
ferrogen. They are not Inception distances; compare them with nothing measured otherwise."""
_FACE_PROTOCOL: Final = f"""\
Ideal latents, digital products, {JUDGED_FACES:,} images; the held-out images were used after the last step only.
Frechet distance, precision and recall are measured in the feature space of the face network shipped with ferrogen,
which is not Inception's; compare them with nothing measured otherwise."""


def write_curves(folder: Path, names: Sequence[str], curves: NDArray[np.float64], steps_per_epoch: int) -> None:
    """Write ``curves.csv`` and ``curves.png``: a panel for each kind of quantity, told by the ending of its name.

    Args:
        folder: where to.
        names: of the quantities.
        curves: shape ``(rows, 1 + len(names))``; a row holds a step and the means since the row before.
        steps_per_epoch: how many steps make an epoch.
    """
    with (folder / "curves.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["step", "epoch", *names])
        for step, *values in curves.tolist():
            writer.writerow([int(step), f"{step / steps_per_epoch:.3f}", *(f"{value:.6g}" for value in values)])
    epochs = curves[:, 0] / steps_per_epoch
    panels = {ending: label for ending, label in _PANELS.items() if any(name.endswith(ending) for name in names)}
    figure = Figure(figsize=(4.5 * len(panels), 3.5), layout="constrained")
    for axes, (ending, label) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
        for k, name in enumerate(names, 1):
            if name.endswith(ending):
                legend = name.removesuffix("_nats").replace("_", " ")
                axes.plot(epochs, curves[:, k], label=legend, linewidth=1.0)
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0.0)
        axes.legend()
    figure.savefig(folder / "curves.png", dpi=150)


@torch.no_grad()
def reconstruction_nats(model: VAE, images: NDArray[np.uint8]) -> float:
    """Return the mean reconstruction error of 28 x 28 images coded by their mean latents, in nats per image."""
    total = 0.0
    for first in range(0, len(images), _AT_ONCE):
        pixels = as_network_input(images[first : first + _AT_ONCE].astype(np.float32) / 255.0, model.spec)
        mean, _ = model.encoder(pixels)
        total += float(binary_cross_entropy_with_logits(model.decoder.logits(mean), pixels, reduction="sum"))
    return total / len(images)


@torch.no_grad()
def reconstruction_error(model: AnyVAE, images: NDArray[np.uint8]) -> float:
    """Return the root mean square of reconstructed minus true pixels, in units of full scale."""
    total = 0.0
    for first in range(0, len(images), _AT_ONCE):
        pixels = as_network_input(images[first : first + _AT_ONCE].astype(np.float32) / 255.0, model.spec)
        total += float((model(pixels) - pixels).square().sum(dtype=torch.float64))
    return math.sqrt(total / images.size)


@torch.no_grad()
def draw_images(model: AnyVAE, count: int, seed: int) -> NDArray[np.float32]:
    """Draw images from ideal standard-normal latents, digitally.

    Returns:
        float32, shape ``(count, side, side)`` or ``(count, side, side, 3)``, values in [0, 1].
    """
    normals = Streams(seed).generator(Purpose.IDEAL_LATENT).standard_normal((count, model.spec.latent), np.float32)
    parts = [as_pictures(model.decoder(part), model.spec) for part in torch.split(torch.from_numpy(normals), _AT_ONCE)]
    return np.concatenate(parts)


def digit_figures(model: AnyVAE, data: ImageSet, seed: int) -> dict[str, str]:
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
    shares = np.bincount(drawn.class_probabilities.argmax(1), minlength=10) / JUDGED_IMAGES
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


def face_figures(model: AnyVAE, data: ImageSet, seed: int) -> dict[str, str]:
    """Judge faces drawn from the prior against the held-out images, in the space of the shipped face network.

    Args:
        model: trained on 64 x 64 RGB images of CelebA.
        data: what it was trained on.
        seed: addresses the latents and the bootstrap.

    Returns:
        Text per figure, each with its 95 % interval and number of images.
    """
    network = load_feature_network("faces")
    held_out = data.test_images.astype(np.float32) / 255.0
    known = data.train_images[: len(held_out)].astype(np.float32) / 255.0
    drawn = network.extract(draw_images(model, JUDGED_FACES, seed)).features
    real, train = network.extract(held_out).features, network.extract(known).features
    precision, recall = precision_recall(drawn, real)
    return {
        "Frechet distance to the held-out images": str(frechet_distance(drawn, real, seed=seed)),
        f"the same for {len(known)} training images (floor)": str(frechet_distance(train, real, seed=seed)),
        "Precision": str(precision),
        "Recall": str(recall),
    }


def write_model_card(
    path: Path, model: AnyVAE, settings: AnySettings, data: ImageSet, *, stopping: str | None = None
) -> None:
    """Write the model card: what it is, data and their terms, figures, how it was made, who must not use it.

    On MNIST the figures are those of :func:`digit_figures`, on CelebA those of :func:`face_figures`; on other data only
    the reconstruction is given: the shipped feature networks do not fit, and ``ferrogen evaluate`` takes one that does.

    Args:
        path: the Markdown file.
        model: the finished model.
        settings: how it was trained.
        data: what it was trained on; the held-out images are used here and nowhere else.
        stopping: what early stopping did, in a sentence.
    """
    described, digest = data.description, data.fingerprint
    mnist = digest == shipped_description("mnist").fingerprint
    held_out = "test" if described.train_numbers is None and described.format == "idx" else "held-out"
    number = len(data.test_images)
    figures = {
        f"Reconstruction of the {held_out} images (root mean square)": (
            f"{reconstruction_error(model, data.test_images):.4f} of full scale (n = {number})"
        )
    }
    if isinstance(model, VAE):
        figures["the same, cross entropy"] = f"{reconstruction_nats(model, data.test_images):.1f} nats an image"
    if mnist:
        figures |= digit_figures(model, data, settings.seed)
    protocol = _DIGIT_PROTOCOL if mnist else f"The {held_out} images were used after the last step only."
    if described.name == "celeba" and (data.side, data.channels) == (64, 3) and number >= _FEWEST:
        figures |= face_figures(model, data, settings.seed)
        protocol = _FACE_PROTOCOL
    source = described.source or f"{len(data.train_images)} images of a data set not recognised"
    facts = _architecture(model) | {
        "Latent": f"{model.spec.latent} dimensions, standard normal",
        "Data": source,
        "Images": f"{len(data.train_images)} to learn from, {number} held out"
        + (
            f"; {len(data.skipped)} could not be read and were left out: {_named(data.skipped)}" if data.skipped else ""
        ),
        "Treatment": _treatment(data),
        "Fingerprint of the data": f"SHA-256 of the training pixels `{digest}`",
        "Licence of the data": described.licence or "not known to ferrogen; see where the data came from",
        "Publication of the data": described.citation or "not known to ferrogen",
    }
    defaults = type(settings).model_fields
    changed = {
        name: value
        for name, value in settings.model_dump(exclude={"epochs", "seed"}).items()
        if value != defaults[name].default
    }
    remark = (
        f"Settings other than the defaults of {type(settings).__name__}: {changed}." if changed else "Default settings."
    )
    terms = described.terms.strip() or _NO_TERMS
    path.write_text(
        f"""# Model card: variational autoencoder of {data.side} x {data.side} images

{_table(facts)}

## Figures

{protocol}

{_table(figures, "figure", "value")}

## How it was made

```
{_command(model, settings, data, stopping)}
```

{remark}

{_table({f"`{name}`": value for name, value in settings.model_dump().items()}, "setting", "value")}

{stopping or "All epochs were run."}

Versions: ferrogen {__version__}, PyTorch {torch.__version__}, NumPy {np.__version__},
Python {platform.python_version()}. On one machine and PyTorch version the weights are reproducible bit by bit.

## What it is not for

{terms}

It draws images like its training images and nothing else; it has no notion of which kind is wanted.
""",
        encoding="utf-8",
    )


def _table(rows: Mapping[str, object], first: str = "", second: str = "") -> str:
    cells = (f"| {name} | {' '.join(str(value).replace('|', '/').split())} |" for name, value in rows.items())
    return "\n".join((f"| {first} | {second} |", "|---|---|", *cells))


def _architecture(model: AnyVAE) -> dict[str, str]:
    modules = [module for module in model.decoder.modules() if isinstance(module, _PRODUCTS)]
    weights = sum(module.weight.numel() for module in modules)
    if isinstance(model, ConvVAE):
        spec = model.spec
        widths = ", ".join(map(str, spec.decoder_channels))
        decoder = (
            f"a linear layer to {FIRST_SIDE} x {FIRST_SIDE} positions, {len(spec.decoder_channels) - 1} transposed"
            f" convolutions (channels {widths}), a sub-pixel convolution; ReLU between, sigmoid at the end"
        )
        encoder = f"{len(spec.encoder_channels)} strided convolutions and a linear layer"
        output = f"{spec.side} x {spec.side} pixels, {'RGB' if spec.channels == 3 else 'grey'}, values from 0 to 1"
    else:
        layers = ", ".join(f"{module.weight.shape[1]} x {module.weight.shape[0]}" for module in modules)
        decoder = f"linear layers {layers}; ReLU between, sigmoid at the end"
        encoder, output = "three convolutions and a linear layer", "784 grey values from 0 to 1"
    return {
        "Encoder (digital)": encoder,
        "Decoder": decoder,
        "Analog weights": f"{weights:,} in the decoder, without biases",
        "Output": output,
    }


def _treatment(data: ImageSet) -> str:
    described = data.description
    cut = f"the central square of {described.crop:g} of the shorter side, " if described.crop < 1.0 else ""
    kind = "RGB" if data.channels == 3 else "grey"
    return f"{cut}{data.side} x {data.side} pixels, {kind} ({described.resampling} where resized)"


def _named(names: tuple[str, ...]) -> str:
    shown = ", ".join(f"`{name!r}`" for name in names[:_NAMED])
    return shown + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")


def _command(model: AnyVAE, settings: AnySettings, data: ImageSet, stopping: str | None) -> str:
    options = {"epochs": settings.epochs, "seed": settings.seed, "latent": model.spec.latent}
    text = "ferrogen train --data DATA --out FOLDER" + "".join(f" --{name} {value}" for name, value in options.items())
    if isinstance(model, ConvVAE):
        threads = settings.model_dump()["threads"]
        text += f" --side {data.side} {'--colour' if data.channels == 3 else '--grey'} --threads {threads}"
    return text + (" --patience N" if stopping else "") + (" --skip-corrupt" if data.skipped else "")
