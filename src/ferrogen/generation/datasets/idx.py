"""Image data sets in the IDX format of MNIST and Fashion-MNIST, plain or gzip. The files are untrusted.

The format (Y. LeCun, C. Cortes, C. J. C. Burges, "The MNIST database of handwritten digits"): two zero bytes,
a type code (0x08: unsigned byte), the number of dimensions, each dimension as a big-endian 32-bit integer,
then the values.
"""

from __future__ import annotations

import gzip
import io
import math
import zlib
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import DataFileError, argument_error
from ferrogen.core.files import atomic_path, read_bytes
from ferrogen.generation.datasets.image_set import ImageSet

_UNSIGNED_BYTE: Final = 0x08
_OTHER_TYPES: Final = {0x09: "int8", 0x0B: "int16", 0x0C: "int32", 0x0D: "float32", 0x0E: "float64"}
_MAX_DIMENSIONS: Final = 4
_MAX_VALUES: Final = 2**28
"""More than five times MNIST's training images; a file that claims more is refused before it is unpacked."""
_MAX_FILE_BYTES: Final = _MAX_VALUES + 4 + 4 * _MAX_DIMENSIONS
_GZIP_MAGIC: Final = b"\x1f\x8b"

TRAIN_IMAGES: Final = "train-images-idx3-ubyte"
TRAIN_LABELS: Final = "train-labels-idx1-ubyte"
TEST_IMAGES: Final = "t10k-images-idx3-ubyte"
TEST_LABELS: Final = "t10k-labels-idx1-ubyte"


def read_idx(path: Path) -> NDArray[np.uint8]:
    """Read one IDX file of unsigned bytes, plain or gzip (told apart by content, not by name).

    Args:
        path: the file.

    Returns:
        Read-only uint8 array of the shape that the header states.

    Raises:
        DataFileError: the file is missing, too large, truncated, not IDX, of another type, or has data over.
    """
    raw = read_bytes(path, what="IDX file", limit=_MAX_FILE_BYTES)
    if not raw.startswith(_GZIP_MAGIC):
        return _parse(io.BytesIO(raw), path)
    try:
        # Reading is bounded by the size the header states, so a gzip bomb is never unpacked.
        with gzip.GzipFile(fileobj=io.BytesIO(raw)) as unpacked:
            return _parse(unpacked, path)
    except (EOFError, OSError, zlib.error) as error:
        raise _refusal(path, f"is gzip, but damaged ({error})") from error


def write_idx(path: Path, values: NDArray[np.uint8]) -> None:
    """Write an array as an IDX file, atomically; gzip if the name ends in ``.gz``.

    Args:
        path: where to.
        values: uint8, one to four dimensions, at most 2**28 values.

    Raises:
        ArgumentError: the array is of another type or shape.
        OutputError: the folder cannot be written.
    """
    if values.dtype != np.uint8 or not 1 <= values.ndim <= _MAX_DIMENSIONS or values.size > _MAX_VALUES:
        raise argument_error(
            "values",
            f"be uint8 with 1 to {_MAX_DIMENSIONS} dimensions and at most {_MAX_VALUES} values",
            f"{values.dtype} of shape {values.shape}",
        )
    header = bytes([0, 0, _UNSIGNED_BYTE, values.ndim]) + np.array(values.shape, dtype=">u4").tobytes()
    content = header + np.ascontiguousarray(values).tobytes()
    with atomic_path(path) as temporary:
        # mtime=0: equal arrays give equal files.
        temporary.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def load_idx_folder(folder: Path) -> ImageSet:
    """Load a data set from its four files under their usual names, each plain or with ``.gz``, as it is stored.

    :func:`~ferrogen.generation.datasets.loading.load_data` does this and more.

    Args:
        folder: holds ``train-images-idx3-ubyte``, ``train-labels-idx1-ubyte``, ``t10k-images-idx3-ubyte`` and
            ``t10k-labels-idx1-ubyte``.

    Raises:
        DataFileError: a file is missing or damaged, or the files do not belong together.
    """
    train = _pair(folder, TRAIN_IMAGES, TRAIN_LABELS)
    test = _pair(folder, TEST_IMAGES, TEST_LABELS)
    if train[0].shape[1:] != test[0].shape[1:]:
        raise DataFileError(
            f"Data folder '{folder}': training images have {_size(train[0])} pixels, but test images"
            f" {_size(test[0])}. Use the files of one data set."
        )
    return ImageSet(*train, *test)


def _parse(stream: io.BufferedIOBase, path: Path) -> NDArray[np.uint8]:
    head = stream.read(4)
    if len(head) < 4 or head[:2] != b"\0\0":
        raise _refusal(path, f"does not begin with an IDX header (first bytes: {head.hex(' ') or 'none'})")
    code, dimensions = head[2], head[3]
    if code in _OTHER_TYPES:
        raise _refusal(
            path, f"holds {_OTHER_TYPES[code]}, but images and labels must be unsigned bytes (type code 0x08)"
        )
    if code != _UNSIGNED_BYTE:
        raise _refusal(path, f"has the unknown IDX type code 0x{code:02x}")
    if not 1 <= dimensions <= _MAX_DIMENSIONS:
        raise _refusal(path, f"states {dimensions} dimensions, but 1 to {_MAX_DIMENSIONS} are usable")
    sizes = stream.read(4 * dimensions)
    if len(sizes) < 4 * dimensions:
        raise _refusal(path, "ends within its header")
    shape = tuple(int(size) for size in np.frombuffer(sizes, dtype=">u4"))
    count = math.prod(shape)
    if not 1 <= count <= _MAX_VALUES:
        raise _refusal(path, f"states the shape {shape}, but 1 to {_MAX_VALUES} values are usable")
    content = stream.read(count + 1)  # one more than needed, to notice what is left over
    if len(content) != count:
        much = f"only {len(content)}" if len(content) < count else "more"
        raise _refusal(path, f"states {count} values of shape {shape}, but holds {much}")
    return np.frombuffer(content, dtype=np.uint8).reshape(shape)


def _pair(folder: Path, image_name: str, label_name: str) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    image_path, label_path = _find(folder, image_name), _find(folder, label_name)
    images, labels = read_idx(image_path), read_idx(label_path)
    if images.ndim != 3:
        raise _refusal(image_path, f"has {images.ndim} dimensions, but images need 3 (number, height, width)")
    if labels.ndim != 1:
        raise _refusal(label_path, f"has {labels.ndim} dimensions, but labels need 1")
    if len(images) != len(labels):
        raise DataFileError(
            f"Data folder '{folder}': '{image_path.name}' has {len(images)} images,"
            f" but '{label_path.name}' has {len(labels)} labels. Use the files of one data set."
        )
    return images, labels


def _find(folder: Path, name: str) -> Path:
    for candidate in (folder / name, folder / f"{name}.gz"):
        if candidate.exists():
            return candidate
    raise DataFileError(
        f"Data folder '{folder}' has no '{name}' or '{name}.gz'."
        " Give the folder that holds the four MNIST-format files."
    )


def _size(images: NDArray[np.uint8]) -> str:
    return f"{images.shape[1]} x {images.shape[2]}"


def _refusal(path: Path, what: str) -> DataFileError:
    return DataFileError(f"IDX file '{path}' {what}. Fetch it again, or give a file of MNIST format.")
