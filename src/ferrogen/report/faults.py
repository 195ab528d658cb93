"""The figure of a fault study: image quality over the rate of each kind of fault, as it is and after repair."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from ferrogen.core.errors import argument_error
from ferrogen.report.grids import image_grid
from ferrogen.report.style import BLUE, DASHES, GREY, INK, ORANGE, headline, new_figure, save_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Array = NDArray[np.float64]

_RAW: Final = ("as it is", ORANGE, "o")
_REPAIRED: Final = ("tested and repaired", BLUE, "s")
_ACROSS: Final = 4
_IMAGES: Final = 8  # of a strip


@dataclass(frozen=True, slots=True, eq=False)
class FaultPanel:
    """One kind of fault.

    Attributes:
        title: the kind.
        unit: what the rate is a probability of, e.g. ``"of a cell"``.
        rates: shape ``(rates,)``, rising, positive.
        raw: Frechet distances without repair, NaN where a chip makes no images, shape ``(chips, rates)``.
        repaired: with it, same shape.
        raw_images: a few images without repair, shape ``(images, height, width)``; None: there are none.
        repaired_images: with it, likewise.
        shown: at which rate the images were made.
        is_share: whether rates are probabilities; otherwise they are multiples.
    """

    title: str
    unit: str
    rates: Array
    raw: Array
    repaired: Array
    raw_images: NDArray[np.float32] | None
    repaired_images: NDArray[np.float32] | None
    shown: float
    is_share: bool = True

    def __post_init__(self) -> None:
        rising = self.rates.ndim == 1 and self.rates.size > 0 and bool(np.all(np.diff(self.rates) > 0.0))
        if not rising or not np.all(np.isfinite(self.rates) & (self.rates > 0.0)):
            raise argument_error("rates", "be positive and rise", self.rates.tolist())
        for name in ("raw", "repaired"):
            value = getattr(self, name)
            if value.ndim != 2 or value.shape[1] != self.rates.size:
                raise argument_error(name, f"have the shape (chips, {self.rates.size})", value.shape)


def fault_figure(
    path: Path,
    panels: Sequence[FaultPanel],
    whole: Array,
    *,
    title: str = "What faults cost in image quality",
    caption: str = "",
    footer: str = "",
) -> None:
    """Write one panel a kind of fault, with a strip of images below it.

    Args:
        path: PNG file.
        panels: kinds of faults.
        whole: Frechet distances of chips without faults, shape ``(chips,)``.
        title: above all panels.
        caption: below all panels.
        footer: last line.

    Raises:
        ArgumentError: no panel, or no chip without faults.
        OutputError: the folder cannot be written.
    """
    if not panels or whole.size == 0 or not np.all(np.isfinite(whole)):
        raise argument_error("panels", "hold at least one kind, and `whole` finite distances", len(panels))
    across = min(_ACROSS, len(panels))
    down = math.ceil(len(panels) / across)
    everything = np.concatenate([whole, *(part.ravel() for panel in panels for part in (panel.raw, panel.repaired))])
    finite = everything[np.isfinite(everything) & (everything > 0.0)]
    limits = 0.75 * float(finite.min()), 1.45 * float(finite.max())
    with styled():
        from matplotlib.lines import Line2D

        figure = new_figure(0.5 + 3.05 * across, 1.1 + 3.6 * down)
        grid = figure.add_gridspec(2 * down, across, height_ratios=[2.6, 1.0] * down)
        first: Axes | None = None
        for k, panel in enumerate(panels):
            row, column = divmod(k, across)
            axes = figure.add_subplot(grid[2 * row, column], sharey=first)
            first = first or axes
            _draw_curves(axes, panel, whole, limits)
            axes.tick_params(labelleft=column == 0)
            if column == 0:
                axes.set_ylabel("Fréchet distance")
            _draw_strips(figure, grid[2 * row + 1, column], panel)
        handles: list[Any] = [
            Line2D([], [], color=colour, marker=marker, markersize=5, label=name)
            for name, colour, marker in (_RAW, _REPAIRED)
        ]
        handles.append(Line2D([], [], color=GREY, linestyle=DASHES, linewidth=1.1, label="no faults"))
        figure.legend(handles=handles, loc="outside upper right", ncols=3)
        headline(figure, title, caption, footer=footer)
        save_figure(figure, path)


def _draw_curves(axes: Axes, panel: FaultPanel, whole: Array, limits: tuple[float, float]) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_ylim(*limits)
    axes.axhline(float(np.exp(np.mean(np.log(whole)))), color=GREY, linestyle=DASHES, linewidth=1.1, zorder=1.5)
    silent = 0
    for values, (_, colour, marker), order in ((panel.raw, _RAW, 3), (panel.repaired, _REPAIRED, 4)):
        known = np.isfinite(values).any(axis=0)
        silent += int(np.sum(~np.isfinite(values)))
        if not known.any():
            continue
        x, part = panel.rates[known], values[:, known]
        # The middle of a logarithmic axis is the geometric mean.
        centre = np.exp(np.nanmean(np.log(part), axis=0))
        axes.fill_between(
            x, np.nanmin(part, axis=0), np.nanmax(part, axis=0), color=colour, alpha=0.18, linewidth=0, zorder=order - 1
        )
        axes.plot(x, centre, color=colour, marker=marker, markersize=4.5, zorder=order)
    axes.axvline(panel.shown, color=GREY, linewidth=0.7, alpha=0.45, zorder=1)
    if panel.rates.size > 1:
        margin = (panel.rates[-1] / panel.rates[0]) ** 0.06
        axes.set_xlim(float(panel.rates[0] / margin), float(panel.rates[-1] * margin))
    axes.set_xticks(panel.rates, [_short(rate, share=panel.is_share) for rate in panel.rates])
    axes.minorticks_off()
    axes.set_title(panel.title[:1].upper() + panel.title[1:], fontweight="bold")
    axes.set_xlabel(panel.unit)
    if silent:
        axes.annotate(
            f"{silent} chip{'s' if silent > 1 else ''} gave no images",
            (0.03, 0.97),
            xycoords="axes fraction",
            va="top",
            fontsize=8,
            color=GREY,
        )


def _short(rate: float, *, share: bool) -> str:
    """Write a rate in few characters: 0.3 %, 3e-5; a multiple as it is."""
    if not share:
        return f"{rate:.3g}"
    return f"{100.0 * rate:.3g} %" if rate >= 0.9e-4 else f"{rate:.0e}".replace("e-0", "e-")


def _draw_strips(figure: Figure, place: Any, panel: FaultPanel) -> None:
    """Draw two rows of images across the panel's width, each with its colour at the left."""
    axes = figure.add_subplot(place)
    axes.set_axis_off()
    rows = [(panel.raw_images, _RAW[1]), (panel.repaired_images, _REPAIRED[1])]
    shown = [images for images, _ in rows if images is not None]
    across = min([_IMAGES, *(len(images) for images in shown)])
    height, width = shown[0].shape[1:] if shown else (28, 28)
    for k, (images, colour) in enumerate(rows):
        top, bottom = k * (height + 6), k * (height + 6) + height
        axes.plot([-4, -4], [top, bottom], color=colour, linewidth=3.0, solid_capstyle="butt", clip_on=False)
        length = across * (width + 2) - 2
        if images is None:
            middle = (top + bottom) / 2.0
            axes.text(length / 2.0, middle, "no images", ha="center", va="center", fontsize=8.5, color=INK)
            continue
        page = image_grid(images[:across], across, scale=1, gap=2)
        axes.imshow(page, cmap="gray", vmin=0, vmax=255, extent=(0, length, bottom, top), interpolation="nearest")
    axes.set_xlim(-6, across * (width + 2) - 2)
    axes.set_ylim(2 * height + 6, 0)
    axes.set_aspect("equal", anchor="N")
