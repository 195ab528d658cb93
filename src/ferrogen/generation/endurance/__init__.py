"""Use: what many cycles of sampling and decoding do to a chip, and what maintenance makes of it.

Question: Does the chip still make the same images after 10^5 cycles, and if not, why?
Enters: a model, a chip and its operating point, cycles, temperatures, policies of maintenance.
Leaves: a record at every checkpoint, whole or not there; a verdict.
Not here: how cells change (array), what energy they take (chip), scores (metrics), figures (report).
"""
