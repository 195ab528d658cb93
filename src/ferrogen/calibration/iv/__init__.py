"""Question: what carries the current of a junction, and with which read model may an array be computed?

Enters: current-voltage curves, of several devices or states, at one or several temperatures.
Leaves: the compact read model with spreads, barriers, activation energies over bias, and which law describes the data.
Not here: the currents themselves (:mod:`ferrogen.device.transport`).
"""
