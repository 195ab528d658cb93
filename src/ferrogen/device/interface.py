"""What ferrogen asks of a device model: five functions. :func:`ferrogen.testing.check_device` holds a model to them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ferrogen.device.card import DeviceCard


class JunctionModel(Protocol):
    """Many cells of one kind, drawn once from a card; all state is outside, in an object only the model understands.

    Two calls with the same arguments give the same result: scatter from cell to cell is drawn when the model is made,
    scatter from pulse to pulse is addressed by a count that the state carries. A state is never changed in place.
    """

    @property
    def card(self) -> DeviceCard:
        """The card the cells were drawn from."""
        ...

    @property
    def cells(self) -> int:
        """Number of cells."""
        ...

    def initial_state(self) -> Any:
        """Return the state of fresh cells, fully switched off."""
        ...

    def advance(self, state: Any, voltage: ArrayLike, duration: float, *, temperature: float = 300.0) -> Any:
        """Return the state after a constant voltage.

        Args:
            state: from this model.
            voltage: [V], one number or shape ``(cells,)``; positive switches on.
            duration: [s], positive.
            temperature: [K].

        Raises:
            FerrogenError: a number that is not finite, a duration that is not positive, a temperature outside the
                card's validity, a voltage beyond its range of program voltages (if the card states one).
        """
        ...

    def polarization(self, state: Any) -> NDArray[np.float64]:
        """Return the ferroelectric's switchable polarisation [C/m^2], shape ``(cells,)``."""
        ...

    def switched_fraction(self, state: Any) -> NDArray[np.float64]:
        """Return the share of each cell that is switched on, 0 to 1, shape ``(cells,)``."""
        ...

    def current(self, state: Any, voltage: ArrayLike) -> NDArray[np.float64]:
        """Return the read current [A] with all traps empty, shape ``(cells,)``.

        Args:
            state: from this model.
            voltage: [V], one number or shape ``(cells,)``.
        """
        ...


DeviceModelFactory = Callable[[DeviceCard, int, int], JunctionModel]
"""Makes a model from (card, number of cells, seed)."""
