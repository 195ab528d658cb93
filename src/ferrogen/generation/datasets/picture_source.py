"""Where image files lie: a folder or a zip archive, both untrusted. Nothing is ever unpacked to disk."""

from __future__ import annotations

import os
import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Protocol

from ferrogen.core.errors import DataFileError
from ferrogen.generation.datasets.picture_file import ENDINGS, MAX_FILE_BYTES, UnreadableImageError

_MAX_FILES: Final = 2_000_000


class PictureSource(Protocol):
    """Image files by name.

    Attributes:
        names: paths below the folder or in the archive, with ``/`` between parts, sorted.
    """

    @property
    def names(self) -> tuple[str, ...]:
        """Of every image file."""

    def read(self, name: str) -> bytes:
        """Return a file's content.

        Raises:
            UnreadableImageError: it cannot or must not be read.
        """


@contextmanager
def open_source(path: Path) -> Iterator[PictureSource]:
    """Open a folder or a zip archive of images.

    Raises:
        DataFileError: it is missing, neither of them, damaged, or holds no image.
    """
    if path.is_dir():
        yield _checked(FolderSource(path, _list_folder(path)), path)
        return
    if not path.exists():
        raise DataFileError(f"Data '{path}' do not exist. Check the path.")
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, zlib.error) as error:
        raise DataFileError(
            f"Data '{path}' are neither a folder nor a readable zip archive ({error})."
            " Give a folder of IDX files, a folder or zip of images, or a description (.toml)."
        ) from None
    with archive:
        yield _checked(ArchiveSource(archive, _list_archive(archive, path)), path)


@dataclass(frozen=True, slots=True)
class FolderSource:
    """The images in a folder and its subfolders. Links that lead out of the folder are not followed."""

    folder: Path
    names: tuple[str, ...]

    def read(self, name: str) -> bytes:
        """Return a file's content; raises :class:`UnreadableImageError`."""
        path = self.folder / name
        try:
            if path.is_symlink() and not path.resolve(strict=True).is_relative_to(self.folder.resolve()):
                raise UnreadableImageError("a link that leads out of the folder")
            status = path.stat()
            if not stat.S_ISREG(status.st_mode):  # a pipe would wait for ever
                raise UnreadableImageError("no regular file")
            if status.st_size > MAX_FILE_BYTES:
                raise UnreadableImageError(f"{status.st_size} bytes, more than the {MAX_FILE_BYTES} that are allowed")
            return path.read_bytes()
        except (OSError, RuntimeError) as error:
            raise UnreadableImageError(getattr(error, "strerror", None) or "a link in a circle") from None


@dataclass(frozen=True, slots=True)
class ArchiveSource:
    """The images in a zip archive, read one at a time."""

    archive: zipfile.ZipFile
    members: dict[str, zipfile.ZipInfo]

    @property
    def names(self) -> tuple[str, ...]:
        """Of every image file."""
        return tuple(self.members)

    def read(self, name: str) -> bytes:
        """Return a member's content; raises :class:`UnreadableImageError`."""
        member = self.members[name]
        if member.file_size > MAX_FILE_BYTES:
            raise UnreadableImageError(f"{member.file_size} bytes, more than the {MAX_FILE_BYTES} that are allowed")
        try:
            with self.archive.open(member) as file:
                return file.read(MAX_FILE_BYTES)
        except (zipfile.BadZipFile, OSError, EOFError, RuntimeError, ValueError, zlib.error) as error:
            raise UnreadableImageError(" ".join(str(error).split())[:100]) from None


def _checked(source: FolderSource | ArchiveSource, path: Path) -> PictureSource:
    if not source.names:
        raise DataFileError(
            f"Data '{path}' hold no image (files ending in {', '.join(sorted(ENDINGS))}) and no IDX files."
            " Give the folder or zip archive that holds them."
        )
    if len(source.names) > _MAX_FILES:
        raise DataFileError(f"Data '{path}' hold {len(source.names)} images; at most {_MAX_FILES} are read.")
    return source


def _is_image(name: PurePosixPath) -> bool:
    # Hidden files and what macOS adds to archives are nobody's images.
    hidden = any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in name.parts)
    return name.suffix.lower() in ENDINGS and not hidden


def _list_folder(folder: Path) -> tuple[str, ...]:
    names: list[str] = []

    def refuse(error: OSError) -> None:
        raise DataFileError(f"Folder '{error.filename}' cannot be read: {error.strerror}.") from error

    for place, subfolders, files in os.walk(folder, onerror=refuse):
        here = Path(place)
        for subfolder in subfolders:
            if (here / subfolder).is_symlink():
                raise DataFileError(
                    f"Folder '{here / subfolder}' is a link, which is not followed. Put the images themselves there."
                )
        names.extend((here / file).relative_to(folder).as_posix() for file in files)
    return tuple(sorted(name for name in names if _is_image(PurePosixPath(name))))


def _list_archive(archive: zipfile.ZipFile, path: Path) -> dict[str, zipfile.ZipInfo]:
    members: dict[str, zipfile.ZipInfo] = {}
    for member in archive.infolist():
        name = PurePosixPath(member.filename.replace("\\", "/"))
        if member.is_dir() or not _is_image(name):
            continue
        if name.is_absolute() or ".." in name.parts or ":" in name.parts[0]:
            raise DataFileError(
                f"Archive '{path}' holds {member.filename!r}, a name that leads out of it. Distrust it."
            )
        if str(name) in members:
            raise DataFileError(f"Archive '{path}' holds {str(name)!r} twice. Pack it anew.")
        members[str(name)] = member
    return dict(sorted(members.items()))
