"""Question: how is the product of a grid of tiles computed quickly, with exactly the cells' moments?

Enters: what tiles present to a product (:class:`ferrogen.chip.product.ProductMatrices`), converter codes, addresses.
Leaves: converted currents; the same bits for any batch, order, number of threads and device.
Not here: what weights mean (:mod:`ferrogen.mapping`); circuits with errors of their own (:mod:`ferrogen.chip.product`,
the reference for this room).
"""
