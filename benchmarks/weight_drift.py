"""How well the table of array.evolution follows cells: against a junction cycle by cycle, and against drawn cells.

Run `OMP_NUM_THREADS=1 python benchmarks/weight_drift.py` (five minutes). Prints Markdown tables and writes
results/weight_drift.json. Errors are shares of the whole range between off and on.
"""

from __future__ import annotations

import dataclasses
import math
import time
from typing import Any

import numpy as np
from timing import write_results

from ferrogen.array.evolution import Evolution, Polarity
from ferrogen.array.evolution_exposure import Exposure, Stage
from ferrogen.device.card import DeviceCard, load_card
from ferrogen.device.junction import JunctionState, draw_cells
from ferrogen.device.polarization.ensemble import DomainState
from ferrogen.device.programming.spec import ProgrammingSpec
from ferrogen.device.programming.write_verify import card_pulses, write_verify_junction

POLARITIES: tuple[Polarity, ...] = (-1, 1)
NAMES = {-1: "against set", 1: "along set"}
CYCLE = ((1.2, 2e-3), (0.1, 1e-3))
CELLS = 500


def cycle_by_cycle(card: DeviceCard) -> list[dict[str, Any]]:
    """Five rungs of the ladder, followed by Junction.advance through every cycle, from the same states."""
    print("| polarity | cycles | largest error of blocks |\n|---|---|---|")
    rows: list[dict[str, Any]] = []
    for polarity in POLARITIES:
        evolution = Evolution(card, polarity)
        cells = evolution.mean_cells()
        start = cells.programmed
        before = cells.shares(start).before
        chosen = np.array([0, *(int(np.searchsorted(before, share)) for share in (0.25, 0.5, 0.75, 0.95))])
        one = draw_cells(card, 1, 0, random_flips=False)
        ones = np.ones(chosen.size)
        junction = dataclasses.replace(
            one, ensemble=cells.ensemble.select(chosen), on_conductance=ones, off_conductance=ones
        )
        parts = (item[chosen] for item in (start.start, start.history, start.direction))
        state = JunctionState(DomainState(*parts), start.charge[chosen], 0)
        for cycle in range(1, 301):
            for voltage, duration in CYCLE:
                steps = 8 if cycle <= 10 else 2  # coarse steps cost 4e-3 in the first cycle, 1e-4 in the hundredth
                state = junction.advance(state, polarity * voltage, duration, steps_per_decade=steps)
            if cycle in (1, 2, 5, 10, 30, 100, 300):
                found = evolution.table(Exposure((Stage(cycle, CYCLE),))).after[chosen]
                error = float(np.abs(found - junction.switched_fraction(state)).max())
                print(f"| {NAMES[polarity]} | {cycle} | {error:.1e} |", flush=True)
                rows.append({"test": "cycles", "polarity": polarity, "cycles": cycle, "largest_error": error})
    return rows


def drawn(card: DeviceCard) -> list[dict[str, Any]]:
    """Cells with random flips, written by write-verify, against mean and variance of the table."""
    print("\n| polarity | written to | cycles | mean | by table | standard error | deviation | by table |")
    print("|---|---|---|---|---|---|---|---|")
    rows: list[dict[str, Any]] = []
    on, off = card.on_conductance.value, card.off_conductance.value
    for target in (0.0, 0.25, 0.5, 0.7):
        cells = draw_cells(card, CELLS, seed=11)
        cells = dataclasses.replace(cells, on_conductance=np.full(CELLS, on), off_conductance=np.full(CELLS, off))
        programmed = cells.initial_state()
        if target > 0.0:
            how = card_pulses(card.require(ProgrammingSpec), tolerance=0.03)
            wanted = (off + target * (on - off)) * 4.0 * math.sinh(0.25)  # read at 0.1 V, V0 = 0.4 V
            programmed = write_verify_junction(cells, programmed, wanted, how, np.random.default_rng(0)).state
        before = cells.switched_fraction(programmed)
        for polarity in POLARITIES:
            evolution, state = Evolution(card, polarity), programmed
            for cycle in range(1, 11):
                for voltage, duration in CYCLE:
                    state = cells.advance(state, polarity * voltage, duration, steps_per_decade=4)
                if cycle not in (1, 10):
                    continue
                after = cells.switched_fraction(state)
                table = evolution.table(Exposure((Stage(cycle, CYCLE),)))
                mean = np.interp(before, table.before, table.after)
                q, g, damping = (
                    np.interp(before, table.before, part) for part in (table.kept, table.gained, table.damping)
                )
                free = before * q * (1.0 - q) + (1.0 - before) * g * (1.0 - g)
                deviation = float(np.sqrt((damping**2 * free).mean() / evolution.domains))
                own = float((after - mean).std())
                print(
                    f"| {NAMES[polarity]} | {before.mean():.2f} | {cycle} | {after.mean():.4f} | {mean.mean():.4f} |"
                    f" {own / math.sqrt(CELLS):.4f} | {own:.4f} | {deviation:.4f} |",
                    flush=True,
                )
                rows.append({
                    "test": "drawn", "polarity": polarity, "written_to": float(before.mean()), "cycles": cycle,
                    "mean": float(after.mean()), "mean_by_table": float(mean.mean()), "deviation": own,
                    "deviation_by_table": deviation,
                })  # fmt: skip
    return rows


def nodes(card: DeviceCard) -> list[dict[str, Any]]:
    """What fewer nodes of the quadrature cost, against 128 x 48."""
    print("\n| polarity | nodes | rms error | largest error | s |\n|---|---|---|---|---|")
    rows: list[dict[str, Any]] = []
    share, numbers = np.linspace(0.0, 1.0, 101), (1.0, 10.0, 1e3, 1e5)
    for polarity in POLARITIES:
        reference = None
        for count in ((128, 48), (64, 16), (32, 12)):
            evolution, begun = Evolution(card, polarity, nodes=count), time.process_time()
            tables = [evolution.table(Exposure((Stage(number, CYCLE),))) for number in numbers]
            spent = time.process_time() - begun
            found = np.array([np.interp(share, table.before, table.after) for table in tables])
            reference = found if reference is None else reference
            rms = float(np.sqrt(((found - reference) ** 2).mean()))
            largest = float(np.abs(found - reference).max())
            print(
                f"| {NAMES[polarity]} | {count[0]} x {count[1]} | {rms:.1e} | {largest:.1e} | {spent:.1f} |", flush=True
            )
            rows.append({
                "test": "nodes", "polarity": polarity, "nodes": list(count), "rms_error": rms, "largest_error": largest,
                "seconds": spent,
            })  # fmt: skip
    return rows


def whole_array(card: DeviceCard) -> list[dict[str, Any]]:
    """One cycle of 128 x 128 cells domain by domain, and 100,000 by the table."""
    cells = draw_cells(card, 128 * 128, seed=1)
    begun, state = time.process_time(), cells.initial_state()
    for voltage, duration in CYCLE:
        state = cells.advance(state, -voltage, duration, steps_per_decade=2)
    domain = time.process_time() - begun
    evolution, begun = Evolution(card, -1), time.process_time()
    shares = np.random.default_rng(0).random((128, 128))
    evolution.after(shares, Exposure((Stage(1e5, CYCLE),)))
    table = time.process_time() - begun
    begun = time.process_time()
    evolution.after(shares, Exposure((Stage(1e5, CYCLE),)), tile=1)
    further = time.process_time() - begun
    print(f"\n128 x 128 cells: one cycle domain by domain {domain:.1f} s; 100,000 cycles by the table {table:.1f} s,")
    print(f"{further:.3f} s for a further array (processor time).")
    return [{"test": "array", "one_cycle_by_domains": domain, "table": table, "further_array": further}]


if __name__ == "__main__":
    standin = load_card("hzo-mfis-nor").model_copy(update={"reliability": None})  # a junction knows no imprint
    found = cycle_by_cycle(standin) + drawn(standin) + nodes(standin) + whole_array(standin)
    write_results("weight_drift", found, card="hzo-mfis-nor")
