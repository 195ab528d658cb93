"""Spectra of the current: closed forms beside sampled ones, and what thermal and shot noise add."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ferrogen.device.noise.cell import CellPoint
from ferrogen.device.noise.rtn.closed_form import log_uniform_spectrum
from ferrogen.device.noise.spectra import binned_welch as welch
from ferrogen.device.noise.spectra import cell_spectrum, read_spectrum, sample_reads
from ferrogen.report.datasheet.measured import Measured
from ferrogen.report.datasheet.page import Array, Axis, Content, Curve, Page, Plot, curve, quantity
from ferrogen.report.datasheet.subject import Subject
from ferrogen.report.datasheet.words import no_traps, short
from ferrogen.report.junction import Junction, Spectrum, spectrum
from ferrogen.report.style import HIGH, INK, LOW, PALETTE

_READS = 1 << 15
_SEGMENTS = 8
_DECADES = 11.0  # shown of the spectrum


def one_over_f(junction: Junction, frequency: Array) -> Array:
    """Return the McWhorter line of the card's log-uniform time constants: no parameter is fitted to the spectrum."""
    spread = junction.card.trap_time_constant.spread
    total = float(junction.cell_variance(junction.high).mean())
    if spread is None or spread.low is None or spread.high is None:
        return np.full_like(frequency, np.nan)
    return np.asarray(total * log_uniform_spectrum(frequency, spread.low, spread.high))


def _curves(spectra: list[Spectrum], high: float) -> list[Curve]:
    found = []
    for item in spectra:
        colour = HIGH if item.voltage == high else LOW
        name = "sample" if item.voltage == high else "multiply"
        found.append(
            curve(f"{name} voltage, closed form", item.frequency, item.closed_form, colour=colour,
                  shown=f"{item.voltage:g} V, closed form")
        )  # fmt: skip
        found.append(
            curve(f"{name} voltage, sampled", item.frequency, item.sampled, style="points", colour=colour,
                  shown=f"{item.voltage:g} V, sampled")
        )  # fmt: skip
    return found


def cell_point(junction: Junction, voltage: float, fano_factor: float) -> CellPoint:
    """Return the junction that is shown at a voltage [V], fully on, with all its noises."""
    own = junction.own
    capture, emission = (rate[own] for rate in junction.rates(voltage))
    current = junction.full_current(voltage)
    steps = current * junction.population.traps.amplitude[own]
    return CellPoint(current, voltage, junction.temperature, capture, emission, steps, fano_factor)


def _make(subject: Subject) -> Content:
    junction = subject.junction
    voltages = (junction.high, junction.low)
    cell = [spectrum(junction, v, ensemble=False, address=2 + k) for k, v in enumerate(voltages)]
    many = [spectrum(junction, v, ensemble=True, address=4 + k) for k, v in enumerate(voltages)]
    guide = curve("1/f (McWhorter, not fitted)", many[0].frequency, one_over_f(junction, many[0].frequency),
                  style="dashed", colour=INK, guide=True)  # fmt: skip
    silent = [f"{s.voltage:g} V" for s in cell if not np.any(s.sampled > 0.0)]
    silence = f" At {' and '.join(silent)} none of the cell's traps switched in its trace." if silent else ""
    frequency = Axis("Frequency", "Hz", logarithmic=True)
    relative = Axis("PSD of I / mean(I)", "1/Hz", logarithmic=True)
    highest = max(float(np.nanmax(item.closed_form)) for item in (*cell, *many))
    floor = highest * 10.0**-_DECADES
    parts, fano = _parts(subject)
    panels = [
        Plot(
            "cell", "One junction",
            "Circles: Welch estimate of a sampled trace. Lines: sum of the traps' aliased Lorentzians (Machlup 1954),"
            " weighted with step squared; they level off towards the highest frequency because sampling folds faster"
            f" noise back. Circles of traps that switch only a few times in the trace stray.{silence}",
            frequency, relative, _curves(cell, junction.high), y_from=floor,
        ),
        Plot(
            "ensemble", f"Mean of {many[0].cells} junctions",
            "As left, of all junctions. Dashed: the 1/f line that log-uniform time constants give, its height from"
            " the variance at the sample voltage.",
            frequency, relative,
            [
                *_curves(many, junction.high), guide,
                *_data(subject.measured.get("rtn"), "sample voltage, closed form"),
            ],
            y_from=floor,
        ),
        Plot(
            "parts", f"Telegraph, thermal and shot noise at {junction.high:g} V",
            f"Absolute spectrum of the junction of panel a: closed forms, and circles of {_READS} sampled reads of"
            f" {short(_read_time(subject), 's')} each, one after the other, with all noises in them. Shot noise with"
            f" the Fano factor {fano[0]:g}{fano[1]}; the amplifier's noise is not the junction's.",
            frequency, Axis("PSD of the current", "A^2/Hz", logarithmic=True), parts,
        ),
    ]  # fmt: skip
    return Content(panels, _key(many), columns=2)


def _data(data: Measured | None, label: str) -> list[Curve]:
    if data is None:
        return []
    value = data.columns["value"]
    segment = max(16, 1 << int(np.log2(max(value.size // 4, 16))))
    if value.size < segment:
        return []
    frequency, density = welch(value / value.mean(), data.spacing(), segment)
    return [curve(label, frequency, density, data=True, shown=data.name)]


def _read_time(subject: Subject) -> float:
    return max(subject.card.validity.read_time[0], 1e-3 * subject.junction.window)


def _parts(subject: Subject) -> tuple[list[Curve], tuple[float, str]]:
    junction, noise = subject.junction, subject.card.noise
    fano = (1.0, ", assumed: the card has no section [noise]") if noise is None else (noise.fano_factor.value, "")
    point = cell_point(junction, junction.high, fano[0])
    time = _read_time(subject)
    reads = sample_reads(point, subject.streams, duration=time, period=time, reads=_READS, address=1)
    frequency, density = welch(reads - reads.mean(), time, _READS // _SEGMENTS)
    wide = np.geomspace(float(frequency[0]), 0.5 / time, 121)
    closed = cell_spectrum(point, wide)
    expected = read_spectrum(point, wide, duration=time, period=time)
    return [
        curve("telegraph", wide, closed.telegraph, colour=PALETTE[1]),
        curve("shot", wide, closed.shot, colour=PALETTE[2], style="dashed"),
        curve("thermal", wide, closed.thermal, colour=PALETTE[0], style="dotted"),
        curve("all, as reads see it", wide, expected, colour=INK),
        curve("sampled reads", frequency, density, colour=INK, style="points"),
    ], fano


def _key(many: list[Spectrum]) -> dict[str, Any]:
    ratios = (many[0].sampled / many[0].closed_form)[many[0].sampled > 0.0]
    ratio = float(np.median(ratios)) if ratios.size else math.nan
    f, s = many[0].frequency, many[0].closed_form
    slope = float(np.polyfit(np.log(f), np.log(s), 1)[0])
    return {
        "sampled_over_closed_form_spectrum": quantity(ratio, "1", "median over frequency, ensemble, sample voltage"),
        "slope_of_ensemble_spectrum": quantity(slope, "1", "of ln S over ln f, closed form, sample voltage"),
    }


PAGE = Page("spectra", "Power spectral density", (), _make, no_traps, kinds=("rtn",))
