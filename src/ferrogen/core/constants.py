"""Physical constants, CODATA 2022 (exact where the SI makes them so), checked against scipy in the tests."""

import math
from typing import Final

ELEMENTARY_CHARGE: Final = 1.602176634e-19
"""Elementary charge in coulomb (exact)."""

BOLTZMANN: Final = 1.380649e-23
"""Boltzmann constant in joule per kelvin (exact)."""

BOLTZMANN_EV: Final = BOLTZMANN / ELEMENTARY_CHARGE
"""Boltzmann constant in electronvolt per kelvin (exact)."""

PLANCK: Final = 6.62607015e-34
"""Planck constant in joule second (exact)."""

REDUCED_PLANCK: Final = PLANCK / (2.0 * math.pi)
"""Planck constant over two pi in joule second (exact)."""

ELECTRON_MASS: Final = 9.1093837139e-31
"""Electron mass in kilogram."""

VACUUM_PERMITTIVITY: Final = 8.8541878188e-12
"""Electric constant in farad per metre."""
