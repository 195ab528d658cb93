"""Wires of technology nodes, what nanoampere cells lose to them, and what the exact map costs. Run:

    OMP_NUM_THREADS=1 python benchmarks/wire_drops.py

Prints four tables and writes ``benchmarks/results/wire_drops.json``.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from timing import paired, row, write_results

from ferrogen.array.levels import conductance_window
from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.network.network import drive, uniform_network
from ferrogen.circuit.periphery import Periphery
from ferrogen.circuit.solvers.effective import effective_conductance, effective_conductances
from ferrogen.circuit.solvers.solve import solve
from ferrogen.circuit.technology import load_technology, technology_names
from ferrogen.circuit.wires import IdealWires, Wires
from ferrogen.device.card import card_names, load_card
from ferrogen.mapping.layer import map_linear

SIZE = 128

OTHERS = {
    "130nm": 0.48, "65nm": 1.43, "45nm": 2.60, "32nm": 5.70, "22nm": 11.6, "14nm": 19.7, "7nm": 69.5, "5nm": 166.0,
}  # fmt: skip
"""Ohm/um of the same half pitches by the constants of another simulator; for comparison only."""


def technologies() -> list[dict[str, Any]]:
    """Return the wires of every node."""
    rows: list[dict[str, Any]] = []
    print("\n| node | half pitch, nm | resistivity, uOhm cm | Ohm/um | over another's | 2F | 4F | 12F segment, Ohm |")
    print("|---|---|---|---|---|---|---|---|")
    for name in technology_names():
        technology = load_technology(name)
        half = technology.node.half_pitch
        per_length = technology.resistance
        resistivity = technology.conductor.wire_resistivity(*technology.node.conductor_size)
        segments = [per_length * pitch * half for pitch in (2, 4, 12)]
        entry = {
            "node": name, "half_pitch": half, "resistivity": resistivity, "resistance": per_length,
            "over_another": per_length * 1e-6 / OTHERS[name],
        }  # fmt: skip
        rows.append(entry)
        numbers = [f"{x:.3g}" for x in (half * 1e9, resistivity * 1e8, per_length * 1e-6, entry["over_another"])]
        print("| " + " | ".join([name, *numbers, *(f"{segment:.2g}" for segment in segments)]) + " |")
    return rows


def worst_error(conductance: NDArray[np.float64], wires: Wires) -> float:
    """Return the error of the first order relative to a column's ideal current, all rows fully driven."""
    exact = effective_conductances(
        conductance,
        row_segment=wires.row_segment,
        column_segment=wires.column_segment,
        row_end=wires.row_segment,
        column_end=wires.column_segment,
        tolerance=1e-12,
    )
    first = conductance * (1.0 - wires.drop(conductance))
    return float((np.abs(first - exact).sum(axis=0) / conductance.sum(axis=0)).max())


def cards() -> list[dict[str, Any]]:
    """Return what a tile of every card loses, at half of its cells on."""
    rows: list[dict[str, Any]] = []
    print(f"\n{SIZE} x {SIZE} cells, half of them on, half off, at random:\n")
    print("| card | on, nS | node, cells | largest drop | bound of first order | its error | map |")
    print("|---|---|---|---|---|---|---|")
    for card in card_names():
        window = conductance_window(load_card(card))
        on = np.random.default_rng(0).random((SIZE, SIZE)) < 0.5
        conductance = np.where(on, window.high, window.low)
        for node, cells in (("65nm", "nor"), ("7nm", "crosspoint"), ("5nm", "nor")):
            wires = Wires.from_technology(node, cells=cells)
            drop = float(wires.drop(conductance).max())
            bound = drop**2 / (1.0 - drop)
            error = worst_error(conductance, wires)
            kind = "first order" if bound <= wires.tolerance else "solved"
            rows.append({"card": card, "node": node, "cells": cells, "drop": drop, "bound": bound, "error": error})
            numbers = " | ".join(f"{x:.1e}" for x in (drop, bound, error))
            print(f"| {card} | {window.high * 1e9:.3g} | {node}, {cells} | {numbers} | {kind} |")
    return rows


def costs() -> list[dict[str, Any]]:
    """Return what the maps take, over a plain product of 64 inputs."""
    rng = np.random.default_rng(0)
    conductance, inputs = rng.uniform(1e-9, 20e-9, (SIZE, SIZE)), rng.random((64, SIZE))
    mild, exact = Wires(), Wires(tolerance=1e-10)
    timings = paired(
        {
            "plain product of 64 inputs": lambda: inputs @ conductance,
            "first-order map": lambda: mild.effective_conductance(conductance),
            "exact map": lambda: exact.effective_conductance(conductance),
        },
        rounds=15,
    )
    print(f"\nOnce a tile of {SIZE} x {SIZE}:\n\n| | ms | over the product |\n|---|---|---|")
    for name, timing in timings.items():
        print(f"| {name} | {timing.cpu * 1e3:.3g} | {timing.cpu_ratio:.3g} |")
    return [row(name, timing) for name, timing in timings.items()]


def cached() -> list[dict[str, Any]]:
    """Return what a product behind wires takes once their map is known, over the same product without wires."""
    rng = np.random.default_rng(1)
    print("\nWith the map kept, 64 inputs:\n\n| | ms | over the product without wires | off the network by |")
    print("|---|---|---|---|")
    rows = []
    for size in (256, 512):
        conductance, volts = rng.uniform(1e-6, 1e-5, (size, size)), rng.random((64, size))
        network = uniform_network(conductance, row_segment=1.0, column_segment=1.0)
        effective = effective_conductance(network, tolerance=1e-12)
        solved = -solve(network, drive(network, left=volts.T), tolerance=1e-12, nodes=False).checked().bottom_current.T
        error = float(np.abs(volts @ effective - solved).max() / np.abs(solved).max())
        plain, behind = np.empty((64, size)), np.empty((64, size))
        timings = paired(
            {
                "without": partial(np.matmul, volts, conductance, out=plain),
                "behind": partial(np.matmul, volts, effective, out=behind),
            },
            rounds=101,
        )
        rows.append(row(f"product behind wires, {size} x {size}", timings["behind"]) | {"error": error})
        behind_wires = timings["behind"]
        print(
            f"| matrix, {size} x {size} | {behind_wires.cpu * 1e3:.3g} | {behind_wires.cpu_ratio:.3g} | {error:.1e} |"
        )
    point = OperatingPoint()
    layers = {}
    for name, wires in (("without", IdealWires()), ("behind", Wires(row_segment=1e3, column_segment=1e3))):
        chip = Chip("hzo-mfis-nor", seed=1, spec=ChipSpec(periphery=replace(Periphery(), wires=wires)))
        layer = map_linear(chip, rng.uniform(-1.0, 1.0, (64, 128)), np.zeros(64))
        layer.calibrate(torch.from_numpy(rng.random((64, 128)).astype(np.float32)), point)
        x = torch.from_numpy(rng.random((64, 128)).astype(np.float32))
        layers[name] = partial(layer, x, point, np.arange(64))
    timings = paired(layers, rounds=101)
    rows.append(row("layer of a chip behind wires", timings["behind"]))
    layer_time = timings["behind"]
    print(f"| a chip's layer, all of its circuits | {layer_time.cpu * 1e3:.3g} | {layer_time.cpu_ratio:.3g} | |")
    return rows


if __name__ == "__main__":
    write_results("wire_drops", [*technologies(), *cards(), *costs(), *cached()])
