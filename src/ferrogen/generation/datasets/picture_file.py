"""One image file, untrusted, to a square of pixels: decoded, turned upright, put on a ground, cropped, resampled."""

from __future__ import annotations

import io
import struct
import warnings
import zlib
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ferrogen.core.errors import DataFileError, argument_error
from ferrogen.core.files import read_bytes
from ferrogen.generation.datasets.description import DataDescription

ENDINGS: Final = frozenset(
    (".bmp", ".gif", ".jpeg", ".jpg", ".pbm", ".pgm", ".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp")
)
"""Endings of file names, in small letters, by which images are found in folders and archives."""

MAX_FILE_BYTES: Final = 64 * 2**20
"""Of one image file; larger ones are refused unread."""

_DECODERS: Final = ("BMP", "GIF", "JPEG", "PNG", "PPM", "TIFF", "WEBP")
_MAX_PIXELS: Final = 2**26
_SIXTEEN_BITS: Final = frozenset(("I;16", "I;16B", "I;16L", "I;16N"))
_DAMAGE: Final = (
    ArithmeticError,
    AttributeError,
    EOFError,
    Image.DecompressionBombError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    SyntaxError,
    TypeError,
    ValueError,
    Warning,
    struct.error,
    zlib.error,
)
"""What Pillow's decoders raise on damaged files."""


class UnreadableImageError(Exception):
    """An image cannot be read; the message says why, in a few words."""


def picture_size(raw: bytes) -> tuple[int, int]:
    """Return width and height as the header states them, the pixels unread.

    Raises:
        UnreadableImageError: no image, or one of absurd size.
    """
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(raw), formats=_DECODERS) as image:
            warnings.simplefilter("ignore")
            _check_size(image)
            width, height = image.size
            turned = image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    except _DAMAGE as error:
        raise UnreadableImageError(_reason(error)) from None
    return (height, width) if turned else (width, height)


def decode_picture(raw: bytes, description: DataDescription, side: int) -> NDArray[np.uint8]:
    """Decode one image file to a square.

    Transparent pixels are laid on ``description.background``; grey values of 16 bits are rounded to 8; the camera's
    orientation (EXIF) is applied. Of several frames the first is taken. Colours become grey, before resampling, by
    ITU-R BT.601's weights where ``description.channels`` is 1.

    Args:
        raw: the file's content.
        description: crop, resampling, background, channels.
        side: pixels along the side of the result.

    Returns:
        uint8, shape ``(side, side)`` if ``description.channels`` is 1, else ``(side, side, 3)``.

    Raises:
        UnreadableImageError: damaged, truncated, of absurd size, or with pixel values of unknown range.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about details that Pillow can do without
            with Image.open(io.BytesIO(raw), formats=_DECODERS) as image:
                _check_size(image)
                image.load()
                upright = ImageOps.exif_transpose(image)
                flat = _on_ground(_eight_bits(upright, image.format), description.background)
            grey = description.channels == 1
            return square(flat.convert("L" if grey else "RGB"), description, side)
    except _DAMAGE as error:
        raise UnreadableImageError(_reason(error)) from None


def square(image: Image.Image, description: DataDescription, side: int) -> NDArray[np.uint8]:
    """Cut the central square out of an 8-bit image and resample it to ``side`` pixels."""
    width, height = image.size
    kept = max(1, round(min(width, height) * description.crop))
    left, top = (width - kept) // 2, (height - kept) // 2
    if kept == side:
        return np.asarray(image.crop((left, top, left + kept, top + kept)))
    kernel = Image.Resampling[description.resampling.upper()]
    return np.asarray(image.resize((side, side), kernel, box=(left, top, left + kept, top + kept)))


def read_picture(path: Path, description: DataDescription) -> NDArray[np.uint8]:
    """Read one image file as a model's weight file says that its training images were read.

    Args:
        path: the file.
        description: with ``side`` and ``channels``, e.g. of :func:`ferrogen.generation.model_file.load_description`.

    Returns:
        uint8, shape ``(side, side)`` or ``(side, side, 3)``.

    Raises:
        ArgumentError: the description states no side or channels.
        DataFileError: the file is missing, or no image that can be read.
    """
    if description.side is None or description.channels is None:
        raise argument_error("description", "state `side` and `channels`", "open about them")
    raw = read_bytes(path, what="Image", limit=MAX_FILE_BYTES)
    try:
        return decode_picture(raw, description, description.side)
    except UnreadableImageError as error:
        raise DataFileError(
            f"Image '{path}' cannot be read ({error}). Give a whole PNG, JPEG, TIFF or the like."
        ) from None


def _check_size(image: Image.Image) -> None:
    width, height = image.size
    if width * height > _MAX_PIXELS:
        raise ValueError(f"{width} x {height} pixels, more than the {_MAX_PIXELS} that are allowed")
    if min(width, height) < 1:
        raise ValueError("no pixels")


def _eight_bits(image: Image.Image, kind: str | None) -> Image.Image:
    if image.mode in _SIXTEEN_BITS or (image.mode == "I" and kind == "PPM"):
        values = np.asarray(image).astype(np.uint32)
        return Image.fromarray(((values + 128) // 257).astype(np.uint8))
    if image.mode in ("I", "F"):
        raise ValueError(f"pixel values of mode {image.mode}, whose range is not known")
    return image


def _on_ground(image: Image.Image, background: int) -> Image.Image:
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    ground = Image.new("RGBA", image.size, (background,) * 3 + (255,))
    return Image.alpha_composite(ground, image)


def _reason(error: BaseException) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "no image that is understood"
    return " ".join(str(error).split())[:100] or type(error).__name__
