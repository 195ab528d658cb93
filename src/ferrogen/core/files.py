"""Reading files nobody vouches for, and writing results that are whole or not there."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ferrogen.core.errors import DataFileError, OutputError

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS)


def read_bytes(path: Path, *, what: str, limit: int) -> bytes:
    """Read a whole file, refusing what is missing, no file, or larger than ``limit`` bytes.

    Raises:
        DataFileError: with the path, what was expected, and the size.
    """
    try:
        size = path.stat().st_size
        if not path.is_file():
            raise DataFileError(f"{what} '{path}' is not a file. Give the path of a regular file.")
        if size > limit:
            raise DataFileError(
                f"{what} '{path}' has {size} bytes, more than the {limit} that such a file may have."
                " Is it the right file?"
            )
        return path.read_bytes()
    except FileNotFoundError:
        raise DataFileError(f"{what} '{path}' does not exist. Check the path.") from None
    except OSError as error:
        raise DataFileError(f"{what} '{path}' cannot be read: {error.strerror or error}.") from error


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` to write to; rename it into place only if the block succeeds.

    Raises:
        OutputError: the folder cannot be made or written, or ``path`` is a folder.
    """
    if path.is_dir():
        raise OutputError(f"'{path}' cannot be written: it is a folder. Move it away, or choose another path.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=path.suffix, dir=path.parent)
        os.close(handle)
    except OSError as error:
        raise OutputError(
            f"'{path}' cannot be written: {error.strerror or error}. Choose a writable folder."
        ) from error
    temporary = Path(name)
    try:
        yield temporary
        umask = os.umask(0)
        os.umask(umask)
        try:
            temporary.chmod(0o666 & ~umask)
            temporary.replace(path)
        except OSError as error:
            raise OutputError(
                f"'{path}' cannot be written: {error.strerror or error}. Choose a writable folder."
            ) from error
    finally:
        temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def output_folder(folder: Path) -> Iterator[Path]:
    """Give a staging folder; its files move into ``folder`` only if the block succeeds.

    Files already in ``folder`` under other names are left alone; those of the same name are replaced.

    Raises:
        OutputError: the folder cannot be made or written (found out before any work is done), a folder has the name of
            a result, or the disk is full; ``folder`` is then as it was.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".unfinished-", dir=folder))
    except OSError as error:
        raise OutputError(
            f"Output folder '{folder}' cannot be written: {error.strerror or error}. Choose another with --out."
        ) from error
    try:
        try:
            yield staging
        except OSError as error:
            if error.errno not in _FULL:
                raise
            raise OutputError(
                f"Output folder '{folder}' cannot be written: {error.strerror}. Choose another with --out."
            ) from error
        _move_all(staging, folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _move_all(staging: Path, folder: Path) -> None:
    """Move everything in ``staging`` into ``folder``, or nothing."""
    items = sorted(staging.iterdir())
    for target in (folder / item.name for item in items):
        if target.is_dir() and not target.is_symlink():
            raise OutputError(
                f"Result '{target}' cannot be written: a folder has that name. Move it away, or choose another folder"
                " with --out."
            )
    replaced = staging / ".replaced"
    begun: list[Path] = []
    try:
        replaced.mkdir()
        for item in items:
            begun.append(item)
            target = folder / item.name
            if os.path.lexists(target):
                target.replace(replaced / item.name)
            item.replace(target)
    except BaseException as error:
        for item in begun:
            target, old = folder / item.name, replaced / item.name
            if not os.path.lexists(item):
                target.replace(item)
            if os.path.lexists(old):
                old.replace(target)
        if isinstance(error, OSError):
            raise OutputError(
                f"Results cannot be moved into '{folder}': {error.strerror or error}. Choose another with --out."
            ) from error
        raise


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON, atomically; NaN and infinity are refused."""
    text = json.dumps(value, indent=2, allow_nan=False, ensure_ascii=False)
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
