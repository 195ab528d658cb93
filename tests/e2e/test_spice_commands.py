"""``ferrogen verify`` and ``ferrogen export`` as a circuit designer meets them."""

from __future__ import annotations

import csv
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ferrogen.cli import main as cli

needs_ngspice = pytest.mark.skipif(
    shutil.which("ngspice") is None, reason="ngspice is not installed (apt install ngspice)"
)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str | Path) -> int:
    monkeypatch.setattr(sys, "argv", ["ferrogen", *map(str, arguments)])
    try:
        cli.main()
    except SystemExit as stopped:
        return stopped.code if isinstance(stopped.code, int) else int(stopped.code is not None)
    return 0


def program(folder: Path, body: str) -> Path:
    path = folder / "fake-ngspice"
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


@needs_ngspice
@pytest.mark.parametrize("topology", ["crosspoint", "nor"])
def test_verify_writes_a_report_that_can_be_checked(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], topology: str
) -> None:
    out = tmp_path / "verification"
    size = ["--rows", "6", "--columns", "5", "--vectors", "2", "--seed", "3"]
    assert run(monkeypatch, "verify", *size, "--topology", topology, "--quiet", "--out", out) == 0
    assert "solvers agree" in capsys.readouterr().out
    record = json.loads((out / "report.json").read_text())
    assert record["agree"]
    assert record["seed"] == 3
    assert record["versions"]["ngspice"]
    assert record["assumed_parameters"]
    assert {tuple(item["between"]) for item in record["comparisons"]} == {("direct", "ngspice"), ("lines", "direct")}
    with (out / "nodes.csv").open(newline="") as file:
        nodes = list(csv.DictReader(file))
    assert len(nodes) == 2 * 6 * 5 * 2
    ours, theirs = (np.array([float(row[f"{name} [V]"]) for row in nodes]) for name in ("direct", "ngspice"))
    assert ours == pytest.approx(theirs, rel=1e-6)
    with (out / "ends.csv").open(newline="") as file:
        ends = list(csv.DictReader(file))
    assert len(ends) == 2 * (6 + 5) * 2
    for vector in ("0", "1"):  # what goes in comes out
        into = sum(float(row["ngspice [A]"]) for row in ends if row["input [1]"] == vector)
        assert abs(into) < 1e-6 * max(float(row["ngspice [A]"]) for row in ends)
    with Image.open(out / "verification.png") as figure:
        assert figure.size[0] > 1000
    assert (out / "array.cir").read_text().startswith("* ")
    assert "ngspice" in (out / "ngspice.log").read_text()


@needs_ngspice
def test_verify_takes_ones_own_array_and_tells_of_disagreement(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.csv").write_text("1e-6, 2e-6\n3e-6, 4e-6\n5e-6, 6e-6\n")
    own = ["--conductances", tmp_path / "mine.csv", "--law", "ohmic", "--segment", "2 Ohm", "--out", tmp_path / "out"]
    assert run(monkeypatch, "verify", *own, "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["array"]["rows"], record["array"]["columns"]) == (3, 2)
    assert record["array"]["row_segment_Ohm"] == 2.0
    assert run(monkeypatch, "verify", *own, "--quiet", "--tolerance", "1e-300") == 1
    assert "solvers DISAGREE" in capsys.readouterr().out


@needs_ngspice
def test_verify_takes_the_sampling_chain_code_for_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "chain"
    assert run(monkeypatch, "verify", "--transient", "--rows", "8", "--cycles", "3", "--quiet", "--out", out) == 0
    assert "of 3 codes differ" in capsys.readouterr().out
    assert json.loads((out / "transient.json").read_text())["agrees"]
    assert (out / "sampling_chain.cir").is_file()
    assert run(monkeypatch, "verify", "--transient", "--rows", "0", "--quiet", "--out", out) == 2


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("echo working; sleep 60", "did not finish within 0.3 s"),
        ("echo working; kill -SEGV $$", "crashed (SIGSEGV)"),
        ("echo working; echo 'Warning: singular matrix:  check node r_0_0'", "found no solution"),
        ("echo working", "without results"),
    ],
)
def test_verify_with_a_bad_simulator_keeps_netlist_and_log(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], body: str, says: str
) -> None:
    out = tmp_path / "out"
    small = ["--rows", "2", "--columns", "2", "--quiet", "--out", out, "--ngspice", program(tmp_path, body)]
    assert run(monkeypatch, "verify", *small, "--time-limit", "300 ms") == 2
    message = capsys.readouterr().err
    assert says in message
    assert message.count("\n") == 1
    assert str(out / "ngspice.log") in message
    assert sorted(item.name for item in out.iterdir()) == ["array.cir", "ngspice.log"]
    assert "working" in (out / "ngspice.log").read_text()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--ngspice", "/no/such/program"], "apt install ngspice"),
        (["--rows", "0"], "`rows`"),
        (["--law", "rectifying"], "`rectification`"),
        (["--access", "1 kOhm"], "`access`"),
        (["--segment", "-1 Ohm"], "`segment`"),
        (["--segment", "1 V"], "segment"),
        (["--voltage", "9 V"], "`voltage`"),
        (["--node", "1nm"], "technology node"),
        (["--topology", "ring"], "topology"),
        (["--conductances", "/no/such/file"], "does not exist"),
        (["--tolerance", "-1"], "`tolerance`"),
        (["--time-limit", "0"], "`time_limit`"),
    ],
)
def test_verify_refuses_in_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], says: str
) -> None:
    quiet = program(tmp_path, "exit 0")
    known = [] if "--ngspice" in arguments else ["--ngspice", quiet]
    assert run(monkeypatch, "verify", *arguments, *known, "--quiet", "--out", tmp_path / "out") == 2
    message = capsys.readouterr().err
    assert says in message
    assert message.count("\n") == 1


def test_export_writes_what_it_is_asked_for(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "all"
    assert run(monkeypatch, "export", "--rows", "3", "--columns", "2", "--out", out) == 0
    names = ["array.cir", "array.lib", "ftj_hzo_mfis_nor.lib", "ftj_hzo_mfis_nor.va", "sampling_chain.cir"]
    assert sorted(item.name for item in out.iterdir()) == names
    for name in names:
        text = (out / name).read_text()
        assert "Made by ferrogen" in text
        assert "assumed" in text
        assert "hzo-mfis-nor" in text
        assert text.isascii()
    assert ".subckt ferrogen_array left_0 left_1 left_2 bottom_0 bottom_1" in (out / "array.lib").read_text()
    assert "ngspice -b array.cir" in capsys.readouterr().out
    one = tmp_path / "one"
    assert run(monkeypatch, "export", "hzo-3nm-direct", "--what", "verilog-a", "--out", one) == 0
    assert [item.name for item in one.iterdir()] == ["ftj_hzo_3nm_direct.va"]
    assert run(monkeypatch, "export", "--what", "gds", "--out", one) == 2
    assert "netlist, subcircuit, model, verilog-a or transient" in capsys.readouterr().err


@needs_ngspice
def test_an_exported_sampling_chain_runs_by_hand(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(monkeypatch, "export", "--what", "transient", "--rows", "4", "--cycles", "2", "--out", out) == 0
    program = str(shutil.which("ngspice"))
    ended = subprocess.run([program, "-b", "sampling_chain.cir"], cwd=out, capture_output=True, timeout=60, check=True)
    assert b"rror" not in ended.stdout + ended.stderr
    assert (out / "results.raw").stat().st_size > 0


def test_export_of_ones_own_array(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    np.save(tmp_path / "mine.npy", np.array([[1e-9, 0.0], [2e-9, 3e-9]]))
    out = tmp_path / "out"
    own = ["--conductances", tmp_path / "mine.npy", "--law", "ohmic", "--what", "netlist", "--out", out]
    assert run(monkeypatch, "export", *own) == 0
    text = (out / "array.cir").read_text()
    assert "read from 'mine.npy'" in text
    assert text.count("\nR_cell_") == 3


def test_the_sampling_chain_has_no_options_of_arrays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "verify", "--transient", "--law", "ohmic", "--topology", "nor", "--out", tmp_path) == 2
    said = capsys.readouterr().err
    assert "sampling chain, which has no --topology, --law. Leave them out." in said.replace("\n", " ")
    assert len(said.strip().splitlines()) == 1
    assert not list(tmp_path.iterdir())
