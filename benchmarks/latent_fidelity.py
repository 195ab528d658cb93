"""Latents drawn from their exact law against latents of traps followed one by one: speed, statistics, image quality.

    python benchmarks/latent_fidelity.py [--chips 6] [--count 10000]

Both feed the same chip's products. The Kolmogorov distance is that of all latents to the normal law; the two-sample one
compares each latent of the two levels, calibrated alike, for the converter's codes lie on a grid that the calibration
shifts; beside it, what equal laws would give (the 99.9 % point of the largest of all).
Frechet distances are to the test images; the last row gives mean differences with their standard errors over chips.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import dataclass

import numpy as np
import torch
from scipy import stats
from timing import write_results

from ferrogen.chip.chip import Chip
from ferrogen.chip.reader import ReadingFidelity
from ferrogen.generation.generator import ChipGenerator
from ferrogen.metrics.features import load_feature_network
from ferrogen.metrics.frechet import feature_moments, gaussian_frechet_distance
from ferrogen.metrics.randomness import latent_statistics
from ferrogen.metrics.reference import load_reference_moments
from ferrogen.sampler.latents import LatentSampler

STATISTICS = ("mean", "standard_deviation", "ks_distance", "autocorrelation_lag_1", "max_column_correlation")


@dataclass(frozen=True)
class Level:
    sampler: LatentSampler
    latents: np.ndarray
    setup: float
    draw: float
    frechet: float


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--chips", type=int, default=6)
    parser.add_argument("--count", type=int, default=10_000)
    given = parser.parse_args()
    torch.set_num_threads(1)
    network, reference = load_feature_network(), load_reference_moments()

    def measure(generator: ChipGenerator, fidelity: ReadingFidelity) -> Level:
        started = time.process_time()
        sampler = LatentSampler(
            generator.chip, generator.at, generator.latents, tiles=generator.sampling_tiles, fidelity=fidelity
        )
        ready = time.process_time()
        latents = sampler.draw(0, given.count).astype(np.float32)
        drawn = time.process_time()
        with torch.inference_mode():
            images = generator.decoder(torch.from_numpy(latents), np.arange(given.count)).numpy().reshape(-1, 28, 28)
        distance = gaussian_frechet_distance(feature_moments(network.extract(images).features), reference)
        return Level(sampler, latents, ready - started, drawn - ready, distance)

    rows = []
    print(
        "| seed | level | set-up s | us a latent | mean | deviation | KS | lag 1 | largest column correlation |"
        " excess kurtosis | Frechet | two-sample KS |\n|" + "---|" * 12
    )
    for seed in range(1, given.chips + 1):
        generator = ChipGenerator("mnist", Chip("hzo-mfis-nor", seed=seed))
        levels = {name: measure(generator, name) for name in ("cell", "statistical")}
        cell = levels["cell"]
        alike = LatentSampler(
            generator.chip,
            generator.at,
            generator.latents,
            tiles=generator.sampling_tiles,
            calibration=cell.sampler.in_use,
        )
        one, two = cell.latents, alike.draw(0, given.count).astype(np.float32)
        between = max(float(stats.ks_2samp(one[:, k], two[:, k]).statistic) for k in range(one.shape[1]))
        for name, level in levels.items():
            scores = latent_statistics(level.latents)
            row = {
                "seed": seed,
                "level": name,
                "setup_cpu_s": level.setup,
                "latent_cpu_us": 1e6 * level.draw / level.latents.size,
                **{key: scores[key].value for key in STATISTICS},
                "excess_kurtosis": float(stats.kurtosis(level.latents, axis=0).mean()),
                "frechet": level.frechet,
                "ks_between": between,
            }
            rows.append(row)
            shown = " | ".join(f"{value:.4f}" for key, value in row.items() if key not in ("seed", "level"))
            print(f"| {seed} | {name} | {shown} |", flush=True)
    keys = [key for key in rows[0] if key not in ("seed", "level", "ks_between")]
    table = np.array([[row[key] for key in keys] for row in rows]).reshape(-1, 2, len(keys))
    difference = table[:, 1] - table[:, 0]
    error = difference.std(axis=0, ddof=1) / np.sqrt(len(difference))
    shown = " | ".join(f"{m:.4f} ± {e:.4f}" for m, e in zip(difference.mean(axis=0), error, strict=True))
    count = levels["cell"].latents.shape[1] * given.chips
    limit = float(stats.kstwobign.isf(1e-3 / count) * np.sqrt(2.0 / given.count))
    print(f"| | statistical - cell | {shown} | (equal laws: below {limit:.4f}) |")
    write_results("latent_fidelity", rows, count=given.count, ks_limit=limit)


if __name__ == "__main__":
    main()
