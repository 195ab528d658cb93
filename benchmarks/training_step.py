"""A training step on the chip, over a plain one: forward and backward, gradients of inputs, weights and bias.

    OMP_NUM_THREADS=1 python benchmarks/training_step.py [--repetitions 20] [--quick]

Square linear layers on one tile and on tiles of 128 x 128, and a transposed convolution; rounding to levels, deviations
of the chip, read noise of every cell, 8-bit converters. The optimiser is left out on both sides. One thread, both in
turns. Prints a table and writes results/training_step.json.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import torch
from timing import paired, row, write_results
from torch import nn

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.mapping.modules import map_layer

CARD = "hzo-mfis-nor"


def step(layer: nn.Module, x: torch.Tensor) -> Callable[[], None]:
    """Return a call that makes one step."""
    push = torch.randn(layer(x).shape)

    def run() -> None:
        layer.zero_grad()
        x.grad = None
        layer(x).backward(push)

    return run


Layer = nn.Linear | nn.ConvTranspose2d


def cases(*, quick: bool) -> list[tuple[str, Layer, torch.Tensor, int]]:
    """Return label, layer, inputs and rows of a square tile."""
    made: list[tuple[str, Layer, torch.Tensor, int]] = []
    for size, batch in ((512, 64), (512, 256)) if quick else ((512, 64), (512, 256), (1024, 64), (1024, 256)):
        made += [(f"linear {size}, batch {batch}", nn.Linear(size, size), torch.randn(batch, size), size)]
    made.append(("linear 512, batch 64, tiles of 128", nn.Linear(512, 512), torch.randn(64, 512), 128))
    convolution = nn.ConvTranspose2d(64, 32, 4, stride=2, padding=1)
    made.append(("transposed convolution 64 to 32, 16 x 16, batch 16", convolution, torch.randn(16, 64, 16, 16), 256))
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rows = []
    print("| step | plain, CPU ms | on the chip, CPU ms | ratio |\n|---|---|---|---|")
    for label, layer, x, tile in cases(quick=arguments.quick):
        chip = Chip(CARD, seed=1, spec=ChipSpec(rows=tile, columns=2 * tile, tiles=64))
        mapped = map_layer(layer, chip, OperatingPoint.for_card(chip.device))
        mapped.calibrate(x)
        x.requires_grad_()
        timings = paired(
            {"plain": step(layer, x), "on the chip": step(mapped.train(), x)}, rounds=arguments.repetitions
        )
        plain, ours = timings["plain"], timings["on the chip"]
        print(f"| {label} | {1e3 * plain.cpu:.2f} | {1e3 * ours.cpu:.2f} | {ours.cpu_ratio:.2f} |")
        rows += [row(name, timing, step=label) for name, timing in timings.items()]
    write_results("training_step", rows, torch=torch.__version__, card=CARD)


if __name__ == "__main__":
    main()
