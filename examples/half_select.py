"""What programming the other cells, and what sampling, leaves of an array's weights; by the card's switching law.

Cells of the stand-in card are written by write-verify on their own domains; the pulses they took are then counted as
half-selects of each other, as V/2, V/3 and the inhibited NOR array put them on the others. Last, the same weights are
sampled 100,000 times at the card's sample voltage, in both polarities.

    python examples/half_select.py [folder]

writes half_select.png, with half_select.csv and sampling.csv beside it, to the folder, or to a temporary one.
"""

import dataclasses
import sys
import tempfile
from pathlib import Path

import numpy as np

from ferrogen.array.disturb import card_pulse, disturbed, half_selects
from ferrogen.array.evolution import Evolution, Polarity
from ferrogen.array.evolution_exposure import Exposure, Stage
from ferrogen.array.selection import NAMES, SCHEMES, class_voltages, nonlinearity
from ferrogen.array.topology import NOR
from ferrogen.device.card import load_card
from ferrogen.device.junction import draw_cells
from ferrogen.device.programming.spec import ProgrammingSpec
from ferrogen.device.programming.write_verify import card_pulses, write_verify_junction
from ferrogen.report.style import BLUE, GREEN, ORANGE, card_footer, headline, new_figure, save_figure, styled
from ferrogen.report.tables import write_csv

WRITTEN, SIDE, SEED = 12, 48, 5  # cells a side that are written domain by domain, and that are disturbed
MOST = 0.75  # of the domains: what 60 pulses of a microsecond reach

card = load_card("hzo-mfis-nor")
folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(tempfile.mkdtemp(prefix="half_select_"))
folder.mkdir(parents=True, exist_ok=True)

# Write 144 cells to random shares of their domains.
cells = draw_cells(card, WRITTEN**2, SEED)
on, off = card.on_conductance.value, card.off_conductance.value
cells = dataclasses.replace(cells, on_conductance=np.full(cells.cells, on), off_conductance=np.full(cells.cells, off))
target = np.random.default_rng(SEED).uniform(0.0, MOST, cells.cells)
low = card.default_multiply_voltage
shape = float(cells.current(cells.initial_state(), low)[0]) / (off * low)
how = card_pulses(card.require(ProgrammingSpec), tolerance=0.02, max_pulses=60)
written = write_verify_junction(
    cells, cells.initial_state(), (off + target * (on - off)) * shape, how, np.random.default_rng(SEED)
)
# The array is made of them, drawn with replacement.
pick = np.random.default_rng(SEED + 1).integers(0, cells.cells, (SIDE, SIDE))
shares, pulses = cells.switched_fraction(written.state)[pick], written.pulses[pick]
print(
    f"{cells.cells} cells written: {written.pulses.mean():.0f} pulses each, {written.converged.mean():.0%} within 2 %"
)

pulse = card_pulse(card)
evolution = Evolution(card, 1, seed=SEED)
levels = card.programmable_levels.value - 1.0
columns = {"programmed share [1]": shares.ravel(), "pulses [1]": pulses.ravel()}
low_cells, high_cells = shares < 0.2, shares > 0.5
print(f"\nHalf-select disturb of {SIDE} x {SIDE} cells, pulses of {pulse.voltage:g} V and {pulse.width * 1e6:g} us:")
print("| scheme      | half-selected at | I(V)/I of it | below 0.2 gain | above 0.5 lose | rms, levels of 32 |")
print("|---|---|---|---|---|---|")
changes = {}
for scheme in SCHEMES:
    found = disturbed(evolution, shares, half_selects(pulses), scheme, pulse=pulse)
    change = changes[scheme] = found.condition.switched_fraction - shares
    columns[f"share after {NAMES[scheme]} [1]"] = found.condition.switched_fraction.ravel()
    seen = class_voltages(scheme, pulse.voltage)
    # An isolated junction that is off has the largest share of the voltage.
    volts = seen.neither * float(NOR().isolated_share(off)) if seen.neither_isolated else seen.same_row
    ratio = f"{nonlinearity(pulse.voltage, card.characteristic_voltage.value, pulse.voltage / abs(volts)):.3g}"
    print(
        f"| {NAMES[scheme]:11s} | {volts:+.3f} V | {ratio} | {change[low_cells].mean():+.3f} |"
        f" {-change[high_cells].mean():+.3f} | {levels * np.sqrt((change**2).mean()):.1f} |"
    )

# Sampling: two windows at the sample voltage, rest and product at the multiply voltage.
cycle = ((card.default_sample_voltage, 2e-3), (low, 1e-3))
numbers = np.array([1, 10, 100, 1_000, 10_000, 100_000])
print(f"\nSampling at {card.default_sample_voltage:g} V for 2 ms a cycle:")
print("| polarity | cycles | of 0.1 | of 0.5 | of 0.75 | contrast left | with the programmed share they correlate |")
print("|---|---|---|---|---|---|---|")
curves, rows = {}, []
polarities: tuple[tuple[Polarity, str], ...] = ((1, "along set"), (-1, "against set"))
for polarity, name in polarities:
    drift = Evolution(card, polarity, seed=SEED)
    for number in numbers:
        exposure = Exposure((Stage(float(number), cycle),))
        table = drift.table(exposure)
        present = np.interp([0.1, 0.5, 0.75], table.before, table.after)
        after = drift.after(shares, exposure).switched_fraction
        alike = np.corrcoef(shares.ravel(), after.ravel())[0, 1]
        left = (present[2] - present[0]) / 0.65
        print(
            f"| {name} | {number} | {present[0]:.3f} | {present[1]:.3f} | {present[2]:.3f} | {left:.0%} | {alike:.2f} |"
        )
        rows.append((polarity, number, *present, left, alike))
    curves[name] = (table, after)

write_csv(folder / "half_select.csv", columns)
names = (
    "polarity",
    "cycles",
    "share of 0.1 [1]",
    "share of 0.5 [1]",
    "share of 0.75 [1]",
    "contrast left [1]",
    "r [1]",
)
write_csv(folder / "sampling.csv", {name: np.array(rows)[:, k] for k, name in enumerate(names)})
with styled():
    figure = new_figure(8.6, 4.4)
    left_axes, right_axes = figure.subplots(1, 2)
    for scheme, colour in zip(SCHEMES, (ORANGE, BLUE, GREEN), strict=True):
        left_axes.plot(
            shares.ravel(), changes[scheme].ravel(), ".", markersize=2.5, alpha=0.5, color=colour, label=NAMES[scheme]
        )
    left_axes.set(xlabel="share programmed", ylabel="change of the share", title="After programming all others")
    left_axes.legend(markerscale=4, loc="upper right")
    right_axes.plot([0, 1], [0, 1], color="#9A9A9A", linewidth=1.0, label="as programmed")
    for (name, (table, after)), colour in zip(curves.items(), (BLUE, ORANGE), strict=True):
        right_axes.plot(shares.ravel(), after.ravel(), ".", markersize=2.5, alpha=0.35, color=colour)
        right_axes.plot(table.before, table.after, color=colour, label=f"read {name} pulses")
    right_axes.set(
        xlabel="share programmed", ylabel="share after 100,000 cycles", xlim=(0, 1), ylim=(0, 1), title="After sampling"
    )
    right_axes.legend(loc="upper left")
    caption = (
        f"Share of domains that are on. Left: {SIDE} x {SIDE} cells, V = {pulse.voltage:g} V. Right: lines are mean"
        f" cells, points cells of {evolution.domains} domains."
    )
    headline(figure, "Half-selects and sampling against stored weights", caption, footer=card_footer(card))
    save_figure(figure, folder / "half_select.png")
print(f"\nFigure and numbers: {folder}")
