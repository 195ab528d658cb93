"""Question: which part of a product's noise lasts from product to product, and what is it in a given cycle?

Enters: the traps of a grid of tiles, an operating point; then input codes and the cycles they are multiplied in.
Leaves: currents to be added before conversion, and the variance that is left for noise without memory; cycle k gives
the same bits alone and in any batch.
Not here: the product itself (:mod:`ferrogen.chip.engine`), traps followed one by one (``Tile.product_conductances``).
"""
