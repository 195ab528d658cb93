"""Question: what do the two modes of one array return?

Enters: a device card, a seed, an operating point, inputs for the low read voltage, cycles for the high one.
Leaves: digitised differential currents [A] of both modes.
Not here: how currents become latents (:mod:`ferrogen.sampler`), how weights become conductances
(:mod:`ferrogen.mapping`).
"""
