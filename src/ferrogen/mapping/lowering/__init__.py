"""Question: which matrix products is a layer made of?

Enters: a PyTorch layer (linear, convolution, transposed convolution) and its input, as floats or converter codes.
Leaves: weight matrices, the vectors they are multiplied with, and how the results are put together again.
Not here: chips, noise, ranges; pure geometry.
"""

from ferrogen.mapping.lowering.lowering import Lowering, lower

__all__ = ["Lowering", "lower"]
