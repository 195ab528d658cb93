"""Do the chip's errors add up over the steps of the flow-matching example, and does fresh noise wash them out?

The same noise draws the same images with the float module and with products on the chip, for several numbers of steps;
once with noise in every step (renewal 1), once with noise at the start only (renewal 0). Prints the Frechet distances
and how far the chip's images are from the float module's (root mean square over pixels from 0 to 1):

    python benchmarks/flow_matching_steps.py [--weights FILE] [--images 1000]

Writes benchmarks/results/flow_matching_steps.json. Five minutes of one core.

With ``--remedies``: which source of error does how much to the velocity at an early and a late time, and what helps:
two cells a weight, or 900 more training steps with noise on the weights (1 % of a layer's largest). Another ten
minutes; needs MNIST's folder as ``--data``, and writes benchmarks/results/flow_matching_remedies.json:

    python benchmarks/flow_matching_steps.py --remedies --data MNIST_FOLDER
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from timing import write_results
from torch import Tensor, nn

from ferrogen import Chip, load_card, map_to_chip
from ferrogen.mapping.coding import CodingSpec
from ferrogen.mapping.module_budget import module_budget
from ferrogen.metrics.features import load_feature_network
from ferrogen.metrics.frechet import frechet_distance
from ferrogen.metrics.reference import load_reference_moments
from ferrogen.metrics.score import Score

sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))

from flow_matching import TASK, Flow, Generator, train
from four_ways import CARD, SEED, SIDE, SPEC, IdealSource, draw_float, draw_mapped, load_half, training_digits

SOURCES = ("conductance levels", "programming", "input converter", "output converter", "everything")
CASES = ((4, 1.0), (8, 1.0), (16, 1.0), (32, 1.0), (16, 0.0))


class At(nn.Module):
    """The velocity at one time, as a module of one input."""

    def __init__(self, flow: Flow, t: float) -> None:
        super().__init__()
        self.velocity = flow.velocity
        self.register_buffer("row", flow.times(torch.tensor([t])).detach())

    def forward(self, x: Tensor) -> Tensor:
        """Return the velocity at ``x``."""
        out: Tensor = self.velocity(x, self.get_buffer("row"))
        return out


@dataclass(frozen=True, slots=True)
class Case:
    """One way to draw, ideal and with products on the chip."""

    label: str
    steps: int
    renewal: float
    ideal: float
    ideal_low: float
    ideal_high: float
    products: float
    products_low: float
    products_high: float
    deviation: float


def deviations(flow: Flow) -> list[dict[str, object]]:
    """Return what each source of error does to the velocity, of digits that the shipped VAE makes, at two times."""
    digits = 2.0 * training_digits(None, 64) - 1.0
    noise = torch.from_numpy(IdealSource().normals(np.arange(64), 0, SIDE * SIDE)).reshape(digits.shape)
    rows: list[dict[str, object]] = []
    for t in (1.0 / 16.0, 0.5):
        module, x = At(flow, t), (1.0 - t) * digits + t * noise
        found = module_budget(module, load_card(CARD), x[:32], x[32:], spec=SPEC, seed=SEED, chips=1, sources=SOURCES)
        print(f"velocity at t = {t:.2g}: " + ", ".join(f"{r.source} {100.0 * r.relative_error:.1f} %" for r in found))
        rows += [{"t": t, "source": r.source, "relative_error": r.relative_error} for r in found]
    return rows


def draw(flow: Flow, label: str, steps: int, renewal: float, images: int, coding: CodingSpec | None = None) -> Case:
    """Draw with the float module and with products on the chip; score, print."""
    network, reference = load_feature_network("mnist"), load_reference_moments("mnist")

    def score(images: NDArray[np.float32]) -> Score:
        return frechet_distance(network.extract(images.clip(0.0, 1.0)).features, reference)

    generator, chip = Generator(flow, steps, renewal=renewal), Chip(CARD, seed=SEED, spec=SPEC)
    ideal = draw_float(generator, IdealSource(), images)
    mapped = map_to_chip(generator, chip, torch.arange(64), latent_source=IdealSource(), coding=coding)
    made = draw_mapped(mapped, IdealSource(), images)
    a, b = score(ideal), score(made)
    deviation = float(np.sqrt(np.mean((made - ideal) ** 2)))
    noise = "every step" if renewal else "start only"
    print(
        f"| {label} | {steps} | {noise} | {a.value:.2f} [{a.low:.2f}, {a.high:.2f}] |"
        f" {b.value:.2f} [{b.low:.2f}, {b.high:.2f}] | {deviation:.3f} |",
        flush=True,
    )
    return Case(label, steps, renewal, a.value, a.low, a.high, b.value, b.low, b.high, deviation)


def main() -> None:
    """Draw, score, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, default=TASK.weights)
    parser.add_argument("--images", type=int, default=1000)
    parser.add_argument("--remedies", action="store_true")
    parser.add_argument("--data", type=Path)
    options = parser.parse_args()
    if options.remedies and options.data is None:
        parser.error("--remedies trains on MNIST: give its folder with --data")
    torch.set_num_threads(1)
    flow, images = Flow(), options.images
    load_half(flow, options.weights)
    sources = deviations(flow) if options.remedies else []
    print(f"Frechet distances of {images} images, 95 % intervals\n")
    print(
        "| weights | steps | noise | ideal | products on the chip | deviation of a pixel |\n|---|---|---|---|---|---|"
    )
    if not options.remedies:
        cases = [draw(flow, "shipped", steps, renewal, images) for steps, renewal in CASES]
        write_results("flow_matching_steps", [asdict(case) for case in cases], images=images)
        return
    sliced = draw(flow, "two cells a weight", 16, 1.0, images, CodingSpec("bit-sliced", slices=2))
    hard, _ = train(training_digits(options.data), 900, start=options.weights, rate=5e-4, weight_noise=0.01)
    trained = draw(hard, "trained on with noise", 16, 1.0, images)
    write_results("flow_matching_remedies", [asdict(sliced), asdict(trained)], images=images, sources=sources)


if __name__ == "__main__":
    main()
