"""Training of the feature network that the image scores rest on (:mod:`ferrogen.metrics.features`).

The run is a pure function of (data, epochs, seed) on one machine and torch version: every random number is
addressed, one thread fixes the order of the sums, and the test images are looked at once, at the end.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import save_file
from torch.nn import functional

from ferrogen.core.errors import argument_error
from ferrogen.core.files import atomic_path
from ferrogen.core.streams import Purpose, Streams
from ferrogen.generation.idx import ImageData
from ferrogen.metrics.features import (
    CLASS_COUNT,
    FEATURE_COUNT,
    FILE_VERSION,
    IMAGE_SIZE,
    METADATA_KEY,
    FeatureNetwork,
    empty_feature_network,
)
from ferrogen.metrics.score import Score, proportion_score

_BATCH: Final = 128
_PEAK_RATE: Final = 4e-3
_WEIGHT_DECAY: Final = 1e-3
_MAX_SHIFT: Final = 2.0  # pixels
_MAX_ROTATION: Final = math.radians(12.0)
_MAX_SCALING: Final = 0.1
_MNIST_TRAIN_SHA256: Final = "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757"


def train_features(data: ImageData, out: Path, *, epochs: int = 10, seed: int = 0, progress: bool = False) -> Path:
    """Train the digit classifier and write its weights and model card.

    Args:
        data: 28x28 grey images with labels 0 to 9; only the training images are learnt from.
        out: the safetensors file to write; the model card goes beside it with the suffix ``.md``.
        epochs: passes over the training images.
        seed: addresses the initial weights, the order of the images and their distortions.
        progress: show a progress bar on standard error.

    Returns:
        ``out``.

    Raises:
        ArgumentError: images of another size, labels above 9, fewer than one epoch, or a bad seed.
        OutputError: the folder cannot be written.
    """
    _check(data, out, epochs)
    streams = Streams(seed)
    with atomic_path(out) as temporary, _one_thread():
        network = _initial_network(streams)
        _fit(network, data, epochs, streams, progress=progress)
        accuracy = test_accuracy(network, data)
        metadata = _metadata(data, epochs, seed, accuracy)
        save_file(network.state_dict(), temporary, {METADATA_KEY: json.dumps(metadata)})
    with atomic_path(out.with_suffix(".md")) as temporary:
        temporary.write_text(_model_card(out.name, metadata, accuracy), encoding="utf-8")
    return out


def test_accuracy(network: FeatureNetwork, data: ImageData) -> Score:
    """Score the share of test images that the network classifies correctly, with its Wilson interval."""
    probabilities = network.extract(data.test_images.astype(np.float32) / 255.0).probabilities
    hits = int(np.count_nonzero(probabilities.argmax(axis=1) == data.test_labels))
    definition = "Share of test images classified correctly; 95 % Wilson interval over images."
    return proportion_score("test_accuracy", hits, len(data.test_labels), definition)


test_accuracy.__test__ = False  # type: ignore[attr-defined]  # not a test, though named like one


def _check(data: ImageData, out: Path, epochs: int) -> None:
    if epochs < 1:
        raise argument_error("epochs", "be at least 1", epochs)
    if out.suffix != ".safetensors":
        raise argument_error("out", "be a file name that ends in .safetensors", f"'{out}'")
    if data.train_images.shape[1:] != (IMAGE_SIZE, IMAGE_SIZE) or len(data.train_images) < _BATCH:
        raise argument_error(
            "data",
            f"hold at least {_BATCH} training images of {IMAGE_SIZE}x{IMAGE_SIZE} pixels",
            f"of shape {data.train_images.shape}",
        )
    top = max(int(data.train_labels.max()), int(data.test_labels.max()))
    if top >= CLASS_COUNT:
        raise argument_error("data", f"have labels from 0 to {CLASS_COUNT - 1}", f"labelled up to {top}")


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _initial_network(streams: Streams) -> FeatureNetwork:
    """Fill the weights with He-normal numbers (He 2015, doi:10.1109/ICCV.2015.123) from addressed streams."""
    network = empty_feature_network().to_empty(device="cpu")
    with torch.no_grad():
        for index, (name, value) in enumerate(network.state_dict().items()):
            if name.endswith("running_var") or (value.dim() == 1 and name.endswith("weight")):
                value.fill_(1)
            elif value.dim() > 1:
                draws = streams.generator(Purpose.INITIAL_WEIGHTS, index).standard_normal(tuple(value.shape))
                fan_in = math.prod(value.shape[1:])
                value.copy_(torch.from_numpy(draws * math.sqrt(2.0 / fan_in)))
            else:
                value.zero_()
    return network


def _fit(network: FeatureNetwork, data: ImageData, epochs: int, streams: Streams, *, progress: bool) -> None:
    images = torch.from_numpy(data.train_images.astype(np.float32) / 255.0).unsqueeze(1)
    labels = torch.from_numpy(data.train_labels.astype(np.int64))
    steps = len(images) // _BATCH
    optimiser = torch.optim.AdamW(network.parameters(), lr=_PEAK_RATE, weight_decay=_WEIGHT_DECAY)
    network.train()
    for step, (epoch, index) in enumerate(_steps(epochs, steps, progress=progress)):
        if index == 0:
            generator = streams.generator(Purpose.TRAINING, epoch)
            order = torch.from_numpy(generator.permutation(len(images)))
        chosen = order[index * _BATCH : (index + 1) * _BATCH]
        for group in optimiser.param_groups:
            group["lr"] = _PEAK_RATE * _schedule(step / (epochs * steps))
        logits, _ = network(_distort(images[chosen], generator))
        loss = functional.cross_entropy(logits, labels[chosen])
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
    network.eval()


def _schedule(done: float) -> float:
    """Rise linearly over the first fifth of the run, then fall to zero along half a cosine."""
    return done / 0.2 if done < 0.2 else 0.5 * (1.0 + math.cos(math.pi * (done - 0.2) / 0.8))


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


def _metadata(data: ImageData, epochs: int, seed: int, accuracy: Score) -> dict[str, str]:
    digest = hashlib.sha256(np.ascontiguousarray(data.train_images).tobytes()).hexdigest()
    known = digest == _MNIST_TRAIN_SHA256
    return {
        "version": FILE_VERSION,
        "data": "MNIST training images (60000), LeCun and Cortes" if known else "not recognised (not MNIST)",
        "data_licence": "CC BY-SA 3.0" if known else "unknown",
        "data_sha256": digest,
        "weights_licence": "Apache-2.0",
        "epochs": str(epochs),
        "seed": str(seed),
        "features": str(FEATURE_COUNT),
        "test_accuracy": f"{accuracy.value:.4f}",
        "test_accuracy_interval": f"{accuracy.low:.4f} to {accuracy.high:.4f} (95 %, Wilson)",
        "test_images": str(accuracy.n),
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def _model_card(name: str, facts: dict[str, str], accuracy: Score) -> str:
    share, low, high = (f"{100.0 * part:.2f}" for part in (accuracy.value, accuracy.low, accuracy.high))
    table = {
        "What it is": f"convolutional classifier of {IMAGE_SIZE}x{IMAGE_SIZE} grey digits:"
        f" {FEATURE_COUNT} standardised features before the last ReLU, {CLASS_COUNT} logits",
        "Input": "grey values from 0 to 1, bright digit on dark ground",
        "Training data": f"{facts['data']}; SHA-256 of the pixels `{facts['data_sha256']}`",
        "Licence of the data": facts["data_licence"],
        "Licence of the weights": facts["weights_licence"],
        "Test accuracy": f"{share} % (95 % Wilson interval {low} to {high} %, {accuracy.n} test images,"
        " looked at once, after training)",
        "Epochs, seed": f"{facts['epochs']}, {facts['seed']}",
        "Versions": f"torch {facts['torch']}, numpy {facts['numpy']}",
    }
    rows = "\n".join(f"| {key} | {value} |" for key, value in table.items())
    return f"""# Feature network `{name}`

| | |
|---|---|
{rows}

Made by

```
ferrogen train --model features --data FOLDER --out {name} --epochs {facts["epochs"]} --seed {facts["seed"]}
```

where FOLDER holds the four IDX files of the data set. Augmentation: shifts up to {_MAX_SHIFT:g} pixels,
rotations up to {math.degrees(_MAX_ROTATION):g} degrees, scaling up to {100 * _MAX_SCALING:g} %.

## What it is for, and what it is not

It compares sets of generated digits with sets of real digits, and says which digit an image shows. Its
Frechet distance is **not** the Inception FID: other network, other features, other scale. Never compare it
with published FID values; use it to rank generators under one protocol and equal numbers of images. It has
seen only centred digits: photographs, letters, inverted digits and even uniform noise get confident nonsense.
A generator trained against this very network could fool it.
"""
