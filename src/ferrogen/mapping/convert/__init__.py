"""Question: how does a PyTorch module that somebody brings become one whose products run on a chip?

Enters: a module, a chip, typical inputs; on request a source of random numbers.
Leaves: a module of the same shape whose layers sit on tiles (:func:`.whole.map_to_chip`), and a report of what went
where and what stayed digital.
Not here: what a layer's matrices are (:mod:`ferrogen.mapping.lowering`), how they are coded
(:mod:`ferrogen.mapping.coding`), how noise becomes latents (:mod:`ferrogen.sampler`).
"""
