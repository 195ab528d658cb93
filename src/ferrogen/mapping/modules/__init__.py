"""Question: how does a layer on tiles look to PyTorch?

Enters: a layer's geometry (:mod:`ferrogen.mapping.lowering`), its matrices on tiles (:mod:`ferrogen.mapping.layer`).
Leaves: ``nn.Module``s with everything a forward needs in buffers, and the clock that numbers their images.
Not here: which layers of a model are replaced (:mod:`ferrogen.mapping.convert`).
"""

from ferrogen.mapping.modules.analog_layer import AnalogLayer, map_layer
from ferrogen.mapping.modules.clock import Clock

__all__ = ["AnalogLayer", "Clock", "map_layer"]
