"""Minor loops, PUND, and first-order reversal curves."""

from __future__ import annotations

from typing import Any

import numpy as np

from ferrogen.device.polarization.loops import reversal_curves
from ferrogen.device.polarization.models import DomainModel
from ferrogen.device.polarization.spec import SwitchingSpec
from ferrogen.device.waveforms import pund, triangle
from ferrogen.report.datasheet.loops import MIDDLE, amplitude, film_amplitude
from ferrogen.report.datasheet.page import Array, Axis, Content, Curve, Map, Page, Plot, curve, quantity
from ferrogen.report.datasheet.subject import Subject
from ferrogen.report.datasheet.words import short
from ferrogen.report.style import GREY, HIGH

_SHARES = (0.4, 0.55, 0.7, 0.85, 1.0)
_STEPS = 64
_RAMP = 6  # steps of each ramp of PUND
_LEVELS = 33  # of the reversal curves, from saturation to its opposite


def _minor(subject: Subject, volts: float) -> list[Curve]:
    """Return loops of rising amplitude, each the second cycle; all run side by side."""
    wave = triangle(1.0, MIDDLE, 2, _STEPS)
    sizes = volts * np.array(_SHARES)
    model = subject.mean_model(sizes.size)
    state = model.initial_state()
    heights = []
    for value, duration in zip(wave.voltages, wave.durations, strict=True):
        state = subject.advance(model, state, value * sizes, float(duration))
        heights.append(model.polarization(state))
    cycle = np.stack(heights)[_STEPS:]
    voltage = wave.voltages[_STEPS:]
    return [
        curve(
            f"{share:g} of the amplitude",
            size * np.append(voltage, voltage[0]),
            np.append(cycle[:, k], cycle[0, k]),
            shown=short(size, "V"),
        )
        for k, (share, size) in enumerate(zip(_SHARES, sizes, strict=True))
    ]


def _pund(subject: Subject, volts: float, width: float) -> tuple[Array, Array, Array, list[float]]:
    """Return time [s], voltage [V], polarisation [C/m^2], and the change of polarisation in each of the last four."""
    wave = pund(volts, 0.2 * width, width, width, _RAMP)
    model = subject.mean_model(1)
    state = model.initial_state()
    heights = [float(model.polarization(state)[0])]
    for value, duration in zip(wave.voltages, wave.durations, strict=True):
        state = subject.advance(model, state, float(value), float(duration))
        heights.append(float(model.polarization(state)[0]))
    p = np.array(heights)
    each = wave.steps // 5
    changes = [float(p[(k + 1) * each] - p[k * each]) for k in range(1, 5)]
    return wave.times[1:], wave.voltages, p[1:], changes


def _make(subject: Subject) -> Content:
    volts = amplitude(subject)
    width = 1e-4
    time, voltage, p, changes = _pund(subject, volts, width)
    film = DomainModel(subject.mean_domains, subject.temperature)
    field = film_amplitude(subject) / subject.thickness
    curves = reversal_curves(film, field, _LEVELS, 4.0 * MIDDLE * field)
    at_field, at_reversal, density = curves.density
    v_axis, p_axis = Axis("Voltage", "V"), Axis("Polarisation", "C/m^2")
    t = subject.thickness
    alone = "of the film alone (field = voltage over thickness)"
    panels: list[Any] = [
        Plot(
            "minor", f"Minor loops at {short(MIDDLE, 'Hz')}",
            "Triangular waves of rising amplitude, second cycle from the fully off state; mean junction"
            f" {subject.stack_says()}.",
            v_axis, p_axis, _minor(subject, volts), ordered=True,
        ),
        Plot(
            "pund", "PUND",
            f"Polarisation under a preset pulse and P, U, N, D of {volts:g} V and {short(width, 's')} with ramps and"
            " gaps; grey: the voltage, scaled. Switched by P, U, N, D:"
            f" {', '.join(f'{100.0 * c:.3g}' for c in changes)} µC/cm². Only switching is shown: leakage and the"
            " linear dielectric, which U and D are meant to remove, are not in it.",
            Axis("Time", "s"), p_axis,
            [
                curve("polarisation", time, p, colour=HIGH),
                curve("voltage, scaled", time, voltage / volts * float(np.abs(p).max()), colour=GREY, style="thin",
                      guide=True),
            ],
        ),
        Plot(
            "forc", "Reversal curves",
            f"From saturation to a reversal and back at {short(MIDDLE, 'Hz')} sweep rate, {alone}.",
            v_axis, p_axis,
            [
                curve(short(float(reversal) * t, "V"), curves.field * t, row, style="thin")
                for reversal, row in zip(curves.reversal, curves.polarization, strict=True)
            ],
            ordered=True, legend="", apart=True,
        ),
        Map(
            "density", "Density of reversal curves",
            f"-1/2 d²P / (dE dE_r) {alone}: what a Preisach model takes for the density of hysterons. It is that of"
            " this sweep rate: kinetics move it.",
            Axis("Field", "V/m"), Axis("Reversal field", "V/m"), Axis("Density", "F^2/C"),
            at_field, at_reversal, density, diverging=True,
        ),
    ]  # fmt: skip
    switched = changes[0] - changes[1]
    key = {
        "pund_switched_polarization": quantity(switched, "C/m^2", "P less U"),
        "pund_negative_switched_polarization": quantity(changes[3] - changes[2], "C/m^2", "D less N"),
        "pund_back_switched_share": quantity(
            1.0 - switched / (2.0 * subject.card.require(SwitchingSpec).remanent_polarization.value), "1",
            "of all domains: not switched by P, or fallen back before U",
        ),
    }  # fmt: skip
    return Content(panels, key, subject.outside("program_voltage", "amplitude", volts))


PAGE = Page("reversal", "Minor loops, PUND, reversal curves", (SwitchingSpec,), _make)
