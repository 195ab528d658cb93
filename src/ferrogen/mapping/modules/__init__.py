"""Question: which torch modules stand in the place of a network's layers once they are on a chip?

Enters: a layer's geometry (:mod:`ferrogen.mapping.lowering`), its matrices on tiles.
Leaves: ``nn.Module`` layers with the same inputs and outputs.
Not here: which layers of a network are replaced (:mod:`ferrogen.mapping.convert`).
"""
