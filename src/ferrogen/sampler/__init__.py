"""Question: how does telegraph noise become standard-normal latents?

Enters: a chip, an operating point, the number of latents.
Leaves: calibrated latents, addressed by image number, and what they cost in windows.
Not here: statistics of the latents (:mod:`ferrogen.metrics.randomness`), what the latents are for.
"""
