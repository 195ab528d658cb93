"""Images in memory: the record that every reader of data returns."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.generation.datasets.description import UNDESCRIBED, DataDescription


@dataclass(frozen=True, slots=True)
class ImageSet:
    """A data set, split into training and held-out ("test") images of one size.

    Attributes:
        train_images: uint8, shape ``(n, side, side)`` if grey, ``(n, side, side, 3)`` if RGB.
        train_labels: integers, shape ``(n,)``; None where the data name no classes.
        test_images: uint8, the held-out images, shape ``(m, side, side)`` or ``(m, side, side, 3)``.
        test_labels: integers, shape ``(m,)``, or None.
        class_names: name of each label.
        description: where the images come from, and how they were treated (side and channels resolved).
        skipped: names of the images that could not be read and were left out by request.
    """

    train_images: NDArray[np.uint8]
    train_labels: NDArray[np.integer] | None
    test_images: NDArray[np.uint8]
    test_labels: NDArray[np.integer] | None
    class_names: tuple[str, ...] = ()
    description: DataDescription = UNDESCRIBED
    skipped: tuple[str, ...] = ()

    @property
    def channels(self) -> int:
        """Colours of an image: 1 or 3."""
        return 1 if self.train_images.ndim == 3 else int(self.train_images.shape[3])

    @property
    def side(self) -> int:
        """Height of an image in pixels."""
        return int(self.train_images.shape[1])

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the training pixels, hexadecimal."""
        return hashlib.sha256(np.ascontiguousarray(self.train_images).data).hexdigest()
