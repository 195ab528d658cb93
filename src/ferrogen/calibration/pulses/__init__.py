"""Question: how well does a junction take identical or stepped pulses, and how much does it scatter?

Enters: conductance after each pulse of potentiation and depression, over cycles; amplitudes and widths if known.
Leaves: range, linearity, NeuroSim labels, switching noise, and the switching parameters that reproduce the curves.
Not here: figures of merit and trains (:mod:`ferrogen.device.programming`), domains themselves.
"""
