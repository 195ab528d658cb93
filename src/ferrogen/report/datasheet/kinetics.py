"""Switching kinetics: what one pulse switches, by its width and its amplitude."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from ferrogen.device.polarization.spec import SwitchingSpec
from ferrogen.device.programming.spec import ProgrammingSpec
from ferrogen.report.datasheet.measured import Measured
from ferrogen.report.datasheet.page import Array, Axis, Content, Curve, Page, Plot, curve, quantity
from ferrogen.report.datasheet.subject import Subject

_SHORTEST, _LONGEST = 1e-8, 1.0
_PER_DECADE = 6
_AMPLITUDES = 6
_MERZ_AMPLITUDES = 16
_HALF = 0.5
_MOST_GROUPS = 12
_FROM_ZERO = 0.2
_DATA_POINTS = 5  # least number of points of a measured group


def _largest(subject: Subject) -> float:
    """Return the largest amplitude that is shown [V]: that of set pulses, or twice the median activation field."""
    pulses = subject.card.programming
    if isinstance(pulses, ProgrammingSpec):
        return pulses.set_voltage.value
    enough = 2.0 * subject.card.require(SwitchingSpec).activation_field.value * subject.thickness
    return min(enough, subject.strongest)


def switched(subject: Subject, amplitudes: Sequence[float], widths: Array, temperature: float) -> Array:
    """Return the switched share after pulses from the off state, shape ``(amplitudes, widths)``.

    The widths rise: a pulse of the next width is the last one gone on.
    """
    model = subject.mean_model(len(amplitudes))
    state = model.initial_state()
    before = model.switched_fraction(state)
    volts = np.asarray(amplitudes, dtype=np.float64)
    shares = np.empty((volts.size, widths.size))
    for k, step in enumerate(np.diff(widths, prepend=0.0)):
        state = subject.advance(model, state, volts, float(step), temperature=temperature)
        shares[:, k] = model.switched_fraction(state) - before
    return shares


def half_times(widths: Array, shares: Array) -> Array:
    """Return the pulse width [s] that switches half, by interpolation in its logarithm; NaN where none does."""
    found = np.full(shares.shape[0], np.nan)
    for k, row in enumerate(shares):
        above = np.flatnonzero(row >= _HALF)
        if above.size and above[0] > 0:
            j = int(above[0])
            share = (_HALF - row[j - 1]) / (row[j] - row[j - 1])
            found[k] = widths[j - 1] * (widths[j] / widths[j - 1]) ** share
    return found


def _make(subject: Subject) -> Content:
    most = _largest(subject)
    shortest, longest = subject.card.validity.pulse_width or (_SHORTEST, _LONGEST)
    widths = np.geomspace(shortest, longest, max(2, math.ceil(_PER_DECADE * math.log10(longest / shortest)) + 1))
    data = subject.measured.get("switching")
    groups = (
        {} if data is None else _groups(data, 2.0 * subject.card.require(SwitchingSpec).remanent_polarization.value)
    )
    amplitudes = list(groups) or [float(f"{v:.3g}") for v in np.linspace(0.4 * most, most, _AMPLITUDES)]
    now = subject.temperature
    shares = switched(subject, amplitudes, widths, now)
    curves: list[Curve] = [
        curve(_label(v, most, measured=bool(groups)), widths, row, shown=f"{v:g} V")
        for v, row in zip(amplitudes, shares, strict=True)
    ]
    for v, (at, share) in groups.items():
        order = np.argsort(at, kind="stable")
        curves.append(
            curve(
                f"{v:g} V",
                at[order],
                share[order],
                data=True,
                legend=v == amplitudes[0],
                shown=data.name if data else "",
            )
        )
    merz = np.linspace(0.3 * most, min(1.2 * most, subject.strongest), _MERZ_AMPLITUDES)
    temperatures = subject.temperatures()
    halves = {t: half_times(widths, switched(subject, merz.tolist(), widths, t)) for t in temperatures}
    short = _width(subject)
    at_short = {t: switched(subject, merz.tolist(), np.array([short]), t)[:, 0] for t in temperatures}
    width_axis, share_axis = Axis("Pulse width", "s", logarithmic=True), Axis("Switched share", "1")
    volt_axis = Axis("Amplitude", "V")
    panels = [
        Plot(
            "share", "Switched share against pulse width",
            f"Mean junction, from fully off, one pulse, {now:g} K, {subject.stack_says()}. Every domain waits a"
            " nucleation-limited time (Merz' law with a log-normal activation field); read at the end of the pulse.",
            width_axis, share_axis, curves, ordered=True,
        ),
        Plot(
            "half_time", "Pulse that switches half",
            "The width at which half of the domains have switched, against the amplitude. Nothing is shown where it"
            " lies beyond the widths of panel a. Temperature enters through the barrier over kT alone.",
            volt_axis, Axis("Pulse width", "s", logarithmic=True),
            [curve(f"{t:g} K", merz, values) for t, values in halves.items()], ordered=True,
        ),
        Plot(
            "amplitude", f"Switched share of {_spell(short)} pulses",
            "The same junction, one pulse of the card's width from fully off, against its amplitude.",
            volt_axis, share_axis, [curve(f"{t:g} K", merz, values) for t, values in at_short.items()], ordered=True,
        ),
    ]  # fmt: skip
    at_most = float(np.interp(most, merz, at_short[now])) if now in at_short else float("nan")
    half = half_times(widths, switched(subject, [most], widths, now))[0]
    key = {
        "largest_amplitude_shown": quantity(most, "V", "of set pulses, where the card says it"),
        "half_switching_width": quantity(float(half), "s", "switches half at that amplitude"),
        "share_of_one_pulse": quantity(at_most, "1", f"switched by one pulse of {_spell(short)} at that amplitude"),
    }
    said = [
        *subject.outside("program_voltage", "amplitude", *amplitudes),
        *subject.outside("pulse_width", "pulse width", shortest, longest),
    ]
    return Content(panels, key, said)


def _label(amplitude: float, most: float, *, measured: bool) -> str:
    """Return what two cards share: the measured amplitude, or that over the largest one."""
    return f"{amplitude:g} V" if measured else f"{amplitude / most:.2g} of the largest"


def _width(subject: Subject) -> float:
    pulses = subject.card.programming
    return pulses.pulse_width.value if isinstance(pulses, ProgrammingSpec) else 1e-6


def _spell(time: float) -> str:
    from ferrogen.core.units import format_quantity

    return format_quantity(time, "s").replace(" u", " µ")


def _groups(data: Measured, full: float) -> dict[float, tuple[Array, Array]]:
    """Return the measured share by amplitude: (widths, shares); at most a dozen amplitudes, spread evenly."""
    volts = data.columns["amplitude"]
    after = data.columns["polarization"]
    # As `ferrogen calibrate switching` takes it: values on both sides of zero are polarisations after the pulse, which
    # begin at the negative remanent one; else they are what the pulse has switched.
    from_zero = float(after.min()) > -_FROM_ZERO * float(np.abs(after).max())
    share = after / full if from_zero else 0.5 + after / full
    found = {
        float(v): (data.columns["pulse_width"][volts == v], share[volts == v])
        for v in np.unique(volts)
        if np.sum(volts == v) >= _DATA_POINTS
    }
    names = list(found)
    chosen = [names[round(k)] for k in np.linspace(0, len(names) - 1, min(len(names), _MOST_GROUPS))] if names else []
    return {v: found[v] for v in chosen}


PAGE = Page("kinetics", "Switching kinetics", (SwitchingSpec,), _make, kinds=("switching",))
