"""Does the exact window sampler cost the same however fast the traps are, and what do the usual ways cost?

    python benchmarks/window_sampler.py [--traps 10000] [--windows 1000] [--rounds 5]

Times, in turns within one run, on one thread: ferrogen's ``window_sums`` (one trap a column), direct simulation by
dwell times with exact window integrals, and time stepping with a step of 0.05 / L. The others are written here, are
compiled by numba and use the same generator as ferrogen; direct simulation comes with ferrogen's exponential sampler,
so that only the method differs, and with -log(u), as it is usually written. What would take minutes runs on fewer
traps; its time is then extrapolated, and said so.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

import numpy as np
from numba import njit
from numpy.typing import NDArray
from timing import paired, row, write_results

from ferrogen.core.distributions import exponential, seed_local, seed_object, uniform
from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.noise.rtn.closed_form import averaging_factor
from ferrogen.device.noise.rtn.windows import window_sums

OCCUPANCY = 0.3
EVENTS = (0.1, 1.0, 10.0, 100.0, 1000.0)
STEP = 0.05
STEPS_AT_MOST = 2.0e8
SWITCHES_AT_MOST = 5.0e8


@njit(cache=False, nogil=True, error_model="numpy")
def dwell_times(key: np.uint64, to_one: float, to_zero: float, fast: bool, out: NDArray[np.float64]) -> None:
    """Simulate switch by switch; windows have length 1. Fills ``out[trap, window]``."""
    state = np.empty(2, dtype=np.uint64)
    for trap in range(out.shape[0]):
        seed_local(state, seed_object(key, np.uint64(trap)), 0)
        occupied = uniform(state) * (to_one + to_zero) < to_one
        left = (exponential(state) if fast else -math.log(uniform(state))) / (to_zero if occupied else to_one)
        for window in range(out.shape[1]):
            now = 0.0
            share = 0.0
            while now + left < 1.0:
                if occupied:
                    share += left
                now += left
                occupied = not occupied
                left = (exponential(state) if fast else -math.log(uniform(state))) / (to_zero if occupied else to_one)
            if occupied:
                share += 1.0 - now
            left -= 1.0 - now
            out[trap, window] = share


@njit(cache=False, nogil=True)
def time_steps(key: np.uint64, to_one: float, to_zero: float, steps: int, out: NDArray[np.float64]) -> None:
    """Simulate on a time grid of ``steps`` a window: first order in the step. Fills ``out[trap, window]``."""
    state = np.empty(2, dtype=np.uint64)
    leave_zero, leave_one = to_one / steps, to_zero / steps
    for trap in range(out.shape[0]):
        seed_local(state, seed_object(key, np.uint64(trap)), 0)
        occupied = uniform(state) * (to_one + to_zero) < to_one
        for window in range(out.shape[1]):
            total = 0
            for _ in range(steps):
                if uniform(state) < (leave_one if occupied else leave_zero):
                    occupied = not occupied
                total += occupied
            out[trap, window] = total / steps


def compare(events: float, traps: int, windows: int, rounds: int) -> list[dict[str, object]]:
    """Time the three ways at one L T and check each one's mean and variance against the closed form."""
    to_one, to_zero = OCCUPANCY * events, (1.0 - OCCUPANCY) * events
    key = Streams(1).key(Purpose.TELEGRAPH_WINDOW)
    addresses, starts, ones = np.arange(traps, dtype=np.uint64), np.arange(traps + 1), np.ones(traps)
    a, b, observed = np.full((traps, 1), to_one), np.full((traps, 1), to_zero), np.array([True])
    steps = max(1, math.ceil(events / STEP))
    stepped = min(traps, max(1, int(STEPS_AT_MOST / (steps * windows))))
    switched = min(traps, max(1, int(SWITCHES_AT_MOST / (events * windows))))
    some, few = np.empty((switched, windows)), np.empty((stepped, windows))

    def ours() -> NDArray[np.float64]:
        return window_sums(key, addresses, starts, ones, a, b, observed, first_cycle=0, cycles=windows)[:, :, 0]

    def direct() -> NDArray[np.float64]:
        dwell_times(key, to_one, to_zero, True, some)
        return some

    def usual() -> NDArray[np.float64]:
        dwell_times(key, to_one, to_zero, False, some)
        return some

    def grid() -> NDArray[np.float64]:
        time_steps(key, to_one, to_zero, steps, few)
        return few

    ways: dict[str, Callable[[], NDArray[np.float64]]] = {
        "ferrogen": ours,
        "dwell times": direct,
        "dwell times, -log(u)": usual,
        "time steps": grid,
    }
    variance = OCCUPANCY * (1.0 - OCCUPANCY) * float(averaging_factor(events))
    rows = []
    for name, timing in paired(ways, rounds).items():
        sample = ways[name]()
        scale = traps / sample.shape[0]
        rows.append(
            row(
                name,
                timing,
                events_per_window=events,
                nanoseconds_per_window=float(f"{1e9 * scale * timing.cpu / (traps * windows):.4g}"),
                cpu_ratio_all_traps=float(f"{scale * timing.cpu_ratio:.4g}"),
                traps_simulated=sample.shape[0],
                mean_error=float(f"{sample.mean() - OCCUPANCY:.2g}"),
                variance_ratio=float(f"{((sample - OCCUPANCY) ** 2).mean() / variance:.5g}"),
            )
        )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traps", type=int, default=10_000)
    parser.add_argument("--windows", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print("| L T | method | ns a window | ratio to ferrogen | variance / closed form | |\n|---|---|---|---|---|---|")
    rows = []
    for events in EVENTS:
        for item in compare(events, arguments.traps, arguments.windows, arguments.rounds):
            rows.append(item)
            part = f"from {item['traps_simulated']} traps" if item["traps_simulated"] != arguments.traps else ""
            print(
                f"| {events:g} | {item['method']} | {item['nanoseconds_per_window']:.4g}"
                f" | {item['cpu_ratio_all_traps']:.3g} | {item['variance_ratio']} | {part} |",
                flush=True,
            )
    write_results(
        "window_sampler",
        rows,
        traps=arguments.traps,
        windows=arguments.windows,
        occupancy=OCCUPANCY,
        note="Where traps_simulated is less than traps, nanoseconds_per_window and cpu_ratio_all_traps are scaled"
        " to all of them. cpu_ratio: medians of ratios within a round, to the row 'ferrogen' of the same L T.",
    )


if __name__ == "__main__":
    main()
