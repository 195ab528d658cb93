"""Question: how are images of many pixels and colours made by convolutions, and how is that learnt?

Enters: a spec, training images of shape ``(n, channels, side, side)``.
Leaves: encoder and decoder (a linear layer and transposed convolutions: all of them products), and their training.
Not here: the decoder of linear layers for digits (:mod:`ferrogen.generation.model`), the run of a training from start
to files (:mod:`ferrogen.generation.training`), what the chip makes of a decoder (:mod:`ferrogen.mapping.convert`).
"""
