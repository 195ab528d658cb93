"""What the cells of an array have gone through since they were programmed: a record, without physics."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from ferrogen.core.errors import argument_error, check_number
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE

Phase = tuple[float, float]
"""(voltage [V], duration [s])."""


@dataclass(frozen=True, slots=True)
class Train:
    """A part of a cycle that repeats itself: so many pulses and gaps.

    Attributes:
        phases: (voltage [V], duration [s]) of one pulse and its gap.
        count: how many [1], at least 1; it need not be whole.
    """

    phases: tuple[Phase, ...]
    count: float = 1.0

    def __post_init__(self) -> None:
        if not self.phases:
            raise argument_error("phases", "hold at least one (voltage, duration)", "empty")
        for voltage, duration in self.phases:
            if not math.isfinite(voltage):
                raise argument_error("phases", "have finite voltages in V", f"{voltage}")
            check_number("phases", duration, "s")
        check_number("count", self.count, "repetitions")
        if self.count < 1.0:
            raise argument_error("count", "be at least 1", f"{self.count:g}")

    @property
    def period(self) -> float:
        """Duration of the whole train [s]."""
        return self.count * math.fsum(duration for _, duration in self.phases)


@dataclass(frozen=True, slots=True)
class Stage:
    """Equal cycles, one after the other, at one temperature.

    Attributes:
        cycles: how many [1]; 0, or at least 1.
        phases: of one cycle: read voltage [V] and duration [s] of each, or trains of them. Whether a positive voltage
            is one along set pulses or against them, is said by whoever follows the exposure (``Evolution.polarity``).
        temperature: [K].

    Raises:
        ArgumentError: a number that is unusable, or no phase.
    """

    cycles: float
    phases: tuple[Phase | Train, ...]
    temperature: float = REFERENCE_TEMPERATURE

    def __post_init__(self) -> None:
        check_number("cycles", self.cycles, "cycles", may_vanish=True)
        if 0.0 < self.cycles < 1.0:
            raise argument_error("cycles", "be 0 or at least 1", f"{self.cycles:g}")
        check_number("temperature", self.temperature, "K")
        if not self.phases:
            raise argument_error("phases", "hold at least one (voltage, duration)", "empty")
        _ = self.trains  # which refuses phases that are none

    @property
    def period(self) -> float:
        """Duration of one cycle [s]."""
        return math.fsum(train.period for train in self.trains)

    @property
    def voltages(self) -> tuple[float, ...]:
        """Of all phases [V]."""
        return tuple(voltage for train in self.trains for voltage, _ in train.phases)

    @property
    def trains(self) -> tuple[Train, ...]:
        """The cycle as trains: phases between trains are one that comes once, neighbours of one voltage joined."""
        found: list[Train] = []
        joined: list[Phase] = []
        for part in (*self.phases, None):
            if part is None or isinstance(part, Train):
                if joined:
                    found.append(Train(tuple(joined)))
                joined = []
                found += [] if part is None else [part]
            elif joined and joined[-1][0] == part[0]:
                joined[-1] = (part[0], joined[-1][1] + part[1])
            else:
                joined.append(part)
        return tuple(found)


@dataclass(frozen=True, slots=True)
class Exposure:
    """All that cells have gone through.

    Attributes:
        stages: since they were programmed, in their order; equal neighbours count as one.
        storage_time: without voltage between programming and the first stage [s].
        storage_temperature: [K].
        program_erase_cycles: full switching cycles, there and back, that came before the present state was
            programmed [1]; 0 for a pristine film. None: the woken, not yet tired film that cards describe.

    Raises:
        ArgumentError: a number that is unusable.
    """

    stages: tuple[Stage, ...] = ()
    storage_time: float = 0.0
    storage_temperature: float = REFERENCE_TEMPERATURE
    program_erase_cycles: float | None = None

    def __post_init__(self) -> None:
        check_number("storage_time", self.storage_time, "s", may_vanish=True)
        check_number("storage_temperature", self.storage_temperature, "K")
        if self.program_erase_cycles is not None:
            check_number("program_erase_cycles", self.program_erase_cycles, "cycles", may_vanish=True)
        joined: list[Stage] = []
        for stage in self.stages:
            if stage.cycles == 0.0:
                continue
            if joined and (joined[-1].phases, joined[-1].temperature) == (stage.phases, stage.temperature):
                joined[-1] = replace(stage, cycles=joined[-1].cycles + stage.cycles)
            else:
                joined.append(stage)
        object.__setattr__(self, "stages", tuple(joined))

    @property
    def cycles(self) -> float:
        """Cycles of all stages [1]."""
        return math.fsum(stage.cycles for stage in self.stages)

    @property
    def time(self) -> float:
        """Time since the cells were programmed [s]."""
        return self.storage_time + math.fsum(stage.cycles * stage.period for stage in self.stages)

    def then(self, stage: Stage) -> Exposure:
        """Return this exposure with one more stage."""
        return replace(self, stages=(*self.stages, stage))

    def until(self, cycles: float) -> Exposure:
        """Return the beginning of this exposure, its first ``cycles`` cycles.

        Raises:
            ArgumentError: there are not so many.
        """
        check_number("cycles", cycles, "cycles", may_vanish=True)
        left, begun = cycles, list[Stage]()
        for stage in self.stages:
            part = min(left, stage.cycles)
            begun.append(replace(stage, cycles=part))
            left -= part
        if left > 0.0:
            raise argument_error("cycles", f"be at most {self.cycles:g}, the cycles of the exposure", f"{cycles:g}")
        return replace(self, stages=tuple(begun))
