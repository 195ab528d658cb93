"""What the cells of a tile go through in one cycle of the chip: two sampling windows, then rest and products."""

from __future__ import annotations

from ferrogen.chip.point import OperatingPoint
from ferrogen.device.noise.rtn.schedule import Phase, Schedule

READ_PHASE = 3
"""Index of the phase in which products are read; it is the last of every schedule."""


def chip_schedule(point: OperatingPoint, *, samples: bool, observe: str) -> Schedule:
    """Return the cycle of one tile.

    Args:
        point: operating point.
        samples: whether this tile is one whose bit lines are sampled; other tiles idle at zero volts meanwhile.
        observe: ``"windows"`` for the two sampling windows, ``"product"`` for the read of a product.

    The cycle is: window, window, rest at the multiply voltage, one product read at the multiply voltage.
    """
    voltage = point.sample_voltage if samples else 0.0
    windows = observe == "windows"
    rest = point.reset - point.multiply_time
    return Schedule(
        (
            Phase(voltage, point.sampling_time, observed=windows),
            Phase(voltage, point.sampling_time, observed=windows),
            Phase(point.multiply_voltage if samples else 0.0, rest),
            Phase(point.multiply_voltage, point.multiply_time, observed=not windows),
        )
    )
