"""What a feature network says of a set of pictures; plain arrays, so that scores need no torch."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import argument_error


@dataclass(frozen=True)
class Features:
    """What a network sees in a set of pictures.

    Attributes:
        features: float64 ``(n, d)``, standardised (on its training data each has mean and variance near 0 and 1).
        probabilities: float64 ``(n, classes)``, softmax class probabilities, rows sum to one; None if the network was
            trained without classes.
    """

    features: NDArray[np.float64]
    probabilities: NDArray[np.float64] | None

    @property
    def class_probabilities(self) -> NDArray[np.float64]:
        """The probabilities, where classes are needed.

        Raises:
            ArgumentError: the network has no classes.
        """
        if self.probabilities is None:
            raise argument_error("network", "have classes", "one without", "Give a network trained on labelled images.")
        return self.probabilities
