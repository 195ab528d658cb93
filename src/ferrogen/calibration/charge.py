"""Charge on a capacitor under any waveform: domains, linear background, leakage, and the lag of the instrument.

    Q(t) = Q0 + eps0 eps_r E(t) + P(t) + Int J_leak(V(t)) dt,      E = V / thickness,

with P of the domain ensemble of the card's section [switching] (device equation 1.9). What is recorded may lag behind:
tau dQ_rec/dt = Q - Q_rec, one pole, as a current amplifier has. Q0 is the instrument's, and is left to the caller.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.constants import epsilon_0
from scipy.signal import lfilter

from ferrogen.calibration.fit import Free
from ferrogen.core.errors import DataFileError
from ferrogen.device.parameter import Parameter, Spread
from ferrogen.device.polarization.domains import DomainEnsemble, follow, initial_state, mean_domains
from ferrogen.device.polarization.spec import SwitchingSpec

Array = NDArray[np.float64]
Values = Mapping[str, float]

ACTIVATION_NODES = 24
BIAS_NODES = 12
_FIELDS = (1e7, 2e9)  # V/m, largest of a record: the bounds of the search then lie within what a card may hold
CHARGE_SPANS = (5e-3, 1.0)
"""Least and largest span [C/m^2] of a polarisation or charge density that a ferroelectric film may show."""

_FAITHFUL = 0.05  # of the span: by which a voltage may differ from a line between the samples that are kept
_NEAR_THE_END = 0.9  # of the largest voltage: a record that begins there begins poled


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """One measured record in SI units, at the samples that are compared.

    Attributes:
        name: of its file.
        time: [s], shape ``(n,)``.
        voltage: [V], shape ``(n,)``.
        charge: [C/m^2], shape ``(n,)``.
        mean_voltage: between neighbouring samples [V], shape ``(n - 1,)``.
        start: ``up``, ``down`` or ``cycled`` (the record is one of many equal cycles).
        temperature: [K].
        remark: a sentence on what was changed in reading it, or ``""``.
    """

    name: str
    time: Array
    voltage: Array
    charge: Array
    mean_voltage: Array
    start: str
    temperature: float
    remark: str = ""

    @property
    def durations(self) -> Array:
        """Time between neighbouring samples [s], shape ``(n - 1,)``."""
        return np.diff(self.time)

    def segments(self) -> NDArray[np.intp]:
        """Return the number of the monotonic piece of the voltage that each sample lies on, shape ``(n,)``."""
        return turning_segments(self.voltage)


def turning_segments(voltage: Array) -> NDArray[np.intp]:
    """Number the monotonic pieces of a voltage; reversals by less than 5 % of its span are noise."""
    least = 0.05 * float(np.ptp(voltage))
    turns: list[int] = []
    direction, top, bottom = 0, 0, 0
    for k in range(voltage.size):
        top = k if voltage[k] > voltage[top] else top
        bottom = k if voltage[k] < voltage[bottom] else bottom
        if direction >= 0 and voltage[k] < voltage[top] - least:
            turns += [top] * direction
            direction, bottom = -1, k
        elif direction <= 0 and voltage[k] > voltage[bottom] + least:
            turns += [bottom] * -direction
            direction, top = 1, k
    return np.searchsorted(np.array(turns, dtype=np.intp), np.arange(voltage.size), side="right")


def thinned(record: Record, most: int) -> Record:
    """Return a record with at most about ``most`` samples; the mean voltage between them is exact.

    Every so many samples are kept, unless that cuts the voltage's corners (pulses): then more, where it changes.
    """
    step = max(1, math.ceil(record.time.size / most))
    keep = np.unique(np.append(np.arange(0, record.time.size, step), record.time.size - 1))
    between = np.interp(record.time, record.time[keep], record.voltage[keep])
    if np.abs(record.voltage - between).max() > _FAITHFUL * np.ptp(record.voltage):
        keep = _corners(record.voltage, step)
    integral = np.concatenate([[0.0], np.cumsum(record.mean_voltage * record.durations)])[keep]
    time = record.time[keep]
    return replace(
        record, time=time, voltage=record.voltage[keep], charge=record.charge[keep],
        mean_voltage=np.diff(integral) / np.diff(time),
    )  # fmt: skip


def _corners(voltage: Array, most_between: int) -> NDArray[np.intp]:
    """Return samples between which the voltage hardly changes, and which are at most so far apart."""
    change = 0.5 * _FAITHFUL * float(np.ptp(voltage))
    values = voltage.tolist()
    keep, last = [0], 0
    for k in range(1, len(values)):
        if abs(values[k] - values[last]) > change:
            keep += [k - 1] * (k - 1 > last) + [k]
            last = k
        elif k - last >= most_between:
            keep.append(k)
            last = k
    return np.unique(np.append(np.array(keep, dtype=np.intp), len(values) - 1))


def charge_with_voltage(voltage: Array, charge: Array) -> tuple[Array, str]:
    """Return the charge in the sign in which it grows with the voltage, and a sentence if that is the other sign."""
    if float(np.sum(np.diff(voltage) * np.diff(charge))) >= 0.0:
        return charge, ""
    return -charge, "the charge falls where the voltage rises: it was taken with the other sign."


def guessed_start(voltage: Array) -> str:
    """Return how a record begins: poled if near the largest voltage, else as one of many cycles."""
    if abs(voltage[0]) >= _NEAR_THE_END * np.abs(voltage).max():
        return "up" if voltage[0] > 0.0 else "down"
    return "cycled"


def domain_free(records: list[Record], thickness: float) -> list[Free]:
    """Return the parameters of the mean domain ensemble and its background, with starts that suit the records.

    Raises:
        DataFileError: fields or charges that no film has, most often by a wrong unit.
    """
    largest, span = plausible_sizes(records, thickness)
    return [
        Free("remanent_polarization", 0.25 * span, 0.02 * span, 2.0 * span, logarithmic=True, unit="C/m^2"),
        Free("activation_field", 0.5 * largest, 0.02 * largest, 50.0 * largest, logarithmic=True, unit="V/m"),
        Free("activation_width", 0.3, 0.02, 2.0),
        Free("local_bias_field", 0.0, -min(largest, 1e9), min(largest, 1e9), unit="V/m"),
        Free("bias_deviation", 0.08 * largest, 1e-3 * largest, 2.0 * largest, logarithmic=True, unit="V/m"),
        Free("permittivity", 40.0, 1.0, 500.0, logarithmic=True),
    ]


def plausible_sizes(records: list[Record], thickness: float) -> tuple[float, float]:
    """Return the largest field [V/m] and the largest span of the charge [C/m^2].

    Raises:
        DataFileError: they are not those of a ferroelectric film.
    """
    largest = max(float(np.abs(item.voltage).max()) for item in records) / thickness
    span = max(float(np.ptp(item.charge)) for item in records)
    check_sizes(records[0].name, largest, span)
    return largest, span


def check_sizes(name: str, largest: float, span: float) -> None:
    """Refuse what no ferroelectric film has, most often by a wrong unit.

    Args:
        name: of the file.
        largest: field [V/m].
        span: of the charge or polarisation [C/m^2].

    Raises:
        DataFileError: either lies outside of what films have.
    """
    for size, (low, high), what, unit, practical in (
        (largest, _FIELDS, "largest field is", "MV/cm", 1e-8),
        (span, CHARGE_SPANS, "charge spans", "uC/cm^2", 1e2),
    ):
        if not low <= size <= high:
            raise DataFileError(
                f"'{name}': the {what} {size * practical:.3g} {unit}, but a ferroelectric film has between"
                f" {low * practical:g} and {high * practical:g} {unit}."
                " Check the units of the columns, the thickness and the area."
            )


def kinetics_free(attempt_time: float, field_exponent: float) -> list[Free]:
    """Return the two parameters that a single sweep rate hardly tells."""
    return [
        Free(
            "attempt_time", attempt_time, max(1e-4 * attempt_time, 1e-15), min(1e3 * attempt_time, 1.0),
            logarithmic=True, unit="s",
        ),
        Free("field_exponent", field_exponent, 0.5, 10.0),
    ]  # fmt: skip


def domain_ensemble(values: Values) -> DomainEnsemble:
    """Return the mean domain ensemble of fitted values, by the same door as a card's section."""
    return mean_domains(
        SwitchingSpec(
            remanent_polarization=_bare(values["remanent_polarization"], "C/m^2"),
            activation_field=_bare(values["activation_field"], "V/m", "lognormal", values["activation_width"]),
            attempt_time=_bare(values["attempt_time"], "s"),
            field_exponent=_bare(values["field_exponent"], "1"),
            nucleation_exponent=_bare(values["nucleation_exponent"], "1"),
            local_bias_field=_bare(values["local_bias_field"], "V/m", "normal", values["bias_deviation"]),
            domain_area=_bare(1e-16, "m^2"),
        ),
        ACTIVATION_NODES,
        BIAS_NODES,
    )


def _bare(value: float, unit: str, distribution: str = "", width: float = 0.0) -> Parameter:
    spread = (
        None
        if not distribution
        else Spread.model_validate({"kind": "domain", "distribution": distribution, "value": width})
    )
    return Parameter.model_construct(
        value=value, unit=unit, status="fitted", source="none", note="", spread=spread, valid={}, standard_error=None
    )


def model_charge(
    record: Record,
    values: Values,
    thickness: float,
    *,
    leak: Array | None = None,
    closed: bool = False,
    cycles: int = 2,
) -> Array:
    """Return the charge density that would be recorded, up to a constant [C/m^2], shape ``(n,)``.

    Args:
        record: its voltage, times and temperature are used.
        values: ``remanent_polarization``, ``activation_field``, ``activation_width``, ``attempt_time``,
            ``field_exponent``, ``nucleation_exponent``, ``local_bias_field``, ``bias_deviation``, ``permittivity``, and
            ``lag`` [s] if there is one.
        thickness: of the film [m].
        leak: leakage current density between the samples [A/m^2], shape ``(n - 1,)``.
        closed: the instrument takes off a constant current such that the record ends where the measured one does.
        cycles: how often a cycled record is run through before it is compared.
    """
    ensemble = domain_ensemble(values)
    up = {"up": 1.0, "down": 0.0}.get(record.start, 0.0 if record.voltage[1] >= record.voltage[0] else 1.0)
    state = initial_state(ensemble, up)
    fields = record.mean_voltage / thickness
    for _ in range(cycles if record.start == "cycled" else 0):
        _, state = follow(ensemble, state, fields, record.durations, temperature=record.temperature)
    first = values["remanent_polarization"] * float(np.sum(ensemble.weight * (2.0 * state.up - 1.0)))
    after, _ = follow(ensemble, state, fields, record.durations, temperature=record.temperature)
    return recorded(
        np.concatenate([[first], after[0]]), record, values, thickness, leak=leak, closed=closed
    )  # fmt: skip


def recorded(
    polarization: Array, record: Record, values: Values, thickness: float, *, leak: Array | None, closed: bool
) -> Array:
    """Return what is recorded of a polarisation: with background, leakage and lag, as :func:`model_charge` [C/m^2]."""
    whole = polarization + epsilon_0 * values["permittivity"] / thickness * record.voltage
    if leak is not None:
        whole = whole + np.concatenate([[0.0], np.cumsum(leak * record.durations)])
    lag = values.get("lag", 0.0)
    if lag > 0.0:
        whole = lagged(whole, record.time, lag, cyclic=record.start == "cycled")
    if closed:
        share = (record.time - record.time[0]) / (record.time[-1] - record.time[0])
        whole = whole - share * (whole[-1] - whole[0] - record.charge[-1] + record.charge[0])
    return np.asarray(whole)


def lagged(charge: Array, time: Array, lag: float, *, cyclic: bool) -> Array:
    """Return what an instrument of one pole records: exact for a charge that is linear between equal steps.

    Args:
        charge: shape ``(n,)``.
        time: [s], shape ``(n,)``; equal steps are assumed for the filter (the mean step counts).
        lag: time constant [s].
        cyclic: one of many equal cycles, that repeats up to a constant drift; else the pole starts at rest.
    """
    step = float(time[-1] - time[0]) / (time.size - 1)
    decay = math.exp(-step / lag)
    ramp = 1.0 - lag / step * (1.0 - decay)
    # rec[k] = decay rec[k-1] + (1 - decay - ramp) q[k-1] + ramp q[k]
    drift = (charge[-1] - charge[0]) if cyclic else 0.0
    start = charge[0]
    if cyclic:
        plain, _ = lfilter([ramp, 1.0 - decay - ramp], [1.0, -decay], charge[1:], zi=[(1.0 - decay - ramp) * start])
        start = (plain[-1] - drift) / (1.0 - decay ** (time.size - 1))
    begin = decay * start + (1.0 - decay - ramp) * charge[0]
    rest, _ = lfilter([ramp, 1.0 - decay - ramp], [1.0, -decay], charge[1:], zi=[begin])
    return np.concatenate([[start], rest])


def rmse(values: Array) -> float:
    """Return the root mean square."""
    return math.sqrt(float(np.mean(np.square(values))))
