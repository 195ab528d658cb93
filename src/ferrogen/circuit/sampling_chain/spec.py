"""What a sampling chain is made of, stage by stage, each swappable for an ideal one.

A column's current flows into the summing node of an integrator; two sample-and-holds keep its output at the end of
either window; the converter digitises first minus second (the integrator inverts), which is correlated double sampling
(Enz and Temes 1996, doi:10.1109/5.542410): what both windows have in common drops out.

Defaults are assumed (source: none), of the size that is usual for 1 V circuits in 65 nm and older nodes.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Self

from ferrogen.circuit.converters import ADC, IdealADC
from ferrogen.core.errors import argument_error, check_number
from ferrogen.device.noise.rtn.schedule import Schedule


@dataclass(frozen=True, slots=True)
class ChargeIntegrator:
    """An operational amplifier with one pole and a capacitor around it, reset by a switch across the capacitor.

    Attributes:
        capacitance: C [F].
        gain: of the open loop at low frequencies [1].
        gain_bandwidth: [Hz].
        offset: at the input [V]; may be negative.
        rail: largest output [V]; beyond it the gain falls to a hundredth of one.
        input_capacitance: of the column and the amplifier's input [F].
        reset_resistance: of the closed switch [Ohm].
        leakage: conductance across the capacitor while the switch is open [S].
        voltage_noise: at the input [V/sqrt(Hz)].
        power: that the amplifier takes [W].
    """

    capacitance: float = 10e-12
    gain: float = 1e5
    gain_bandwidth: float = 10e6
    offset: float = 0.0
    rail: float = 1.0
    input_capacitance: float = 1e-12
    reset_resistance: float = 1e3
    leakage: float = 1e-14
    voltage_noise: float = 5e-9
    power: float = 20e-6

    def __post_init__(self) -> None:
        check_number("capacitance", self.capacitance, "F")
        check_number("gain", self.gain, "1")
        check_number("gain_bandwidth", self.gain_bandwidth, "Hz")
        check_number("offset", abs(self.offset), "V", may_vanish=True)
        check_number("rail", self.rail, "V")
        check_number("input_capacitance", self.input_capacitance, "F")
        check_number("reset_resistance", self.reset_resistance, "Ohm")
        check_number("leakage", self.leakage, "S", may_vanish=True)
        check_number("voltage_noise", self.voltage_noise, "V/sqrt(Hz)", may_vanish=True)
        check_number("power", self.power, "W", may_vanish=True)


@dataclass(frozen=True, slots=True)
class IdealChargeIntegrator:
    """Minus the charge over the capacitance, from zero at the end of every reset.

    Attributes:
        capacitance: C [F].
    """

    capacitance: float = 10e-12

    def __post_init__(self) -> None:
        check_number("capacitance", self.capacitance, "F")


@dataclass(frozen=True, slots=True)
class SampleAndHold:
    """A switch and a capacitor: it follows the integrator while closed, and droops while open.

    Attributes:
        capacitance: [F].
        resistance: of the closed switch [Ohm].
        leakage: conductance from the capacitor to ground [S].
    """

    capacitance: float = 1e-12
    resistance: float = 1e3
    leakage: float = 1e-14

    def __post_init__(self) -> None:
        check_number("capacitance", self.capacitance, "F")
        check_number("resistance", self.resistance, "Ohm")
        check_number("leakage", self.leakage, "S", may_vanish=True)


@dataclass(frozen=True, slots=True)
class IdealSampleAndHold:
    """It has the integrator's output when the window ends, and keeps it."""


AnyChargeIntegrator = ChargeIntegrator | IdealChargeIntegrator
AnySampleAndHold = SampleAndHold | IdealSampleAndHold


@dataclass(frozen=True, slots=True)
class SamplingChain:
    """Integrator, two sample-and-holds, subtraction and converter, and when they act.

    Every window begins with the reset and ends with a guard between the opening of the hold's switch and the next
    reset; in between the current is integrated. The rest of a cycle the integrator is reset.

    Attributes:
        integrator: of the column (or pair of columns).
        hold: twice: for the first window and the second.
        adc: converter of the difference.
        reset_time: [s].
        guard_time: [s].
        conversion_delay: from the end of the second window to the conversion [s].
    """

    integrator: AnyChargeIntegrator = field(default_factory=ChargeIntegrator)
    hold: AnySampleAndHold = field(default_factory=SampleAndHold)
    adc: ADC | IdealADC = field(default_factory=lambda: ADC(bits=10))
    reset_time: float = 1e-6
    guard_time: float = 1e-7
    conversion_delay: float = 1e-6

    def __post_init__(self) -> None:
        for name in ("reset_time", "guard_time", "conversion_delay"):
            check_number(name, getattr(self, name), "s", may_vanish=True)
        if isinstance(self.integrator, ChargeIntegrator) and self.reset_time == 0.0:
            raise argument_error("reset_time", "be positive, unless the integrator is ideal", "0 s")

    @classmethod
    def ideal(cls, capacitance: float = 10e-12) -> Self:
        """Return a chain that loses no charge, no time and no resolution."""
        return cls(
            integrator=IdealChargeIntegrator(capacitance), hold=IdealSampleAndHold(), adc=IdealADC(),
            reset_time=0.0, guard_time=0.0, conversion_delay=0.0,
        )  # fmt: skip

    def with_capacitance(self, capacitance: float) -> Self:
        """Return the same chain with another integrating capacitance [F]."""
        return replace(self, integrator=replace(self.integrator, capacitance=capacitance))

    def integration_time(self, window: float) -> float:
        """Return how long the current of a ``window`` [s] is integrated [s].

        Raises:
            ArgumentError: reset and guard fill the window.
        """
        check_number("window", window, "s")
        left = window - self.reset_time - self.guard_time
        if left <= 0.0:
            raise argument_error(
                "window", f"be longer than reset and guard, {self.reset_time + self.guard_time:g} s", f"{window:g} s"
            )
        return left

    def volts_per_ampere(self, window: float) -> float:
        """Return what one ampere during a ``window`` [s] makes at the integrator's output [V/A], T / C."""
        return self.integration_time(window) / self.integrator.capacitance


@dataclass(frozen=True, slots=True)
class Interval:
    """A stretch of the cycle in which no switch moves.

    Attributes:
        begin: from the beginning of the cycle [s].
        end: [s].
        reset: whether the integrator's switch is closed.
        tracks: which hold follows: 0, 1, or None.
    """

    begin: float
    end: float
    reset: bool
    tracks: int | None


def window_of(schedule: Schedule) -> float:
    """Return the length of the two windows [s] with which a schedule begins.

    Raises:
        ArgumentError: the schedule does not begin with two windows alike, or has nothing after them.
    """
    phases = schedule.phases
    if len(phases) < 3 or phases[0] != phases[1]:
        raise argument_error(
            "schedule", "begin with two equal windows and go on after them",
            ", ".join(f"{phase.voltage:g} V for {phase.duration:g} s" for phase in phases),
        )  # fmt: skip
    return phases[0].duration


def intervals(chain: SamplingChain, schedule: Schedule) -> tuple[Interval, ...]:
    """Return what the switches do in one cycle; intervals of no length are left out.

    Raises:
        ArgumentError: a schedule without two windows, windows too short for reset and guard, or a conversion that
            would come after the end of the cycle.
    """
    window = window_of(schedule)
    chain.integration_time(window)
    if conversion_moment(chain, schedule) >= schedule.period:
        raise argument_error(
            "conversion_delay", f"end within the cycle, {schedule.period - 2.0 * window:g} s after the second window",
            f"{chain.conversion_delay:g} s",
        )  # fmt: skip
    parts = []
    for which in (0, 1):
        begin, end = which * window, (which + 1) * window
        parts += [
            Interval(begin, begin + chain.reset_time, reset=True, tracks=which),
            Interval(begin + chain.reset_time, end - chain.guard_time, reset=False, tracks=which),
            Interval(end - chain.guard_time, end, reset=False, tracks=None),
        ]
    parts.append(Interval(2.0 * window, schedule.period, reset=True, tracks=None))
    return tuple(part for part in parts if part.end > part.begin)


def conversion_moment(chain: SamplingChain, schedule: Schedule) -> float:
    """Return when in a cycle the converter reads the two holds [s]."""
    return 2.0 * window_of(schedule) + chain.conversion_delay
