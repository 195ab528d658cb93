"""Question: how does a trained network sit on a chip?

Enters: float weights, a chip, calibration inputs.
Leaves: layers whose products run on tiles, the error budget of a product, what the mapping used.
Not here: training; where the latents come from (:mod:`ferrogen.sampler`).
"""
