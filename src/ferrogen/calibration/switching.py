"""Kind ``switching``: polarisation after one pulse, over width and amplitude, becomes the section [switching].

The card's law, a log-normal activation field, is fitted; other laws are fitted beside it and compared by the residuals,
by Akaike's criterion and by predicting amplitudes that a fit did not see (:mod:`.pulse_laws`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from numpy.typing import NDArray

from ferrogen.calibration.columns import Wanted
from ferrogen.calibration.fit import FitResult, Free, fit
from ferrogen.calibration.fragment import CardFragment, assumed, fitted
from ferrogen.calibration.kind import Kind, Request, Setting
from ferrogen.calibration.pulse_laws import PulseLaw, pulse_laws
from ferrogen.calibration.result import Axis, Calibration, Panel, Series
from ferrogen.calibration.validation import CrossValidation, cross_validate, profile
from ferrogen.core.errors import DataFileError
from ferrogen.core.streams import Purpose
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE
from ferrogen.device.parameter import Parameter, Spread

Array = NDArray[np.float64]

PRACTICAL = 100.0  # uC/cm^2 in one C/m^2: residuals are handled in the unit that people judge them in
GRAIN_AREA = 4e-16  # m^2: grains of 10 to 30 nm, which switch one by one
_LEAST_AMPLITUDES = 3
_BIAS_NODES = 21
_FROM_ZERO = 0.2  # if P never falls below this share of its largest size on the negative side, it counts from zero


@dataclass(frozen=True, slots=True)
class Pulses:
    """Pulse data in SI units: each of one width [s], field [V/m], and the polarisation after it [C/m^2].

    Fields are positive: pulses of the other sign are mirrored. ``amplitude`` is as it was measured [V or V/m].
    """

    width: Array
    field: Array
    amplitude: Array
    polarization: Array
    from_zero: bool


def read_pulses(request: Request) -> Pulses:
    """Read and check the pulses of all files.

    Raises:
        DataFileError: widths or amplitudes that cannot be, or too few amplitudes to tell time from field.
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
    if np.unique(amplitude).size < _LEAST_AMPLITUDES:
        raise DataFileError(
            f"'{name}' has {np.unique(amplitude).size} different amplitudes; at least {_LEAST_AMPLITUDES} are needed to"
            " tell how the switching time depends on the field."
        )
    density = density * np.sign(field)
    start = request.word("start")
    from_zero = start == "zero" or (start == "auto" and density.min() > -_FROM_ZERO * np.abs(density).max())
    return Pulses(width, np.abs(field), amplitude, density, from_zero)


def pulse_residuals(
    pulses: Pulses, law: PulseLaw, exponent: float | None, temperature: float, bias_deviation: float = 0.0
) -> tuple[Callable[[Mapping[str, float]], Array], list[Free]]:
    """Return residuals (data minus model, in uC/cm^2) and free parameters of a law.

    Args:
        pulses: the data.
        law: of switching.
        exponent: nucleation exponent; None to fit it.
        temperature: of the measurement [K]; activation fields are returned for 300 K.
        bias_deviation: standard deviation of the domains' local bias, which is held [V/m].
    """
    largest = float(np.abs(pulses.polarization).max()) * (0.5 if pulses.from_zero else 1.0)
    free = [
        Free("remanent_polarization", largest, 0.2 * largest, 10.0 * largest, logarithmic=True, unit="C/m^2"),
        *law.free,
    ]
    if exponent is None:
        free.append(Free("nucleation_exponent", 1.5, 0.5, 4.0))
    nodes, weight = hermegauss(_BIAS_NODES if bias_deviation > 0.0 else 1)
    local = pulses.field[:, None] - bias_deviation * nodes
    driven = local > 0.0  # a domain whose bias holds against the pulse stays where it is
    width = np.broadcast_to(pulses.width[:, None], local.shape)

    def residuals(values: Mapping[str, float]) -> Array:
        full = dict(values) if exponent is None else {**values, "nucleation_exponent": exponent}
        field = local[driven] * (temperature / REFERENCE_TEMPERATURE) ** (1.0 / full["field_exponent"])
        shares = np.zeros(local.shape)
        shares[driven] = law.share(width[driven], field, full)
        share = shares @ (weight / weight.sum())
        model = 2.0 * full["remanent_polarization"] * (share if pulses.from_zero else share - 0.5)
        return np.asarray(pulses.polarization - model) * PRACTICAL

    return residuals, free


@dataclass(frozen=True, slots=True)
class Compared:
    """One law with one treatment of the nucleation exponent, fitted and cross-validated over amplitudes."""

    law: PulseLaw
    exponent: float | None
    fit: FitResult
    validation: CrossValidation

    def record(self) -> dict[str, object]:
        """Return it for JSON; the rmse is in uC/cm^2."""
        return {
            "law": self.law.name,
            "title": self.law.title,
            "nucleation_exponent": "fitted" if self.exponent is None else self.exponent,
            "fit": self.fit.record(),
            "left_out_amplitudes": self.validation.record(),
        }


def compare_laws(pulses: Pulses, request: Request, exponents: list[float | None], names: list[str]) -> list[Compared]:
    """Fit laws by name with each of the nucleation exponents, each cross-validated over amplitudes."""
    found = []
    for law in (law for law in pulse_laws(pulses.width, pulses.field).values() if law.name in names):
        for k, exponent in enumerate(exponents):
            residuals, free = pulse_residuals(
                pulses, law, exponent, request.sample.kelvin, request.number("bias_deviation")
            )
            generator = request.streams.generator(Purpose.CALIBRATION, k)
            best = fit(residuals, free, starts=int(request.number("starts")), generator=generator)
            near = [Free(item.name, best.values[item.name], item.low, item.high, item.logarithmic, item.unit)
                    for item in free]  # fmt: skip
            validation = cross_validate(residuals, near, pulses.amplitude, tolerance=1e-7)
            found.append(Compared(law, exponent, best, validation))
    return found


def calibrate_switching(request: Request) -> Calibration:
    """Fit pulse data.

    Raises:
        DataFileError: data that cannot be pulses.
        ArgumentError: thickness or area is needed and was not given.
    """
    pulses = read_pulses(request)
    word = request.word("nucleation_exponent")
    exponent = None if word == "free" else float(word)
    (main,) = compare_laws(pulses, request, [exponent], ["lognormal"])
    others: list[Compared] = []
    if request.word("compare") == "yes":
        exponents = [1.0, 2.0, None]
        others = compare_laws(pulses, request, exponents, ["lognormal", "gaussian", "beta", "lorentzian", "kai"])
    best = main.fit
    about = (
        f"rmse {best.rmse:.3g} uC/cm^2 on {pulses.width.size} pulses of {', '.join(t.name for t in request.tables)};"
        f" log-normal activation field, nucleation exponent {word};"
        f" {main.validation.pooled:.3g} uC/cm^2 on amplitudes left out"
    )
    summary = (
        f"Log-normal activation field: {about}.",
        *(
            f"  {item.law.title}, nucleation exponent"
            f" {'fitted' if item.exponent is None else f'{item.exponent:g}'}: rmse {item.fit.rmse:.3g} uC/cm^2,"
            f" AIC {item.fit.aic:.1f}, amplitudes left out {item.validation.pooled:.3g} uC/cm^2"
            for item in others
        ),
    )
    model = pulses.polarization * PRACTICAL - best.residuals
    return Calibration(
        kind="switching",
        fragment=CardFragment(
            {"switching": _section(request, pulses, main, about)},
            _not_identified(best),
            held=("switching.nucleation_exponent", "switching.local_bias_field"),
        ),
        summary=summary,
        goodness={
            "rmse [uC/cm^2]": best.rmse,
            "rmse on amplitudes left out [uC/cm^2]": main.validation.pooled,
            "aic": best.aic,
        },
        warnings=best.warnings,
        record={
            "fit": best.record(),
            "left_out_amplitudes": main.validation.record(),
            "jackknife_standard_errors": {item.name: main.validation.jackknife(item.name) for item in best.free},
            "profile_interval": _profile(request, pulses, main, exponent),
            "polarization_counts_from": "zero" if pulses.from_zero else "the opposite saturated state",
            "comparison": [item.record() for item in others],
        },
        residuals={
            "pulse_width [s]": pulses.width,
            "field [V/m]": pulses.field,
            "polarization [uC/cm^2]": pulses.polarization * PRACTICAL,
            "model [uC/cm^2]": model,
            "residual [uC/cm^2]": best.residuals,
        },
        panels=(_panel(pulses, model / PRACTICAL),),
    )


def _profile(request: Request, pulses: Pulses, main: Compared, exponent: float | None) -> dict[str, object] | None:
    """Return the profile-likelihood interval of the parameter that was asked for."""
    name = request.word("profile")
    if not name:
        return None
    residuals, _ = pulse_residuals(
        pulses, main.law, exponent, request.sample.kelvin, request.number("bias_deviation")
    )  # fmt: skip
    found = profile(residuals, main.fit, name)
    return {"parameter": name, "low": found.low, "high": found.high, "level": found.level}


def _section(request: Request, pulses: Pulses, main: Compared, about: str) -> dict[str, Parameter]:
    best = main.fit
    valid = {"pulse_width": (float(pulses.width.min()), float(pulses.width.max()))}
    if all(table.units["amplitude"] == "V" for table in request.tables):
        sizes = np.abs(pulses.amplitude)
        valid["program_voltage"] = (float(sizes.min()), float(sizes.max()))
    errors = {item.name: max(best.standard_errors[item.name], main.validation.jackknife(item.name))
              for item in best.free}  # fmt: skip
    tail = "; standard error: the larger of the residuals' and the delete-an-amplitude jackknife's"

    def one(name: str, *, note: str = "", spread: Spread | None = None) -> Parameter:
        unit = next(item.unit for item in best.free if item.name == name)
        return fitted(
            best.values[name], unit, errors[name], note=f"{note}{about}{tail}", source=request.source, valid=valid,
            spread=spread,
        )  # fmt: skip

    width = float(f"{best.values['activation_width']:.6g}")
    spread = Spread(kind="domain", distribution="lognormal", value=width)
    exponent = (
        one("nucleation_exponent")
        if main.exponent is None
        else assumed(main.exponent, "1", note=f"stated for the fit: {about}")
    )
    return {
        "remanent_polarization": one("remanent_polarization"),
        "activation_field": one(
            "activation_field", note=f"spread {width:.3g} +- {errors['activation_width']:.2g}; ", spread=spread
        ),
        "attempt_time": one("attempt_time"),
        "field_exponent": one("field_exponent"),
        "nucleation_exponent": exponent,
        "local_bias_field": assumed(
            0.0,
            "V/m",
            note="held in the fit: pulses from a saturated state do not tell a bias from the activation field",
            spread=Spread(kind="domain", distribution="normal", value=request.number("bias_deviation")),
        ),
        "domain_area": assumed(
            GRAIN_AREA, "m^2", note="a grain of 20 nm; the mean of many domains does not tell their number"
        ),
    }


def _not_identified(best: FitResult) -> tuple[str, ...]:
    correlated = tuple(text for text in best.warnings if "correlated" in text or "direction" in text)
    return (
        "local_bias_field: pulses from a saturated state do not tell a bias from a spread of the activation field.",
        "domain_area: the mean of many domains does not tell their number.",
        *correlated,
    )


def _panel(pulses: Pulses, model: Array) -> Panel:
    series = []
    for amplitude in np.unique(pulses.amplitude):
        chosen = np.flatnonzero(pulses.amplitude == amplitude)
        chosen = chosen[np.argsort(pulses.width[chosen])]
        label = f"{pulses.field[chosen[0]] * 1e-8:.3g} MV/cm"
        series.append(Series(label, pulses.width[chosen], pulses.polarization[chosen], model[chosen]))
    return Panel(
        "Polarisation after one pulse", Axis("pulse width", "s", logarithmic=True), Axis("P", "C/m^2"), tuple(series)
    )


KIND = Kind(
    name="switching",
    title="polarisation over width and amplitude of one pulse -> [switching]",
    columns=(
        Wanted("pulse_width", ("s",), ("pw", "width", "tw", "t", "time")),
        Wanted("amplitude", ("V", "V/m"), ("amp", "voltage", "V", "Vp", "field", "E")),
        Wanted("polarization", ("C/m^2", "C"), ("Pr", "P", "polarisation", "dP", "Q")),
    ),
    calibrate=calibrate_switching,
    settings={
        "nucleation_exponent": Setting("2", "1 (Markov domains), 2, or free", choices=("1", "2", "free")),
        "start": Setting(
            "auto",
            "polarisation counts from the opposite state (poled) or from zero",
            choices=("auto", "poled", "zero"),
        ),
        "bias_deviation": Setting(
            0.0, "standard deviation of the domains' local bias, from waveforms; held", "V/m", low=0.0, high=1e9
        ),
        "compare": Setting("yes", "fit other laws beside it", choices=("yes", "no")),
        "profile": Setting("", "parameter whose profile-likelihood interval (95 %) is wanted", text=True),
        "starts": Setting(3.0, "searches, the first from the stated start", low=1.0, high=100.0),
    },
)
