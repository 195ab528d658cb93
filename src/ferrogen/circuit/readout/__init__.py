"""Question: what does each block between a bit line and a number do to the signal, and what does it cost?

Enters: what a block is asked to carry: shares of full drive, currents [A], voltages [V], times [s].
Leaves: what comes out of it, the noise it adds, energy [J] and latency [s] of one use.
Not here: which blocks a chip has (:mod:`ferrogen.circuit.periphery`), which cells feed them (:mod:`ferrogen.chip`).
"""
