"""Question: what does random telegraph noise do to a read, exactly?

Enters: capture and emission rates of two-state traps [1/s], a schedule of voltages and durations, an addressed key.
Leaves: occupied fractions of windows, traces on a time grid, and their closed-form moments and spectra.
Not here: where the rates come from (:mod:`ferrogen.device.noise.traps`), what a trap does to a current.
"""
