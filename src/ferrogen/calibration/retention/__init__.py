"""Question: how fast is a stored state lost, and what is left after ten years?

Enters: polarisation, conductance or resistance over time, at temperatures; or of cells before and after a bake.
Leaves: laws compared, their parameters with errors, values carried to a storage time, distributions of the change.
Not here: the laws themselves (:mod:`ferrogen.device.reliability`).
"""
