"""Pulse trains fitted by the domain ensemble: which activation field, spread and bias reproduce the curves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ferrogen.calibration.fit import FitResult, Free, fit
from ferrogen.calibration.pulses.trains import Branch
from ferrogen.core.errors import DataFileError
from ferrogen.device.parameter import Distribution, Parameter, Spread, SpreadKind
from ferrogen.device.polarization.domains import initial_state, mean_domains
from ferrogen.device.polarization.spec import SwitchingSpec
from ferrogen.device.programming.drive import Drive, film_drive
from ferrogen.device.programming.respond import respond
from ferrogen.device.programming.trains import PulseTrain

Array = NDArray[np.float64]

_NODES = 128  # over the activation field; the curve's error is then below the scatter of any measurement
_FIELDS = (1e7, 2e10)  # of the strongest pulse, that a film may have [V/m]
_LARGEST_BIAS = 1e9  # of a card
_SEVERAL = 4  # different amplitudes (or widths) from which the law of the rate can be fitted, too


@dataclass(frozen=True, slots=True)
class DomainFit:
    """What the fit found.

    Attributes:
        result: of the fit; residuals are shares of the window.
        correlation: of neighbouring residuals.
        model: conductance at the readings of each branch [S].
    """

    result: FitResult
    correlation: float
    model: list[Array]

    @property
    def inflation(self) -> float:
        """Factor by which errors exceed those for independent residuals: sqrt[(1 + r) / (1 - r)]."""
        r = min(max(self.correlation, 0.0), 0.98)
        return math.sqrt((1.0 + r) / (1.0 - r))


def switching_spec(values: Mapping[str, float]) -> SwitchingSpec:
    """Return the section [switching] of values; only shares matter here, so polarisation and domain area are units."""

    def item(value: float, unit: str, kind: SpreadKind = "domain", form: Distribution | None = None,
             width: float = 0.0) -> Parameter:  # fmt: skip
        spread = None if form is None or width <= 0.0 else Spread(kind=kind, distribution=form, value=width)
        return Parameter(value=value, unit=unit, status="fitted", source="none", spread=spread)

    return SwitchingSpec(
        remanent_polarization=item(0.1, "C/m^2"),
        activation_field=item(
            values["activation_field"], "V/m", form="lognormal", width=min(values["activation_spread"], 3.0)
        ),
        attempt_time=item(values["attempt_time"], "s"),
        field_exponent=item(values["field_exponent"], "1"),
        nucleation_exponent=item(values["nucleation_exponent"], "1"),
        local_bias_field=item(values["local_bias_field"], "V/m"),
        domain_area=item(1e-16, "m^2"),
    )


def train_of(branches: Sequence[Branch], gap: float) -> PulseTrain:
    """Return all pulses of a train, in order.

    Raises:
        DataFileError: amplitudes or widths are missing, or a width is not positive.
    """
    amplitudes = [branch.amplitude for branch in branches if branch.amplitude is not None]
    widths = [branch.width for branch in branches if branch.width is not None]
    if len(amplitudes) < len(branches) or len(widths) < len(branches):
        raise DataFileError("The switching parameters need a column of amplitudes and one of widths.")
    width = np.concatenate(widths)
    if not (width > 0.0).all():
        raise DataFileError("A pulse's width is zero or negative.")
    return PulseTrain(np.concatenate(amplitudes), width, gap)


def fit_domains(
    branches: Sequence[Branch],
    thickness: float,
    temperature: float,
    gap: float,
    fixed: Mapping[str, float],
    generator: np.random.Generator,
) -> DomainFit:
    """Fit one train (all its branches, in order of time).

    Free are the activation field and its log-normal width, the mean local bias, both conductances and the share on at
    the start; attempt time and field exponent too where amplitudes or widths vary enough to tell.

    Args:
        branches: with amplitudes and widths.
        thickness: of the ferroelectric [m]; the field is V / thickness.
        temperature: [K].
        gap: between pulses at zero volts [s].
        fixed: ``attempt_time``, ``field_exponent`` (where not fitted) and ``nucleation_exponent``.
        generator: of further starts.

    Raises:
        DataFileError: amplitudes or widths are missing.
    """
    train = train_of(branches, gap)
    drive = film_drive(thickness, temperature)
    readings = np.concatenate([branches[0].conductance, *(branch.conductance[1:] for branch in branches[1:])])
    low, high = float(readings.min()), float(readings.max())
    window = high - low
    field = float(np.abs(train.amplitude).max()) / thickness
    if not _FIELDS[0] < field < _FIELDS[1]:
        raise DataFileError(f"The pulses are fields of {field:.3g} V/m at most. Are amplitude and thickness right?")
    bias = min(field, _LARGEST_BIAS)
    free = [
        Free("activation_field", 1.5 * field, 0.05 * field, min(50.0 * field, 1e11), logarithmic=True, unit="V/m"),
        Free("activation_spread", 0.3, 0.02, 2.0, logarithmic=True),
        Free("local_bias_field", 0.0, -bias, bias, unit="V/m"),
        Free("on_conductance", 1.02 * high, low, 20.0 * high, logarithmic=True, unit="S"),
        Free("off_conductance", 0.98 * low, 1e-3 * low, high, logarithmic=True, unit="S"),
        Free("start_share", min(max((readings[0] - low) / window, 0.02), 0.98), 0.0, 1.0),
    ]
    kinds = max(np.unique(np.abs(train.amplitude)).size, np.unique(train.width).size)
    if kinds >= _SEVERAL:
        free += [
            Free("attempt_time", fixed["attempt_time"], 1e-14, 1.0, logarithmic=True, unit="s"),
            Free("field_exponent", fixed["field_exponent"], 0.3, 10.0, logarithmic=True),
        ]

    def residuals(values: dict[str, float]) -> Array:
        return np.asarray((readings - _response({**fixed, **values}, train, drive)) / window)

    result = fit(residuals, free, starts=2, generator=generator, most_evaluations=200, tolerance=1e-8)
    model = _response({**fixed, **result.values}, train, drive)
    parts, at = [], 0
    for branch in branches:
        parts.append(model[at : at + branch.pulses + 1])
        at += branch.pulses
    left = result.residuals - result.residuals.mean()
    correlation = float(left[1:] @ left[:-1] / max(float(left @ left), 1e-300))
    return DomainFit(result, correlation, parts)


def _response(values: Mapping[str, float], train: PulseTrain, drive: Drive) -> Array:
    """Return the conductance before the first pulse and after each [S]."""
    ensemble = mean_domains(switching_spec(values), _NODES // 4, 1)
    found = respond(ensemble, initial_state(ensemble, min(max(values["start_share"], 0.0), 1.0)), train, drive)
    return np.asarray(found.conductance(values["on_conductance"], values["off_conductance"])[0])
