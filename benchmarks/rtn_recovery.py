"""Are known traps found again in synthetic traces, over signal-to-noise ratio, number of switches and of traps?

    python benchmarks/rtn_recovery.py [--traces 10] [--processes 2]

Signal-to-noise ratio: smallest amplitude over the standard deviation of the white noise. Switches: of the slowest trap
on average. "Levels right": the number of traps is right and all 2**M levels lie within a quarter of the smallest
amplitude. "x floor": root mean square of the errors of ln(mean dwell time) over 1 / sqrt(exits from that state), over
all traps and states of the traces with the right number of traps; an efficient estimator has 1. "Within 2": share of
those errors below two floors. "log10 x floor": the same for log10 over 1 / sqrt(switches, both ways), which is the
wording of the acceptance line and 3.3 times easier. "x reported": over the standard errors that the fit itself states.
Records of 1000 switches get a quarter of the traces, those of 300 half. Further rows: traps whose amplitudes coincide
or sum up to each other, and traps nearly as fast as the sampling.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import Any

import numpy as np
from timing import write_results

from ferrogen.calibration.rtn.recovery import Score, Truth, draw_truth, score_fit, synthetic_trace
from ferrogen.calibration.rtn.trace import fit_trace
from ferrogen.core.streams import Purpose, Streams

STREAMS = Streams(20)
RATIOS = (1.0, 2.0, 3.0, 5.0, 10.0)
SWITCHES = (30, 100, 300, 1000)
SHARE = {30: 1.0, 100: 1.0, 300: 0.5, 1000: 0.25}

# label: amplitudes, mean dwell times low and high [samples], samples
SPECIAL: dict[str, tuple[tuple[float, ...], tuple[float, ...], tuple[float, ...], int]] = {
    "two equal amplitudes, time constants 4 apart": ((3.0, 3.0), (40.0, 160.0), (40.0, 160.0), 24_000),
    "two equal amplitudes, equal time constants": ((3.0, 3.0), (80.0, 80.0), (80.0, 80.0), 24_000),
    "third amplitude the sum of two": ((3.0, 4.0, 7.0), (80.0, 40.0, 20.0), (80.0, 40.0, 20.0), 24_000),
    "time constant 5 samples": ((5.0,), (10.0,), (10.0,), 10_000),
    "time constant 2 samples": ((5.0,), (4.0,), (4.0,), 10_000),
    "time constant 1 sample": ((5.0,), (2.0,), (2.0,), 10_000),
    "time constant 0.5 samples": ((5.0,), (1.0,), (1.0,), 10_000),
    "time constant 0.25 samples": ((5.0,), (0.5,), (0.5,), 10_000),
}


def _score(truth: Truth, *address: int) -> Score:
    trace, states = synthetic_trace(truth, STREAMS, *address)
    return score_fit(truth, states, fit_trace(trace, STREAMS.generator(Purpose.CALIBRATION, *address)))


def drawn(traps: int, ratio: float, switches: int, k: int) -> Score:
    address = (traps, int(10 * ratio), switches, k)
    return _score(draw_truth(traps, ratio, switches, STREAMS.generator(Purpose.TEST_PATTERN, *address)), *address)


def special(number: int, k: int) -> Score:
    amplitude, low, high, samples = list(SPECIAL.values())[number]
    return _score(Truth(np.array(amplitude), np.array(low), np.array(high), samples), 0, number, k)


def summary(scores: list[Score], **facts: Any) -> dict[str, Any]:
    def rms(values: np.ndarray[Any, Any]) -> float | None:
        return round(float(np.sqrt(np.mean(values**2))), 2) if values.size else None

    floors = np.concatenate([score.floors for score in scores])
    return {
        **facts,
        "records": len(scores),
        "levels_right": round(float(np.mean([score.levels_right for score in scores])), 3),
        "too_few": round(float(np.mean([score.traps < 0 for score in scores])), 3),
        "too_many": round(float(np.mean([score.traps > 0 for score in scores])), 3),
        "floors_rms": rms(floors),
        "within_two_floors": round(float(np.mean(np.abs(floors) <= 2.0)), 3) if floors.size else None,
        "log10_floors_rms": rms(np.concatenate([score.decades for score in scores])),
        "reported_rms": rms(np.concatenate([score.reported for score in scores])),
    }


FIELDS = ("levels_right", "too_few", "too_many", "floors_rms", "within_two_floors", "log10_floors_rms", "reported_rms")


def show(label: str, row: dict[str, Any]) -> None:
    print(f"| {label} | {row['records']} | " + " | ".join(str(row[name]) for name in FIELDS) + " |", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--traces", type=int, default=10)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    rows = []
    start = time.perf_counter()
    with ProcessPoolExecutor(arguments.processes) as pool:

        def run(call: Callable[[int], Score], count: int) -> list[Score]:
            return list(pool.map(call, range(count)))

        names = "levels right | too few | too many | x floor | within 2 | log10 x floor | x reported"
        print(f"| traps, SNR, switches | records | {names} |\n" + "|---" * 9 + "|")
        for traps in (1, 2, 3, 4):
            for switches in SWITCHES:
                for ratio in RATIOS:
                    count = max(3, round(arguments.traces * SHARE[switches]))
                    scores = run(partial(drawn, traps, ratio, switches), count)
                    rows.append(summary(scores, traps=traps, ratio=ratio, switches=switches))
                    show(f"{traps}, {ratio:g}, {switches}", rows[-1])
        for number, label in enumerate(SPECIAL):
            rows.append(summary(run(partial(special, number), arguments.traces), special=label))
            show(label, rows[-1])
    clear = [row for row in rows if row.get("ratio", 0.0) >= 3.0]
    records = sum(row["records"] for row in clear)
    right = sum(row["records"] * row["levels_right"] for row in clear) / records
    print(f"SNR >= 3: levels right in {right:.3f} of {records} records; {time.perf_counter() - start:.0f} s")
    write_results("rtn_recovery", rows, levels_right_at_ratio_3_and_more=round(right, 4), records=records)


if __name__ == "__main__":
    main()
