"""ngspice as a subprocess: in a folder of its own, for a limited time, its log kept, nothing left running.

The netlist brings a ``.control`` section (:func:`ferrogen.circuit.spice.netlist.control_section` writes it) that
appends every plot to :data:`RESULTS` in binary and ends with ``quit 0``: ngspice returns 1 from batch mode otherwise,
and goes on after an analysis that failed, which only its log tells.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ferrogen.circuit.spice.rawfile import LARGEST_RAW_FILE, Plot, parse_rawfile
from ferrogen.core.errors import DataFileError, FerrogenError, argument_error, check_number, is_whole
from ferrogen.core.files import atomic_path

RESULTS: Final = "results.raw"
"""File, in the simulator's folder, to which a netlist writes its results."""

DEFAULT_TIME_LIMIT: Final = 120.0
"""Seconds that a simulation may take unless told otherwise."""

_NETLIST, _LOG = "netlist.cir", "ngspice.log"
_LARGEST_LOG = 64 << 20
_READ_LOG = 4 << 20
_LOOK_EVERY = 0.25  # s, at what the simulator has written
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SPICE_LIB_DIR", "SPICE_EXEC_DIR", "SystemRoot")
_VERSION = re.compile(r"\bngspice-(\d[\w.+-]{0,30})")
_NO_SOLUTION = re.compile(
    r"singular matrix|no convergence|timestep too small|iteration limit|dc solution failed|source stepping failed"
    r"|transient op started|simulation\(s\) aborted",
    re.IGNORECASE,
)
_TROUBLE = re.compile(r"^\s*(fatal )?error\b|^\s*warning from checkvalid|no simulations run", re.IGNORECASE)
_HINT = re.compile(r"error|fatal|unknown|unable|can't|cannot|no such|out of", re.IGNORECASE)
_INSTALL = (
    "Install it (Debian, Ubuntu: `sudo apt install ngspice`; macOS: `brew install ngspice`) or give its path with"
    " --ngspice."
)


class SimulatorError(FerrogenError):
    """The circuit simulator gave no result.

    Attributes:
        log: file with what it printed; None if it never ran.
        line: the line of the log that says why; empty if there is none.
    """

    def __init__(self, message: str, *, log: Path | None = None, line: str = "") -> None:
        super().__init__(message)
        self.log = log
        self.line = line


class SimulatorMissingError(SimulatorError):
    """There is no such simulator on this machine, or it cannot be started."""


class SimulatorTimeoutError(SimulatorError):
    """It did not finish in time and was stopped."""


class SimulatorFailedError(SimulatorError):
    """It crashed, returned an error, or did not understand the netlist."""


class SimulatorConvergenceError(SimulatorError):
    """It found no solution: a singular matrix, or no convergence."""


class SimulatorOutputError(SimulatorError):
    """It finished, but its results are missing, too large or unreadable."""


@dataclass(frozen=True, slots=True, eq=False)
class SimulatorRun:
    """What a simulation returned.

    Attributes:
        plots: one an analysis, in order.
        log: what the simulator printed (its last 4 MiB).
        log_path: file with all of it; None if nobody asked to keep it.
        version: of ngspice, such as ``39``; empty if it did not say.
        seconds: wall-clock time, start of the process included.
        warnings: lines of the log that warn.
    """

    plots: tuple[Plot, ...]
    log: str
    log_path: Path | None
    version: str
    seconds: float
    warnings: tuple[str, ...]


def find_ngspice(path: str | Path | None = None) -> Path:
    """Return the path of the ngspice program.

    Args:
        path: of a program, or a name to look for; ``ngspice`` in the PATH if not given.

    Raises:
        SimulatorMissingError: it is not there or not executable; says how to install it.
    """
    found = shutil.which(str(path) if path is not None else "ngspice")
    if found is None:
        where = "not in the PATH" if path is None else f"not an executable program at '{path}'"
        raise SimulatorMissingError(f"The circuit simulator ngspice is {where}. {_INSTALL}")
    return Path(found).absolute()


def run_ngspice(
    netlist: str,
    *,
    time_limit: float = DEFAULT_TIME_LIMIT,
    ngspice: str | Path | None = None,
    keep_log: Path | None = None,
    plots: int | None = None,
) -> SimulatorRun:
    """Simulate a netlist and return its results.

    If the simulation fails, the log is kept in any case: at ``keep_log``, or with the netlist in a new temporary folder
    that the error names.

    Args:
        netlist: the whole text, with its ``.control`` section.
        time_limit: wall-clock time [s] after which the simulator and all it started are killed.
        ngspice: path of the program; searched in the PATH, if not given.
        keep_log: file for the log.
        plots: number of plots that must come back; any number but none, if not given.

    Raises:
        ArgumentError: a time limit that is not positive.
        SimulatorMissingError: no such program.
        SimulatorTimeoutError: it was stopped at the time limit.
        SimulatorFailedError: it crashed, returned an error or complained about the netlist.
        SimulatorConvergenceError: singular matrix, no convergence.
        SimulatorOutputError: no results, or unreadable ones.
    """
    check_number("time_limit", time_limit, "s")
    if plots is not None and not is_whole(plots, 1):
        raise argument_error("plots", "be a whole number of at least 1", plots)
    program = find_ngspice(ngspice)
    with tempfile.TemporaryDirectory(prefix="ferrogen-ngspice-") as name:
        folder = Path(name)
        (folder / _NETLIST).write_text(netlist, encoding="utf-8")
        begun = time.monotonic()
        ending = _execute(program, folder, time_limit)
        seconds = time.monotonic() - begun
        try:
            return _read(folder, ending, seconds, keep_log, plots)
        except SimulatorError as error:
            kept = _keep_failure(folder, keep_log)
            message = f"{error} Its log: '{kept}'."
            raise type(error)(message, log=kept, line=error.line) from None


@dataclass(frozen=True, slots=True)
class _Ending:
    code: int
    stopped: str = ""  # why we stopped it: "time" or "size"
    limit: float = 0.0


def _execute(program: Path, folder: Path, time_limit: float) -> _Ending:
    """Run the program to its end, or to the limits; afterwards nothing that it started is alive."""
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    # Neither the user's start-up files nor a locale with decimal commas; and threads that spin help nobody.
    environment |= {"HOME": str(folder), "TMPDIR": str(folder), "LC_ALL": "C", "OMP_NUM_THREADS": "1"}
    with (folder / _LOG).open("wb") as log:
        try:
            process = subprocess.Popen(  # noqa: S603 - no shell; the program is the caller's choice
                [str(program), "-n", "-b", _NETLIST],
                cwd=folder, env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise SimulatorMissingError(
                f"'{program}' cannot be started as ngspice: {error.strerror or error}. {_INSTALL}"
            ) from None
    deadline = time.monotonic() + time_limit
    try:
        while True:
            left = deadline - time.monotonic()
            if left <= 0.0:
                return _Ending(0, "time", time_limit)
            with contextlib.suppress(subprocess.TimeoutExpired):
                return _Ending(process.wait(min(_LOOK_EVERY, left)))
            if _size(folder / _LOG) > _LARGEST_LOG or _size(folder / RESULTS) > LARGEST_RAW_FILE:
                return _Ending(0, "size")
    finally:
        _kill(process)


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the process and the group that it leads, and collect it, so that no zombie stays."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if hasattr(os, "killpg"):
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    process.wait()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _log_text(folder: Path) -> str:
    path = folder / _LOG
    with path.open("rb") as file:
        file.seek(max(0, _size(path) - _READ_LOG))
        return file.read().decode("utf-8", errors="replace")


def _lines(log: str) -> list[str]:
    """Return the lines of a log, printable and short, without the netlist's title, which may say anything."""
    lines = []
    for line in log.splitlines():
        clean = " ".join("".join(c if c.isprintable() else " " for c in line[:2000]).split())
        if clean and not clean.startswith("Circuit:"):
            lines.append(clean[:200])
    return lines


def _read(folder: Path, ending: _Ending, seconds: float, keep_log: Path | None, plots: int | None) -> SimulatorRun:
    log = _log_text(folder)
    lines = _lines(log)
    if ending.stopped == "time":
        raise SimulatorTimeoutError(
            f"ngspice did not finish within {ending.limit:g} s and was stopped."
            " Raise the time limit (--time-limit), or simulate a smaller array."
        )
    if ending.stopped == "size":
        raise SimulatorOutputError("ngspice wrote more than a simulation should and was stopped.")
    unsolved = next((line for line in lines if _NO_SOLUTION.search(line)), "")
    if ending.code != 0:
        line = unsolved or next((line for line in lines if _HINT.search(line)), lines[-1] if lines else "")
        raise SimulatorFailedError(f"ngspice {_how(ending.code)}{_quoted(line)}.", line=line)
    if unsolved:
        raise SimulatorConvergenceError(
            f"ngspice found no solution{_quoted(unsolved)}. Look for nodes without a path to a source, and for"
            " extreme resistances.",
            line=unsolved,
        )
    trouble = next((line for line in lines if _TROUBLE.search(line)), "")
    if trouble:
        raise SimulatorFailedError(f"ngspice complained about the netlist{_quoted(trouble)}.", line=trouble)
    found = _results(folder)
    if plots is not None and len(found) != plots:
        raise SimulatorOutputError(f"ngspice returned {len(found)} results, not the {plots} that were asked for.")
    version = _VERSION.search(log)
    kept = None if keep_log is None else _copy(folder / _LOG, keep_log)
    return SimulatorRun(
        plots=found,
        log=log,
        log_path=kept,
        version=version.group(1) if version else "",
        seconds=seconds,
        warnings=tuple(line for line in lines if line.lower().startswith("warning"))[:20],
    )


def _how(code: int) -> str:
    if code > 0:
        return f"ended with exit code {code}"
    with contextlib.suppress(ValueError):
        return f"crashed ({signal.Signals(-code).name})"
    return f"crashed (signal {-code})"


def _quoted(line: str) -> str:
    return f": '{line}'" if line else ""


def _results(folder: Path) -> tuple[Plot, ...]:
    path = folder / RESULTS
    if not path.is_file() or path.is_symlink() or _size(path) == 0:
        raise SimulatorOutputError("ngspice ended without results.")
    if _size(path) > LARGEST_RAW_FILE:
        raise SimulatorOutputError(f"ngspice wrote more than {LARGEST_RAW_FILE} bytes of results.")
    try:
        return parse_rawfile(path.read_bytes())
    except DataFileError as error:
        raise SimulatorOutputError(str(error)) from None


def _copy(source: Path, target: Path) -> Path:
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
    return target


def _keep_failure(folder: Path, keep_log: Path | None) -> Path:
    if keep_log is not None:
        return _copy(folder / _LOG, keep_log)
    kept = Path(tempfile.mkdtemp(prefix="ferrogen-ngspice-failed-"))
    _copy(folder / _NETLIST, kept / _NETLIST)
    return _copy(folder / _LOG, kept / _LOG)
