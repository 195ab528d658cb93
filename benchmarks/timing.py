"""Paired timings: the alternatives take turns within one run, so that a busy machine slows all of them alike.

Used by the other benchmarks; not a benchmark itself.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True)
class Timing:
    """Medians over the rounds, in seconds, and of the ratio to the first alternative in the same round."""

    wall: float
    cpu: float
    cpu_least: float
    cpu_ratio: float
    rounds: int


def paired(alternatives: Mapping[str, Callable[[], object]], rounds: int = 5) -> dict[str, Timing]:
    """Time zero-argument calls in turns: A B C A B C ...

    Args:
        alternatives: by name; the first is the one the others are compared with.
        rounds: how often each is run, at least 5; one more untimed round comes first (compilation, caches).

    Returns:
        a timing for each name; ``cpu`` is process time, so only single-threaded calls may be compared.
    """
    if rounds < 5:
        raise ValueError("at least 5 rounds")
    walls: dict[str, list[float]] = {name: [] for name in alternatives}
    cpus: dict[str, list[float]] = {name: [] for name in alternatives}
    for turn in range(rounds + 1):
        for name, call in alternatives.items():
            wall, cpu = time.perf_counter(), time.process_time()
            call()
            spent = time.perf_counter() - wall, time.process_time() - cpu
            if turn:
                walls[name].append(spent[0])
                cpus[name].append(spent[1])
    base = cpus[next(iter(alternatives))]
    return {
        name: Timing(
            wall=statistics.median(walls[name]),
            cpu=statistics.median(cpus[name]),
            cpu_least=min(cpus[name]),
            cpu_ratio=statistics.median(own / other for own, other in zip(cpus[name], base, strict=True)),
            rounds=rounds,
        )
        for name in alternatives
    }


def machine_facts() -> dict[str, Any]:
    """Return what a reader needs to judge the numbers; no host names, no paths."""
    model = "unknown"
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if "model name" in line]
        model = names[0] if names else model
    return {
        "cpu": model,
        "cpu_count": os.cpu_count(),
        "load_average": round(os.getloadavg()[0], 1),
        "system": platform.system(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("ferrogen", "numba", "numpy")},
    }


def write_results(name: str, rows: list[dict[str, Any]], **facts: Any) -> None:
    """Write ``results/<name>.json``."""
    RESULTS.mkdir(exist_ok=True)
    document = {"benchmark": name, **facts, "machine": machine_facts(), "rows": rows}
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=2, allow_nan=False) + "\n", encoding="utf-8")


def row(label: str, timing: Timing, **facts: Any) -> dict[str, Any]:
    """Return one row of a result file."""
    return {"method": label, **facts, **{key: float(f"{value:.4g}") for key, value in asdict(timing).items()}}
