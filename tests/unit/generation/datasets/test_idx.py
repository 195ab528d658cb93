"""IDX files: what is written is read back, and no damage raises anything but a one-line DataFileError."""

from __future__ import annotations

import gzip
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ferrogen.core.errors import ArgumentError, DataFileError
from ferrogen.generation.datasets import idx

arrays = hnp.arrays(np.uint8, hnp.array_shapes(min_dims=1, max_dims=4, max_side=6))


def content(values: np.ndarray) -> bytes:
    return bytes([0, 0, 8, values.ndim]) + np.array(values.shape, ">u4").tobytes() + values.tobytes()


def refusal(path: Path) -> str:
    with pytest.raises(DataFileError) as caught:
        idx.read_idx(path)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


@given(values=arrays, suffix=st.sampled_from(["", ".gz"]))
@settings(max_examples=50, deadline=None)
def test_round_trip(values: np.ndarray, suffix: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"data-idx{suffix}"
        idx.write_idx(path, values)
        assert path.read_bytes().startswith(b"\x1f\x8b") == (suffix == ".gz")
        read = idx.read_idx(path)
    assert read.shape == values.shape
    assert (read == values).all()


@given(data=st.data(), packed=st.booleans())
@settings(max_examples=150, deadline=None)
def test_damage_is_a_data_file_error_or_harmless(data: st.DataObject, packed: bool) -> None:
    values = data.draw(arrays)
    raw = bytearray(gzip.compress(content(values), mtime=0) if packed else content(values))
    if data.draw(st.booleans(), label="truncate"):
        del raw[data.draw(st.integers(0, len(raw) - 1)) :]
    else:
        for _ in range(data.draw(st.integers(1, 4))):
            raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "damaged"
        path.write_bytes(bytes(raw))
        try:
            idx.read_idx(path)
        except DataFileError as error:
            assert "\n" not in str(error)  # noqa: PT017 - a flipped pixel of a plain file cannot be noticed


@given(values=arrays, cut=st.integers(1, 1000), packed=st.booleans())
@settings(max_examples=50, deadline=None)
def test_every_truncation_is_noticed(values: np.ndarray, cut: int, packed: bool) -> None:
    raw = gzip.compress(content(values), mtime=0) if packed else content(values)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "cut"
        path.write_bytes(raw[: max(0, len(raw) - cut)])
        refusal(path)


@pytest.mark.parametrize(
    ("raw", "complaint"),
    [
        (b"", "does not begin with an IDX header"),
        (b"\x89PNG\r\n", "does not begin with an IDX header"),
        (b"\0\0\x0d\x01\0\0\0\1\0\0\0\0", "holds float32"),
        (b"\0\0\x07\x01\0\0\0\1\0", "unknown IDX type code 0x07"),
        (b"\0\0\x08\x00", "0 dimensions"),
        (b"\0\0\x08\xff", "255 dimensions"),
        (b"\0\0\x08\x03\0\0\0\1", "ends within its header"),
        (b"\0\0\x08\x02" + b"\xff" * 8, "268435456 values are usable"),
        (b"\0\0\x08\x01\0\0\0\0", "1 to 268435456"),
        (b"\0\0\x08\x01\0\0\0\2\7", "but holds only 1"),
        (b"\0\0\x08\x01\0\0\0\1\7\7", "but holds more"),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_foreign_content_is_named(tmp_path: Path, raw: bytes, complaint: str, packed: bool) -> None:
    path = tmp_path / "foreign"
    path.write_bytes(gzip.compress(raw) if packed else raw)
    assert complaint in refusal(path)


def test_gzip_bomb_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked = 0
    original = gzip.GzipFile.read

    def counting(self: gzip.GzipFile, size: int | None = -1) -> bytes:
        nonlocal unpacked
        assert size is not None
        assert size >= 0
        piece = original(self, size)
        unpacked += len(piece)
        return piece

    monkeypatch.setattr(gzip.GzipFile, "read", counting)
    path = tmp_path / "bomb"
    path.write_bytes(gzip.compress(content(np.zeros(10, np.uint8)) + bytes(50_000_000)))
    assert "holds more" in refusal(path)
    assert unpacked < 100


def test_missing_and_folder(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "nothing")
    assert "not a file" in refusal(tmp_path)


def test_write_refuses_other_types(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="float64 of shape"):
        idx.write_idx(tmp_path / "x", np.zeros(3))  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def write_folder(folder: Path, **changed: np.ndarray) -> None:
    parts = {
        idx.TRAIN_IMAGES: np.ones((5, 4, 3), np.uint8),
        idx.TRAIN_LABELS: np.arange(5, dtype=np.uint8),
        idx.TEST_IMAGES: np.zeros((2, 4, 3), np.uint8),
        idx.TEST_LABELS: np.array([1, 0], np.uint8),
    } | {getattr(idx, name): values for name, values in changed.items()}
    for number, (name, values) in enumerate(parts.items()):
        idx.write_idx(folder / (name + (".gz" if number % 2 else "")), values)


def test_folder(tmp_path: Path) -> None:
    write_folder(tmp_path)
    data = idx.load_idx_folder(tmp_path)
    assert data.train_images.shape == (5, 4, 3)
    assert data.train_labels.tolist() == [0, 1, 2, 3, 4]
    assert data.test_images.shape == (2, 4, 3)
    assert data.test_labels.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("name", "values", "complaint"),
    [
        ("TRAIN_IMAGES", np.ones((5, 12), np.uint8), "has 2 dimensions, but images need 3"),
        ("TEST_LABELS", np.ones((2, 1), np.uint8), "has 2 dimensions, but labels need 1"),
        ("TRAIN_LABELS", np.ones(4, np.uint8), "5 images, but 't.*' has 4 labels"),
        ("TEST_IMAGES", np.ones((2, 3, 4), np.uint8), "4 x 3 pixels, but test images 3 x 4"),
    ],
)
def test_folder_of_files_that_do_not_belong_together(
    tmp_path: Path, name: str, values: np.ndarray, complaint: str
) -> None:
    write_folder(tmp_path, **{name: values})
    with pytest.raises(DataFileError, match=complaint):
        idx.load_idx_folder(tmp_path)


def test_folder_without_a_file(tmp_path: Path) -> None:
    write_folder(tmp_path)
    (tmp_path / idx.TEST_IMAGES).unlink()
    with pytest.raises(DataFileError, match="has no 't10k-images-idx3-ubyte' or"):
        idx.load_idx_folder(tmp_path)


def test_mnist() -> None:
    folder = Path(__file__).parents[4] / ".." / "shared" / "data" / "mnist"
    if not folder.is_dir():
        pytest.skip("MNIST is not beside the repository (../shared/data/mnist)")
    data = idx.load_idx_folder(folder)
    assert data.train_images.shape == (60_000, 28, 28)
    # The histogram that the makers of the data set publish.
    assert np.bincount(data.test_labels).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    assert data.train_labels[:5].tolist() == [5, 0, 4, 1, 9]
