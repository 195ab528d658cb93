"""One image file: every kind that people have becomes the right square, and no damage raises anything else."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from ferrogen.core.errors import ArgumentError, DataFileError
from ferrogen.generation.datasets.description import DataDescription
from ferrogen.generation.datasets.picture_file import (
    UnreadableImageError,
    decode_picture,
    picture_size,
    read_picture,
)

GREY = DataDescription(channels=1)
RGB = DataDescription(channels=3)


def packed(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def ramp(height: int = 8, width: int = 8) -> np.ndarray:
    return np.arange(height * width, dtype=np.uint8).reshape(height, width) * 3


def test_grey_and_rgb_of_the_same_size_are_left_alone() -> None:
    grey = ramp()
    assert (decode_picture(packed(Image.fromarray(grey)), GREY, 8) == grey).all()
    colours = np.stack([grey, grey // 2, 255 - grey], 2)
    assert (decode_picture(packed(Image.fromarray(colours)), RGB, 8) == colours).all()
    assert (decode_picture(packed(Image.fromarray(grey)), RGB, 8) == grey[..., None]).all()


def test_colours_become_grey_by_the_weights_of_bt_601() -> None:
    colours = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [100, 100, 100]]], np.uint8)
    expected = np.array([[76, 150], [29, 100]])  # 0.299, 0.587, 0.114 of 255
    assert (decode_picture(packed(Image.fromarray(colours)), GREY, 2) == expected).all()


def test_the_central_square_is_cut_out() -> None:
    wide = ramp(4, 10)
    assert (decode_picture(packed(Image.fromarray(wide)), GREY, 4) == wide[:, 3:7]).all()
    half = DataDescription(channels=1, crop=0.5)
    assert (decode_picture(packed(Image.fromarray(wide)), half, 2) == wide[1:3, 4:6]).all()


def test_box_resampling_takes_means() -> None:
    image = ramp(4, 4)
    means = np.round(image.reshape(2, 2, 2, 2).mean((1, 3)) + 1e-9)
    box = DataDescription(channels=1, resampling="box")
    assert (decode_picture(packed(Image.fromarray(image)), box, 2) == means).all()


def test_sixteen_bits_are_rounded_to_eight() -> None:
    values = np.array([[0, 128, 129], [257, 32768, 65535], [65406, 65407, 385]], np.uint16)
    expected = np.round(values / 257.0)
    for kind in ("PNG", "TIFF", "PPM"):
        assert (decode_picture(packed(Image.fromarray(values), kind), GREY, 3) == expected).all()


def test_unknown_range_is_refused() -> None:
    raw = packed(Image.fromarray(np.ones((3, 3), np.float32)), "TIFF")
    with pytest.raises(UnreadableImageError, match="mode F, whose range is not known"):
        decode_picture(raw, GREY, 3)


def test_transparent_pixels_show_the_ground() -> None:
    pixels = np.zeros((2, 2, 4), np.uint8)
    pixels[0, 0] = (10, 20, 30, 255)
    pixels[0, 1] = (0, 0, 0, 51)  # a fifth of black
    pixels[1] = (200, 0, 0, 0)
    raw = packed(Image.fromarray(pixels))
    found = decode_picture(raw, RGB, 2)
    assert found[0, 0].tolist() == [10, 20, 30]
    assert found[0, 1].tolist() == [204, 204, 204]
    assert (found[1] == 255).all()
    dark = RGB.model_copy(update={"background": 0})
    assert (decode_picture(raw, dark, 2)[1] == 0).all()


def test_palettes_with_and_without_a_transparent_entry() -> None:
    image = Image.new("P", (2, 2))
    image.putpalette([255, 0, 0, 0, 0, 255, 9, 9, 9] + [0] * 759)
    image.putdata([0, 1, 2, 0])
    found = decode_picture(packed(image), RGB, 2)
    assert found.tolist() == [[[255, 0, 0], [0, 0, 255]], [[9, 9, 9], [255, 0, 0]]]
    seen = decode_picture(packed(image, transparency=1), RGB, 2)
    assert seen[0, 1].tolist() == [255, 255, 255]
    assert decode_picture(packed(image, "GIF"), RGB, 2).tolist() == found.tolist()


def test_one_bit_and_cmyk() -> None:
    bits = np.array([[True, False], [False, True]])
    assert (decode_picture(packed(Image.fromarray(bits)), GREY, 2) == bits * 255).all()
    ink = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    found = decode_picture(packed(ink, "JPEG", quality=95), RGB, 16)
    assert found[8, 8, 0] > 200
    assert found[8, 8, 1:].max() < 60


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_cameras_orientation_is_applied(orientation: int) -> None:
    upright = ramp(4, 6)
    # How a camera stores what, turned as EXIF 2.3 (table of tag 0x0112) says, is upright again.
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright),
        7: upright[::-1, ::-1].T,
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    raw = packed(Image.fromarray(np.ascontiguousarray(stored)), exif=exif)
    assert picture_size(raw) == (6, 4)
    assert (decode_picture(raw, GREY, 4) == upright[:, 1:5]).all()


def bomb(side: int) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("side", [9000, 12_000, 40_000, 2**31 - 1])
def test_bombs_are_refused_by_their_header(side: int) -> None:
    for read in (picture_size, lambda raw: decode_picture(raw, GREY, 8)):
        with pytest.raises(UnreadableImageError, match=r"pixels|decompression bomb|no image"):
            read(bomb(side))


def test_every_truncation_of_the_pixels_is_noticed() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (16, 16, 3), np.uint8)
    for kind in ("PNG", "JPEG", "BMP", "PPM"):
        raw = packed(Image.fromarray(noise), kind)
        for left in range(0, len(raw) - 20, 7):  # the last twenty of a PNG carry checks and its end
            with pytest.raises(UnreadableImageError):
                decode_picture(raw[:left], RGB, 16)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "TIFF", "WEBP", "BMP"])
@given(data=st.data())
@settings(max_examples=60)
def test_damage_raises_nothing_else(kind: str, data: st.DataObject) -> None:
    raw = bytearray(packed(Image.fromarray(np.stack([ramp()] * 3, 2)), kind))
    for _ in range(data.draw(st.integers(1, 6))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    for read in (picture_size, lambda damaged: decode_picture(damaged, RGB, 8)):
        try:
            read(bytes(raw))
        except UnreadableImageError as error:
            assert len(str(error).splitlines()) == 1  # noqa: PT017 (a flipped pixel cannot be noticed)


@given(raw=st.binary(max_size=100))
@settings(max_examples=60)
def test_foreign_bytes_are_no_image(raw: bytes) -> None:
    with pytest.raises(UnreadableImageError):
        decode_picture(raw, GREY, 8)


def test_formats_that_run_programs_or_plugins_are_no_images() -> None:
    postscript = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\nshowpage\n"
    with pytest.raises(UnreadableImageError, match="no image that is understood"):
        decode_picture(postscript, GREY, 8)


def test_a_users_picture(tmp_path: Path) -> None:
    path = tmp_path / "me.png"
    Image.fromarray(ramp(8, 10)).save(path)
    found = read_picture(path, DataDescription(side=8, channels=1))
    assert (found == ramp(8, 10)[:, 1:9]).all()
    with pytest.raises(ArgumentError, match="`description` must state `side` and `channels`"):
        read_picture(path, GREY)
    path.write_bytes(b"text")
    with pytest.raises(DataFileError, match=r"me.png' cannot be read \(no image that is understood\)"):
        read_picture(path, DataDescription(side=8, channels=1))
    with pytest.raises(DataFileError, match="does not exist"):
        read_picture(tmp_path / "nobody.png", DataDescription(side=8, channels=1))
