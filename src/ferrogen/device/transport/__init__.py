"""Question: which current does a voltage drive through the stack?

Enters: barriers [eV], thicknesses [m], masses, fields, polarisation, temperature [K].
Leaves: current densities [A/m^2]; the compact read model [A, S] that arrays use.
Not here: its noise (:mod:`ferrogen.device.noise`), fields in the stack (:mod:`ferrogen.device.electrostatics`).
"""
