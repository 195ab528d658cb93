"""How long does it take to solve a crossbar with resistive wires, beside badcrossbar, CHOLMOD and scipy's sparse LU?

One circuit for all, that of badcrossbar: a source at the left of every row, ground at the bottom of every column, wires
of 1 Ohm a segment, cells log-uniform in 1-10 uS ("mild") or 10-100 uS ("harsh"). Wanted are the column currents, from
conductances and voltages: assembling, factorising and solving all count. Every method runs in a process of its own, on
one thread, and the processes take turns. Run with the interpreter that has what is to be compared::

    python benchmarks/crossbar_solvers.py

"First" is the first call in a fresh process, with numba's cache on disk but nothing loaded from it: of the lines most
of it is numba itself, which imports its own libraries at the first call of any kernel. "Warm" is the median of later
calls. Times in the table are CPU time; imports are listed apart. Ratios are medians over rounds. "Memory" is how much
the largest resident memory grew, all calls together. The error is the largest relative one of an output current against
CHOLMOD (or SuperLU) with refinement. badcrossbar and scikit-sparse are "not installed" where they are not.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import json
import logging
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from timing import write_results

Array = NDArray[np.float64]
Solver = Callable[[Array, Array], Array]

SEGMENT = 1.0  # Ohm
CELLS = {"mild": (1e-6, 1e-5), "harsh": (1e-5, 1e-4)}  # S
METHODS = {"lines": "ferrogen", "badcrossbar": "badcrossbar", "cholmod": "sksparse", "superlu": "scipy"}
DISTRIBUTIONS = {"badcrossbar": "badcrossbar", "cholmod": "scikit-sparse", "superlu": "scipy"}
ROUNDS = {64: (9, 5), 128: (9, 5), 256: (9, 3), 512: (5, 1)}  # warm rounds of the lines and CHOLMOD, and of the others


def problem(size: int, inputs: int, regime: str) -> tuple[Array, Array]:
    """Return conductances [S], shape (size, size), and voltages [V], shape (size, inputs)."""
    rng = np.random.default_rng([size, inputs, sorted(CELLS).index(regime)])
    least, most = CELLS[regime]
    return np.exp(rng.uniform(np.log(least), np.log(most), (size, size))), rng.uniform(0.0, 0.2, (size, inputs))


def nodal_equations(cells: Array, voltages: Array) -> tuple[Any, Array]:
    """Return the sparse nodal matrix [S] and the right-hand sides [A]."""
    from scipy.sparse import csc_matrix

    rows, columns = cells.shape
    size, g = rows * columns, 1.0 / SEGMENT
    row = np.arange(size, dtype=np.int32).reshape(rows, columns)
    column = row + np.int32(size)
    first = np.concatenate([row.ravel(), row[:, :-1].ravel(), column[:-1].ravel()])
    second = np.concatenate([column.ravel(), row[:, 1:].ravel(), column[1:].ravel()])
    value = np.concatenate([cells.ravel(), np.full(rows * (columns - 1) + (rows - 1) * columns, g)])
    diagonal = np.empty((2, rows, columns))
    diagonal[:] = cells + 2.0 * g
    diagonal[0, :, -1] -= g  # the row's right end floats
    diagonal[1, 0] -= g  # and the column's top
    every = np.arange(2 * size, dtype=np.int32)
    places = np.concatenate([first, second, every]), np.concatenate([second, first, every])
    matrix = csc_matrix((np.concatenate([-value, -value, diagonal.ravel()]), places), shape=(2 * size, 2 * size))
    into = np.zeros((2 * size, voltages.shape[1]))
    into[row[:, 0]] = g * voltages
    return matrix, into


def solver(method: str) -> Solver:
    """Return a function from conductances and voltages to the column currents, shape (columns, inputs)."""
    if method == "lines":
        from ferrogen.circuit.network.network import drive, uniform_network
        from ferrogen.circuit.solvers.lines import solve_lines

        def by_lines(cells: Array, voltages: Array) -> Array:
            network = uniform_network(cells, row_segment=SEGMENT, column_segment=SEGMENT)
            return -solve_lines(network, drive(network, left=voltages), nodes=False).checked().bottom_current

        return by_lines
    if method == "badcrossbar":
        import badcrossbar  # type: ignore[import-not-found]

        logging.disable(logging.CRITICAL)

        def by_badcrossbar(cells: Array, voltages: Array) -> Array:
            with contextlib.redirect_stdout(io.StringIO()):
                solved = badcrossbar.compute(voltages, 1.0 / cells, SEGMENT, node_voltages=False, all_currents=False)
            return np.asarray(solved.currents.output).T

        return by_badcrossbar
    if method == "cholmod":
        from sksparse.cholmod import cholesky  # type: ignore[import-not-found]

        def by_cholmod(cells: Array, voltages: Array) -> Array:
            matrix, into = nodal_equations(cells, voltages)
            return np.asarray(cholesky(matrix)(into)[-cells.shape[1] :] / SEGMENT)

        return by_cholmod
    from scipy.sparse.linalg import splu

    def by_superlu(cells: Array, voltages: Array) -> Array:
        matrix, into = nodal_equations(cells, voltages)
        factor = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
        return np.asarray(factor.solve(into)[-cells.shape[1] :] / SEGMENT)

    return by_superlu


def reference(cells: Array, voltages: Array) -> Array:
    """Return the column currents from a factorisation, with one step of refinement."""
    matrix, into = nodal_equations(cells, voltages)
    if importlib.util.find_spec("sksparse"):
        from sksparse.cholmod import cholesky

        apply = cholesky(matrix)
    else:
        from scipy.sparse.linalg import splu

        apply = splu(matrix, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True}).solve
    voltage = apply(into)
    voltage += apply(into - matrix @ voltage)
    return np.asarray(voltage[-cells.shape[1] :] / SEGMENT)


def peak() -> float:
    """Return the largest resident memory so far [MB].

    Linux lets the figure of ``getrusage`` begin with the parent's at the time of the fork; that in /proc is our own.
    """
    status = Path("/proc/self/status")
    if status.exists():
        own = [line.split()[1] for line in status.read_text().splitlines() if line.startswith("VmHWM")]
        return float(own[0]) / 1024.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def work(method: str, size: int, inputs: int, regime: str, path: str) -> None:
    """Solve once for every line on standard input and answer with what it took."""
    cells, voltages = problem(size, inputs, regime)
    wall, cpu = time.perf_counter(), time.process_time()
    solve = solver(method)
    imports = {"import_wall": time.perf_counter() - wall, "import_cpu": time.process_time() - cpu}
    before = peak()
    for _ in sys.stdin:
        wall, cpu = time.perf_counter(), time.process_time()
        currents = solve(cells, voltages)
        spent = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
        growth = peak() - before
        np.save(path, currents)
        print(json.dumps({**spent, **imports, "growth": growth}), flush=True)


class Worker:
    """A process that solves one case with one method when asked to."""

    def __init__(self, method: str, case: tuple[int, int, str], folder: Path) -> None:
        self.path = folder / f"{method}.npy"
        command = [sys.executable, __file__, "--worker", method, *(str(part) for part in case), str(self.path)]
        environment = {**os.environ, **{f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "NUMBA")}}
        self.process = subprocess.Popen(  # noqa: S603
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )

    def solve(self) -> dict[str, float]:
        """Solve once."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        answer: dict[str, float] = json.loads(self.process.stdout.readline())
        return answer

    def end(self) -> None:
        """Stop the process."""
        self.process.communicate()


def measure(case: tuple[int, int, str], methods: list[str]) -> list[dict[str, Any]]:
    """Time one case with all methods in turns; returns a row for each."""
    size, inputs, regime = case
    many, few = ROUNDS[size]
    rounds = {method: many if method == "lines" else few for method in methods}
    if "cholmod" in rounds:
        rounds["cholmod"] = many if size < 512 else 2
    with tempfile.TemporaryDirectory() as name:
        workers = {method: Worker(method, case, Path(name)) for method in methods}
        first = {method: worker.solve() for method, worker in workers.items()}
        warm: dict[str, list[dict[str, float]]] = {method: [] for method in methods}
        for turn in range(many):
            for method, worker in workers.items():
                if turn < rounds[method]:
                    warm[method].append(worker.solve())
        for worker in workers.values():
            worker.end()
        right = reference(*problem(size, inputs, regime))
        found = {method: np.load(worker.path) for method, worker in workers.items()}
    rows = []
    for method in methods:
        pairs = list(zip(warm[method], warm["lines"], strict=False))
        rows.append(
            {
                "method": method,
                "size": size,
                "inputs": inputs,
                "regime": regime,
                "rounds": len(warm[method]),
                "first_cpu": round(first[method]["cpu"], 6),
                "first_wall": round(first[method]["wall"], 6),
                "warm_cpu": round(statistics.median(one["cpu"] for one in warm[method]), 6),
                "warm_wall": round(statistics.median(one["wall"] for one in warm[method]), 6),
                "ratio_first": float(f"{first[method]['cpu'] / first['lines']['cpu']:.4g}"),
                "ratio_warm": float(f"{statistics.median(a['cpu'] / b['cpu'] for a, b in pairs):.4g}"),
                "import_cpu": round(first[method]["import_cpu"], 3),
                "growth_mb": round(warm[method][-1]["growth"], 1),
                "largest_relative_error": float(f"{np.max(np.abs(found[method] / right - 1.0)):.2g}"),
            }
        )
    return rows


def seconds(value: float) -> str:
    """Format a time."""
    return f"{value:.2f} s" if value >= 1.0 else f"{1e3 * value:.3g} ms"


def table(rows: list[dict[str, Any]], missing: list[str]) -> str:
    """Return the Markdown table: a row for each case, of each other method the ratio to the lines."""
    others = [method for method in METHODS if method != "lines"]
    head = ["array", "inputs", "cells", "lines: first", "warm", "error", "memory"]
    head += [f"{method}: warm, ratio (first), memory" for method in others]
    out = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for case in dict.fromkeys((row["size"], row["inputs"], row["regime"]) for row in rows):
        by = {row["method"]: row for row in rows if (row["size"], row["inputs"], row["regime"]) == case}
        own = by["lines"]
        line = [f"{case[0]} x {case[0]}", str(case[1]), case[2], seconds(own["first_cpu"]), seconds(own["warm_cpu"])]
        line += [f"{own['largest_relative_error']:.0e}", f"{own['growth_mb']:.0f} MB"]
        for method in others:
            if method in missing:
                line.append("not installed")
                continue
            one = by[method]
            line.append(
                f"{seconds(one['warm_cpu'])}, {one['ratio_warm']:.3g} x ({one['ratio_first']:.3g} x),"
                f" {one['growth_mb']:.0f} MB"
            )
        out.append("| " + " | ".join(line) + " |")
    return "\n".join(out)


def main() -> None:
    if sys.argv[1:2] == ["--worker"]:
        work(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5], sys.argv[6])
        return
    parser = argparse.ArgumentParser(description="Times of crossbar solvers.")
    parser.add_argument("--sizes", type=int, nargs="+", default=sorted(ROUNDS), choices=sorted(ROUNDS))
    parser.add_argument("--no-file", action="store_true", help="print only")
    arguments = parser.parse_args()
    missing = [method for method, module in METHODS.items() if importlib.util.find_spec(module) is None]
    methods = [method for method in METHODS if method not in missing]
    with tempfile.TemporaryDirectory() as name:  # fills numba's cache on disk, if need be
        for inputs in (1, 8):
            filler = Worker("lines", (64, inputs, "mild"), Path(name))
            filler.solve()
            filler.end()
    rows = []
    for size in arguments.sizes:
        for inputs in (1, 64):
            for regime in CELLS:
                rows += measure((size, inputs, regime), methods)
                print(f"{size} x {size}, {inputs} inputs, {regime}: done", file=sys.stderr, flush=True)
    versions = {DISTRIBUTIONS[method]: version(DISTRIBUTIONS[method]) for method in methods if method != "lines"}
    print(table(rows, missing))
    imports = {
        method: statistics.median(row["import_cpu"] for row in rows if row["method"] == method) for method in methods
    }
    print("\nImports (CPU): " + ", ".join(f"{method} {value:.2f} s" for method, value in imports.items()))
    print(", ".join(f"{name} {number}" for name, number in versions.items()))
    if not arguments.no_file:
        write_results("crossbar_solvers", rows, not_installed=missing, versions=versions)


if __name__ == "__main__":
    main()
