"""Question: how does a junction age, forget and fail?

Enters: cycles, time [s], voltage [V], temperature [K], an age.
Leaves: changed parameters and states, retention curves, survival, lifetimes with intervals.
Not here: what images are worth afterwards (:mod:`ferrogen.generation`), fits to data (:mod:`ferrogen.calibration`).
"""
