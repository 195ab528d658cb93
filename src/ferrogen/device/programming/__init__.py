"""Question: how do pulses make analog states, and how good are they?

Enters: a junction, pulse trains [V, s], read noise.
Leaves: states after every pulse, linearity and asymmetry, distinguishable levels, write-verify cost.
Not here: arrays and their targets (:mod:`ferrogen.array`), the switching law (:mod:`ferrogen.device.polarization`).
"""
