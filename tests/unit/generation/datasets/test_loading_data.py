"""From a path to an image set: recognition, classes, splits, sizes, colours; and untrusted folders and archives."""

from __future__ import annotations

import io
import os
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ferrogen.core.errors import ArgumentError, DataFileError
from ferrogen.generation.datasets import idx
from ferrogen.generation.datasets.description import DataDescription, shipped_description
from ferrogen.generation.datasets.loading import load_data, split_names

Maker = Callable[[Path, Mapping[str, np.ndarray]], Path]


def png(pixels: np.ndarray) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def as_folder(path: Path, images: Mapping[str, np.ndarray]) -> Path:
    for name, pixels in images.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(png(pixels))
    return path


def as_archive(path: Path, images: Mapping[str, np.ndarray]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, pixels in images.items():
            archive.writestr(name, png(pixels))
    return path


def flat(level: int, size: tuple[int, ...] = (16, 16)) -> np.ndarray:
    return np.full(size, level, np.uint8)


def many(count: int = 20, size: tuple[int, ...] = (16, 16)) -> dict[str, np.ndarray]:
    return {f"{k:03d}.png": flat(k, size) for k in range(count)}


@pytest.mark.parametrize("make", [as_folder, as_archive])
def test_images_without_classes(tmp_path: Path, make: Maker) -> None:
    data = load_data(make(tmp_path / "data", many()))
    assert data.train_images.shape == (18, 16, 16)
    assert data.test_images.shape == (2, 16, 16)
    levels = [*data.train_images[:, 0, 0].tolist(), *data.test_images[:, 0, 0].tolist()]
    assert sorted(levels) == list(range(20))
    assert levels[:18] == sorted(levels[:18])
    assert data.train_labels is None
    assert data.class_names == ()
    assert data.description.model_dump(include={"side", "channels", "format", "path", "fingerprint"}) == {
        "side": 16,
        "channels": 1,
        "format": "images",
        "path": None,
        "fingerprint": data.fingerprint,
    }


def test_folder_and_archive_of_the_same_images_are_the_same_data(tmp_path: Path) -> None:
    folder, archive = as_folder(tmp_path / "a", many()), as_archive(tmp_path / "b.zip", many())
    wrapped = as_archive(tmp_path / "c.zip", {f"top/inner/{name}": each for name, each in many().items()})
    assert load_data(folder).fingerprint == load_data(archive).fingerprint == load_data(wrapped).fingerprint


def test_the_split_is_part_of_the_description(tmp_path: Path) -> None:
    folder = as_folder(tmp_path / "a", many(40))
    first, again = load_data(folder, held_out=0.25), load_data(folder, held_out=0.25)
    other = load_data(folder, DataDescription(held_out_share=0.25, held_out_seed=1))
    assert len(first.test_images) == 10
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert first.description.held_out_share == 0.25
    assert load_data(folder, first.description).fingerprint == first.fingerprint


def test_class_per_subfolder(tmp_path: Path) -> None:
    images = {f"{name}/{k}.png": flat(10 * c + k) for c, name in enumerate(("cat", "dog")) for k in range(6)}
    data = load_data(as_folder(tmp_path, images))
    assert data.class_names == ("cat", "dog")
    assert data.train_labels is not None
    assert data.test_labels is not None
    for pixels, labels in ((data.train_images, data.train_labels), (data.test_images, data.test_labels)):
        assert (pixels[:, 0, 0] // 10 == labels).all()
    names = tuple(sorted((*images, "stray.png")))
    assert split_names(names, DataDescription()).classes == {}


def test_folders_train_and_test_are_the_split(tmp_path: Path) -> None:
    images = {f"Train/{c}/{k}.png": flat(k) for c in "ab" for k in range(3)} | {"Test/b/0.png": flat(9)}
    data = load_data(as_archive(tmp_path / "x.zip", images))
    assert data.train_images[:, 0, 0].tolist() == [0, 1, 2, 0, 1, 2]
    assert data.test_images[:, 0, 0].tolist() == [9]
    assert data.class_names == ("a", "b")
    assert data.test_labels is not None
    assert data.test_labels.tolist() == [1]


@pytest.mark.parametrize(
    ("size", "side"), [((16, 16), 16), ((20, 30), 16), ((45, 45), 32), ((46, 50), 64), ((300, 400), 64), ((28, 28), 28)]
)
def test_side_follows_the_images(tmp_path: Path, size: tuple[int, int], side: int) -> None:
    assert load_data(as_folder(tmp_path, many(4, size))).side == side


def test_colours_follow_the_pixels_of_all_images(tmp_path: Path) -> None:
    grey = {f"{k}.png": flat(k, (28, 28, 3)) for k in range(9)}
    data = load_data(as_folder(tmp_path / "a", grey))
    assert (data.side, data.channels) == (28, 1)
    tinted = flat(7, (28, 28, 3))
    tinted[3, 3, 1] = 90
    colourful = as_folder(tmp_path / "b", grey | {"8.png": tinted})
    data = load_data(colourful)
    assert (data.side, data.channels) == (32, 3)  # the network of 28 x 28 pixels is grey
    assert load_data(colourful, channels=1).train_images.shape[1:] == (28, 28)
    assert load_data(colourful, channels=3).fingerprint == data.fingerprint
    assert load_data(as_folder(tmp_path / "c", many()), channels=3).train_images.shape[1:] == (16, 16, 3)


def broken(folder: Path, count: int) -> Path:
    as_folder(folder, many(30))
    for k in range(count):
        whole = (folder / f"{k:03d}.png").read_bytes()
        (folder / f"{k:03d}.png").write_bytes(whole[: len(whole) // 2])
    return folder


def test_corrupt_images_are_named_and_skipped_by_request_only(tmp_path: Path) -> None:
    folder = broken(tmp_path, 3)
    with pytest.raises(DataFileError) as caught:
        load_data(folder)
    message = str(caught.value)
    assert "3 of 30 images cannot be read: '0" in message
    assert all(f"'{k:03d}.png' (" in message for k in range(3))
    assert message.endswith("leave them out with --skip-corrupt.")
    data = load_data(folder, skip_corrupt=True)
    assert sorted(data.skipped) == ["000.png", "001.png", "002.png"]
    assert len(data.train_images) + len(data.test_images) == 27
    whole = load_data(as_folder(tmp_path / "whole", many(30)))
    # What is held out does not depend on what can be read.
    assert set(data.test_images[:, 0, 0]) <= set(whole.test_images[:, 0, 0])


def test_only_ten_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match=r"\) and 3 more\. Repair"):
        load_data(broken(tmp_path, 13))


def test_nothing_readable_is_an_error_even_when_skipping(tmp_path: Path) -> None:
    with pytest.raises(DataFileError, match="no image to learn from"):
        load_data(broken(tmp_path, 30), skip_corrupt=True)


def test_other_files_are_passed_over(tmp_path: Path) -> None:
    as_folder(tmp_path, many(5))
    for name in ("notes.txt", ".hidden.png", "__MACOSX/000.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("no image", encoding="utf-8")
    assert len(load_data(tmp_path).train_images) == 4


def test_links_and_pipes_in_a_folder(tmp_path: Path) -> None:
    secret = as_folder(tmp_path / "outside", {"secret.png": flat(1)})
    folder = as_folder(tmp_path / "data", many(5))
    (folder / "within.png").symlink_to("000.png")
    assert len(load_data(folder).train_images) == 5
    (folder / "out.png").symlink_to(secret / "secret.png")
    (folder / "circle.png").symlink_to("circle.png")
    os.mkfifo(folder / "pipe.png")
    with pytest.raises(DataFileError, match="3 of 9 images cannot be read") as caught:
        load_data(folder)
    for complaint in (
        "'out.png' (a link that leads out of the folder)",
        "'pipe.png' (no regular file)",
        "'circle.png'",
    ):
        assert complaint in str(caught.value)
    (folder / "linked").symlink_to(secret)
    with pytest.raises(DataFileError, match="is a link, which is not followed"):
        load_data(folder)


@pytest.mark.parametrize("name", ["../up.png", "/root.png", "a/../../b.png", "C:/x.png", "..\\up.png"])
def test_names_that_lead_out_of_an_archive_are_refused(tmp_path: Path, name: str) -> None:
    path = as_archive(tmp_path / "evil.zip", many(3) | {name: flat(1)})
    with pytest.raises(DataFileError, match="a name that leads out of it"):
        load_data(path)


def test_members_of_absurd_size_are_not_unpacked(tmp_path: Path) -> None:
    path = as_archive(tmp_path / "bomb.zip", many(3))
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("bomb.png", bytes(65 * 2**20))
    assert path.stat().st_size < 2**18
    with pytest.raises(DataFileError, match=r"'bomb.png' \(68157440 bytes, more than the 67108864"):
        load_data(path)


def test_damaged_and_doubled_archives(tmp_path: Path) -> None:
    path = as_archive(tmp_path / "x.zip", many(5))
    raw = bytearray(path.read_bytes())
    with pytest.warns(UserWarning, match="Duplicate name"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("000.png", b"")
    with pytest.raises(DataFileError, match=r"holds '000.png' twice"):
        load_data(path)
    at = raw.index(b"IDAT") + 6
    raw[at] ^= 0xFF
    path.write_bytes(raw)
    with pytest.raises(DataFileError, match=r"1 of 5 images cannot be read: '000.png' \(Bad CRC-32"):
        load_data(path)
    path.write_bytes(raw[:-30])
    with pytest.raises(DataFileError, match="neither a folder nor a readable zip archive"):
        load_data(path)


@pytest.mark.parametrize("size", [(218, 178), (109, 89)])
def test_celeba_is_recognised_by_names_and_sizes(tmp_path: Path, size: tuple[int, int]) -> None:
    images = {f"img_align_celeba/{k:06d}.png": flat(k % 200, (*size, 3)) for k in (1, 2, 8000, 8001, 10_000, 10_001)}
    data = load_data(as_archive(tmp_path / "x.zip", images))
    assert data.description.name == "celeba"
    assert data.train_images.shape == (3, 64, 64, 3)
    assert data.test_images[:, 0, 0, 0].tolist() == [1, 0]  # 8001 and 10,000; the rule ends there
    with pytest.raises(ArgumentError, match="`held-out` must be left out with 'celeba'"):
        load_data(tmp_path / "x.zip", held_out=0.1)


def test_other_names_or_sizes_are_not_celeba(tmp_path: Path) -> None:
    assert (
        load_data(as_folder(tmp_path / "a", {f"{k:06d}.png": flat(k) for k in range(5)})).description.name == "images"
    )
    same_size = {f"{k}.png": flat(k, (218, 178)) for k in range(5)}
    assert load_data(as_folder(tmp_path / "b", same_size)).description.name == "images"
    with pytest.raises(DataFileError, match=r"0 to be held out .*as 'celeba' says"):
        load_data(tmp_path / "b", "celeba")


def idx_folder(folder: Path, side: int = 28) -> Path:
    generator = np.random.default_rng(0)
    for name, shape in (
        (idx.TRAIN_IMAGES, (6, side, side)),
        (idx.TRAIN_LABELS, (6,)),
        (idx.TEST_IMAGES, (2, side, side)),
        (idx.TEST_LABELS, (2,)),
    ):
        idx.write_idx(folder / name, generator.integers(0, 10, shape, np.uint8))
    return folder


def test_idx_as_stored_and_resized(tmp_path: Path) -> None:
    folder = idx_folder(tmp_path)
    stored = idx.load_idx_folder(folder)
    data = load_data(folder)
    assert (data.train_images == stored.train_images).all()
    assert (data.side, data.channels, data.description.format, data.description.name) == (28, 1, "idx", "images")
    assert len(data.class_names) == 1 + max(stored.train_labels.max(), stored.test_labels.max())
    named = load_data(folder, "fashion-mnist")
    assert named.class_names[:3] == ("T-shirt or top", "trouser", "pullover")
    large = load_data(folder, side=32, channels=3)
    assert large.train_images.shape == (6, 32, 32, 3)
    whole = Image.fromarray(stored.train_images[0]).resize((32, 32), Image.Resampling.LANCZOS)
    assert (large.train_images[0, ..., 1] == np.asarray(whole)).all()
    assert load_data(idx_folder(tmp_path / "small", 20)).side == 16


def test_options_that_do_not_fit_are_named(tmp_path: Path) -> None:
    folder = idx_folder(tmp_path / "idx")
    numbered = shipped_description("celeba").model_copy(update={"format": None})  # as a model's weights know it
    with pytest.raises(DataFileError, match="'celeba' is split by the numbers"):
        load_data(folder, numbered)
    with pytest.raises(ArgumentError, match="`held-out` must be left out with IDX files"):
        load_data(folder, held_out=0.1)
    with pytest.raises(ArgumentError, match="`side` is 7"):
        load_data(folder, side=7)
    with pytest.raises(DataFileError, match="are a folder of IDX files, but 'celeba' is a folder or zip"):
        load_data(folder, "celeba")
    images = as_folder(tmp_path / "images", many())
    with pytest.raises(DataFileError, match="are a folder or zip archive of images, but 'mnist' is a folder of IDX"):
        load_data(images, "mnist")
    with pytest.raises(ArgumentError, match=r"`held_out_share` is 1\.5"):
        load_data(images, held_out=1.5)
    with pytest.raises(DataFileError, match="do not exist"):
        load_data(tmp_path / "nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataFileError, match="hold no image"):
        load_data(tmp_path / "empty")


def test_a_description_file_leads_to_its_data(tmp_path: Path) -> None:
    as_folder(tmp_path / "pictures", {f"a{k}.png": flat(k) for k in range(2)} | {f"{k}.png": flat(k) for k in range(9)})
    text = (
        'name = "mine"\npath = "pictures"\ntrain_numbers = [0, 5]\nheld_out_numbers = [7, 8]\nside = 32\nchannels = 3\n'
    )
    (tmp_path / "mine.toml").write_text(text, encoding="utf-8")
    data = load_data(tmp_path / "mine.toml")
    assert data.train_images.shape == (6, 32, 32, 3)
    assert data.test_images[:, 0, 0, 0].tolist() == [7, 8]
    assert load_data(tmp_path / "mine.toml", side=16).side == 16
    (tmp_path / "mine.toml").write_text('name = "mine"\n', encoding="utf-8")
    with pytest.raises(DataFileError, match="does not say where the data are"):
        load_data(tmp_path / "mine.toml")


SHARED = Path(__file__).parents[4].parent / "shared" / "data"


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_published_data_are_recognised_by_their_pixels(name: str) -> None:
    folder = SHARED / name.replace("-", "_")
    if not folder.is_dir():
        pytest.skip(f"{name} is not beside the repository ({folder})")
    data = load_data(folder)
    assert data.description == shipped_description(name)
    assert data.class_names == data.description.class_names


def test_real_faces_are_read_as_the_shipped_weights_saw_them() -> None:
    archive = SHARED / "celeba" / "celeba_align_10k_89x109.zip"
    if not archive.is_file():
        pytest.skip(f"CelebA is not beside the repository ({archive})")
    few = {"train_numbers": (1, 24), "held_out_numbers": (8001, 8004)}
    data = load_data(archive, shipped_description("celeba").model_copy(update=few))
    with zipfile.ZipFile(archive) as images:
        for number, pixels in ((1, data.train_images[0]), (24, data.train_images[23]), (8004, data.test_images[3])):
            name = next(name for name in images.namelist() if name.endswith(f"{number:06d}.jpg"))
            with Image.open(io.BytesIO(images.read(name))) as image:
                box = (7, 17, 81, 91)  # the central 74 x 74 of 89 x 109
                assert (pixels == np.asarray(image.resize((64, 64), Image.Resampling.LANCZOS, box=box))).all()
