"""What a data set is, and how its images are treated: a spec that is shipped, written by a user, or stored in weights.

One description does for training, evaluation and a user's single picture: a model's weight file carries the one it was
trained by, so that all of them crop and resize alike and never take a training image for a held-out one.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, ValidationError, model_validator

from ferrogen.core.errors import DataFileError, argument_error
from ferrogen.core.files import read_bytes
from ferrogen.core.spec import Spec, explain

SHIPPED_DESCRIPTIONS: Final = ("mnist", "fashion-mnist", "celeba")
"""Names of the descriptions that come with the package."""

_MAX_FILE_BYTES: Final = 64 * 2**10
_WHAT: Final = "Data description"

_Text = Annotated[str, Field(max_length=2000)]
_Name = Annotated[str, Field(min_length=1, max_length=100)]
_Numbers = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=0)]]


class DataDescription(Spec):
    """How a data set is stored, cut to size and split, and whose it is.

    Attributes:
        name: for messages and records.
        format: ``"idx"`` (four files as of MNIST) or ``"images"`` (a folder or zip archive); None: as found.
        path: where the data are; in a file, relative to that file.
        side: height and width in pixels after crop and resampling; None: chosen from the images.
        channels: 1 (grey) or 3 (RGB); None: RGB if any image has a colour.
        crop: side of the central square that is kept, as a share of the image's shorter side.
        resampling: filter that resizes the square.
        background: grey level (0 to 255) put behind transparent pixels.
        train_numbers: first and last number in the file name of training images; then ``held_out_numbers`` is needed.
        held_out_numbers: first and last number in the file name of held-out images.
        held_out_share: share of the images that is held out where neither numbers nor folders ``train`` and ``test``
            (nor IDX files) say which; drawn by ``held_out_seed``.
        held_out_seed: addresses that draw. Not the seed of a training: a model must never meet a training image as
            a held-out one.
        class_names: of the labels 0, 1, ...; empty: the labels, or the names of subfolders.
        fingerprint: SHA-256 of the training pixels as read, by which data are recognised; None: not known.
        source: what and whose it is.
        licence: of the data.
        citation: of the publication.
        terms: what a user must know.
    """

    version: Literal[1] = 1
    name: _Name = "images"
    format: Literal["idx", "images"] | None = None
    path: Annotated[str, Field(min_length=1, max_length=1000)] | None = None
    side: Annotated[int, Field(ge=8, le=256)] | None = None
    channels: Literal[1, 3] | None = None
    crop: Annotated[float, Field(gt=0.0, le=1.0)] = 1.0
    resampling: Literal["nearest", "box", "bilinear", "bicubic", "lanczos"] = "lanczos"
    background: Annotated[int, Field(ge=0, le=255)] = 255
    train_numbers: _Numbers | None = None
    held_out_numbers: _Numbers | None = None
    held_out_share: Annotated[float, Field(gt=0.0, lt=1.0)] = 0.1
    held_out_seed: Annotated[int, Field(ge=0, lt=2**63)] = 0
    class_names: Annotated[tuple[_Name, ...], Field(max_length=10_000)] = ()
    fingerprint: Annotated[str, Field(pattern="^[0-9a-f]{64}$")] | None = None
    source: _Text = ""
    licence: _Text = ""
    citation: _Text = ""
    terms: _Text = ""

    @model_validator(mode="after")
    def _check_numbers(self) -> DataDescription:
        train, held_out = self.train_numbers, self.held_out_numbers
        if (train is None) != (held_out is None):
            raise ValueError("train_numbers and held_out_numbers must be given together")
        if train is not None and held_out is not None:
            if self.format == "idx":
                raise ValueError("train_numbers are numbers in file names, but IDX files are split by their makers")
            if train[0] > train[1] or held_out[0] > held_out[1]:
                raise ValueError("train_numbers and held_out_numbers must each rise from first to last")
            if train[0] <= held_out[1] and held_out[0] <= train[1]:
                raise ValueError("train_numbers and held_out_numbers must not overlap")
        return self


UNDESCRIBED: Final = DataDescription()
"""Of images about which nothing is said."""


def shipped_description(name: str) -> DataDescription:
    """Return a description that comes with the package.

    Raises:
        ArgumentError: there is none of that name.
    """
    if name not in SHIPPED_DESCRIPTIONS:
        raise argument_error("as", f"be one of {', '.join(SHIPPED_DESCRIPTIONS)}", repr(name))
    with resources.as_file(resources.files(__package__) / "descriptions" / f"{name}.toml") as path:
        return read_description(path)


def read_description(path: Path) -> DataDescription:
    """Read a description from a TOML file; its ``path`` becomes relative to the working directory.

    Raises:
        DataFileError: the file is missing, too large, no TOML, or does not say what a description says.
    """
    raw = read_bytes(path, what=_WHAT, limit=_MAX_FILE_BYTES)
    try:
        description = DataDescription.model_validate(tomllib.loads(raw.decode("utf-8")))
    except ValidationError as error:
        raise DataFileError(explain(error, subject=f"{_WHAT} '{path}'")) from None
    except (ValueError, RecursionError) as error:  # no UTF-8, no TOML
        reason = " ".join(str(error).split())[:120]
        raise DataFileError(f"{_WHAT} '{path}' is not readable TOML ({reason}).") from None
    if description.path is None:
        return description
    return description.model_copy(update={"path": str(path.parent / description.path)})
