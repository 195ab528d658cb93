"""Question: what do converters, amplifiers and wires do between the cells and the numbers?

Enters: digital inputs, currents [A], conductances [S].
Leaves: quantised inputs, noise currents [A], codes, effective conductances.
Not here: the cells themselves (:mod:`ferrogen.array`), what the numbers mean.
"""
