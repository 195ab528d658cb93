"""One look for all figures: Agg through the object-oriented API, no pyplot, no state left behind.

Matplotlib is imported inside the functions, so that importing this module is quick. Colours: Okabe and Ito, "Color
universal design" (2008), eight colours that colour-blind readers can tell apart.
"""

from __future__ import annotations

import contextlib
import math
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ferrogen.core.errors import argument_error
from ferrogen.core.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure, SubFigure

    from ferrogen.device.card import DeviceCard

BLUE: Final = "#0072B2"
ORANGE: Final = "#D55E00"
GREEN: Final = "#009E73"
PINK: Final = "#CC79A7"
SKY: Final = "#56B4E9"
AMBER: Final = "#E69F00"
INK: Final = "#222222"
GREY: Final = "#6E6E6E"

PALETTE: Final = (BLUE, ORANGE, GREEN, PINK, SKY, AMBER)
"""Colours for series without an order."""

LOW: Final = BLUE
HIGH: Final = ORANGE
"""The two read voltages have these colours in every figure."""

DASHES: Final = (0, (4, 2))
DOTS: Final = (0, (2, 2))

DPI: Final = 150

_STYLE: Final[dict[str, Any]] = {
    "font.size": 10.0,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.labelsize": 10.0,
    "axes.edgecolor": GREY,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.limits": (-4, 5),
    "grid.color": "#E4E4E4",
    "grid.linewidth": 0.7,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 9.0,
    "text.color": INK,
    "legend.fontsize": 9.0,
    "legend.frameon": True,
    "legend.framealpha": 1.0,
    "legend.edgecolor": "white",
    "legend.fancybox": False,
    "legend.borderpad": 0.3,
    "legend.handlelength": 2.2,
    "lines.linewidth": 1.6,
    "hatch.linewidth": 0.6,
    "hatch.color": "#9A9A9A",
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "path.simplify": True,
    "agg.path.chunksize": 20000,
}


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """Apply the style while figures are made and saved; matplotlib's own settings come back afterwards.

    Whatever a ``matplotlibrc`` on the machine says is set aside: figures look the same everywhere.
    """
    import matplotlib as mpl
    from matplotlib import rcParamsDefault

    # Backend choice is not part of the look, and touching it would import pyplot.
    plain: dict[Any, Any] = {
        key: value for key, value in rcParamsDefault.items() if not key.startswith(("backend", "interactive"))
    }
    with mpl.rc_context():
        for key, value in (plain | _STYLE).items():
            mpl.rcParams[key] = value
        yield


def new_figure(width: float, height: float, *, constrained: bool = True) -> Figure:
    """Return an empty figure of ``width`` x ``height`` inches on an Agg canvas; call it inside :func:`styled`."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DPI)
    if constrained:
        figure.set_layout_engine("constrained", w_pad=0.08, h_pad=0.06)
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as PNG, whole or not at all; equal figures give equal bytes.

    Raises:
        ArgumentError: the path does not end in ``.png``.
        OutputError: the folder cannot be written.
    """
    if path.suffix.lower() != ".png":
        raise argument_error("path", "end in .png", f"'{path}'")
    settle(figure)
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format="png", metadata={"Software": None})


def settle(figure: Figure) -> None:
    """Lay a figure out for good. The solver's last digit differs from run to run, and with it pixels: it is cut off."""
    if figure.get_layout_engine() is None:
        return
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axes in figure.axes:
        box = axes.get_position(original=True)
        left, bottom, width, height = (round(float(value), 9) for value in box.bounds)
        axes.set_position((left, bottom, width, height))


def sequential(count: int) -> list[str]:
    """Return ``count`` colours, dark to light, for series with an order (cividis without its palest end)."""
    from matplotlib import colormaps
    from matplotlib.colors import to_hex

    return [to_hex(colormaps["cividis"](0.86 * k / max(count - 1, 1))) for k in range(count)]


def si_scale(largest: float, unit: str) -> tuple[float, str]:
    """Return (factor, unit with SI prefix) that bring ``largest`` to 1 ... 1000, for a whole axis.

    >>> si_scale(2e-9, "A")
    (1000000000.0, 'nA')
    """
    for exponent, prefix in ((9, "G"), (6, "M"), (3, "k"), (0, ""), (-3, "m"), (-6, "µ"), (-9, "n"), (-12, "p")):
        if abs(largest) >= 0.9999995 * 10.0**exponent:
            return 10.0**-exponent, f"{prefix}{unit}"
    return 1e15, f"f{unit}"


def si_ticks(axis: Axis, unit: str) -> None:
    """Label the decades of a logarithmic axis with SI prefixes ("1 ms", "10 ms"), the minor ticks not at all."""
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(numticks=8))
    axis.set_major_formatter(EngFormatter(unit=unit))
    axis.set_minor_formatter(NullFormatter())


def mark_voltages(axes: Axes, low: float, high: float) -> None:
    """Mark multiply and sample voltage [V] by vertical lines, named at the upper edge of the axes."""
    left, right = axes.get_xlim()
    middle = (left + right) / 2.0
    raised = 14 if high - low < 0.3 * (right - left) else 3  # the names would overlap
    for voltage, name, colour, lift in ((low, "multiply", LOW, 3), (high, "sample", HIGH, raised)):
        axes.axvline(voltage, color=colour, linewidth=1.2, linestyle=DASHES, zorder=1.5)
        axes.annotate(
            f"{name} {voltage:g} V",
            (voltage, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(0, lift),
            textcoords="offset points",
            ha="left" if voltage < middle else "center",
            va="bottom",
            color=colour,
            fontsize=8.5,
        )


def end_labels(axes: Axes, x: float, heights: Sequence[float], texts: Sequence[str], colours: Sequence[str]) -> None:
    """Name lines at their right ends, moved apart where they would overlap; the logarithmic y axis has its limits.

    Args:
        axes: where the lines are.
        x: where they end.
        heights: their values there, positive.
        texts: one name a line.
        colours: one colour a line.
    """
    low, high = (math.log10(value) for value in axes.get_ylim())
    gap = 0.048 * (high - low)
    order = sorted(range(len(heights)), key=lambda k: heights[k])
    at = [math.log10(heights[k]) for k in order]
    for k in range(1, len(at)):
        at[k] = max(at[k], at[k - 1] + gap)
    shift = [a - math.log10(heights[k]) for a, k in zip(at, order, strict=True)]
    centre = max(shift) / 2.0  # share the move between the lines above and below
    for k, height in zip(order, at, strict=True):
        moved = 10.0 ** (height - (centre if len(at) > 1 else 0.0))
        axes.annotate(
            texts[k], (x, moved), xytext=(5, 0), textcoords="offset points", color=colours[k], va="center",
            fontsize=8.5, annotation_clip=False,
        )  # fmt: skip


def note(axes: Axes, text: str, x: float, y: float, *, x_is_share: bool = False, y_is_share: bool = False) -> None:
    """Write a small grey note just above (x, y), on white so that lines do not run through it."""
    axes.annotate(
        text,
        (x, y),
        xycoords=("axes fraction" if x_is_share else "data", "axes fraction" if y_is_share else "data"),
        xytext=(4, 4),
        textcoords="offset points",
        fontsize=8.0,
        color=GREY,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.8},
    )


def headline(figure: Figure | SubFigure, title: str, caption: str, *, footer: str = "") -> None:
    """Set a bold title above, and a wrapped caption with an optional footer below, all axes of a figure."""
    figure.suptitle(title, x=0.012, ha="left", fontsize=12.0, fontweight="bold")
    columns = int(figure.bbox.width / figure.dpi * 14.5)
    text = "\n".join(part for part in (textwrap.fill(caption, columns), footer) if part)
    if text:
        figure.supxlabel(text, x=0.012, ha="left", fontsize=8.5, color=GREY, linespacing=1.3)


def card_footer(card: DeviceCard) -> str:
    """Return the line that says on which card a figure rests, and how much of it is assumed."""
    return f"Card {card.name}; assumed parameters: {len(card.assumptions())} of {len(card.parameters)}."
