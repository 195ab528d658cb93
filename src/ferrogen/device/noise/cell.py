"""One cell at an operating point: all that the noise of its current depends on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import argument_error
from ferrogen.device.card import DeviceCard
from ferrogen.device.noise.amplitude import blocked_shares
from ferrogen.device.noise.rtn.closed_form import occupancy
from ferrogen.device.noise.spec import NoiseSpec
from ferrogen.device.noise.traps import TrapPopulation
from ferrogen.device.transport.compact import read_current

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CellPoint:
    """A cell at an operating point, all that its current noise depends on.

    Attributes:
        current: with all traps empty [A].
        voltage: [V], not zero.
        temperature: [K].
        capture_rate: of its traps [1/s], shape ``(traps,)``.
        emission_rate: [1/s], same shape.
        steps: what an occupied trap adds to the current [A], same shape.
        fano_factor: of the shot noise [1].
    """

    current: float
    voltage: float
    temperature: float
    capture_rate: Array
    emission_rate: Array
    steps: Array
    fano_factor: float = 1.0

    def __post_init__(self) -> None:
        arrays = [np.asarray(x, dtype=np.float64) for x in (self.capture_rate, self.emission_rate, self.steps)]
        shapes = {x.shape for x in arrays}
        if len(shapes) != 1 or arrays[0].ndim != 1 or not all(np.all(np.isfinite(x)) for x in arrays):
            raise argument_error("capture_rate", "be finite, and as long as emission rates and steps", str(shapes))
        if np.any(arrays[0] <= 0.0) or np.any(arrays[1] <= 0.0):
            raise argument_error("capture_rate", "be positive in 1/s, and so the emission rate", arrays[0][:3])

    @property
    def mean_current(self) -> float:
        """Mean current, the occupied traps' share included [A]."""
        return self.current + float(self.steps @ occupancy(self.capture_rate, self.emission_rate))


def cell_point(
    card: DeviceCard,
    traps: TrapPopulation,
    cell: int,
    *,
    switched_fraction: float,
    voltage: float,
    temperature: float,
) -> CellPoint:
    """Return one cell of a drawn population, with the card's nominal conductances, at an operating point.

    Args:
        card: the device card; its section [noise] gives the Fano factor.
        traps: drawn from it.
        cell: index of the cell.
        switched_fraction: its state, 0 (off) to 1 (on).
        voltage: read voltage [V].
        temperature: [K].

    Raises:
        ValidityError: voltage or temperature outside of the card's ranges.
        ArgumentError: a cell that the population lacks, or a switched fraction outside 0 to 1.
        CardError: the card has no section [noise].
    """
    card.check("read_voltage", voltage, "voltage")
    card.check("temperature", temperature, "temperature")
    fano = card.require(NoiseSpec).fano_factor.value
    if not 0 <= cell < traps.starts.shape[0] - 1:
        raise argument_error("cell", f"be a cell from 0 to {traps.starts.shape[0] - 2}", cell)
    own = slice(int(traps.starts[cell]), int(traps.starts[cell + 1]))
    factor, limit = card.off_state_amplitude_factor.value, card.trap_amplitude_limit.value
    alone = np.zeros(own.stop - own.start, dtype=np.int64)
    sizes = blocked_shares(traps.amplitude[own], alone, 1, switched_fraction, factor, limit)
    on, off = card.on_conductance.value, card.off_conductance.value
    current = float(read_current(voltage, switched_fraction, on, off, card.characteristic_voltage.value))
    capture, emission = traps.rates(voltage, temperature)
    return CellPoint(current, voltage, temperature, capture[own], emission[own], -sizes * current, fano)
