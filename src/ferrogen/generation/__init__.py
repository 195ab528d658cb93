"""Question: what images does the chip make, and with which model?

Enters: image data sets (IDX folders), a chip, an operating point.
Leaves: trained weights, images, latents, scores, the cost of a run and its provenance.
Not here: weights to conductances (mapping), noise to latents (sampler), the judging of images (metrics).
"""
