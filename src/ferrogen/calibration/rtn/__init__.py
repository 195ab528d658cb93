"""Question: which traps made these telegraph traces, and which trap ensemble made this population of cells?

Enters: traces of one cell, or rows of repeated reads of many cells, as arrays; the sampling interval, if it is known.
Leaves: traps with amplitudes and time constants, their errors and what is not identified; ensembles; card parameters.
Not here: reading tables (:mod:`ferrogen.calibration.table`), drawing (:mod:`ferrogen.report.calibration_rtn`).
"""
