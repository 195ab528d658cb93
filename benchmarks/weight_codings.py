"""What codings of weights cost and what errors they leave, on one card. Run:

    OMP_NUM_THREADS=1 python benchmarks/weight_codings.py

Weights are normal (no outliers) or Student's t with 3 degrees of freedom (a few large ones), 256 x 256. Errors are
rms over the rms of what is ideal, means over chips: of the weights with the levels alone, of the weights after
write-verify (telegraph noise averaged, wires included), and of products of normal inputs with everything on: 8-bit
converters, amplifiers, telegraph noise. Prints a table and writes ``benchmarks/results/weight_codings.json``.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from timing import write_results

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.card import DeviceCard, load_card
from ferrogen.mapping.coding import CodingSpec, code_matrix, coding_window
from ferrogen.mapping.layer import map_matrices
from ferrogen.mapping.plan import MatrixRequest, plan_matrices

SIZE, VECTORS = 256, 256

CODINGS = {
    "differential": CodingSpec(),
    "differential, largest weight": CodingSpec(clip=None),
    "differential, 99.5th percentile": CodingSpec(clip=99.5),
    "differential, scale a tile": CodingSpec(scale="tile"),
    "differential, scale a layer": CodingSpec(scale="layer"),
    "differential, levels with noise below 1.2 % of their spacing": CodingSpec(safe_levels=0.012),
    "offset column": CodingSpec("offset-column"),
    "offset column, 4 references": CodingSpec("offset-column", references=4),
    "2 slices of 3 bits": CodingSpec("bit-sliced", slices=2, bits_per_slice=3),
    "2 slices of 5 bits": CodingSpec("bit-sliced", slices=2, bits_per_slice=5),
    "3 slices of 2 bits": CodingSpec("bit-sliced", slices=3, bits_per_slice=2),
    "6 slices of 1 bit": CodingSpec("bit-sliced", slices=6, bits_per_slice=1),
}


def weights(kind: str, generator: np.random.Generator) -> NDArray[np.float64]:
    """Return a weight matrix."""
    return generator.normal(size=(SIZE, SIZE)) if kind == "normal" else generator.standard_t(3.0, size=(SIZE, SIZE))


def relative(wrong: NDArray[np.float64], right: NDArray[np.float64]) -> float:
    """Return the rms error over the rms of what is right."""
    return float(np.sqrt(np.mean((wrong - right) ** 2) / np.mean(right**2)))


def levels_alone(chip: Chip, coding: CodingSpec, weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the weights that cells exactly at their levels would stand for."""
    used, plan = coding_window(chip, coding), plan_matrices([MatrixRequest(SIZE, SIZE)], chip, coding)
    coded = code_matrix(weight, coding, used.window, used.levels, plan.split(0))
    low, span = used.window.low, used.window.span
    rounded = tuple(low + span * used.levels.quantise((cells - low) / span) for cells in coded.targets)
    return replace(coded, targets=rounded).decode()


def errors(card: DeviceCard, coding: CodingSpec, kind: str, seed: int) -> tuple[float, float, float]:
    """Return the errors of one chip: levels alone, after write-verify, of products with everything on."""
    generator = Streams(seed).generator(Purpose.TEST_PATTERN)
    weight = weights(kind, generator)
    calibration, x = (generator.normal(size=(VECTORS, SIZE)).astype(np.float32) for _ in range(2))
    point = OperatingPoint.for_card(card)
    chip = Chip(card, seed=seed)
    levels = levels_alone(chip, coding, weight)
    (layer,) = map_matrices(chip, [weight], [np.zeros(SIZE)], coding=coding)
    layer.calibrate(torch.from_numpy(calibration), point)
    outputs = layer(torch.from_numpy(x), point, np.arange(VECTORS, dtype=np.int64)).double().numpy()
    return (
        relative(levels, weight),
        relative(layer.weights(point), weight),
        relative(outputs, x.astype(np.float64) @ weight.T),
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--card", default="hzo-mfis-nor")
    parser.add_argument("--chips", type=int, default=3)
    given = parser.parse_args()
    torch.set_num_threads(1)
    card = load_card(given.card)
    rows: list[dict[str, Any]] = []
    chip = Chip(card, spec=replace(ChipSpec(), tiles=1000))
    print("| coding | cells a weight | conversions an output | tiles | weights | levels | written | products |")
    print("|---|---|---|---|---|---|---|---|")
    for name, coding in CODINGS.items():
        plan = plan_matrices([MatrixRequest(SIZE, SIZE)], chip, coding)
        for kind in ("normal", "heavy-tailed"):
            each = np.array([errors(card, coding, kind, seed) for seed in range(given.chips)])
            levels, written, products = each.mean(axis=0)
            entry = {
                "coding": name,
                "weights": kind,
                "cells_per_weight": plan.weight_cells / SIZE**2,
                "conversions_per_output": coding.conversions_per_output,
                "tiles": len(plan.tiles),
                "error_of_levels": float(f"{levels:.3g}"),
                "error_written": float(f"{written:.3g}"),
                "error_of_products": float(f"{products:.3g}"),
                "deviation_over_chips": [float(f"{x:.2g}") for x in each.std(axis=0, ddof=1)],
            }
            rows.append(entry)
            print(
                f"| {name} | {entry['cells_per_weight']:g} | {coding.conversions_per_output} | {len(plan.tiles)} |"
                f" {kind} | {levels:.2%} | {written:.2%} | {products:.2%} |"
            )
    safe = str(coding_window(chip, CODINGS["differential, levels with noise below 1.2 % of their spacing"]))
    print(f"\nLevels with noise below 1.2 % of their spacing: {safe}")
    write_results("weight_codings", rows, card=given.card, chips=given.chips, safe_levels=safe)


if __name__ == "__main__":
    main()
