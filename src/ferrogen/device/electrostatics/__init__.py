"""Question: which field does each layer of the stack see?

Enters: applied voltage [V], polarisation and interface charge [C/m^2], the layers.
Leaves: fields [V/m], depolarisation, surface potential [V], interface charge over time.
Not here: what the fields do (:mod:`ferrogen.device.polarization`, :mod:`ferrogen.device.transport`).
"""
