"""The panels of a junction's data sheet. Each draws on a figure or part of one; the numbers come in ready."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ferrogen.core.units import format_quantity
from ferrogen.report.junction import SPAN_WINDOWS, Activity, Array, Junction, Spectrum
from ferrogen.report.style import (
    GREY,
    HIGH,
    INK,
    LOW,
    PALETTE,
    headline,
    mark_voltages,
    sequential,
    si_scale,
    si_ticks,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure

    Canvas = Figure | SubFigure


def _end_label(axes: Axes, x: float, y: float, text: str, colour: str) -> None:
    axes.annotate(
        text, (x, y), xytext=(4, 0), textcoords="offset points", color=colour, va="center", fontsize=8.5,
        annotation_clip=False,
    )  # fmt: skip


def draw_currents(
    figure: Canvas, junction: Junction, voltage: Array, currents: dict[int, Array], *, footer: str = ""
) -> None:
    """Draw (a): read current over voltage for several programmed levels, with the ohmic line of each."""
    axes = figure.subplots()
    top = max(currents)
    for level, colour in zip(currents, sequential(len(currents)), strict=True):
        conductance = junction.level_conductance(level)
        axes.plot(voltage, currents[level], color=colour)
        axes.plot(voltage, conductance * voltage, color=colour, linewidth=0.9, linestyle=(0, (2, 2)))
        text = f"level {level}: {format_quantity(float(f'{conductance:.3g}'), 'S')}"
        _end_label(axes, float(voltage[-1]), float(currents[level][-1]), text, colour)
    axes.set_yscale("log")
    axes.set_xlim(0.0, float(voltage[-1]))
    si_ticks(axes.yaxis, "A")
    axes.set_xlabel("Read voltage [V]")
    axes.set_ylabel("Read current, traps empty")
    mark_voltages(axes, junction.low, junction.high)
    gain = [junction.full_current(v) / (junction.level_conductance(top) * v) for v in (junction.low, junction.high)]
    headline(
        figure,
        "a  Read current",
        f"Levels of 0 to {top}. Dashed: ohmic, I = G V. Solid: I = G V0 sinh(V / V0) with"
        f" V0 = {junction.card.characteristic_voltage.value:g} V, the same for all levels, so that at any voltage the"
        f" current stays proportional to G. Above ohmic by a factor {gain[0]:.2f} at {junction.low:g} V,"
        f" {gain[1]:.2f} at {junction.high:g} V.",
        footer=footer,
    )


def draw_traces(
    figure: Canvas, junction: Junction, time: Array, traces: dict[float, Array], *, footer: str = ""
) -> None:
    """Draw (b): the junction's current over time at both voltages, on axes of the same relative span."""
    panels = figure.subplots(len(traces), 1, sharex=True)
    relative = np.concatenate(list(traces.values()))
    low, high = float(relative.min()), float(relative.max())
    room = 0.08 * (high - low) if high > low else 0.01
    seconds, second_unit = si_scale(float(time[-1]) * 1.001, "s")
    for axes, (voltage, trace), colour in zip(panels, traces.items(), (HIGH, LOW), strict=True):
        empty = junction.full_current(voltage)
        factor, unit = si_scale(empty, "A")
        axes.plot(seconds * time, factor * empty * trace, drawstyle="steps-post", linewidth=0.7, color=colour)
        axes.set_ylim(factor * empty * (low - room), factor * empty * (high + room))
        axes.set_ylabel(f"Current [{unit}]")
        axes.set_title(
            f"{voltage:g} V: standard deviation {100.0 * float(trace.std() / trace.mean()):.2g} % of the mean"
        )
    panels[-1].set_xlabel(f"Time [{second_unit}]")
    panels[-1].set_xlim(0.0, float(seconds * time[-1]))
    own = junction.own
    headline(
        figure,
        "b  Telegraph noise",
        f"Cell {junction.cell}, fully on, {own.stop - own.start} traps: the one with the median noise among"
        f" {junction.population.columns} drawn, judged by the standard deviation expected at {junction.high:g} V within"
        f" {SPAN_WINDOWS} sampling times. Same cell and traps above and below; both axes span the same relative range.",
        footer=footer,
    )


def draw_spectra(
    figure: Canvas,
    junction: Junction,
    cell: Sequence[Spectrum],
    ensemble: Sequence[Spectrum],
    guide: tuple[Array, Array],
    *,
    footer: str = "",
) -> None:
    """Draw (c): sampled and closed-form spectra at both voltages, of the junction and of the ensemble."""
    one, many = figure.subplots(1, 2, sharey=True)
    for axes, spectra in ((one, cell), (many, ensemble)):
        for item in spectra:
            colour = HIGH if item.voltage == junction.high else LOW
            axes.loglog(item.frequency, item.closed_form, color=colour, label=f"{item.voltage:g} V, closed form")
            axes.loglog(
                item.frequency, item.sampled, "o", markersize=4.5, markerfacecolor="white", markeredgecolor=colour,
                label=f"{item.voltage:g} V, sampled",
            )  # fmt: skip
        si_ticks(axes.xaxis, "Hz")
        axes.set_xlabel("Frequency")
    many.loglog(*guide, color=INK, linewidth=1.2, linestyle=(0, (4, 2)), label="1/f, McWhorter, no fit")
    one.set_ylabel("PSD of I / mean(I) [1/Hz]")
    one.set_title("the cell of panel b")
    many.set_title(f"mean of {junction.population.columns} cells")
    shown = np.concatenate(
        [np.r_[s.closed_form[s.closed_form > 0], s.sampled[s.sampled > 0]] for s in (*cell, *ensemble)]
    )
    one.set_ylim(max(float(shown.min()), 1e-11 * float(shown.max())) / 2.0, float(shown.max()) * 3.0)
    many.legend(loc="lower left")
    headline(
        figure,
        "c  Power spectral density",
        "Circles: Welch estimate of a sampled trace. Lines: sum of the traps' aliased Lorentzians (Machlup 1954) weighted"
        " with step squared; they level off near the highest frequency because sampling folds faster noise back. Where a"
        " cell's traps switch only a few times in the trace, circles scatter about the line.",
        footer=footer,
    )


def draw_trap_times(
    figure: Canvas,
    junction: Junction,
    voltage: Array,
    times: dict[int, tuple[Array, Array]],
    ensemble: Activity,
    *,
    footer: str = "",
) -> None:
    """Draw (d): capture and emission times of a few traps, and the ensemble's occupancy and noise, over voltage."""
    left, right = figure.subplots(1, 2)
    traps = junction.population.traps
    for (trap, (capture, emission)), colour in zip(times.items(), PALETTE[2:], strict=False):
        name = f"step {100.0 * traps.amplitude[trap]:.2g} %, level {traps.level[trap]:.2f} eV"
        left.semilogy(voltage, capture, color=colour, label=name)
        left.semilogy(voltage, emission, color=colour, linestyle=(0, (4, 2)))
    left.axhline(junction.window, color=GREY, linewidth=1.0, linestyle=":")
    window = format_quantity(junction.window, "s").replace(" u", " µ")
    left.annotate(
        f"sampling time {window}", (1.0, junction.window), xycoords=("axes fraction", "data"), xytext=(-2, 3),
        textcoords="offset points", ha="right", fontsize=8.0, color=GREY,
    )  # fmt: skip
    si_ticks(left.yaxis, "s")
    low, high = left.get_ylim()
    left.set_ylim(low, high * (high / low) ** 0.28)  # room for the legend above the lines
    left.legend(loc="upper right", title="solid: capture time; dashed: emission time", title_fontsize=8.5)
    left.set_ylabel("Capture, emission time")
    right.semilogy(ensemble.voltage, ensemble.occupancy, color=INK, linestyle=(0, (4, 2)), label="occupancy p")
    right.semilogy(ensemble.voltage, ensemble.variance, color=INK, label="noise p (1 - p)")
    right.axhline(0.25, color=GREY, linewidth=1.0, linestyle=":")
    right.annotate("largest possible noise 0.25", (0.02, 0.25), xycoords=("axes fraction", "data"), xytext=(0, 3),
                   textcoords="offset points", fontsize=8.0, color=GREY)  # fmt: skip
    right.set_ylim(top=1.0)
    right.legend(loc="lower right")
    right.set_ylabel("Mean over all traps [1]")
    for axes in (left, right):
        axes.set_xlim(0.0, float(voltage[-1]))
        axes.set_xlabel("Read voltage [V]")
        mark_voltages(axes, junction.low, junction.high)
    headline(
        figure,
        "d  Why it is silent at the low voltage",
        f"Left: the traps of the cell of panel b that contribute most at {junction.high:g} V. The read voltage pulls a trap's"
        " level down; where solid and dashed line cross it stands at the electrode's Fermi level and is busy. At a low"
        " voltage capture is rare and emission at once, so the trap stays empty."
        f" Right: all {traps.count} traps of {junction.population.columns} cells.",
        footer=footer,
    )


def draw_averaging(
    figure: Canvas, junction: Junction, durations: Array, noise: dict[float, Array], *, footer: str = ""
) -> None:
    """Draw (e): noise of the window-averaged current over the sampling time, at several voltages."""
    axes = figure.subplots()
    for (voltage, values), colour in zip(noise.items(), sequential(len(noise)), strict=True):
        axes.loglog(durations, 100.0 * values, color=colour)
        _end_label(axes, float(durations[-1]), 100.0 * float(values[-1]), f"{voltage:g} V", colour)
    top = np.asarray(noise[max(noise)])
    white = 100.0 * top[0] * np.sqrt(durations[0] / durations)
    axes.loglog(durations, white, color=INK, linewidth=1.2, linestyle=(0, (4, 2)))
    smallest = 100.0 * min(float(values.min()) for values in noise.values())
    largest = 100.0 * max(float(values.max()) for values in noise.values())
    axes.set_ylim(smallest / 2.0, largest * 1.8)
    axes.set_xlim(float(durations[0]), float(durations[-1]))
    at = int(np.argmin(np.abs(np.log(white / np.sqrt(smallest * largest)))))
    axes.annotate("white noise, $1/\\sqrt{T}$", (float(durations[at]), float(white[at])), xytext=(7, 4),
                  textcoords="offset points", fontsize=8.5)  # fmt: skip
    axes.axvline(junction.window, color=GREY, linewidth=1.0, linestyle=":")
    window = format_quantity(junction.window, "s").replace(" u", " µ")
    axes.annotate(f"sampling time {window}", (junction.window, 0.0), xycoords=("data", "axes fraction"), xytext=(4, 4),
                  textcoords="offset points", fontsize=8.0, color=GREY)  # fmt: skip
    si_ticks(axes.xaxis, "s")
    axes.set_xlabel("Sampling time")
    axes.set_ylabel("Std. of the averaged current / mean [%]")
    ten = np.interp(np.log([junction.window, 10.0 * junction.window]), np.log(durations), top)
    headline(
        figure,
        "e  What averaging buys",
        f"Root mean square over {junction.population.columns} cells, closed form. Slow traps do not average out: ten times"
        f" the sampling time leaves {ten[1] / ten[0]:.2f} of the noise at {max(noise):g} V, where white noise would leave"
        " 0.32.",
        footer=footer,
    )
