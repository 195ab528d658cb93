"""Frechet distance of the chip over that of the ideal model, for several chips (seeds).

    python benchmarks/chip_quality.py [--chips 6]
    python benchmarks/chip_quality.py --model faces --data PATH_OF_CELEBA [--chips 6] [--count 5000]

Digits are judged by the shipped features and moments of the MNIST test images, 10,000 images each; faces by the shipped
face features on the held-out images of CelebA (its folder or zip, which the user has; not shipped).

One chip's ratio scatters because both distances have the sampling error of their images. The middle column is the
float32 decoder fed with the chip's latents: what the sampler costs, without the products; the fourth is the chip's
products fed with ideal latents. The last row is the mean over chips with its 95 % interval (Student's t).

Noise of products is texture, of which generated faces have too little: it can bring them nearer to photographs in the
network's features than the ideal model's are. So faces are compared once more after all of them, photographs too, were
blurred by a pixel (Gaussian): that takes grain and sharpness out of the comparison.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from scipy.ndimage import gaussian_filter
from scipy.stats import t as student
from timing import write_results

from ferrogen.chip.chip import Chip
from ferrogen.generation.datasets.loading import load_data
from ferrogen.generation.decoder import chip_spec_for
from ferrogen.generation.generator import ChipGenerator
from ferrogen.generation.model_file import load_description, load_vae
from ferrogen.metrics.features import load_feature_network
from ferrogen.metrics.frechet import Moments, feature_moments, gaussian_frechet_distance
from ferrogen.metrics.reference import load_reference_moments

CARD = "hzo-mfis-nor"
COLUMNS = ("chip", "chip_latents", "chip_products", "ideal", "ratio")
BLURRED = ("chip_blurred", "ideal_blurred", "ratio_blurred")


def blur(pictures: np.ndarray) -> np.ndarray:
    """Return RGB pictures blurred by a Gaussian of one pixel."""
    return np.asarray(gaussian_filter(pictures, (0.0, 1.0, 1.0, 0.0)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", choices=["mnist", "faces"], default="mnist")
    parser.add_argument("--data", type=Path, help="CelebA, for faces")
    parser.add_argument("--chips", type=int, default=6)
    parser.add_argument("--count", type=int, help="images of each kind; 10,000 digits or 5,000 faces")
    arguments = parser.parse_args()
    name = arguments.model
    if name == "faces" and arguments.data is None:
        parser.error("faces need --data")
    count = arguments.count or (10_000 if name == "mnist" else 5_000)
    torch.set_num_threads(1)
    model, network = load_vae(name), load_feature_network(name)
    blurred = None
    if name == "mnist":
        reference = load_reference_moments("mnist")
    else:
        held_out = load_data(arguments.data, load_description(name)).test_images.astype(np.float32) / 255.0
        reference = feature_moments(network.extract(held_out).features)
        blurred = feature_moments(network.extract(blur(held_out)).features)

    def distance(images: np.ndarray, real: Moments = reference) -> float:
        return gaussian_frechet_distance(feature_moments(network.extract(images).features), real)

    rows, more = [], "" if blurred is None else " chip, blurred | ideal, blurred | chip / ideal, blurred |"
    head = (
        f"| seed | chip | chip's latents, ideal decoder | ideal latents, chip's products | ideal | chip / ideal |{more}"
    )
    print(f"{head}\n|{'---|' * (head.count('|') - 1)}")
    for seed in range(1, arguments.chips + 1):
        chip = Chip(CARD, seed=seed, spec=chip_spec_for(model), threads=2)
        generator = ChipGenerator(model, chip)
        images, latents = generator.images_and_latents(0, count)
        own = distance(images)
        sampler = distance(generator.decode_ideally(latents))
        normal = generator.ideal_latents(0, count)
        products = distance(generator.decode(normal, np.arange(count, dtype=np.int64)))
        floats = generator.decode_ideally(normal)
        ideal = distance(floats)
        values = dict(zip(COLUMNS, (own, sampler, products, ideal, own / ideal), strict=True))
        if blurred is not None:
            both = distance(blur(images), blurred), distance(blur(floats), blurred)
            values |= dict(zip(BLURRED, (*both, both[0] / both[1]), strict=True))
        rows.append({"seed": seed} | values)
        print(f"| {seed} | " + " | ".join(f"{value:.3f}" for value in values.values()) + " |", flush=True)
    columns = COLUMNS if blurred is None else COLUMNS + BLURRED
    table = np.array([[row[column] for column in columns] for row in rows])
    mean = table.mean(axis=0)
    facts: dict[str, float] = {f"mean_{column}": float(value) for column, value in zip(columns, mean, strict=True)}
    if len(table) > 1:
        half = student.ppf(0.975, len(table) - 1) * table.std(axis=0, ddof=1) / np.sqrt(len(table))
        facts |= {f"half_interval_{column}": float(value) for column, value in zip(columns, half, strict=True)}
        print("| mean | " + " | ".join(f"{m:.3f} ± {h:.3f}" for m, h in zip(mean, half, strict=True)) + " |")
    write_results("chip_quality" if name == "mnist" else "chip_quality_faces", rows, count=count, card=CARD, **facts)


if __name__ == "__main__":
    main()
