"""Question: with which weights does a decoder make its pictures on chips that are not ideal?

Enters: a trained model, a device card, what the chips' cells and converters are like, one chip or a population.
Leaves: the same model with another decoder, its curves, and a model card that says what was injected.
Not here: gradients through tiles (:mod:`ferrogen.mapping.training`); training from images (:mod:`.training` beside).
"""
