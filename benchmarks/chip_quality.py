"""Frechet distance of the chip over that of the ideal model, for several chips (seeds), 10,000 images each.

    python benchmarks/chip_quality.py [--chips 6]

One chip's ratio scatters by some 10 %, because both distances have the sampling error of 10,000 images. The middle
column is the float32 decoder fed with the chip's latents: what the sampler costs, without the products.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from timing import write_results

from ferrogen.chip.chip import Chip
from ferrogen.generation.generator import ChipGenerator
from ferrogen.metrics.features import load_feature_network
from ferrogen.metrics.frechet import feature_moments, gaussian_frechet_distance
from ferrogen.metrics.reference import load_reference_moments

COUNT = 10_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chips", type=int, default=6)
    torch.set_num_threads(1)
    network, reference = load_feature_network(), load_reference_moments()

    def distance(images: np.ndarray) -> float:
        return gaussian_frechet_distance(feature_moments(network.extract(images).features), reference)

    rows = []
    print("| seed | chip | chip's latents, ideal decoder | ideal | chip / ideal |\n|---|---|---|---|---|")
    for seed in range(1, parser.parse_args().chips + 1):
        generator = ChipGenerator("mnist", Chip("hzo-mfis-nor", seed=seed, threads=2))
        images, latents = generator.images_and_latents(0, COUNT)
        chip = distance(images)
        sampler = distance(generator.decode_ideally(latents))
        ideal = distance(generator.decode_ideally(generator.ideal_latents(0, COUNT)))
        rows.append({"seed": seed, "chip": chip, "chip_latents": sampler, "ideal": ideal, "ratio": chip / ideal})
        print(f"| {seed} | {chip:.3f} | {sampler:.3f} | {ideal:.3f} | {chip / ideal:.3f} |", flush=True)
    table = np.array([list(row.values())[1:] for row in rows])
    mean, error = table.mean(axis=0), table.std(axis=0, ddof=1) / np.sqrt(len(table))
    print("| mean | " + " | ".join(f"{m:.3f} ± {e:.3f}" for m, e in zip(mean, error, strict=True)) + " |")
    write_results("chip_quality", rows, count=COUNT)


if __name__ == "__main__":
    main()
