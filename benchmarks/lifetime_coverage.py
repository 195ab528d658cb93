"""How often do lifetime intervals hold the truth? Coverage of nominal 90 % intervals in simulated tests.

Run: ``python benchmarks/lifetime_coverage.py [runs]`` (default 400; some minutes on one core). Tests of n junctions
are stopped when 70 % have failed; the life at 1 % failures is estimated. The bootstrap, which fits every test 150
times over, is tried on the first 100 of them only.
"""

from __future__ import annotations

import math
import sys
from typing import Any

import numpy as np
from scipy import stats
from timing import write_results

from ferrogen.device.reliability.lifetime import bootstrap_life, failures, fit_lifetime, life_interval

LEVEL, FAILED = 0.9, 0.01


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 400
    rows: list[dict[str, Any]] = []
    for family in ("weibull", "lognormal"):
        for size in (15, 40, 120):
            generator = np.random.default_rng(1)
            log_life = (
                math.log(-math.log1p(-FAILED)) / 1.5 if family == "weibull" else 0.8 * float(stats.norm.ppf(FAILED))
            )
            held = {"profile": 0, "fisher": 0, "bootstrap": 0}
            boots = min(runs, 100)
            for run in range(runs):
                if family == "weibull":
                    time = generator.standard_exponential(size) ** (1 / 1.5)
                else:
                    time = np.exp(0.8 * generator.standard_normal(size))
                cut = float(np.sort(time)[math.ceil(0.7 * size) - 1])
                fit = fit_lifetime(failures(np.minimum(time, cut), time <= cut), family)
                found = {
                    "profile": life_interval(fit, FAILED, LEVEL, "profile"),
                    "fisher": life_interval(fit, FAILED, LEVEL, "fisher"),
                }
                if run < boots:
                    found["bootstrap"] = bootstrap_life(fit, FAILED, generator, 150, LEVEL)
                for name, interval in found.items():
                    held[name] += math.log(interval.low) < log_life < math.log(interval.high)
            for name, count in held.items():
                tried = boots if name == "bootstrap" else runs
                rows.append(
                    {"family": family, "junctions": size, "interval": name, "runs": tried, "coverage": count / tried}
                )
    print("| family | junctions | interval | runs | coverage of 90 % | standard error |\n|---|---|---|---|---|---|")
    for row in rows:
        error = math.sqrt(row["coverage"] * (1.0 - row["coverage"]) / row["runs"])
        cells = (row["family"], row["junctions"], row["interval"], row["runs"])
        print("| " + " | ".join(str(cell) for cell in cells) + f" | {row['coverage']:.1%} | {error:.1%} |")
    write_results("lifetime_coverage", rows, level=LEVEL, failed=FAILED)


if __name__ == "__main__":
    main()
