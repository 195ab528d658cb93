"""A chip whose cells have been used and stored: every tile in the state it has reached since it was programmed."""

from __future__ import annotations

from dataclasses import dataclass

from ferrogen.array.evolution import Evolution
from ferrogen.array.evolution_exposure import Exposure
from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.tile import read_stage
from ferrogen.core.errors import argument_error, check_number
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE


@dataclass(frozen=True, slots=True)
class Age:
    """What a chip has gone through since it was programmed.

    Attributes:
        cycles: of the chip, each with its samples and products; 0, or at least 1.
        storage_time: without voltage between programming and the first cycle [s].
        storage_temperature: [K].
        program_erase_cycles: that came before the present state was programmed; None: the woken, not yet tired film
            that cards describe.

    Raises:
        ArgumentError: a number that is negative or not finite.
    """

    cycles: float = 0.0
    storage_time: float = 0.0
    storage_temperature: float = REFERENCE_TEMPERATURE
    program_erase_cycles: float | None = None

    def __post_init__(self) -> None:
        check_number("cycles", self.cycles, "cycles", may_vanish=True)
        check_number("storage_time", self.storage_time, "s", may_vanish=True)
        check_number("storage_temperature", self.storage_temperature, "K")
        if self.program_erase_cycles is not None:
            check_number("program_erase_cycles", self.program_erase_cycles, "cycles", may_vanish=True)

    def exposure(self, point: OperatingPoint, *, samples: bool) -> Exposure:
        """Return what a tile's cells see of it.

        Args:
            point: operating point of the cycles.
            samples: whether the tile's bit lines serve the sample mode.
        """
        stages = (read_stage(point, self.cycles, samples=samples),) if self.cycles > 0.0 else ()
        return Exposure(stages, self.storage_time, self.storage_temperature, self.program_erase_cycles)


def age_chip(chip: Chip, point: OperatingPoint, age: Age, *, evolution: Evolution | None = None) -> tuple[str, ...]:
    """Bring all programmed tiles to the state of an age: their weights have drifted as the evolution says.

    The age counts from programming, not from the last call, so that any age is found without those before it; an age of
    nothing brings the chip back as programmed. Matrices that layers keep are made anew at their next product
    (``AnalogLayer.refresh`` for modules).

    Args:
        chip: with programmed tiles.
        point: operating point of the cycles.
        age: since programming.
        evolution: how cells change; the card's, with the chip's seed, if not given.

    Returns:
        what has to be said of it, a sentence each: cells that were not followed, and why; values beyond those for
        which the card is stated to hold. Empty: nothing.

    Raises:
        ArgumentError: no tile was programmed, or numbers that are unusable.
        ValidityError: a voltage or temperature for which the card is not stated to hold.
    """
    if not chip.tiles:
        raise argument_error("chip", "have programmed tiles", "blank", "Map a module onto it first.")
    law = Evolution(chip.device, seed=chip.seed) if evolution is None else evolution
    said: list[str] = []
    for number in sorted(chip.tiles):
        tile = chip.tile(number)
        exposure = age.exposure(point, samples=tile.samples)
        if age == Age():
            chip.set_condition(number, None)
            continue
        condition = law.after(tile.state.switched_fraction, exposure, tile=number)
        said += [condition.remark] if condition.remark else law.extrapolations(exposure)
        chip.set_condition(number, condition)
    return tuple(dict.fromkeys(said))
