"""What does the Frechet distance in the face network's features see, and what not?

    python benchmarks/face_features.py --data CELEBA

The 2,000 held-out images are halved at random. One half is damaged in one way after the other and compared with the
other half, in four spaces: the shipped network's features; the same after both sets were blurred by a pixel, which
takes grain and sharpness out of the comparison; features of the same network with random weights; and 8 x 8 miniatures.
The damages are written here anew (SciPy), not those of the training; "unseen" kinds were never trained on. Modes are
dropped, and images repeated, among training images, because that needs more of them. The program prints a Markdown
table: distances as multiples of that between the undamaged halves (the finite-n floor of the same space), with
intervals in the JSON file ``results/face_features.json``. No generated image is looked at.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.cluster.vq import kmeans2
from timing import write_results

from ferrogen.core.streams import Streams
from ferrogen.generation.datasets.loading import load_data
from ferrogen.generation.feature_training import fill, one_thread
from ferrogen.metrics.features import PictureNetwork, load_feature_network
from ferrogen.metrics.frechet import frechet_distance
from ferrogen.metrics.picture_network import empty_picture_network
from ferrogen.metrics.score import Score

Pictures = NDArray[np.float32]
Space = Callable[[Pictures], NDArray[np.float64]]
Damage = Callable[[Pictures, float, np.random.Generator], NDArray[Any]]

RESAMPLES = 40
CLUSTERS = 20


def blur(x: Pictures, deviation: float, _rng: np.random.Generator) -> NDArray[Any]:
    return np.asarray(ndimage.gaussian_filter(x, (0, deviation, deviation, 0)))


def noise(x: Pictures, deviation: float, rng: np.random.Generator) -> NDArray[Any]:
    return x + rng.normal(0.0, deviation, x.shape)


def patch_shuffle(x: Pictures, share: float, rng: np.random.Generator) -> NDArray[Any]:
    result = x.copy()
    corners = [(16 * row, 16 * column) for row in range(4) for column in range(4)]
    moved = round(share * len(corners))
    for image, source in zip(result, x, strict=True):
        chosen = rng.permutation(len(corners))[:moved]
        for to, origin in zip(chosen, np.roll(chosen, 1), strict=True):
            (r, c), (q, d) = corners[to], corners[origin]
            image[r : r + 16, c : c + 16] = source[q : q + 16, d : d + 16]
    return result


def colour_shift(x: Pictures, amount: float, _rng: np.random.Generator) -> NDArray[Any]:
    return x + amount * np.array([1.0, 0.0, -1.0])


def brightness(x: Pictures, amount: float, rng: np.random.Generator) -> NDArray[Any]:
    return x * (1.0 + amount * rng.choice([-1.0, 1.0], size=(len(x), 1, 1, 1)))


def blend(x: Pictures, weight: float, _rng: np.random.Generator) -> NDArray[Any]:
    return (1.0 - weight) * x + weight * np.roll(x, 1, axis=0)


def mirrored_half(x: Pictures, share: float, _rng: np.random.Generator) -> NDArray[Any]:
    result = x.copy()
    result[:, :, 32:] += share * (x[:, :, :32][:, :, ::-1] - x[:, :, 32:])
    return result


def salt(x: Pictures, share: float, rng: np.random.Generator) -> NDArray[Any]:
    hit = rng.random(x.shape[:3]) < share
    return np.where(hit[..., None], rng.integers(0, 2, size=(*x.shape[:3], 1)), x)


def posterise(x: Pictures, step: float, _rng: np.random.Generator) -> NDArray[Any]:
    return np.asarray(np.round(x / step) * step)


def pixelate(x: Pictures, size: float, _rng: np.random.Generator) -> NDArray[Any]:
    block = int(size)
    side = 64 // block * block
    small = x[:, :side, :side].reshape(len(x), side // block, block, side // block, block, 3).mean((2, 4))
    result = x.copy()
    result[:, :side, :side] = small.repeat(block, 1).repeat(block, 2)
    return result


def waves(x: Pictures, reach: float, rng: np.random.Generator) -> NDArray[Any]:
    rows, columns = np.mgrid[:64, :64].astype(float)
    result = np.empty_like(x)
    for image, source in zip(result, x, strict=True):
        phase = rng.uniform(0.0, 2.0 * np.pi, 2)
        places = [
            rows + reach * np.sin(2 * np.pi * columns / 16 + phase[0]),
            columns + reach * np.sin(2 * np.pi * rows / 16 + phase[1]),
        ]
        for colour in range(3):
            image[..., colour] = ndimage.map_coordinates(source[..., colour], places, order=1, mode="nearest")
    return result


def half_of_another(x: Pictures, share: float, rng: np.random.Generator) -> NDArray[Any]:
    other = np.roll(x, 1, axis=0)
    chosen = rng.random(len(x)) < share
    result = x.copy()
    result[chosen, :, 32:] = other[chosen, :, 32:]
    return result


def covered(x: Pictures, side: float, rng: np.random.Generator) -> NDArray[Any]:
    result, size = x.copy(), int(side)
    for image in result:
        row, column = rng.integers(0, 65 - size, size=2)
        image[row : row + size, column : column + size] = image.mean((0, 1))
    return result


def no_eyes(x: Pictures, share: float, rng: np.random.Generator) -> NDArray[Any]:
    """Paint the band of the eyes over with the band below it, in a share of the images."""
    result = x.copy()
    chosen = rng.random(len(x)) < share
    result[chosen, 26:34, 14:50] = x[chosen, 36:44, 14:50]
    return result


DAMAGES: dict[str, tuple[str, Damage, tuple[float, ...]]] = {
    "blur (deviation, pixels)": ("seen", blur, (0.3, 0.5, 0.8, 1.2, 2.0)),
    "white noise (deviation)": ("seen", noise, (0.01, 0.02, 0.05, 0.1, 0.2)),
    "patches shuffled (share)": ("seen", patch_shuffle, (0.125, 0.25, 0.5, 1.0)),
    "colour shift (red +, blue -)": ("seen", colour_shift, (0.02, 0.05, 0.1, 0.2)),
    "blended with another (weight)": ("seen", blend, (0.05, 0.1, 0.2, 0.5)),
    "right half mirrored from left (share)": ("seen", mirrored_half, (0.25, 0.5, 0.75, 1.0)),
    "brightness +- (share)": ("unseen", brightness, (0.05, 0.1, 0.2, 0.4)),
    "salt and pepper (share of pixels)": ("unseen", salt, (0.002, 0.01, 0.03, 0.1)),
    "posterised (step)": ("unseen", posterise, (0.05, 0.1, 0.2, 0.4)),
    "pixelated (block)": ("unseen", pixelate, (2.0, 3.0, 4.0, 8.0)),
    "waves (reach, pixels)": ("unseen", waves, (0.5, 1.0, 2.0, 4.0)),
    "right half of another face (share of images)": ("unseen", half_of_another, (0.1, 0.25, 0.5, 1.0)),
    "square covered (side, pixels)": ("unseen", covered, (4.0, 8.0, 16.0, 32.0)),
    "eyes missing (share of images)": ("unseen", no_eyes, (0.1, 0.25, 0.5, 1.0)),
}
DROPPED = (0.1, 0.25, 0.5, 0.75)
DISTINCT = (500, 200, 100, 50)


def spaces(train: Pictures) -> dict[str, Space]:
    """Return the four feature spaces; each is standardised on training images."""
    trained = load_feature_network("faces")
    untrained = empty_picture_network().to_empty(device="cpu")
    fill(untrained, Streams(1), 0)
    return {
        "trained network": lambda x: trained.extract(x).features,
        "trained, both blurred": lambda x: trained.extract(ndimage.gaussian_filter(x, (0, 1.0, 1.0, 0))).features,
        "random weights": _standardised(lambda x: _raw(untrained, x), train),
        "8 x 8 pixels": _standardised(
            lambda x: x.reshape(len(x), 8, 8, 8, 8, 3).mean((2, 4)).reshape(len(x), -1), train
        ),
    }


def _raw(network: PictureNetwork, x: Pictures) -> NDArray[np.float64]:
    return network.extract(x).features


def _standardised(space: Callable[[Pictures], NDArray[Any]], train: Pictures) -> Space:
    known = space(train)
    mean, deviation = known.mean(0), known.std(0)
    return lambda x: (space(x) - mean) / deviation


def sets(held: Pictures, train: Pictures) -> Iterator[tuple[str, str, float, NDArray[Any]]]:
    """Give kind, name, strength and pictures of every set that is compared."""
    fresh = np.random.default_rng(6).permutation(len(train))[: len(held)]
    yield "none", "training images", 0.0, train[fresh]
    yield "none", "mirrored images", 0.0, held[:, :, ::-1]
    for name, (kind, damage, strengths) in DAMAGES.items():
        for strength in strengths:
            changed = damage(held, strength, np.random.default_rng(7))
            yield kind, name, strength, np.clip(changed, 0.0, 1.0).astype(np.float32)
    count = len(held)
    rng = np.random.default_rng(8)
    small = train.reshape(len(train), 8, 8, 8, 8, 3).mean((2, 4)).reshape(len(train), -1)
    _, label = kmeans2(small.astype(np.float64), CLUSTERS, minit="++", rng=9)
    order = rng.permutation(CLUSTERS)
    for share in DROPPED:
        kept = np.flatnonzero(~np.isin(label, order[: round(share * CLUSTERS)]))
        yield "modes", "modes dropped (share of clusters)", share, train[rng.permutation(kept)[:count]]
    for distinct in DISTINCT:
        chosen = rng.permutation(len(train))[:distinct]
        yield (
            "modes",
            "repeated images (as 1 over the number of distinct ones)",
            1.0 / distinct,
            train[np.resize(chosen, count)],
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="CelebA, folder or zip archive")
    data = load_data(parser.parse_args().data, "celeba")
    train, test = (part.astype(np.float32) / np.float32(255.0) for part in (data.train_images, data.test_images))
    order = np.random.default_rng(5).permutation(len(test))
    held, other = test[order[: len(test) // 2]], test[order[len(test) // 2 :]]
    with one_thread():
        seen = spaces(train[:2000])
        reference = {space: see(other) for space, see in seen.items()}

        def distances(pictures: Pictures) -> dict[str, Score]:
            return {
                space: frechet_distance(see(pictures), reference[space], resamples=RESAMPLES)
                for space, see in seen.items()
            }

        floor = distances(held)
        print(f"{len(held)} images against {len(other)}; distance of the undamaged halves (the floor):\n")
        print("; ".join(f"{space}: {score}" for space, score in floor.items()), "\n")
        print("| damage | strength |", " | ".join(seen), "|\n|---|---|" + "---|" * len(seen))
        rows: list[dict[str, Any]] = []
        for kind, name, strength, pictures in sets(held, train):
            scores = distances(pictures)
            rows.append(
                {"kind": kind, "damage": name, "strength": strength}
                | {space: score.to_dict() for space, score in scores.items()}
            )
            factors = " | ".join(f"{scores[space].value / floor[space].value:.2f}" for space in seen)
            print(f"| {name} ({kind}) | {strength:g} | {factors} |", flush=True)
    print("\nNot rising with strength:", _falling(rows, list(seen)) or "none")
    write_results("face_features", rows, floor={space: score.to_dict() for space, score in floor.items()})


def _falling(rows: list[dict[str, Any]], names: list[str]) -> str:
    found = []
    for space in names:
        for damage in dict.fromkeys(row["damage"] for row in rows if row["kind"] != "none"):
            values = [row[space]["value"] for row in rows if row["damage"] == damage]
            if values != sorted(values):
                found.append(f"{damage} in {space}")
    return "; ".join(found)


if __name__ == "__main__":
    main()
