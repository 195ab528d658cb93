"""Records: there whole or not at all, of this run and no other."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from ferrogen.core.errors import ArgumentError, DataFileError, OutputError
from ferrogen.generation.endurance.records import hold, open_records

SPEC = {"seed": 1, "cycles": 10, "steps": [[1, 300.0]]}


def test_a_record_is_read_as_it_was_written(tmp_path: Path) -> None:
    records = open_records(tmp_path, SPEC)
    assert records.read("checkpoint", "none", 3) is None
    written = records.write("checkpoint", "none", 3, {"value": 0.1 + 0.2, "none": None})
    assert written["value"] == 0.1 + 0.2
    assert open_records(tmp_path, SPEC).read("checkpoint", "none", 3) == written
    assert records.read("maintenance", "none", 3) is None
    assert records.read("checkpoint", "full", 3) is None


def test_numbers_that_are_none_are_not_written(tmp_path: Path) -> None:
    records = open_records(tmp_path, SPEC)
    with pytest.raises(ValueError, match="JSON"):
        records.write("checkpoint", "none", 1, {"value": float("nan")})
    assert records.read("checkpoint", "none", 1) is None


def test_another_run_is_refused_and_told_apart(tmp_path: Path) -> None:
    open_records(tmp_path, SPEC)
    with pytest.raises(ArgumentError, match=r"`seed` is 1, not 2.*--out"):
        open_records(tmp_path, SPEC | {"seed": 2})
    with pytest.raises(ArgumentError, match="`new` is None, not 1"):
        open_records(tmp_path, SPEC | {"new": 1})


def test_damage_is_told_with_the_remedy(tmp_path: Path) -> None:
    records = open_records(tmp_path, SPEC)
    records.write("checkpoint", "none", 1, {})
    path = next(tmp_path.glob("records/none/*.json"))
    for text in ("", "{", "[]", "null"):
        path.write_text(text)
        with pytest.raises(DataFileError, match="anew"):
            records.read("checkpoint", "none", 1)
    records.write("checkpoint", "none", 1, {"error": 0.25})
    path.write_text(path.read_text().replace("0.25", "0.24"))
    with pytest.raises(DataFileError, match="damaged"):
        records.read("checkpoint", "none", 1)
    path.write_text(json.dumps({"run": "another", "arm": "none", "cycle": 1}))
    with pytest.raises(DataFileError, match="another run"):
        records.read("checkpoint", "none", 1)
    (tmp_path / "run.json").write_text("{}")
    with pytest.raises(DataFileError, match="--out"):
        open_records(tmp_path, SPEC)


def test_one_process_a_folder_and_what_a_killed_one_left_is_swept_up(tmp_path: Path) -> None:
    fcntl = pytest.importorskip("fcntl", reason="this system has no such locks")
    records = open_records(tmp_path, SPEC)
    records.write("checkpoint", "none", 1, {})
    leftover = tmp_path / "records" / "none" / ".checkpoint-0000000002.json.abc.json"
    leftover.write_text('{"half"')
    handle = os.open(tmp_path / ".lock", os.O_CREAT | os.O_RDWR)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with pytest.raises(OutputError, match="Another process"), hold(tmp_path):
        pass
    assert leftover.exists()
    os.close(handle)
    with hold(tmp_path):
        assert not leftover.exists()
    with hold(tmp_path):  # let go of
        assert records.read("checkpoint", "none", 1) is not None
