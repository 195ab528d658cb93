"""Which conductance levels telegraph noise leaves apart, at the quiet and at the noisy read voltage.

A level is safe where its rms noise over a read stays below a tenth of the distance to the next level.
"""

import numpy as np

from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.card import load_card
from ferrogen.device.noise.safe_levels import geometric_fractions, level_fractions, safe_levels, safe_share
from ferrogen.device.noise.traps import draw_traps

card = load_card("hzo-mfis-nor")
traps = draw_traps(card, 2000, Streams(1).generator(Purpose.POPULATION))
count = round(card.programmable_levels.value)
print(f"{card.name}: {count} levels, reads of {card.default_sampling_time:g} s, noise below 0.1 of the spacing")
print("levels      voltage   safe   their conductances    relative noise   share of cells that are safe (off, mid, on)")
for name, fraction in (("equal", level_fractions(card)), ("geometric", geometric_fractions(card, count))):
    for voltage in (card.default_multiply_voltage, 0.5, card.default_sample_voltage):
        read = {"voltage": voltage, "temperature": 300.0, "duration": card.default_sampling_time, "share": 0.1}
        levels = safe_levels(card, fraction=fraction, **read)
        cells = safe_share(card, traps, fraction=fraction, **read)[[0, count // 2, -1]]
        run = levels.conductance[levels.longest_run] * 1e9
        span = f"{run[0]:6.2f} .. {run[-1]:6.2f} nS" if run.size else "none".rjust(18)
        noise = f"{levels.relative_noise[-1]:.3%} .. {levels.relative_noise[0]:.3%}"
        print(
            f"{name:9s} {voltage:7.1f} V   {np.count_nonzero(levels.safe):4d}   {span}   {noise}   {np.round(cells, 3)}"
        )
