"""The errors of word-line drivers, drawn once for each driver, and the noise of each use."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ferrogen.circuit.readout.tables import back, like, on_host

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class InputErrors:
    """What drivers make of the inputs they are given. All in shares of full input.

    Attributes:
        gain: factor of each driver [1], shape of the drivers.
        offset: of each driver, added where it is active, same shape.
        levels: what each driver gives for the codes -steps to steps, ``(*drivers, 2 steps + 1)``; None: the codes.
        noise: rms of every use.
        only_active: whether an input of zero has neither offset nor noise (no pulse, no error).
    """

    gain: Array
    offset: Array
    levels: Array | None
    noise: float
    only_active: bool = False

    @property
    def absent(self) -> bool:
        """Whether there are no errors at all."""
        return self.levels is None and self.noise == 0.0 and not np.any(self.offset) and bool(np.all(self.gain == 1.0))

    def apply(self, plane: Any, normals: Any = None) -> Any:
        """Return what the drivers give for rounded inputs.

        Args:
            plane: in [-1, 1], last dimensions those of the drivers.
            normals: standard normals shaped like ``plane``; no noise, if not given.
        """
        if self.absent:
            return plane
        out = plane
        if self.levels is not None:
            steps = (self.levels.shape[-1] - 1) // 2
            codes = np.rint(on_host(plane) * steps).astype(np.int64) + steps
            drivers = self.levels.shape[:-1]
            base = (np.arange(int(np.prod(drivers))) * self.levels.shape[-1]).reshape(drivers)
            out = back(plane, self.levels.reshape(-1)[base + codes])
        added = like(plane, self.offset)
        if normals is not None and self.noise > 0.0:
            added = added + self.noise * normals
        active = (plane != 0.0) if self.only_active else 1.0
        return out * like(plane, self.gain) + active * added


NO_ERRORS = InputErrors(np.ones(()), np.zeros(()), None, 0.0)


def draw_input_errors(
    drivers: tuple[int, ...],
    generator: np.random.Generator,
    *,
    steps: int,
    unit_mismatch: float = 0.0,
    gain_error: float = 0.0,
    offset: float = 0.0,
    noise: float = 0.0,
    only_active: bool = False,
) -> InputErrors:
    """Draw the errors of drivers; the same generator gives the same gains and offsets whatever else is switched on.

    Args:
        drivers: shape of the bank.
        generator: addressed.
        steps: codes on either side of zero.
        unit_mismatch: relative standard deviation of a unit element [1].
        gain_error: relative standard deviation of the gain [1].
        offset: standard deviation [steps].
        noise: rms of every use [steps].
        only_active: see :class:`InputErrors`.
    """
    gain = 1.0 + gain_error * generator.standard_normal(drivers)
    shift = offset / steps * generator.standard_normal(drivers)
    levels = None
    if unit_mismatch > 0.0:
        # One string of units serves both signs; a code is the sum of its first units over that of all.
        units = 1.0 + unit_mismatch * generator.standard_normal((*drivers, steps))
        sums = np.cumsum(units, axis=-1)
        half = sums / sums[..., -1:]
        levels = np.concatenate([-half[..., ::-1], np.zeros((*drivers, 1)), half], axis=-1)
    return InputErrors(gain, shift, levels, noise / steps, only_active)
