"""How many cells of a tile can serve as telegraph bits: card by card, against the time that a bit may take.

python benchmarks/bit_cells.py
"""

from __future__ import annotations

from typing import Any

import numpy as np
from timing import write_results

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.sampler.bit_cells import find_bit_cells
from ferrogen.sampler.bits import BitSpec

CARDS = ("hzo-mfis-nor", "hzo-10nm-measured", "hzo-3nm-direct", "hzo-al2o3-bilayer", "ideal")


def main() -> None:
    """Print a table and write it as JSON."""
    rows: list[dict[str, Any]] = []
    print("| card | bit held for | bit lines of 128 that can serve | with p from 3 % to 97 % | bits/s of a cell |")
    print("|---|---|---|---|---|")
    for card in CARDS:
        chip = Chip(card, seed=1, spec=ChipSpec(tiles=1))
        tile = chip.program(0, np.full((128, 128), chip.window.high), samples=True)
        high, spec = chip.device.validity.read_voltage[1], BitSpec()
        for held in (1e-3, 1e-2, 1e-1, 1.0):
            point = OperatingPoint.for_card(chip.device, sampling_time=held)
            sense = 3e-3 * held
            found = find_bit_cells(
                [tile],
                point,
                low=spec.lowest_voltage,
                high=high,
                sense_time=sense,
                settling=spec.settling,
                senses=spec.senses,
                safety=spec.safety,
            )
            ends = found.probability(np.array([[spec.lowest_voltage], [high]]), point)
            wide = int(np.count_nonzero((ends[0] < 0.03) & (ends[1] > 0.97)))
            rate = 1.0 / (point.reset + held + sense)
            rows.append({"card": card, "held": held, "cells": found.count, "wide": wide, "bits_per_second": rate})
            print(f"| {card} | {1e3 * held:g} ms | {found.count} | {wide} | {rate:.3g} |")
    write_results("bit_cells", rows, cells=128 * 128)


if __name__ == "__main__":
    main()
