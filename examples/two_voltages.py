"""Why a low read voltage is quiet and a high one noisy: one ensemble of traps at both."""

import numpy as np

from ferrogen.core.streams import Purpose, Streams
from ferrogen.device.card import load_card
from ferrogen.device.noise.rtn.closed_form import occupancy, window_variance
from ferrogen.device.noise.traps import draw_traps

card = load_card("hzo-mfis-nor")
traps = draw_traps(card, 10_000, Streams(1).generator(Purpose.POPULATION))
print("voltage   occupied   relative noise of a 1 ms read")
for voltage in (0.1, 0.4, 0.7, 1.0, 1.2, 1.4):
    capture, emission = traps.rates(voltage, 300.0)
    occupied = occupancy(capture, emission).mean()
    variance = window_variance(capture, emission, 1e-3) * traps.amplitude**2
    print(f"{voltage:5.1f} V   {occupied:8.4f}   {np.sqrt(variance.sum() / 10_000):.4%}")
