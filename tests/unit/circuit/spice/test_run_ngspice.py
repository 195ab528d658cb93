"""Simulators that hang, crash, flood or lie: a typed error each time, the log kept, no process left behind."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import numpy as np
import pytest

from ferrogen.circuit.spice import run as module
from ferrogen.circuit.spice.run import (
    RESULTS,
    SimulatorConvergenceError,
    SimulatorError,
    SimulatorFailedError,
    SimulatorMissingError,
    SimulatorOutputError,
    SimulatorTimeoutError,
    find_ngspice,
    run_ngspice,
)
from ferrogen.core.errors import ArgumentError, FerrogenError

RAW = (
    b"Title: t\nPlotname: Operating Point\nFlags: real\nNo. Variables: 1\nNo. Points: 1\nVariables:\n"
    b"\t0\tv(a)\tvoltage\nBinary:\n" + np.array([0.25]).tobytes()
)

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the simulators of these tests are shell scripts")


def simulator(folder: Path, body: str) -> Path:
    """A shell script in the place of ngspice; ``results`` lies beside it."""
    path = folder / "fake-ngspice"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    (folder / "results").write_bytes(RAW)
    return path


def ended(pid: int, *, collected: bool) -> bool:
    """Wait for the end of a process; if ``collected``, a zombie has not ended."""
    for _ in range(300):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        state = Path(f"/proc/{pid}/stat")
        if not collected and state.exists() and state.read_text().rpartition(")")[2].split()[0] == "Z":
            return True  # of a child that init, not we, must collect
        time.sleep(0.01)
    return False


def test_a_good_simulator(tmp_path: Path) -> None:
    program = simulator(
        tmp_path, f'cat "$3"; echo "Warning: mind this"; echo "ngspice-41 done"; cp {tmp_path}/results {RESULTS}'
    )
    log = tmp_path / "deep" / "ngspice.log"
    run = run_ngspice("* hello\n.end\n", ngspice=program, keep_log=log, plots=1)
    assert run.plots[0].vector("v(a)")[0] == 0.25
    assert run.version == "41"
    assert "* hello" in run.log
    assert run.warnings == ("Warning: mind this",)
    assert log.read_text() == run.log
    assert run.log_path == log
    assert 0.0 < run.seconds < 60.0


def test_without_a_wish_no_log_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    run = run_ngspice("x", ngspice=simulator(tmp_path, f"cp {tmp_path}/results {RESULTS}"))
    assert run.log_path is None
    assert list(scratch.iterdir()) == []


def test_a_hanging_simulator_is_killed_with_its_children(tmp_path: Path) -> None:
    body = (
        f"sleep 300 & echo $! > {tmp_path}/child; echo $$ > {tmp_path}/self; echo Doing analysis; trap '' TERM;"
        " wait; sleep 300"
    )
    log = tmp_path / "log"
    begun = time.monotonic()
    with pytest.raises(SimulatorTimeoutError, match=r"within 0.5 s .*--time-limit.*Its log: ") as caught:
        run_ngspice("x", ngspice=simulator(tmp_path, body), time_limit=0.5, keep_log=log)
    assert time.monotonic() - begun < 30.0
    assert caught.value.log == log
    assert "Doing analysis" in log.read_text()
    assert ended(int((tmp_path / "child").read_text()), collected=False)
    assert ended(int((tmp_path / "self").read_text()), collected=True)


def test_what_a_finished_simulator_leaves_running_is_killed(tmp_path: Path) -> None:
    body = f"sleep 300 & echo $! > {tmp_path}/child; cp {tmp_path}/results {RESULTS}"
    run_ngspice("x", ngspice=simulator(tmp_path, body))
    assert ended(int((tmp_path / "child").read_text()), collected=False)


@pytest.mark.parametrize(
    ("body", "kind", "says"),
    [
        ("kill -SEGV $$", SimulatorFailedError, r"crashed \(SIGSEGV\)"),
        ("echo 'Error: unknown thing'; exit 3", SimulatorFailedError, "exit code 3: 'Error: unknown thing'"),
        ("echo all is well; exit 1", SimulatorFailedError, "exit code 1: 'all is well'"),
        ("exit 0", SimulatorOutputError, "without results"),
        (f"echo rubbish > {RESULTS}", SimulatorOutputError, "cannot be read"),
        (f"ln -s /etc/hostname {RESULTS}", SimulatorOutputError, "without results"),
        (f"mkdir {RESULTS}", SimulatorOutputError, "without results"),
        ("echo 'Warning: singular matrix:  check node r_1_1'", SimulatorConvergenceError, "check node r_1_1"),
        ("echo 'doAnalyses: TRAN:  Timestep too small; time = 1e-9'; exit 0", SimulatorConvergenceError, "too small"),
        ("echo 'Note: Transient op started'", SimulatorConvergenceError, "Transient op"),
        ("echo 'Error: no such function foo'", SimulatorFailedError, "no such function"),
    ],
)
def test_failures_have_a_type_a_reason_and_a_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, kind: type[SimulatorError], says: str
) -> None:
    scratch = tmp_path / "tmp"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    with pytest.raises(kind, match=says) as caught:
        run_ngspice("* my netlist", ngspice=simulator(tmp_path, f"echo begun; {body}"))
    log = caught.value.log
    assert log is not None
    assert log.read_text().startswith("begun")
    assert (log.parent / "netlist.cir").read_text() == "* my netlist"
    assert str(log) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, FerrogenError)
    assert [item for item in scratch.iterdir() if item != log.parent] == []


def test_results_of_a_failed_analysis_are_not_taken(tmp_path: Path) -> None:
    body = f"cp {tmp_path}/results {RESULTS}; echo 'Warning: singular matrix:  check node f'"
    with pytest.raises(SimulatorConvergenceError):
        run_ngspice("x", ngspice=simulator(tmp_path, body))
    with pytest.raises(SimulatorOutputError, match="1 results, not the 2"):
        run_ngspice("x", ngspice=simulator(tmp_path, f"cp {tmp_path}/results {RESULTS}"), plots=2)


def test_the_title_may_say_anything(tmp_path: Path) -> None:
    body = f"echo 'Circuit: * no convergence, error, singular matrix'; cp {tmp_path}/results {RESULTS}"
    assert len(run_ngspice("x", ngspice=simulator(tmp_path, body)).plots) == 1


@pytest.mark.parametrize("target", ["ngspice.log", RESULTS])
def test_a_flood_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str) -> None:
    monkeypatch.setattr(module, "_LARGEST_LOG", 100_000)
    monkeypatch.setattr(module, "LARGEST_RAW_FILE", 100_000)
    monkeypatch.setattr(module, "_LOOK_EVERY", 0.02)
    with pytest.raises(SimulatorOutputError, match="more than a simulation should"):
        run_ngspice(
            "x", ngspice=simulator(tmp_path, f"exec yes >> {target}"), time_limit=60.0, keep_log=tmp_path / "log"
        )


def test_a_log_is_quoted_without_control_characters(tmp_path: Path) -> None:
    body = "printf 'Error: \\033[31mred\\007 \\377%0500d\\n' 7; exit 1"
    with pytest.raises(SimulatorFailedError) as caught:
        run_ngspice("x", ngspice=simulator(tmp_path, body))
    assert caught.value.line.isprintable()
    assert len(caught.value.line) <= 200


def test_it_runs_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FERROGEN_TEST_VALUE", "private")
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    body = (
        f"env > {tmp_path}/env; pwd > {tmp_path}/cwd; printf '%s ' \"$@\" > {tmp_path}/arguments;"
        f" cat > {tmp_path}/stdin; cp {tmp_path}/results {RESULTS}"
    )
    run_ngspice("x", ngspice=simulator(tmp_path, body))
    lines = (tmp_path / "env").read_text().splitlines()
    environment = dict(line.split("=", 1) for line in lines if "=" in line)
    assert "FERROGEN_TEST_VALUE" not in environment
    assert environment["HOME"] == (tmp_path / "cwd").read_text().strip()
    assert environment["HOME"] != str(tmp_path / "home")
    assert environment["LC_ALL"] == "C"
    assert (tmp_path / "arguments").read_text().split() == ["-n", "-b", "netlist.cir"]
    assert (tmp_path / "stdin").read_bytes() == b""
    assert not Path(environment["HOME"]).exists()


def test_a_missing_simulator_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(
        SimulatorMissingError, match=r"not in the PATH.*apt install ngspice.*brew install ngspice"
    ) as caught:
        run_ngspice("x")
    assert caught.value.log is None
    with pytest.raises(SimulatorMissingError, match="not an executable program at"):
        find_ngspice(tmp_path / "nowhere")
    plain = tmp_path / "ngspice"
    plain.write_text("not a program")
    with pytest.raises(SimulatorMissingError):
        find_ngspice(plain)
    plain.write_bytes(b"\x00\x01")
    plain.chmod(0o755)
    with pytest.raises(SimulatorMissingError, match="cannot be started"):
        run_ngspice("x", ngspice=plain)


def test_arguments_are_checked(tmp_path: Path) -> None:
    for limit in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ArgumentError, match="time_limit"):
            run_ngspice("x", time_limit=limit)
    with pytest.raises(ArgumentError, match="plots"):
        run_ngspice("x", plots=0)
