"""Question: what do products read when every trap is where it is in that cycle?

Enters: tiles, an operating point, inputs as the cells see them, the cycle of every vector.
Leaves: what cells that stand still present to products, and the currents that occupied traps add to them.
Not here: how a trap is followed (:mod:`ferrogen.device.noise.rtn.runs`); converters (:mod:`ferrogen.chip.product`).
"""
