"""Question: what does the sampling chain make of a column's noise: integrate, hold, again, subtract, digitise?

Enters: a column's cells and the switching moments of their traps, a chain's specification, the chip's schedule.
Leaves: held voltages, codes, their distances from rounding edges; noise, energy and latency.
Not here: how traps switch (:mod:`ferrogen.device.noise.rtn`), the same chain in SPICE (:mod:`ferrogen.circuit.spice`).
"""
