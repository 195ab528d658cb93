"""Question: how does a junction's current fluctuate, and why?

Enters: a card's traps, voltage, temperature, state; bandwidth and current for the electronic noises.
Leaves: traps and rates [1/s], amplitudes, spectra [1/Hz], exact telegraph noise (:mod:`ferrogen.device.noise.rtn`).
Not here: amplifiers and converters (:mod:`ferrogen.circuit`), how noise becomes latents (:mod:`ferrogen.sampler`).
"""
