"""Figure: traps, the integrator's output in both simulators, and the codes that both make of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from ferrogen.circuit.sampling_chain.column import ColumnRecord
from ferrogen.circuit.sampling_chain.simulate import ChainWaveform
from ferrogen.circuit.sampling_chain.spec import SamplingChain, intervals
from ferrogen.circuit.spice.transient_compare import ChainComparison
from ferrogen.device.card import DeviceCard
from ferrogen.report.style import BLUE, DASHES, GREY, INK, ORANGE, card_footer, headline, new_figure, si_scale

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN_TRAPS: Final = 12
"""Traps in the figure."""


def draw_comparison(
    card: DeviceCard,
    chain: SamplingChain,
    column: ColumnRecord,
    traps: NDArray[np.int64],
    ours: ChainWaveform,
    theirs: ChainWaveform,
    compared: ChainComparison,
) -> Figure:
    """Return the figure; call it inside :func:`ferrogen.report.style.styled`.

    Args:
        card: of the cells.
        chain: the circuit.
        column: the cycle that is drawn.
        traps: which of its traps, from top to bottom.
        ours: voltages of that cycle.
        theirs: the same by ngspice.
        compared: all readings.
    """
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(8.0, 8.6)
    states, output, codes, deviation = figure.subplots(4, 1, height_ratios=(1.2, 1.4, 1.2, 1.1))
    scale, unit = si_scale(column.duration, "s")
    _draw_traps(states, column, traps, scale)
    output.plot(scale * theirs.times, theirs.output, color=ORANGE, linewidth=3.4, label="ngspice")
    output.plot(scale * ours.times, ours.output, color=BLUE, linewidth=1.0, label="ferrogen, exact")
    output.set_ylabel("integrator [V]")
    output.set_xlabel(f"time in the cycle [{unit}]")
    output.legend(loc="lower right")
    windows = [part for part in intervals(chain, column.schedule) if part.tracks is not None and not part.reset]
    for which, part in enumerate(windows):
        for axes in (states, output):
            axes.axvspan(scale * part.begin, scale * part.end, color=GREY, alpha=0.08, linewidth=0.0)
        middle = scale * 0.5 * (part.begin + part.end)
        states.annotate(
            f"window {which + 1}", (middle, 1.0), xycoords=("data", "axes fraction"), xytext=(0, 3),
            textcoords="offset points", ha="center", va="bottom", fontsize=8.5, color=GREY,
        )  # fmt: skip
    for axes in (states, output):
        axes.set_xlim(0.0, scale * column.duration)
    cycles = np.arange(compared.codes.shape[0])
    codes.plot(cycles, compared.spice_codes, "o", color=ORANGE, markersize=8.0, label="ngspice")
    codes.plot(cycles, compared.codes, "o", color=BLUE, markersize=4.0, label="ferrogen")
    codes.set_ylabel("code")
    least = 1e-6  # codes; smaller ones, and 0, are drawn there
    deviation.semilogy(
        cycles, np.maximum(compared.edge_distance, least), "_", color=GREY, markersize=9.0, markeredgewidth=1.8,
        label="distance to a rounding edge",
    )  # fmt: skip
    deviation.semilogy(
        cycles, np.maximum(np.abs(compared.deviation), least), "o", color=INK, markersize=3.5, label="ngspice - ours"
    )
    deviation.axhline(compared.limit, color=GREY, linestyle=DASHES, linewidth=1.0)
    deviation.set_ylim(0.5 * min(1e-4, float(np.maximum(np.abs(compared.deviation), least).min())), 2.0)
    deviation.set_ylabel("codes")
    deviation.set_xlabel("cycle (dashed: what ramps and tolerances of the netlist allow)")
    deviation.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.0, ncols=2)
    for axes in (codes, deviation):
        axes.set_xlim(-0.7, cycles.shape[0] - 0.3)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    codes.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), borderaxespad=0.0, ncols=2)
    differ, unexplained = compared.disagreements.size, compared.unexplained.size
    headline(
        figure,
        "Sampling chain of one column: ours and ngspice, the same traps",
        f"{compared.codes.shape[0]} readings, {differ} codes differ, {unexplained} of them away from a rounding edge;"
        f" largest deviation {np.abs(compared.deviation).max():.2g} codes, limit {compared.limit:.2g}. Above: one"
        " cycle, its traps that move most charge (dark: occupied).",
        footer=card_footer(card),
    )
    return figure


def _draw_traps(axes: Axes, column: ColumnRecord, traps: NDArray[np.int64], scale: float) -> None:
    history = column.history
    for row, trap in enumerate(traps):
        moments = history.times[history.starts[trap] : history.starts[trap + 1]]
        edges = np.concatenate([[0.0], moments, [column.duration]])
        first = 0 if history.initial[trap] else 1
        spans = [(scale * a, scale * (b - a)) for a, b in zip(edges[first:-1:2], edges[first + 1 :: 2], strict=True)]
        axes.broken_barh(spans, (row - 0.35, 0.7), color=INK, linewidth=0.0)
    axes.set_ylim(traps.shape[0] - 0.4, -0.6)
    axes.set_yticks([])
    axes.set_ylabel("traps")
    axes.tick_params(labelbottom=False)
    axes.grid(visible=False)
