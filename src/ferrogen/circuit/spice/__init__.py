"""Question: does a circuit simulator that others trust find the same, and can the user take the array there?

Enters: a network and its drive (:mod:`ferrogen.circuit.network`), a device card, a simulator on this machine.
Leaves: netlists, subcircuits and Verilog-A, the simulator's results and log, comparisons node by node.
Not here: our own solvers (:mod:`ferrogen.circuit.solvers`), figures of a comparison (:mod:`ferrogen.report`).
"""
