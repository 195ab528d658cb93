"""How fast are telegraph traces, beside the usual ways of making them?

    python benchmarks/traces.py [--rounds 7]

One trap x 10^6 samples and 10^4 traps x 10^3 samples; mean dwell 100 samples empty and 50 occupied. The alternatives
are written here and take turns within one run, on one thread. Every trace's occupancy (1/3) and switching rate (1/75)
is checked. SimCATS is quoted, not run: see the note in the results.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import numpy as np
from numba import njit
from numpy.typing import NDArray
from timing import paired, row, write_results

from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.noise.rtn.traces import occupancy_traces

LEAVE_ZERO, LEAVE_ONE = 1 / 100, 1 / 50
MOVES = LEAVE_ZERO + LEAVE_ONE
RATE = -np.log1p(-MOVES)  # per sample interval, so that the grid chain has exactly these probabilities
CAPTURE, EMISSION = RATE * LEAVE_ZERO / MOVES, RATE * LEAVE_ONE / MOVES
Trace = NDArray[np.uint8]
SIMCATS = (
    "SimCATS 2.0.0, random_telegraph_noise, 1 trap, 10^6 samples, tau = 100: 17.2 s CPU"
    " (quoted: a single run made on another day, not beside these)"
)


def ferrogen(traps: int, steps: int) -> Trace:
    key = Streams(0).key(Purpose.TELEGRAPH_TRACE)
    return occupancy_traces(key, np.full(traps, CAPTURE), np.full(traps, EMISSION), interval=1.0, steps=steps)


def numpy_dwell_times(traps: int, steps: int) -> Trace:
    """One trap: geometric dwell times, repeated."""
    assert traps == 1
    rng = np.random.default_rng(0)
    enough = 2 * (int(steps / 150 * 1.2) + 64)
    dwell = np.empty(enough, dtype=np.int64)
    dwell[0::2] = rng.geometric(LEAVE_ZERO, enough // 2)
    dwell[1::2] = rng.geometric(LEAVE_ONE, enough // 2)
    return np.repeat(np.arange(enough, dtype=np.uint8) & 1, dwell)[None, :steps]


def numpy_time_loop(traps: int, steps: int) -> Trace:
    """All traps at once, one time step after the other."""
    rng = np.random.default_rng(0)
    state = rng.random(traps) < LEAVE_ZERO / MOVES
    out = np.empty((steps, traps), dtype=np.uint8)
    for k in range(steps):
        draw = rng.random(traps, dtype=np.float32)
        state = np.where(state, draw >= LEAVE_ONE, draw < LEAVE_ZERO)
        out[k] = state
    return out.T


def python_loop(traps: int, steps: int) -> Trace:
    """One trap, plain Python over drawn uniforms."""
    assert traps == 1
    state, out = 0, bytearray(steps)
    for k, draw in enumerate(np.random.default_rng(0).random(steps).tolist()):
        if draw < (LEAVE_ONE if state else LEAVE_ZERO):
            state = 1 - state
        out[k] = state
    return np.frombuffer(out, dtype=np.uint8)[None]


@njit(cache=False)
def _per_sample(traps: int, steps: int, leave_zero: float, leave_one: float) -> Trace:
    np.random.seed(1)  # noqa: NPY002 (numba knows this generator only)
    out = np.empty((traps, steps), dtype=np.uint8)
    for trap in range(traps):
        state = 1 if np.random.random() < leave_zero / (leave_zero + leave_one) else 0  # noqa: NPY002
        for k in range(steps):
            if np.random.random() < (leave_one if state else leave_zero):  # noqa: NPY002
                state = 1 - state
            out[trap, k] = state
    return out


def numba_per_sample(traps: int, steps: int) -> Trace:
    return np.asarray(_per_sample(traps, steps, LEAVE_ZERO, LEAVE_ONE))


WAYS: dict[str, tuple[Callable[[int, int], Trace], tuple[bool, bool]]] = {
    "ferrogen": (ferrogen, (True, True)),
    "numpy dwell times": (numpy_dwell_times, (True, False)),
    "numpy time loop": (numpy_time_loop, (False, True)),
    "numba per sample": (numba_per_sample, (True, True)),
    "python loop": (python_loop, (True, False)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    rows = []
    print("| traps x samples | method | CPU s | least | ratio to ferrogen |\n|---|---|---|---|---|")
    for index, (traps, steps) in enumerate(((1, 10**6), (10**4, 10**3))):
        calls = {name: make for name, (make, where) in WAYS.items() if where[index]}
        for name, make in calls.items():
            trace = make(traps, steps)
            assert abs(trace.mean() - 1 / 3) < 0.02, name
            assert abs((trace[:, 1:] != trace[:, :-1]).mean() - 1 / 75) < 0.001, name
        timings = paired({name: partial(make, traps, steps) for name, make in calls.items()}, arguments.rounds)
        for name, timing in timings.items():
            rows.append(row(name, timing, traps=traps, steps=steps))
            print(
                f"| {traps} x {steps} | {name} | {timing.cpu:.5f} | {timing.cpu_least:.5f} | {timing.cpu_ratio:.3g} |",
                flush=True,
            )
    print(SIMCATS)
    write_results("traces", rows, quoted=SIMCATS, mean_dwell_empty=100, mean_dwell_occupied=50)


if __name__ == "__main__":
    main()
