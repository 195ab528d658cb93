"""Question: which voltages and currents does a network of wires and cells settle to?

Enters: a network and what drives it (:mod:`ferrogen.circuit.network`), a tolerance.
Leaves: node voltages, currents of the line ends, and whether they are good to the tolerance; effective conductances.
Not here: time (transients are SPICE's, :mod:`ferrogen.circuit.spice`), what the currents are digitised to.
"""
