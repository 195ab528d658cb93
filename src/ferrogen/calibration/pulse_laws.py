"""Laws of switching by one pulse that pulse data decide between, each with what a fit may vary.

The physics is :mod:`ferrogen.device.polarization.kinetics`; here are names, starts and bounds.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.calibration.fit import Free
from ferrogen.device.polarization.kinetics import (
    ActivationField,
    GaussianField,
    GeneralizedBetaField,
    LogNormalField,
    kai_fraction,
    lorentzian_fraction,
    switched_fraction,
)

Array = NDArray[np.float64]
Values = Mapping[str, float]
Share = Callable[[Array, Array, Values], Array]

_MEGAVOLT_PER_CENTIMETRE = 1e8  # V/m
_LARGEST_EXPONENT = 600.0
_LEAST_DECADES = 0.05  # a sharper Lorentzian is one time constant


@dataclass(frozen=True, slots=True)
class PulseLaw:
    """A law of switching.

    Attributes:
        name: as it is chosen by.
        title: for tables.
        free: its parameters beside the remanent polarisation and the nucleation exponent.
        share: (width [s], field at which it would switch alike at 300 K [V/m], values) -> switched share.
    """

    name: str
    title: str
    free: tuple[Free, ...]
    share: Share


def pulse_laws(width: Array, field: Array) -> dict[str, PulseLaw]:
    """Return the laws by name, with starts and bounds that suit the data.

    Args:
        width: of the pulses [s].
        field: of the pulses [V/m], positive.
    """
    middle = float(np.exp(np.mean(np.log(field))))
    shortest, longest = float(width.min()), float(width.max())
    common = (
        Free("attempt_time", math.sqrt(shortest * longest), 1e-4 * shortest, longest, logarithmic=True, unit="s"),
        Free("field_exponent", 2.5, 0.3, 10.0),
    )
    activation = Free("activation_field", middle, 0.03 * middle, 30.0 * middle, logarithmic=True, unit="V/m")
    deviation = Free("activation_deviation", 0.3 * middle, 0.003 * middle, 3.0 * middle, logarithmic=True, unit="V/m")
    shapes = (
        Free("shape", 5.0, 0.3, 60.0, logarithmic=True),
        Free("shape_lower", 1.0, 0.05, 30.0, logarithmic=True),
        Free("shape_upper", 1.0, 0.05, 30.0, logarithmic=True),
    )
    laws = (
        PulseLaw(
            "lognormal", "log-normal activation field",
            (activation, Free("activation_width", 0.3, 0.01, 3.0), *common),
            _ensemble(lambda v: LogNormalField(v["activation_field"], v["activation_width"])),
        ),
        PulseLaw(
            "gaussian", "normal activation field", (activation, deviation, *common),
            _ensemble(lambda v: GaussianField(v["activation_field"], v["activation_deviation"])),
        ),
        PulseLaw(
            "beta", "generalised beta activation field", (activation, *shapes, *common),
            _ensemble(
                lambda v: GeneralizedBetaField(
                    v["shape"], v["activation_field"], v["shape_lower"], v["shape_upper"]
                )
            ),
        ),
        PulseLaw(
            "lorentzian", "Lorentzian log switching time",
            (activation, Free("decades", 0.5, 0.01, 6.0), Free("decades_exponent", 1.0, -1.0, 6.0), *common),
            _lorentzian_share,
        ),
        PulseLaw("kai", "one switching time (KAI)", (activation, *common), _single_share),
    )  # fmt: skip
    return {law.name: law for law in laws}


def _ensemble(distribution: Callable[[Values], ActivationField]) -> Share:
    def share(width: Array, field: Array, values: Values) -> Array:
        return switched_fraction(
            width, field, distribution(values), attempt_time=values["attempt_time"],
            field_exponent=values["field_exponent"], nucleation_exponent=values["nucleation_exponent"],
        )  # fmt: skip

    return share


def _switching_time(field: Array, values: Values) -> Array:
    """Return Merz' law [s], held where it is finite."""
    merz = np.minimum((values["activation_field"] / field) ** values["field_exponent"], _LARGEST_EXPONENT)
    return np.asarray(values["attempt_time"] * np.exp(merz))


def _lorentzian_share(width: Array, field: Array, values: Values) -> Array:
    decades = values["decades"] * (field / _MEGAVOLT_PER_CENTIMETRE) ** -values["decades_exponent"]
    return lorentzian_fraction(
        width, _switching_time(field, values), np.maximum(decades, _LEAST_DECADES), values["nucleation_exponent"]
    )


def _single_share(width: Array, field: Array, values: Values) -> Array:
    return kai_fraction(width, _switching_time(field, values), values["nucleation_exponent"])
