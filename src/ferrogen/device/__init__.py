"""Question: what does one junction do?

Enters: a device card (TOML: every parameter with unit, spread, status, validity, source), voltage, temperature, time.
Leaves: read currents [A], trap rates [1/s], telegraph noise.
Not here: many junctions at once (:mod:`ferrogen.array`), circuits, anything learned.
"""
