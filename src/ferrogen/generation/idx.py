"""Old names of what lives in :mod:`ferrogen.generation.datasets`."""

from ferrogen.generation.datasets.idx import (
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    load_idx_folder,
    read_idx,
    write_idx,
)
from ferrogen.generation.datasets.image_set import ImageSet as ImageData

__all__ = [
    "TEST_IMAGES",
    "TEST_LABELS",
    "TRAIN_IMAGES",
    "TRAIN_LABELS",
    "ImageData",
    "load_idx_folder",
    "read_idx",
    "write_idx",
]
