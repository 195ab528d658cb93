"""The records of a run: one JSON file each, renamed into place when it is whole. What is there is done.

``run.json`` says which run the folder belongs to; a folder is never shared by two. Records hold nothing that differs
from one machine's run to another's (no times, no paths), so that a run that was killed leaves the bytes of one that
was not.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from ferrogen.core.errors import ArgumentError, DataFileError, OutputError
from ferrogen.core.files import atomic_path, read_bytes
from ferrogen.generation.endurance.spec import identity_of

_RUN: Final = "run.json"
_FOLDER: Final = "records"
_LOCK: Final = ".lock"
_LIMIT: Final = 50_000_000
_NAME: Final = re.compile(r"(checkpoint|maintenance)-(\d{10})\.json")
_REMEDY: Final = "Choose another folder with --out."

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Records:
    """The folder of one run.

    Attributes:
        folder: that of the run's results.
        identity: content hash of its spec.
    """

    folder: Path
    identity: str

    def read(self, kind: str, arm: str, cycle: int) -> Record | None:
        """Return a record, or None if it is not there.

        Raises:
            DataFileError: it is damaged, or of another run.
        """
        path = self._path(kind, arm, cycle)
        if not path.exists():
            return None
        record = _parse(path)
        if record.get("run") != self.identity or record.get("cycle") != cycle or record.get("arm") != arm:
            raise DataFileError(
                f"Record '{path}' belongs to another run. Delete it, and the same command makes it anew."
            )
        if record.pop("sha256", None) != _digest(record):
            raise DataFileError(f"Record '{path}' is damaged. Delete it, and the same command makes it anew.")
        return record

    def write(self, kind: str, arm: str, cycle: int, record: Record) -> Record:
        """Write a record, atomically and for good; return it as it would be read."""
        whole = {**record, "run": self.identity, "arm": arm, "cycle": cycle}
        plain: Record = json.loads(json.dumps(whole, allow_nan=False))
        text = json.dumps({**plain, "sha256": _digest(plain)}, indent=1, allow_nan=False, sort_keys=True)
        _write(self._path(kind, arm, cycle), text)
        return plain

    def done(self, arm: str) -> list[tuple[str, int]]:
        """Return (kind, cycle) of every record of an arm."""
        folder = self.folder / _FOLDER / arm
        found = (_NAME.fullmatch(path.name) for path in sorted(folder.glob("*.json")))
        return [(match.group(1), int(match.group(2))) for match in found if match]

    def _path(self, kind: str, arm: str, cycle: int) -> Path:
        return self.folder / _FOLDER / arm / (f"{kind}-{cycle:010d}.json" if kind != "start" else "start.json")


def open_records(folder: Path, description: Record) -> Records:
    """Open the folder of a run, or begin it.

    Raises:
        ArgumentError: the folder holds another run; says what differs.
        DataFileError: its ``run.json`` is damaged.
        OutputError: it cannot be written.
    """
    path = folder / _RUN
    identity = identity_of(description)
    plain = json.loads(json.dumps(description))
    if path.exists():
        stored = _parse(path).get("spec")
        if not isinstance(stored, dict):
            raise DataFileError(f"'{path}' was not written by `ferrogen endure`. {_REMEDY}")
        if stored != plain:
            name = next(key for key in sorted(plain | stored) if plain.get(key) != stored.get(key))
            raise ArgumentError(
                f"Folder '{folder}' holds another run: its `{name}` is {stored.get(name)!r}, not {plain.get(name)!r}."
                f" {_REMEDY}"
            )
    else:
        _write(path, json.dumps({"run": identity, "spec": plain}, indent=1, sort_keys=True))
    return Records(folder, identity)


@contextlib.contextmanager
def hold(folder: Path) -> Iterator[None]:
    """Keep other processes out of a folder, and sweep up what a killed one left half-written.

    The system drops the lock when a process ends, however it does.

    Raises:
        OutputError: another process is at work in the folder.
    """
    try:
        import fcntl
    except ImportError:  # no such locks on this system: two processes would do the same work twice, no harm
        yield
        return
    handle = os.open(folder / _LOCK, os.O_CREAT | os.O_RDWR, 0o666)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise OutputError(
                f"Another process is at work in '{folder}'. Wait for it, or choose another folder with --out."
            ) from None
        for leftover in (folder / _FOLDER).glob("*/.*.json*"):
            leftover.unlink(missing_ok=True)
        yield
    finally:
        os.close(handle)


def _write(path: Path, text: str) -> None:
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())  # before the rename: a machine that loses power must not keep the name alone


def _digest(record: Record) -> str:
    """Return the content hash of a record: a changed digit must not pass for a measurement."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


def _parse(path: Path) -> Record:
    raw = read_bytes(path, what="Record", limit=_LIMIT)
    try:
        record = json.loads(raw)
    except (ValueError, RecursionError):
        record = None
    if not isinstance(record, dict):
        raise DataFileError(f"Record '{path}' is damaged. Delete it, and the same command makes it anew.")
    return record
