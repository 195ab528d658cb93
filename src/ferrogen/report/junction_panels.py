"""The panels of a junction's data sheet. Each draws on a figure or part of one; the numbers come in ready."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ferrogen.core.units import format_quantity
from ferrogen.report.junction import Activity, Array, Junction, Spectrum, averaged_noise, window_averages
from ferrogen.report.style import (
    DASHES,
    DOTS,
    GREY,
    HIGH,
    INK,
    LOW,
    PALETTE,
    end_labels,
    headline,
    mark_voltages,
    note,
    sequential,
    si_scale,
    si_ticks,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure, SubFigure

    Canvas = Figure | SubFigure


def _short(value: float, unit: str) -> str:
    return format_quantity(float(f"{value:.3g}"), unit).replace(" u", " µ")


def draw_currents(
    figure: Canvas, junction: Junction, voltage: Array, currents: dict[int, Array], *, footer: str = ""
) -> None:
    """Draw (a): read current over voltage for several programmed levels, with the ohmic line of each."""
    axes = figure.subplots()
    top = max(currents)
    colours = sequential(len(currents))
    for level, colour in zip(currents, colours, strict=True):
        axes.plot(voltage, currents[level], color=colour)
        axes.plot(voltage, junction.level_conductance(level) * voltage, color=colour, linewidth=0.9, linestyle=DOTS)
    axes.set_yscale("log")
    axes.set_xlim(0.0, float(voltage[-1]))
    axes.set_ylim(*axes.get_ylim())
    names = [f"level {level}: {_short(junction.level_conductance(level), 'S')}" for level in currents]
    end_labels(axes, float(voltage[-1]), [float(current[-1]) for current in currents.values()], names, colours)
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
        averages = window_averages(trace)
        for values, width, alpha in ((trace, 0.5, 0.3), (averages, 1.0, 1.0)):
            axes.plot(
                seconds * time, factor * empty * values, drawstyle="steps-post", linewidth=width, color=colour,
                alpha=alpha,
            )  # fmt: skip
        axes.set_ylim(factor * empty * (low - room), factor * empty * (high + room))
        axes.set_ylabel(f"Current [{unit}]")
        before, after = (100.0 * float(values.std() / values.mean()) for values in (trace, averages))
        moved = bool(np.ptp(trace) > 0.0)
        says = f"deviation {before:.2g} %, averaged {after:.2g} %" if moved else "no trap switches in this time"
        axes.set_title(f"{voltage:g} V: {says}")
    panels[-1].set_xlabel(f"Time [{second_unit}]")
    panels[-1].set_xlim(0.0, seconds * float(time[-1] + time[1]))
    own, cells, band = junction.own, junction.population.columns, "2 and 100 sampling times"
    chosen = (
        f"Of {cells} cells, {100.0 * junction.visible_share:.2g} % have a trap with times between {band} at"
        f" {junction.high:g} V; this is the one with the median deviation among them."
        if junction.visible_share > 0.0
        else f"None of {cells} cells has a trap with times between {band}; this is the one with the median deviation."
    )
    headline(
        figure,
        "b  Telegraph noise",
        f"Pale: every {_short(float(time[1]), 's')}; dark: averaged over {_short(junction.window, 's')}, the sampling"
        f" time. Cell {junction.cell}, fully on, {own.stop - own.start} traps, the same above and below; both axes span"
        f" the same relative range. {chosen}",
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
    many.loglog(*guide, color=INK, linewidth=1.2, linestyle=DASHES, label="1/f (McWhorter, nothing fitted)")
    for axes in (one, many):
        si_ticks(axes.xaxis, "Hz")
        axes.set_xlabel("Frequency")
    one.set_ylabel("PSD of I / mean(I) [1/Hz]")
    one.set_title("the cell of panel b")
    many.set_title(f"mean of {junction.population.columns} cells")
    shown = np.concatenate([np.r_[s.closed_form, s.sampled] for s in (*cell, *ensemble)])
    shown = shown[shown > 0.0]
    silent = [f"{s.voltage:g} V" for s in cell if not np.any(s.sampled > 0.0)]
    silence = (
        f" At {' and '.join(silent)} none of the cell's traps switched in this trace, which is not that of panel b."
        if silent
        else ""
    )
    one.set_ylim(max(float(shown.min()), 1e-11 * float(shown.max())) / 2.0, float(shown.max()) * 3.0)
    many.legend(loc="lower left")
    headline(
        figure,
        "c  Power spectral density",
        "Circles: Welch estimate of a sampled trace. Lines: sum of the traps' aliased Lorentzians (Machlup 1954),"
        " weighted with step squared; they level off towards the highest frequency because sampling folds faster noise"
        f" back. Circles of traps that switch only a few times in the trace stray.{silence}",
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
        name = f"blocks {-100.0 * traps.amplitude[trap]:.2g} %, level {traps.level[trap]:.2f} eV"
        left.semilogy(voltage, capture, color=colour, label=name)
        left.semilogy(voltage, emission, color=colour, linestyle=DASHES)
    left.axhline(junction.window, color=GREY, linewidth=1.0, linestyle=":")
    note(left, f"sampling time {_short(junction.window, 's')}", 0.4, junction.window, x_is_share=True)
    si_ticks(left.yaxis, "s")
    low, high = left.get_ylim()
    left.set_ylim(low, high * (high / low) ** 0.28)  # room for the legend above the lines
    left.legend(loc="upper right", title="solid: capture time; dashed: emission time", title_fontsize=8.5)
    left.set_ylabel("Capture, emission time")
    right.semilogy(ensemble.voltage, ensemble.occupancy, color=INK, linestyle=DASHES, label="occupancy p")
    right.semilogy(ensemble.voltage, ensemble.variance, color=INK, label="activity p (1 - p)")
    right.axhline(0.25, color=GREY, linewidth=1.0, linestyle=":")
    note(right, "largest possible p (1 - p): 0.25", 0.09, 0.25, x_is_share=True)
    right.set_ylim(top=1.0)
    right.legend(loc="lower center")
    right.set_ylabel("Mean over all traps [1]")
    for axes in (left, right):
        axes.set_xlim(0.0, float(voltage[-1]))
        axes.set_xlabel("Read voltage [V]")
        mark_voltages(axes, junction.low, junction.high)
    headline(
        figure,
        "d  Why it is quiet at the low voltage",
        f"Left: the traps of the cell of panel b that contribute most at {junction.high:g} V. The read voltage pulls a"
        " trap's level down; where solid and dashed line cross it stands at the electrode's Fermi level and is busiest."
        " At a low voltage capture is rare and emission quick: the trap stays empty."
        f" Right: all {traps.count} traps of {junction.population.columns} cells.",
        footer=footer,
    )


def draw_averaging(
    figure: Canvas, junction: Junction, durations: Array, noise: dict[float, Array], *, footer: str = ""
) -> None:
    """Draw (e): noise of the window-averaged current over the sampling time, at several voltages."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes = figure.subplots()
    colours = sequential(len(noise))
    for values, colour in zip(noise.values(), colours, strict=True):
        axes.loglog(durations, 100.0 * values, color=colour)
    top = np.asarray(noise[max(noise)])
    white = 100.0 * top[0] * np.sqrt(durations[0] / durations)
    axes.loglog(durations, white, color=INK, linewidth=1.2, linestyle=DASHES)
    smallest = 100.0 * min(float(values.min()) for values in noise.values())
    largest = 100.0 * max(float(values.max()) for values in noise.values())
    axes.set_ylim(smallest / 2.0, largest * 1.8)
    axes.set_xlim(float(durations[0]), float(durations[-1]))
    ends = [100.0 * float(values[-1]) for values in noise.values()]
    end_labels(axes, float(durations[-1]), ends, [f"{voltage:g} V" for voltage in noise], colours)
    at = int(np.argmin(np.abs(np.log(white / np.sqrt(smallest * largest)))))
    axes.annotate("white noise, $1/\\sqrt{T}$", (float(durations[at]), float(white[at])), xytext=(7, 4),
                  textcoords="offset points", fontsize=8.5)  # fmt: skip
    axes.axvline(junction.window, color=GREY, linewidth=1.0, linestyle=":")
    note(axes, f"sampling time {_short(junction.window, 's')}", junction.window, 0.0, y_is_share=True)
    si_ticks(axes.xaxis, "s")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.set_xlabel("Sampling time")
    axes.set_ylabel("Deviation of the averaged current [% of mean]")
    ten = averaged_noise(junction, max(noise), np.array([junction.window, 10.0 * junction.window]))
    headline(
        figure,
        "e  What averaging buys",
        f"Root mean square over {junction.population.columns} cells, closed form. Slow traps do not average out: ten"
        f" times the sampling time leaves {ten[1] / ten[0]:.2f} of the noise at {max(noise):g} V; of white noise it"
        " would leave 0.32.",
        footer=footer,
    )
