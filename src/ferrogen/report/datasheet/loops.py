"""Polarisation loops against frequency and temperature, and what they say of the coercive voltage."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from ferrogen.core.units import format_quantity
from ferrogen.device.polarization.loops import LoopFigures, loop_figures
from ferrogen.device.polarization.spec import SwitchingSpec
from ferrogen.device.waveforms import Waveform, triangle
from ferrogen.report.datasheet.measured import Measured
from ferrogen.report.datasheet.page import Axis, Content, Curve, Page, Plot, curve, quantity
from ferrogen.report.datasheet.subject import Subject

FREQUENCIES = (100.0, 1e3, 1e4)
MIDDLE = 1e3
_STEPS = 200
_COUPLED_STEPS = 64  # each of them searches for the field in a dozen substeps
_REACH = 2.0  # the loop goes to this many median activation fields across the film
_SATURATED = 0.5  # of the remanent polarisation: a loop that opens less has no coercive voltage worth the name


def amplitude(subject: Subject) -> float:
    """Return the amplitude of the loops [V]: that of set pulses, or twice the activation field, within the validity."""
    pulses = subject.card.programming
    volts = _REACH * subject.card.require(SwitchingSpec).activation_field.value * subject.thickness
    volts = volts if pulses is None else pulses.set_voltage.value
    return min(float(f"{volts:.3g}"), subject.strongest)


def film_amplitude(subject: Subject) -> float:
    """Return the amplitude for pages about the film alone [V]: as above, but no more than saturates it.

    A junction's pulses may be stronger, as other layers of its stack take their share of the voltage.
    """
    enough = _REACH * subject.card.require(SwitchingSpec).activation_field.value * subject.thickness
    return float(f"{min(amplitude(subject), enough):.3g}")


def loop(subject: Subject, wave: Waveform, temperature: float, label: str) -> Curve:
    """Return the loop of the mean junction: the second cycle, from its positive peak, of a wave that is one cycle."""
    model = subject.mean_model(1)
    state = model.initial_state()
    peak = int(np.argmax(wave.voltages)) + 1
    order = np.concatenate([np.arange(peak), np.roll(np.arange(wave.steps), -peak)])
    voltage, height = [], []
    for k, step in enumerate(order):
        state = subject.advance(
            model, state, float(wave.voltages[step]), float(wave.durations[step]), temperature=temperature
        )
        if k >= peak - 1:
            voltage.append(float(wave.voltages[step]))
            height.append(float(model.polarization(state)[0]))
    return curve(label, voltage, height)


def figures(item: Curve) -> LoopFigures:
    """Return remanences [C/m^2] and coercive voltages (in place of fields) [V] of a loop of :func:`loop`."""
    return loop_figures(item.x[1:], item.y[1:])  # the first point is where the last one comes back to


def opening(item: Curve) -> float:
    """Return half of the distance between the branches of a loop at zero volts [C/m^2]; NaN if it misses them."""
    found = figures(item)
    return 0.5 * (found.positive_remanence - found.negative_remanence)


def _wave(subject: Subject, frequency: float) -> Waveform:
    return triangle(amplitude(subject), frequency, 1, _COUPLED_STEPS if subject.coupled else _STEPS)


def _beside(subject: Subject, data: Measured | None) -> list[Plot]:
    """Return a panel of a measured loop, and the card under the same voltages."""
    if data is None:
        return []
    volts, heights = data.columns["voltage"], data.columns["polarization"]
    most = _COUPLED_STEPS if subject.coupled else _STEPS
    keep = np.unique(np.round(np.linspace(0, volts.size - 1, min(volts.size, most))).astype(np.int64))
    wave = Waveform(np.full(keep.size, data.period() / keep.size), volts[keep])
    model = subject.mean_model(1)
    state, found = model.initial_state(), np.empty(keep.size)
    for _ in range(2):
        for k, (voltage, duration) in enumerate(zip(wave.voltages, wave.durations, strict=True)):
            state = subject.advance(model, state, float(voltage), float(duration))
            found[k] = model.polarization(state)[0]
    centred = heights[keep] - 0.5 * (heights.max() + heights.min())
    return [
        Plot(
            "measured", "Measured loop and card",
            f"The card under the voltages of the measured loop, second cycle, {subject.temperature:g} K; the measured"
            " loop is centred, and holds the linear, dielectric part that the card's does not.",
            Axis("Voltage", "V"), Axis("Polarisation", "C/m^2"),
            [
                curve("card", volts[keep], found, colour=0),
                curve("card", volts[keep], centred, data=True, shown=data.name),
            ],
        )
    ]  # fmt: skip


def _make(subject: Subject) -> Content:
    volts = amplitude(subject)
    by_frequency = [
        loop(subject, _wave(subject, f), subject.temperature, format_quantity(f, "Hz")) for f in FREQUENCIES
    ]
    temperatures = subject.temperatures()
    middle = by_frequency[FREQUENCIES.index(MIDDLE)]
    by_temperature = [
        replace(middle, label=f"{t:g} K")
        if t == subject.temperature
        else loop(subject, _wave(subject, MIDDLE), t, f"{t:g} K")
        for t in temperatures
    ]
    remanent = subject.card.require(SwitchingSpec).remanent_polarization.value
    openings = [opening(item) for item in by_frequency]
    open_enough = np.array(openings) >= _SATURATED * remanent
    widths = np.array([figures(item).coercive_field for item in by_frequency])
    widths[~open_enough] = np.nan
    found = figures(middle)
    good = np.isfinite(widths)
    slope = float(np.polyfit(np.log10(np.array(FREQUENCIES)[good]), widths[good], 1)[0]) if good.sum() > 1 else math.nan
    voltage, polarization = Axis("Voltage", "V"), Axis("Polarisation", "C/m^2")
    what = (
        f"Switchable polarisation of the mean junction {subject.stack_says()}; triangular wave of {volts:g} V, second"
        " cycle. The linear, dielectric part is left out."
    )
    rate = Axis("Frequency", "Hz", logarithmic=True)
    panels = [
        *_beside(subject, subject.measured.get("loop")),
        Plot("frequency", f"At {subject.temperature:g} K", what, voltage, polarization, by_frequency, ordered=True),
        Plot(
            "temperature", f"At {format_quantity(MIDDLE, 'Hz')}",
            "As left. Temperature enters through the barrier over kT alone (the logarithm of the switching time goes"
            " as 1 / T); attempt time and remanent polarisation are taken not to depend on it.",
            voltage, polarization, by_temperature, ordered=True,
        ),
        Plot(
            "coercive", "Coercive voltage",
            f"Half of the loop's width at zero polarisation, {subject.temperature:g} K; loops that open less than half"
            " of the remanent polarisation are left out.",
            rate, Axis("Coercive voltage", "V"), [curve("half width", FREQUENCIES, widths)], y_from=0.0,
        ),
        Plot(
            "opening", "Opening at zero volts",
            "Half of the distance of the branches at 0 V, over the remanent polarisation of all domains: below 1 the"
            " wave does not switch all of them, or some fall back on the way to 0 V.",
            rate, Axis("Opening over remanent polarisation", "1"),
            [curve("opening", FREQUENCIES, np.array(openings) / remanent)],
            y_from=0.0, y_to=1.05,
        ),
    ]  # fmt: skip
    key = {
        "loop_amplitude": quantity(volts, "V", "that of set pulses where the card says it"),
        "loop_remanent_polarization": quantity(opening(middle), "C/m^2", "half of the opening at 0 V, 1 kHz"),
        "loop_positive_coercive_voltage": quantity(
            found.positive_coercive_field, "V", "rising branch crosses zero, 1 kHz"
        ),
        "loop_negative_coercive_voltage": quantity(
            found.negative_coercive_field, "V", "falling branch crosses zero, 1 kHz"
        ),
        "loop_coercive_field": quantity(
            found.coercive_field / subject.thickness, "V/m", "half width over the ferroelectric's thickness, 1 kHz"
        ),
        "coercive_voltage_per_decade": quantity(slope, "V", "of frequency; straight line through the points"),
    }
    return Content(panels, key, subject.outside("program_voltage", "loop amplitude", volts))


PAGE = Page("loops", "Polarisation loops", (SwitchingSpec,), _make, kinds=("loop",))
