"""Model cards of feature networks: what each is trained on, what it is for, and what it is not."""

from __future__ import annotations

from typing import Final

import numpy as np
import torch

from ferrogen.generation.datasets.image_set import ImageSet
from ferrogen.generation.degradations import DEGRADATIONS
from ferrogen.generation.train_picture_features import BATCH
from ferrogen.metrics.classifier_network import IMAGE_SIZE, ClassifierNetwork
from ferrogen.metrics.picture_network import PICTURE_SIDE
from ferrogen.metrics.score import Score

_MNIST_TRAIN_SHA256: Final = "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757"
_UNKNOWN: Final = "unknown"


def data_facts(data: ImageSet) -> dict[str, str]:
    """Return what a weight file says of its training data and of the software."""
    description = data.description
    if data.fingerprint == _MNIST_TRAIN_SHA256:
        name, licence = "MNIST training images (60000), LeCun and Cortes", "CC BY-SA 3.0"
    elif description.fingerprint is not None and description.fingerprint == data.fingerprint:
        name = f"{description.source or description.name} ({len(data.train_images)} training images)"
        licence = description.licence or _UNKNOWN
    else:
        name, licence = f"not recognised (described as '{description.name}', not MNIST)", _UNKNOWN
    return {
        "data": name,
        "data_licence": licence,
        "data_terms": description.terms,
        "data_sha256": data.fingerprint,
        "weights_licence": "Apache-2.0",
        "torch": torch.__version__,
        "numpy": np.__version__,
    }


def classifier_card(
    name: str, facts: dict[str, str], network: ClassifierNetwork, accuracy: Score, distortions: str
) -> str:
    """Write the card of a classifier."""
    share, low, high = (f"{100.0 * part:.2f}" for part in (accuracy.value, accuracy.low, accuracy.high))
    classes = f" ({', '.join(network.class_names)})" if network.class_names else ""
    table = {
        "What it is": f"convolutional classifier of {IMAGE_SIZE}x{IMAGE_SIZE} grey images:"
        f" {network.feature_count} standardised features before the last ReLU, {network.class_count} logits{classes}",
        "Input": "grey values from 0 to 1, bright on dark ground",
        **_data_rows(facts),
        "Test accuracy": f"{share} % (95 % Wilson interval {low} to {high} %, {accuracy.n} test images,"
        " looked at once, after training)",
        **_run_rows(facts),
    }
    return f"""# Feature network `{name}`

{_table(table)}

Made by

```
ferrogen train --model features --data FOLDER --out {name} --epochs {facts["epochs"]} --seed {facts["seed"]}
```

where FOLDER holds the data set. Augmentation: {distortions}.

## What it is for, and what it is not

It compares sets of generated images with sets of real ones of the same kind, and says which class an image shows. Its
Frechet distance is **not** the Inception FID: other network, other features, other scale. Never compare it
with published FID values; use it to rank generators under one protocol and equal numbers of images. It has
seen only images of its training set's kind: anything else, even uniform noise, gets confident nonsense.
A generator trained against this very network could fool it.
"""


def picture_card(name: str, facts: dict[str, str]) -> str:
    """Write the card of a network without classes."""
    kinds = ", ".join(kind.__name__.replace("_", " ") for kind in DEGRADATIONS)
    table = {
        "What it is": f"convolutional network of {PICTURE_SIDE}x{PICTURE_SIDE} RGB pictures:"
        f" {facts['features']} standardised features; no classes",
        "Input": f"values from 0 to 1; another side is resized to {PICTURE_SIDE}, grey is repeated over the colours",
        **_data_rows(facts),
        "Labels": "none used",
        **_run_rows(facts),
    }
    terms = f"\nTerms of the data: {facts['data_terms']}\n" if facts["data_terms"] else ""
    return f"""# Feature network `{name}`

{_table(table)}
{terms}
Made by

```
ferrogen train --model features --data DATA --out {name} --epochs {facts["epochs"]} --seed {facts["seed"]}
```

where DATA is the data set. Trained without labels, on three tasks at once, {BATCH} pictures a step: to find the other
crop of a picture among all others (SimCLR, arXiv:2002.05709; colours are not changed, mirroring makes another
picture); to name what is wrong with a picture and how strongly ({kinds}); to give its 8 x 8 miniature. A covariance
term (VICReg, arXiv:2105.04906) keeps the features from saying the same twice.

## What it is for, and what it is not

It compares sets of generated pictures with sets of real ones of the same kind. Its Frechet distance is **not** the
Inception FID: other network, other features, other scale. Never compare it with published FID values; use it to
rank generators under one protocol and equal numbers of pictures. It does not recognise anybody: it was trained
to tell pictures apart, not people. It has seen one data set only, and gives numbers for anything else too. It shares
neither weights nor augmentations with any critic of this project, but a generator trained against it could fool it.
"""


def _data_rows(facts: dict[str, str]) -> dict[str, str]:
    return {
        "Training data": f"{facts['data']}; SHA-256 of the pixels `{facts['data_sha256']}`",
        "Licence of the data": facts["data_licence"],
        "Licence of the weights": facts["weights_licence"],
    }


def _run_rows(facts: dict[str, str]) -> dict[str, str]:
    return {
        "Epochs, seed": f"{facts['epochs']}, {facts['seed']}",
        "Versions": f"torch {facts['torch']}, numpy {facts['numpy']}",
    }


def _table(rows: dict[str, str]) -> str:
    return "| | |\n|---|---|\n" + "\n".join(f"| {key} | {value} |" for key, value in rows.items())
