"""Read disturb: does a junction keep its state while it is sampled?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ferrogen.device.polarization.spec import SwitchingSpec
from ferrogen.device.programming.spec import ProgrammingSpec
from ferrogen.report.datasheet.page import Array, Axis, Content, Mark, Page, Plot, curve, quantity
from ferrogen.report.datasheet.subject import Subject
from ferrogen.report.datasheet.words import short
from ferrogen.report.style import BLUE, GREEN, HIGH, INK, LOW, PINK

YEARS = 10.0 * 365.25 * 86400.0
_FIRST = 1e-9
_PER_DECADE = 2
_LOST = 0.1  # of the window between off and on: then the state counts as lost
_SET_TIME = 1e-3  # without a section [programming]


@dataclass(frozen=True, slots=True, eq=False)
class Disturbed:
    """Switched share under a constant voltage.

    Attributes:
        state: ``"off"``, ``"half"`` or ``"on"`` before.
        voltage: held [V].
        share: at every time, shape ``(times,)``.
        before: share before.
    """

    state: str
    voltage: float
    share: Array
    before: float

    @property
    def change(self) -> Array:
        """Change of the share since the voltage is on, with its sign."""
        return self.share - self.before


def times() -> Array:
    """Return the times [s], from a nanosecond to ten years."""
    return np.geomspace(_FIRST, YEARS, round(_PER_DECADE * math.log10(YEARS / _FIRST)) + 1)


def hold(
    subject: Subject, voltages: list[float], temperature: float, states: tuple[str, ...] = ("off", "half", "on")
) -> list[Disturbed]:
    """Hold junctions, off, half on and on, at voltages [V]; each combination is a cell of its own."""
    cells = [(state, voltage) for state in states for voltage in voltages]
    model = subject.mean_model(len(cells))
    state = _prepare(subject, model, np.array([names for names, _ in cells]))
    before = model.switched_fraction(state)
    volts = np.array([voltage for _, voltage in cells])
    shares = []
    for step in np.diff(times(), prepend=0.0):
        state = subject.advance(model, state, volts, float(step), temperature=temperature)
        shares.append(model.switched_fraction(state))
    found = np.stack(shares, axis=1)
    return [Disturbed(name, v, found[k], float(before[k])) for k, (name, v) in enumerate(cells)]


def at_read_voltages(subject: Subject) -> list[Disturbed]:
    """Return junctions held at the sample voltage, at the multiply voltage and at 0 V; computed once a subject."""
    card = subject.card
    voltages = [card.default_sample_voltage, card.default_multiply_voltage, 0.0]
    kept: list[Disturbed] | None = subject.kept.get("read_disturb")
    if kept is None:
        kept = subject.kept["read_disturb"] = hold(subject, voltages, subject.temperature)
    return kept


def _prepare(subject: Subject, model: Any, names: Any) -> Any:
    """Switch all cells on and off again, then to their state, by pulses of the card."""
    pulses = subject.card.programming
    if isinstance(pulses, ProgrammingSpec):
        up, down, long = pulses.set_voltage.value, -pulses.reset_voltage.value, pulses.last_pulse_width.value
        width = pulses.pulse_width.value
    else:
        up = min(
            2.0 * subject.card.require(SwitchingSpec).activation_field.value * subject.thickness, subject.strongest
        )
        down, long, width = -up, _SET_TIME, 1e-2 * _SET_TIME
    state = model.initial_state()
    for voltage in (up, down):
        state = subject.advance(model, state, voltage, long)
    state = subject.advance(model, state, np.where(names == "on", up, 0.0), long)
    state = subject.advance(model, state, 0.0, width)
    shares = model.switched_fraction(state)
    # Pulses of growing amplitude until half of the window is reached: a strong one would overshoot.
    goal = float(np.mean([shares[names == name].mean() for name in ("off", "on") if np.any(names == name)]))
    for volts in np.linspace(0.2 * up, up, 40):
        pending = (names == "half") & (model.switched_fraction(state) < goal)
        if not pending.any():
            break
        state = subject.advance(model, state, np.where(pending, volts, 0.0), width)
    return subject.advance(model, state, 0.0, width)


def window_of(held: list[Disturbed]) -> float:
    """Return the distance of the switched shares of off and on that junctions had before."""
    before = {item.state: item.before for item in held}
    return abs(before["on"] - before["off"])


def lost_after(item: Disturbed, window: float) -> float:
    """Return the time [s] after which a tenth of the window is lost; infinite if none of the times is enough."""
    gone = np.abs(item.change) / max(window, 1e-300)
    above = np.flatnonzero(gone >= _LOST)
    if not above.size:
        return math.inf
    j = int(above[0])
    at = times()
    if j == 0:
        return float(at[0])
    share = (_LOST - gone[j - 1]) / (gone[j] - gone[j - 1])
    return float(at[j - 1] * (at[j] / at[j - 1]) ** share)


def _make(subject: Subject) -> Content:
    card = subject.card
    sample, multiply = card.default_sample_voltage, card.default_multiply_voltage
    strongest = card.validity.read_voltage[1]
    now = at_read_voltages(subject)
    hot_temperature = card.range_of("temperature")[1]
    hot = hold(subject, [sample], hot_temperature)
    time = Axis("Time under voltage", "s", logarithmic=True)
    window = Mark(card.default_sampling_time, f"one sample, {short(card.default_sampling_time, 's')}")
    names = {"off": BLUE, "half": GREEN, "on": HIGH}
    roles = {sample: "sample voltage", multiply: "multiply voltage", 0.0: "0 V"}
    ladder = _ladder(subject, strongest)
    panels = [
        Plot(
            "sample", f"Held at the sample voltage, {sample:g} V",
            f"Share of the domains that are on in a junction that was off, half on or on, {subject.temperature:g} K."
            f" Mean junction {subject.stack_says()}; set by pulses of the card, and read in their direction."
            " Dotted: the same at 0 V, where the"
            " state is merely stored. Beyond the measured pulse widths this extrapolates Merz' law to low fields.",
            time, Axis("Switched share", "1"),
            [
                *(curve(f"{i.state} before", times(), i.share, colour=names[i.state]) for i in now
                  if i.voltage == sample),
                *(curve(f"{i.state} before, 0 V", times(), i.share, colour=names[i.state], style="dotted", legend=False)
                  for i in now if i.voltage == 0.0),
            ],
            marks=(window,), y_from=-0.02, y_to=1.02,
        ),
        Plot(
            "change", "What a read changes",
            "Size of the change of the switched share since the voltage is on, of a junction that was off: what the"
            " read voltages write into it. At 0 V a junction that was off only relaxes in its own field.",
            time, Axis("Change of the switched share", "1", logarithmic=True),
            [
                curve(roles[i.voltage], times(), np.abs(i.change), shown=f"{i.voltage:g} V",
                      colour={sample: HIGH, multiply: LOW, 0.0: INK}[i.voltage])
                for i in now if i.state == "off"
            ],
            marks=(window, Mark(_LOST * window_of(now), "a tenth of the window: counts as lost", across=True)),
            y_from=1e-6,
        ),
        Plot(
            "voltages", "Time until a tenth of the window is lost",
            "Against the read voltage, for a junction that was off; nothing is shown where it lasts more than ten"
            f" years. Pink: at {hot_temperature:g} K.",
            Axis("Read voltage", "V"), time,
            [
                curve(f"{subject.temperature:g} K", ladder[0], ladder[1], style="solid", colour=INK),
                curve(f"{hot_temperature:g} K", ladder[0], ladder[2], style="solid", colour=PINK),
            ],
            marks=(
                Mark(sample, f"sample {sample:g} V", HIGH),
                Mark(card.default_sampling_time, "one sample", across=True),
            ),
        ),
        Plot(
            "hot", f"Held at {sample:g} V and {hot_temperature:g} K",
            "As panel a, at the highest temperature for which the card holds.",
            time, Axis("Switched share", "1"),
            [curve(f"{i.state} before", times(), i.share, colour=names[i.state]) for i in hot],
            marks=(window,), y_from=-0.02, y_to=1.02,
        ),
    ]  # fmt: skip
    return Content(panels, _key(subject, now, hot), _outside(subject))


def _ladder(subject: Subject, strongest: float) -> tuple[Array, Array, Array]:
    window = window_of(at_read_voltages(subject))
    volts = np.linspace(strongest / 10.0, strongest, 10)
    lives = []
    for temperature in (subject.temperature, subject.card.range_of("temperature")[1]):
        held = hold(subject, volts.tolist(), temperature, ("off",))
        lives.append(np.array([lost_after(item, window) for item in held]))
    cool, hot = (np.where(np.isfinite(item), item, np.nan) for item in lives)
    return volts, cool, hot


def _outside(subject: Subject) -> list[str]:
    said = subject.outside("storage_time", "time under voltage", YEARS)
    return [*said, *subject.outside("read_time", "time under voltage", YEARS)]


def verdict(subject: Subject) -> str:
    """Return what the card predicts: can a junction be sampled without losing its state?"""
    card = subject.card
    sample = card.default_sample_voltage
    now = at_read_voltages(subject)
    window = window_of(now)
    lives = {item.state: lost_after(item, window) for item in now if item.voltage == sample}
    stored = {item.state: lost_after(item, window) for item in now if item.voltage == 0.0}
    worst = min(lives, key=lambda state: lives[state])
    if math.isinf(lives[worst]):
        return (
            f"At {sample:g} V no state loses a tenth of the window between off and on within ten years: a junction of"
            " this card can be sampled without losing what is stored."
        )
    samples = lives[worst] / card.default_sampling_time
    told = (
        f"At {sample:g} V the state '{worst}' loses a tenth of the window between off and on after"
        f" {short(lives[worst], 's')}, i.e. {samples:.2g} sampling times"
    )
    without = stored[worst]
    if math.isinf(without):
        return f"{told}; merely stored at 0 V it lasts more than ten years."
    return f"{told}; merely stored at 0 V it loses that after {short(without, 's')}."


def _key(subject: Subject, now: list[Disturbed], hot: list[Disturbed]) -> dict[str, Any]:
    card = subject.card
    sample, multiply = card.default_sample_voltage, card.default_multiply_voltage
    window = window_of(now)
    key = {"window_of_switched_share": quantity(window, "1", "on less off, as the card's pulses set them")}
    for state in ("off", "half", "on"):
        for name, voltage in (("sample", sample), ("multiply", multiply)):
            item = next(i for i in now if i.state == state and i.voltage == voltage)
            key[f"{state}_state_lost_at_{name}_voltage"] = quantity(
                lost_after(item, window), "s", f"a tenth of the window at {voltage:g} V; none: not within ten years"
            )
    off = next(i for i in now if i.state == "off" and i.voltage == sample)
    key["samples_until_off_state_is_lost"] = quantity(
        lost_after(off, window) / card.default_sampling_time, "1", "in sampling times of the card"
    )
    key["change_by_one_sample"] = quantity(
        float(np.interp(math.log(card.default_sampling_time), np.log(times()), np.abs(off.change))), "1",
        "of the switched share of a junction that was off",
    )  # fmt: skip
    hot_off = next(i for i in hot if i.state == "off")
    key["off_state_lost_at_sample_voltage_hot"] = quantity(
        lost_after(hot_off, window), "s", f"likewise at {card.range_of('temperature')[1]:g} K"
    )
    return key


PAGE = Page("disturb", "Read disturb", (SwitchingSpec,), _make)
