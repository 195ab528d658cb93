"""What training for the hardware brings: chips with one impairment each, with the weights as they were and trained on.

For each impairment: ten chips with the float weights, and the same ten with trained ones; beside them the same chips
without the impairment. For a population the decoder is trained once, on other chips than those that are judged; for one
chip it is trained ten times, each on the chip on which it is judged (its stuck cells are known from the self-test).
Frechet distances are those of 4,000 images in the features of the shipped digit network, to the MNIST test images;
deviations are rms, pixel by pixel, from the float decoder on the same latents. The share recovered is (impaired -
trained) / (impaired - whole) of the means over chips, with a 95 % bootstrap interval over chips; of deviations it is
that of their squares.

    OMP_NUM_THREADS=1 python benchmarks/hardware_aware.py

Progress goes to standard error; results of impairments that are done are kept in ``--parts``, if given.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from timing import write_results

from ferrogen.chip.chip import Chip
from ferrogen.chip.spec import ChipSpec
from ferrogen.device.card import load_card
from ferrogen.generation.generator import ChipGenerator
from ferrogen.generation.hardware_aware.conditions import Conditions
from ferrogen.generation.hardware_aware.settings import HardwareSettings
from ferrogen.generation.hardware_aware.train import train_for_hardware
from ferrogen.generation.model_file import AnyVAE, load_vae
from ferrogen.generation.pictures import as_pictures
from ferrogen.metrics.features import load_feature_network
from ferrogen.metrics.frechet import frechet_distance
from ferrogen.metrics.reference import load_reference_moments
from ferrogen.sampler.latents import SamplerSpec

CASES: dict[str, tuple[Conditions, tuple[str, ...]]] = {
    "16 levels": (Conditions(levels=16), ("population",)),
    "8 levels": (Conditions(levels=8), ("population",)),
    "4 levels": (Conditions(levels=4), ("population",)),
    "6-bit converters": (Conditions(adc_bits=6), ("population",)),
    "5 % programming error": (Conditions(programming_error=0.05), ("population",)),
    "1 % stuck cells": (Conditions(stuck_share=0.01), ("chip", "population")),
}
STEPS = {"chip": 200, "population": 1200}


@dataclass(frozen=True, slots=True)
class Judged:
    """What chips' images are like, one number a chip."""

    distance: list[float]
    deviation: list[float]


class Judge:
    """Makes images on chips and measures them."""

    def __init__(self, images: int) -> None:
        self.images, self.model, self.card = images, load_vae("mnist"), load_card("hzo-mfis-nor")
        self.network, self.reference = load_feature_network("mnist"), load_reference_moments("mnist")

    def judge(self, conditions: Conditions, models: list[AnyVAE], seeds: list[int]) -> Judged:
        """Judge chips, each with its own weights."""
        card, spec = conditions.card(self.card), conditions.chip_spec(ChipSpec())
        distances, deviations = [], []
        for model, seed in zip(models, seeds, strict=True):
            generator = ChipGenerator(
                model, Chip(card, seed=seed, spec=spec), sampler_spec=SamplerSpec(calibration_reads=2048)
            )
            made, latents = generator.images_and_latents(0, self.images)
            with torch.inference_mode():
                wanted = as_pictures(self.model.decoder(torch.from_numpy(latents)), self.model.spec)
            features = self.network.extract(made).features
            distances.append(frechet_distance(features, self.reference, resamples=2).value)
            deviations.append(float(np.sqrt(np.mean((made - wanted) ** 2))))
        return Judged(distances, deviations)


def recovered(whole: list[float], impaired: list[float], trained: list[float]) -> tuple[float, float, float]:
    """Return the share of the loss that is recovered, and its 95 % bootstrap interval over chips."""
    values = np.array([whole, impaired, trained])

    def share(chips: NDArray[np.int64]) -> float:
        a, b, c = values[:, chips].mean(axis=1)
        return float((b - c) / (b - a))

    count = values.shape[1]
    drawn = np.random.default_rng(0).integers(count, size=(4000, count))
    low, high = np.percentile([share(chips) for chips in drawn], [2.5, 97.5])
    return share(np.arange(count)), float(low), float(high)


def train(judge: Judge, conditions: Conditions, target: str, chip: int, steps: int) -> tuple[AnyVAE, float]:
    """Return trained weights and the CPU time they took [s]."""
    given: dict[str, Any] = {"target": target, "chip_seed": chip, "conditions": conditions, "steps": steps}
    start = time.process_time()
    with tempfile.TemporaryDirectory() as folder:
        path = train_for_hardware(judge.model, judge.card, HardwareSettings(**given, seed=1), Path(folder))
        return load_vae(path), time.process_time() - start


def study(judge: Judge, name: str, seeds: list[int], *, share_of_steps: float) -> dict[str, Any]:
    """Return the numbers of an impairment."""
    conditions, targets = CASES[name]
    found: dict[str, Any] = {"impaired": asdict(judge.judge(conditions, [judge.model] * len(seeds), seeds))}
    for target in targets:
        steps = max(1, round(STEPS[target] * share_of_steps / 100)) * 100
        if target == "population":
            model, spent = train(judge, conditions, target, 0, steps)
            models = [model] * len(seeds)
        else:
            made = [train(judge, conditions, target, seed, steps) for seed in seeds]
            models, spent = [model for model, _ in made], float(np.mean([cost for _, cost in made]))
        found[target] = asdict(judge.judge(conditions, models, seeds)) | {"steps": steps, "cpu_seconds": spent}
    return found


def _interval(values: list[float]) -> str:
    return f"{np.mean(values):.3f} ± {2.0 * np.std(values, ddof=1) / np.sqrt(len(values)):.3f}"


def _share(of: tuple[float, float, float]) -> str:
    return "{:.0%} ({:.0%} to {:.0%})".format(*of)


def print_table(results: dict[str, Any]) -> None:
    """Print Markdown; ± is two standard errors over chips."""
    whole = results["none"]["impaired"]
    print("| impairment | trained for | Frechet before | after | recovered | rms before | after | recovered | CPU s |")
    print("|---|---|---|---|---|---|---|---|---|")
    print(f"| none | - | {_interval(whole['distance'])} | | | {np.mean(whole['deviation']):.4f} | | | |")
    for name, found in results.items():
        before = found["impaired"]
        for target in ("chip", "population"):
            if target not in found:
                continue
            after = found[target]
            distances = recovered(whole["distance"], before["distance"], after["distance"])
            squares = recovered(*([value**2 for value in part["deviation"]] for part in (whole, before, after)))
            print(
                f"| {name} | {'each chip' if target == 'chip' else target} | {_interval(before['distance'])} |"
                f" {_interval(after['distance'])} | {_share(distances)} |"
                f" {np.mean(before['deviation']):.4f} | {np.mean(after['deviation']):.4f} |"
                f" {_share(squares)} | {after['cpu_seconds']:.0f} |"
            )


def main() -> None:
    """Run all cases and print a table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--chips", type=int, default=10)
    parser.add_argument("--images", type=int, default=4000)
    parser.add_argument("--steps", type=float, default=1.0, help="multiple of the steps of a training")
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--parts", type=Path, help="file that keeps what is done, to go on from")
    options = parser.parse_args()
    torch.set_num_threads(1)
    judge, seeds = Judge(options.images), list(range(100, 100 + options.chips))
    kept = options.parts is not None and options.parts.exists()
    results: dict[str, Any] = json.loads(options.parts.read_text()) if kept else {}
    for name in ("none", *options.cases.split(",")):
        if name in results:
            continue
        start = time.process_time()
        if name == "none":
            results[name] = {"impaired": asdict(judge.judge(Conditions(), [judge.model] * len(seeds), seeds))}
        else:
            results[name] = study(judge, name, seeds, share_of_steps=options.steps)
        print(f"{name}: {time.process_time() - start:.0f} s of CPU", file=sys.stderr, flush=True)
        if options.parts is not None:
            options.parts.write_text(json.dumps(results))
    print_table(results)
    rows = [{"impairment": name, **found} for name, found in results.items()]
    write_results("hardware_aware", rows, chips=seeds, images=options.images)


if __name__ == "__main__":
    main()
