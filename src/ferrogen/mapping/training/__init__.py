"""Question: how is a network trained for the chip that it will sit on?

Enters: master weights, what programming made of them on this chip, inputs, addresses.
Leaves: outputs with the chip's rounding, deviations and noise, and gradients through all of them.
Not here: optimisers and losses (they are torch's); training of models that know no chip (:mod:`ferrogen.generation`).
"""
