"""Endurance: wake-up and fatigue, and what they do to the loop."""

from __future__ import annotations

from typing import Any

import numpy as np

from ferrogen.core.errors import ArgumentError
from ferrogen.device.polarization.domains import follow, initial_state
from ferrogen.device.polarization.spec import SwitchingSpec
from ferrogen.device.reliability.age import Age
from ferrogen.device.reliability.aging import aged_polarization, aged_switching
from ferrogen.device.reliability.fatigue import cycles_to_loss, fatigue_factor, fatigue_of
from ferrogen.device.reliability.spec import ReliabilitySpec
from ferrogen.device.reliability.wake_up import wake_up_factor, wake_up_of
from ferrogen.device.waveforms import triangle
from ferrogen.report.datasheet.loops import MIDDLE, film_amplitude
from ferrogen.report.datasheet.measured import Measured
from ferrogen.report.datasheet.page import Array, Axis, Content, Curve, Mark, Page, Plot, curve, quantity
from ferrogen.report.datasheet.subject import Subject
from ferrogen.report.style import INK

_MOST = 1e12
_PER_DECADE = 6
_STEPS = 200


def _cycles(subject: Subject) -> tuple[Array, float]:
    """Return the numbers of cycles that are shown, and the end of the range in which the card holds."""
    allowed = subject.card.validity.cycles
    last = _MOST if allowed is None else allowed[1]
    shown = min(_MOST, 10.0 * last)
    return np.geomspace(1.0, shown, round(_PER_DECADE * np.log10(shown)) + 1), last


def _make(subject: Subject) -> Content:
    card, spec = subject.card, subject.card.require(ReliabilitySpec)
    now = subject.temperature
    cycles, last = _cycles(subject)
    remanent = card.require(SwitchingSpec).remanent_polarization.value
    wake, tired = wake_up_of(spec), fatigue_of(spec)
    x = Axis("Cycles", "1", logarithmic=True)
    share = Axis("Remanent polarisation over the card's", "1")
    end = (Mark(last, "end of the card's validity"),) if last < cycles[-1] else ()
    ages = (0.0, *(n for n in (1e3, 1e6, 1e9) if n <= cycles[-1]))
    panels = [
        Plot(
            "polarization", "Remanent polarisation against cycles",
            "Wake-up (stretched exponential in the number of cycles) times fatigue (power law that bends at a number"
            " of cycles), both thermally activated; the card's polarisation is that of a woken film that is not yet"
            " tired. Complete cycles; their amplitude and rate are taken not to matter.",
            x, share,
            [
                *(curve(f"{t:g} K", cycles, aged_polarization(spec, cycles, t)) for t in subject.temperatures()),
                *_data(subject.measured.get("endurance"), now, remanent),
            ],
            ordered=True, marks=end, y_from=0.0,
        ),
        Plot(
            "mechanisms", f"Mechanisms at {now:g} K", "The two factors of panel a, each by itself.", x, share,
            [
                curve("wake-up alone", cycles, wake_up_factor(wake, cycles, now), colour=0),
                curve("fatigue alone", cycles, fatigue_factor(tired, cycles, now), colour=1),
                curve("both", cycles, aged_polarization(spec, cycles, now), colour=INK, style="dashed"),
            ],
            marks=end, y_from=0.0,
        ),
        Plot(
            "loops", "Loops of an aged film",
            f"Triangular wave of {film_amplitude(subject):g} V, 1 kHz, second cycle, field being the voltage over the"
            " ferroelectric's thickness; pristine films are pinched by a local bias of either sign, which cycling"
            " removes.",
            Axis("Voltage", "V"), Axis("Polarisation", "C/m^2"),
            [_loop(subject, spec, n, "pristine" if n == 0.0 else f"1e{round(np.log10(n))} cycles") for n in ages],
            ordered=True,
        ),
    ]  # fmt: skip
    best = int(np.argmax(aged_polarization(spec, cycles, now)))
    key: dict[str, Any] = {
        "pristine_polarization": quantity(float(aged_polarization(spec, 0.0, now)), "1", "over the card's"),
        "cycles_of_largest_polarization": quantity(float(cycles[best]), "1", f"{now:g} K"),
        "cycles_to_half": quantity(_half(tired, now), "1", "fatigue alone has halved the polarisation; none: never"),
        "polarization_after_1e9_cycles": quantity(float(aged_polarization(spec, 1e9, now)), "1", "over the card's"),
    }
    return Content(panels, key, subject.outside("cycles", "cycles", float(cycles[-1])))


def _half(law: Any, temperature: float) -> float:
    try:
        return cycles_to_loss(law, 0.5, temperature)
    except ArgumentError:
        return float("inf")


def _loop(subject: Subject, spec: ReliabilitySpec, cycles: float, label: str) -> Curve:
    domains = aged_switching(subject.mean_domains, spec, Age(cycles=cycles), subject.temperature)
    wave = triangle(film_amplitude(subject), MIDDLE, 2, _STEPS).scaled(1.0 / subject.thickness)
    p, _ = follow(domains, initial_state(domains), wave.voltages, wave.durations, temperature=subject.temperature)
    volts, heights = wave.voltages[_STEPS:] * subject.thickness, p[0, _STEPS:]
    return curve(label, np.append(volts, volts[0]), np.append(heights, heights[0]))


def _data(data: Measured | None, temperature: float, remanent: float) -> list[Curve]:
    if data is None:
        return []
    cycles, value = data.columns["cycles"], np.abs(data.columns["value"])
    kept = cycles > 0.0
    return [
        curve(
            f"{temperature:g} K",
            cycles[kept],
            value[kept] / (remanent if data.units["value"] == "C/m^2" else 1.0),
            data=True,
            shown=data.name,
        )
    ]


PAGE = Page("endurance", "Endurance", (SwitchingSpec, ReliabilitySpec), _make, kinds=("endurance",))
