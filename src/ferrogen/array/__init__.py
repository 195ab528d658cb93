"""Question: what do many junctions on one array look like once they are drawn and programmed?

Enters: a device card, a number of rows and columns, target conductances.
Leaves: a population of cells (:class:`CellPopulation`), the programmed state and what programming cost.
Not here: currents of circuits (:mod:`ferrogen.circuit`), the two modes (:mod:`ferrogen.chip`), weights of a network.
"""
