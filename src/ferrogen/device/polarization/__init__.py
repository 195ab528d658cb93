"""Question: how does the polarisation follow a voltage, and what does it remember?

Enters: switching parameters of a card, fields [V/m] of any waveform, temperature [K].
Leaves: polarisation [C/m^2], switching currents [A/m^2], loops, minor loops, PUND, FORC.
Not here: fields of a stack (:mod:`ferrogen.device.electrostatics`), ageing (:mod:`ferrogen.device.reliability`).
"""
