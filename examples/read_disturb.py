"""Does the sample voltage disturb the stored weights? What the switching law of measured HZO says, card by card.

Cells that are off, and cells that were set by a train of the card's own pulses, are held at the card's multiply and
sample voltages; the share of domains that are on is printed against time. A read in the direction of set pulses (+)
disturbs cells that are off, one against it (-) cells that are on. Cards do not say which of the two a read is.
"""

from ferrogen.device.card import card_names, load_card
from ferrogen.device.junction import draw_cells

TIMES = (1e-3, 1.0, 1e3)

for name in card_names():
    card = load_card(name)
    if card.model != "domain-ensemble" or card.programming is None or card.switching is None:
        continue
    cells = draw_cells(card, 20, seed=1, random_flips=False)
    off = on = cells.initial_state()
    for _ in range(int(card.programming.pulse_count.value)):
        on = cells.advance(on, card.programming.set_voltage.value, card.programming.pulse_width.value)
    print(f"{name}: {', '.join(f'{time:g} s' for time in TIMES)} at each voltage")
    low, high = card.default_multiply_voltage, card.default_sample_voltage
    for voltage in (low, -low, high, -high):
        for label, start in (("off", off), ("set", on)):
            shares, state, passed = [], start, 0.0
            for time in TIMES:
                state = cells.advance(state, voltage, time - passed)
                shares.append(float(cells.switched_fraction(state).mean()))
                passed = time
            begun = float(cells.switched_fraction(start).mean())
            print(f"  {voltage:+5.2f} V  {label}  {begun:.3f} -> {', '.join(f'{share:.3f}' for share in shares)}")
