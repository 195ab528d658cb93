"""The age of a junction: what it has been through, in the units in which the laws of this room count.

Cycles, storage and stress add up. Storage and stress at other temperatures or voltages are converted first to the
times at 300 K, and at the breakdown voltage of the card, that do the same
(:func:`.imprint.equivalent_storage`, :func:`.breakdown.equivalent_stress`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ferrogen.core.errors import check_number
from ferrogen.device.card import DeviceCard


@dataclass(frozen=True, slots=True)
class Age:
    """What a junction has been through.

    Attributes:
        cycles: complete switching cycles, there and back [1].
        storage_time: time in the present state, as a time at 300 K with the same imprint [s].
        stress_time: time under voltage, as a time at the breakdown voltage and 300 K with the same wear [s].
    """

    cycles: float = 0.0
    storage_time: float = 0.0
    stress_time: float = 0.0

    def __post_init__(self) -> None:
        check_number("cycles", self.cycles, "cycles", may_vanish=True)
        check_number("storage_time", self.storage_time, "s", may_vanish=True)
        check_number("stress_time", self.stress_time, "s", may_vanish=True)

    def cycled(self, cycles: float, stress_time: float = 0.0) -> Age:
        """Return the age after more cycles [1], which add their stress [s] and end the storage of the old state.

        Raises:
            ArgumentError: a negative or infinite number.
        """
        check_number("cycles", cycles, "cycles", may_vanish=True)
        check_number("stress_time", stress_time, "s", may_vanish=True)
        kept = 0.0 if cycles else self.storage_time
        return Age(self.cycles + cycles, kept, self.stress_time + stress_time)

    def stored(self, time: float) -> Age:
        """Return the age after more time [s at 300 K] in the same state.

        Raises:
            ArgumentError: a negative or infinite time.
        """
        check_number("time", time, "s", may_vanish=True)
        return replace(self, storage_time=self.storage_time + time)

    def stressed(self, time: float) -> Age:
        """Return the age after more stress [s at the breakdown voltage and 300 K].

        Raises:
            ArgumentError: a negative or infinite time.
        """
        check_number("time", time, "s", may_vanish=True)
        return replace(self, stress_time=self.stress_time + time)


def age_extrapolations(card: DeviceCard, age: Age, temperature: float) -> tuple[str, ...]:
    """Return one sentence for each way in which an age or temperature [K] lies outside of what a card holds for.

    The stress has no range of its own in a card: its law gives a survival, which says how far it reaches.

    Raises:
        CardError: the card does not say for which cycles or storage times it holds.
        ArgumentError: the temperature is no finite number.
    """
    said = (
        card.extrapolation("cycles", age.cycles, "cycles"),
        card.extrapolation("storage_time", age.storage_time, "storage_time"),
        card.extrapolation("temperature", temperature, "temperature"),
    )
    return tuple(sentence for sentence in said if sentence)
