"""The one way to data: a path, recognised and read; a description, if its own is not to be guessed."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ferrogen.core.errors import ArgumentError, DataFileError, argument_error
from ferrogen.core.spec import explain
from ferrogen.core.streams import Purpose, Streams
from ferrogen.generation.datasets.description import (
    SHIPPED_DESCRIPTIONS,
    DataDescription,
    read_description,
    shipped_description,
)
from ferrogen.generation.datasets.idx import TRAIN_IMAGES, load_idx_folder
from ferrogen.generation.datasets.image_set import ImageSet
from ferrogen.generation.datasets.picture_file import UnreadableImageError, decode_picture, picture_size, square
from ferrogen.generation.datasets.picture_source import PictureSource, open_source

DIGIT_SIDE: Final = 28
SIDES: Final = (16, 32, 64)
"""What a side is rounded to if none is asked for, images of 28 x 28 grey pixels excepted."""

_CELEBA_NAME: Final = re.compile(r"\d{6}\.(jpg|png)")
_CELEBA_SIZES: Final = {(178, 218), (89, 109)}
_LOOKED_AT: Final = 200
_NAMED: Final = 10
_MAX_BYTES: Final = 2**33


def load_data(
    path: Path,
    description: DataDescription | str | None = None,
    *,
    side: int | None = None,
    channels: Literal[1, 3] | None = None,
    held_out: float | None = None,
    skip_corrupt: bool = False,
    progress: bool = False,
) -> ImageSet:
    """Read a data set.

    Args:
        path: a folder of the four IDX files of MNIST's kind; a folder or zip archive of images, with a class per
            subfolder or none, with ``train`` and ``test`` at the top or not; or a description (``.toml``) that says
            where these are.
        description: how to treat them; a shipped name (``"celeba"``), or that of a model
            (:func:`ferrogen.generation.model_file.load_description`). None: that of the ``.toml`` file; otherwise
            CelebA as published, MNIST and Fashion-MNIST are recognised, and anything else is taken as it comes.
        side: overrides the description's.
        channels: overrides the description's: 1 grey, 3 RGB.
        held_out: overrides the description's share of held-out images.
        skip_corrupt: leave images out that cannot be read; otherwise they are an error.
        progress: show a progress bar on standard error.

    Returns:
        The images, uint8, with a description whose side and channels are those of the images.

    Raises:
        ArgumentError: an unknown name, or an option that does not fit the data.
        DataFileError: data are missing, foreign or damaged, with all unreadable images (the first ten) named.
    """
    if path.suffix.lower() == ".toml" and path.is_file():
        own = read_description(path)
        if own.path is None:
            raise DataFileError(f"Data description '{path}' does not say where the data are. Add path = \"...\".")
        path, description = Path(own.path), own if description is None else description
    if isinstance(description, str):
        description = shipped_description(description)
    idx = any((path / f"{TRAIN_IMAGES}{ending}").exists() for ending in ("", ".gz"))
    found = "idx" if idx else "images"
    wanted = None if description is None else description.format
    if description is not None and wanted is not None and wanted != found:
        kinds = {"idx": "a folder of IDX files", "images": "a folder or zip archive of images"}
        raise DataFileError(f"Data '{path}' are {kinds[found]}, but '{description.name}' is {kinds[wanted]}.")
    changes: dict[str, object] = {"side": side, "channels": channels, "held_out_share": held_out}
    if idx:
        if description is not None and description.held_out_numbers is not None:
            raise DataFileError(
                f"Data '{path}' are IDX files, but '{description.name}' is split by the numbers of its image files."
                " Give the data that the model learnt from, or read these with --as."
            )
        if held_out is not None:
            raise argument_error("held-out", "be left out with IDX files, which their makers have split", held_out)
        return _read_idx(path, description, changes)
    with open_source(path) as source:
        chosen = description or (shipped_description("celeba") if _is_celeba(source) else DataDescription())
        if held_out is not None and chosen.held_out_numbers is not None:
            must = f"be left out with '{chosen.name}', whose held-out images are known by number"
            raise argument_error("held-out", must, held_out)
        chosen = _changed(chosen, changes)
        split = split_names(source.names, chosen)
        return _Reader(path, source, split, skip_corrupt=skip_corrupt, progress=progress).image_set(chosen)


@dataclass(frozen=True, slots=True)
class Split:
    """Names of the images to learn from and of those held out, and the class of each (none: empty)."""

    train: tuple[str, ...]
    test: tuple[str, ...]
    classes: dict[str, str]


def split_names(names: tuple[str, ...], description: DataDescription) -> Split:
    """Split image files by what the description says, by folders ``train`` and ``test``, or by chance.

    Folders that all images share are passed over. What is the class of an image is the next folder, if all have one.

    Args:
        names: paths with ``/``, sorted.
        description: the rule.

    Raises:
        DataFileError: one of the two parts would be empty.
    """
    parts = {name: PurePosixPath(name).parts for name in names}
    depth = 0
    while all(len(each) > depth + 1 and each[depth] == parts[names[0]][depth] for each in parts.values()):
        depth += 1
    tops = {each[depth].lower() for each in parts.values()}
    by_number, by_folder = description.train_numbers is not None, tops == {"train", "test"}
    if by_number:
        train, test = (_numbered(names, each) for each in (description.train_numbers, description.held_out_numbers))
        rule = f"numbered {description.train_numbers} and {description.held_out_numbers}, as '{description.name}' says"
    elif by_folder:
        train, test = ([name for name in names if parts[name][depth].lower() == top] for top in ("train", "test"))
        rule = "in folders train and test"
    else:
        generator = Streams(description.held_out_seed).generator(Purpose.DATA_SPLIT)
        count = max(1, round(description.held_out_share * len(names)))
        drawn = set(generator.permutation(len(names))[:count].tolist())
        train = [name for k, name in enumerate(names) if k not in drawn]
        test = [name for k, name in enumerate(names) if k in drawn]
        rule = f"to hold out a share of {description.held_out_share:g}"
    if not train or not test:
        raise DataFileError(
            f"Data hold {len(names)} images, but {len(train)} to learn from and {len(test)} to be held out ({rule})."
            " Both are needed."
        )
    level = depth + by_folder
    folders = {name: parts[name][level] for name in (*train, *test) if len(parts[name]) > level + 1}
    complete = len(folders) == len(train) + len(test) and len(set(folders.values())) > 1
    return Split(tuple(train), tuple(test), folders if complete else {})


def _numbered(names: tuple[str, ...], numbers: tuple[int, int] | None) -> list[str]:
    first, last = numbers or (0, -1)
    stems = ((name, PurePosixPath(name).stem) for name in names)
    return [
        name
        for name, stem in stems
        if stem.isascii() and stem.isdigit() and len(stem) < 19 and first <= int(stem) <= last
    ]


def _changed(description: DataDescription, changes: dict[str, object]) -> DataDescription:
    given = {name: value for name, value in changes.items() if value is not None}
    try:
        return DataDescription.model_validate(description.model_dump() | given)
    except ValidationError as error:
        raise ArgumentError(explain(error, subject="Argument")) from None


def _is_celeba(source: PictureSource) -> bool:
    if not all(_CELEBA_NAME.fullmatch(PurePosixPath(name).name) for name in source.names):
        return False
    sizes = _sizes(source, source.names)
    return bool(sizes) and set(sizes) <= _CELEBA_SIZES


def _sizes(source: PictureSource, names: tuple[str, ...]) -> list[tuple[int, int]]:
    """Return width and height of at most 200 images, evenly spread; what cannot be read is not counted here."""
    sizes: list[tuple[int, int]] = []
    for name in names[:: -(-len(names) // _LOOKED_AT)]:
        try:
            sizes.append(picture_size(source.read(name)))
        except UnreadableImageError:
            continue
    return sizes


def _round_side(pixels: float) -> int:
    return min(SIDES, key=lambda side: abs(np.log(side / pixels)))


def _read_idx(path: Path, description: DataDescription | None, changes: dict[str, object]) -> ImageSet:
    stored = load_idx_folder(path)
    if description is None:
        description = _recognised(stored)
    description = _changed(description, changes | {"format": "idx"})
    height, width = stored.train_images.shape[1:]
    kept = min(height, width) * description.crop
    side = description.side or (DIGIT_SIDE if (height, width) == (DIGIT_SIDE, DIGIT_SIDE) else _round_side(kept))
    description = _changed(description, {"side": side, "channels": description.channels or 1})

    def sized(images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if images.shape[1:] != (side, side) or description.crop < 1.0:
            images = np.stack([square(Image.fromarray(image), description, side) for image in images])
        return images if description.channels == 1 else np.repeat(images[..., None], 3, axis=3)

    train_labels, test_labels = stored.train_labels, stored.test_labels
    if train_labels is None or test_labels is None:
        raise DataFileError(f"Data folder '{path}' has no labels.")
    count = 1 + max(int(train_labels.max()), int(test_labels.max()))
    names = description.class_names if len(description.class_names) >= count else tuple(map(str, range(count)))
    return _finished(
        sized(stored.train_images), train_labels, sized(stored.test_images), test_labels, names, description
    )


def _recognised(stored: ImageSet) -> DataDescription:
    digest = hashlib.sha256(np.ascontiguousarray(stored.train_images).data).hexdigest()
    known = (shipped_description(name) for name in SHIPPED_DESCRIPTIONS)
    return next((each for each in known if each.fingerprint == digest), DataDescription(format="idx"))


def _finished(
    train: NDArray[np.uint8],
    train_labels: NDArray[np.integer] | None,
    test: NDArray[np.uint8],
    test_labels: NDArray[np.integer] | None,
    names: tuple[str, ...],
    description: DataDescription,
    skipped: tuple[str, ...] = (),
) -> ImageSet:
    # The description goes into weights, where a folder of this machine and another data's fingerprint mean nothing.
    digest = hashlib.sha256(np.ascontiguousarray(train).data).hexdigest()
    changes = {"path": None, "fingerprint": digest, "class_names": names}
    described = description.model_copy(update=changes)
    return ImageSet(train, train_labels, test, test_labels, names, described, skipped)


@dataclass(frozen=True, slots=True)
class _Reader:
    path: Path
    source: PictureSource
    split: Split
    skip_corrupt: bool
    progress: bool

    def image_set(self, description: DataDescription) -> ImageSet:
        names = self.split.train + self.split.test
        side = description.side
        free = side is None
        if side is None:
            sizes = _sizes(self.source, names)
            shorter = float(np.median([min(size) for size in sizes])) if sizes else float(SIDES[0])
            digits = bool(sizes) and set(sizes) == {(DIGIT_SIDE, DIGIT_SIDE)} and description.crop == 1.0
            # The network of 28 x 28 pixels is grey.
            side = DIGIT_SIDE if digits and description.channels != 3 else _round_side(shorter * description.crop)
        images, failures = self._decode(names, description, side)
        if description.channels is None:
            # Colours are what the pixels show: many a grey picture is stored as RGB.
            grey = all(bool((part == part[..., :1]).all()) for part in np.array_split(images, 64))
            if free and side == DIGIT_SIDE and not grey:
                return self.image_set(description.model_copy(update={"side": 32, "channels": 3}))
            images = np.ascontiguousarray(images[..., 0]) if grey else images
            description = description.model_copy(update={"channels": 1 if grey else 3})
        description = description.model_copy(update={"side": side, "format": "images"})
        keep = np.array([name not in failures for name in names])
        trained = np.arange(len(names)) < len(self.split.train)
        train, test = keep & trained, keep & ~trained
        if not train.any() or not test.any():
            raise DataFileError(f"Data '{self.path}': no image to learn from, or none that is held out, can be read.")
        class_names, labels = self._labels(names)
        if labels is None:
            return _finished(images[train], None, images[test], None, (), description, tuple(failures))
        parts = (images[train], labels[train], images[test], labels[test])
        return _finished(*parts, class_names, description, tuple(failures))

    def _labels(self, names: tuple[str, ...]) -> tuple[tuple[str, ...], NDArray[np.integer] | None]:
        if not self.split.classes:
            return (), None
        class_names = tuple(sorted(set(self.split.classes.values())))
        number = {name: k for k, name in enumerate(class_names)}
        return class_names, np.array([number[self.split.classes[name]] for name in names], np.int64)

    def _decode(
        self, names: tuple[str, ...], description: DataDescription, side: int
    ) -> tuple[NDArray[np.uint8], dict[str, str]]:
        shape = (len(names), side, side) + ((3,) if description.channels != 1 else ())
        if int(np.prod(shape, dtype=np.int64)) > _MAX_BYTES:
            raise DataFileError(
                f"Data '{self.path}' are {len(names)} images, {np.prod(shape, dtype=np.int64)} bytes at {side} x {side}"
                f" pixels; at most {_MAX_BYTES} are held. Choose a smaller --side, or fewer images."
            )
        images = np.zeros(shape, np.uint8)
        failures: dict[str, str] = {}
        for k, name in enumerate(_with_bar(names, shown=self.progress)):
            try:
                images[k] = decode_picture(self.source.read(name), description, side)
            except UnreadableImageError as error:
                failures[name] = str(error)
        if failures and not self.skip_corrupt:
            shown = ", ".join(f"{name!r} ({why})" for name, why in list(failures.items())[:_NAMED])
            more = f" and {len(failures) - _NAMED} more" if len(failures) > _NAMED else ""
            raise DataFileError(
                f"Data '{self.path}': {len(failures)} of {len(names)} images cannot be read: {shown}{more}."
                " Repair or remove them, or leave them out with --skip-corrupt."
            )
        return images, failures


def _with_bar(names: tuple[str, ...], *, shown: bool) -> Iterator[str]:
    columns = (TextColumn("Reading images"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), disable=not shown) as bar:
        yield from bar.track(names, total=len(names))
