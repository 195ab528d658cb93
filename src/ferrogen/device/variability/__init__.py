"""Question: how do cells of one card differ, from device to device and from cycle to cycle?

Enters: the spreads and correlations of a card, a number of cells, an addressed generator.
Leaves: correlated parameters of every cell, stuck cells, Monte Carlo draws of whole junctions.
Not here: arrays (:mod:`ferrogen.array`), scatter that follows from a mechanism itself (its own room).
"""
