"""Pulse data from tables, whatever their convention: which sign, where the polarisation counts from.

Laboratories report what a pulse did as polarisation from -Pr to Pr, as switched polarisation from 0 to 2 Pr, as its
size with negative amplitudes, as what is left of the other state, or from wherever the integrator stood. The sign is
told from the data, as stronger pulses switch more; where they count from is told by the fit (:mod:`.switching`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from ferrogen.calibration.charge import check_sizes
from ferrogen.calibration.kind import Request
from ferrogen.core.errors import DataFileError

Array = NDArray[np.float64]
Labels = NDArray[np.intp]

LEAST_PULSES = 7  # one more than parameters of the card's law with an offset
_LEAST_AMPLITUDES = 3
_SAME = 0.015  # by which measured amplitudes of one nominal amplitude differ at most
_MOST_FOLDS = 16
BULK = (0.05, 0.95)  # between these quantiles: what a few outliers do not move
_FALLS = -0.3  # correlation of polarisation and strength of the pulse below which the sign is the other


@dataclass(frozen=True, slots=True)
class Pulses:
    """Pulse data in SI units, mirrored such that pulses are positive and stronger ones leave more polarisation.

    Attributes:
        width: [s], shape ``(n,)``.
        field: [V/m], positive.
        amplitude: as it was measured [V or V/m].
        polarization: after the pulse [C/m^2].
        level: number of the nominal amplitude, rising with the field.
        counts_from: ``poled`` (-Pr to Pr), ``zero`` (0 to 2 Pr) or ``offset`` (from anywhere).
        remarks: what was mirrored, in sentences.
    """

    width: Array
    field: Array
    amplitude: Array
    polarization: Array
    level: Labels
    counts_from: str = "poled"
    remarks: tuple[str, ...] = ()

    def folds(self) -> Labels:
        """Return which pulses are left out together: those of a nominal amplitude, or of neighbouring ones."""
        return (self.level * min(_MOST_FOLDS, self.levels)) // self.levels

    @property
    def levels(self) -> int:
        """How many nominal amplitudes there are."""
        return int(self.level.max()) + 1


def read_pulses(request: Request) -> Pulses:
    """Read and check the pulses of all files.

    Raises:
        DataFileError: widths, amplitudes or polarisations that cannot be, too few pulses, or too few amplitudes to
            tell time from field.
        ArgumentError: thickness or area is needed and was not given.
    """
    parts = []
    for table in request.tables:
        data = table.read()
        field = data["amplitude"]
        if table.units["amplitude"] == "V":
            field = field / request.sample.needed_thickness()
        density = data["polarization"]
        if table.units["polarization"] == "C":
            density = density / request.sample.needed_area()
        parts.append((data["pulse_width"], field, data["amplitude"], density))
    width, field, amplitude, density = (np.concatenate(items) for items in zip(*parts, strict=True))
    name = request.tables[0].name
    if not np.all(width > 0.0):
        raise DataFileError(f"'{name}': pulse widths must be positive, but the least is {width.min():g} s.")
    if np.any(field == 0.0):
        raise DataFileError(f"'{name}': pulses of no amplitude cannot switch. Leave them out.")
    if width.size < LEAST_PULSES:
        raise DataFileError(f"'{name}' has {width.size} pulses; at least {LEAST_PULSES} are needed. Give more.")
    level = _levels(np.abs(field))
    if level.max() + 1 < _LEAST_AMPLITUDES:
        raise DataFileError(
            f"'{name}' has {level.max() + 1} different amplitudes; at least {_LEAST_AMPLITUDES} are needed to"
            " tell how the switching time depends on the field."
        )
    if not np.ptp(density) > 0.0:
        raise DataFileError(
            f"'{name}': the polarisation is the same after every pulse, so there is nothing to learn from it."
            " Check which column holds it."
        )
    density, remarks = _mirrored(width, field, density)
    check_sizes(name, float(np.abs(field).max()), float(np.ptp(np.quantile(density, BULK))))
    return Pulses(width, np.abs(field), amplitude, density, level, remarks=remarks)


def _levels(field: Array) -> Labels:
    """Number the nominal amplitudes: each holds the fields up to 1.5 % above its least."""
    order = np.argsort(field, kind="stable")
    level = np.empty(field.size, dtype=np.intp)
    number, least = -1, -np.inf
    for k in order:
        if field[k] > least * (1.0 + _SAME) or number < 0:
            number, least = number + 1, field[k]
        level[k] = number
    return level


def _mirrored(width: Array, field: Array, density: Array) -> tuple[Array, tuple[str, ...]]:
    """Mirror the pulses of either sign where that makes stronger ones leave more; say what is not plain mirroring."""
    density = density * np.sign(field)
    remarks = []
    for sign, shown in ((1.0, "positive"), (-1.0, "negative")):
        own = np.sign(field) == sign
        if own.sum() < _LEAST_AMPLITUDES or not np.ptp(density[own]) > 0.0:
            continue
        strength = rankdata(width[own]) + rankdata(np.abs(field[own]))
        if np.ptp(strength) > 0.0 and np.corrcoef(strength, rankdata(density[own]))[0, 1] < _FALLS:
            density = np.where(own, -density, density)
            remarks.append(
                f"Stronger {shown} pulses leave a polarisation of the sign opposite to theirs: it was taken with the"
                " other sign, as a size or of the other electrode."
            )
    return density, tuple(remarks)
