"""Question: what is the electrical network of an array: cells, line segments, sources?

Enters: conductances [S] and the law of the cells, resistances [Ohm] of segments and ends, voltages [V].
Leaves: a :class:`Network` and its :class:`Drive`, which solvers and netlists read.
Not here: solving it (:mod:`ferrogen.circuit.solvers`), writing it for a simulator (:mod:`ferrogen.circuit.spice`).
"""
