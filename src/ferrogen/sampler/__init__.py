"""Question: how does telegraph noise become standard-normal latents, or bits of asked probabilities?

Enters: a chip, an operating point, the number of latents or bits.
Leaves: calibrated latents, addressed by image number, and what they cost in windows; bits, addressed by cycle, whose
    probability a voltage sets.
Not here: statistics of the latents (:mod:`ferrogen.metrics.randomness`), what latents and bits are for.
"""
