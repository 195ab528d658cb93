"""Kind ``switching``: polarisation after one pulse, over width and amplitude, becomes the section [switching].

The card's law, a log-normal activation field, is fitted; other laws are fitted beside it and compared by the residuals,
by Akaike's criterion and by predicting amplitudes that a fit did not see (:mod:`.pulse_laws`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.polynomial.hermite_e import hermegauss
from numpy.typing import NDArray

from ferrogen.calibration.columns import Wanted
from ferrogen.calibration.fit import FitResult, Free, fit, near
from ferrogen.calibration.fragment import CardFragment, assumed, fitted
from ferrogen.calibration.kind import Kind, Request, Setting
from ferrogen.calibration.misfit import misfit_sentences, outlier_sentences, robust_scale
from ferrogen.calibration.pulse_data import BULK, Pulses, read_pulses
from ferrogen.calibration.pulse_laws import PulseLaw, pulse_laws
from ferrogen.calibration.result import Axis, Calibration, Panel, Series
from ferrogen.calibration.validation import CrossValidation, cross_validate, profile
from ferrogen.core.errors import DataFileError, argument_error
from ferrogen.core.streams import Purpose
from ferrogen.device.noise.traps import REFERENCE_TEMPERATURE
from ferrogen.device.parameter import Parameter, Spread

Array = NDArray[np.float64]

PRACTICAL = 100.0  # uC/cm^2 in one C/m^2: residuals are handled in the unit that people judge them in
GRAIN_AREA = 4e-16  # m^2: grains of 10 to 30 nm, which switch one by one
_BIAS_NODES = 21
_ORIGINS = ("poled", "zero", "offset")
_NEEDED = 0.85  # an offset must lower the rmse at least to this share: a wrong law makes use of one, too
_BETTER = 10.0  # difference of AIC beyond which a law has no support (Burnham and Anderson 2002, section 2.6)
_OFFSET = "charge_offset"


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
    low, high = float(pulses.polarization.min()), float(pulses.polarization.max())
    largest = {
        "poled": max(-low, high), "zero": 0.5 * max(-low, high), "offset": 0.5 * (high - low)
    }[pulses.counts_from]  # fmt: skip
    free = [
        Free("remanent_polarization", largest, 0.2 * largest, 10.0 * largest, logarithmic=True, unit="C/m^2"),
        *law.free,
    ]
    if exponent is None:
        free.append(Free("nucleation_exponent", 1.5, 0.5, 4.0))
    if pulses.counts_from == "offset":
        free.append(Free(_OFFSET, low, 3.0 * low - 2.0 * high, high, unit="C/m^2"))
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
        origin = {"poled": -full["remanent_polarization"], "zero": 0.0}.get(pulses.counts_from)
        model = (full[_OFFSET] if origin is None else origin) + 2.0 * full["remanent_polarization"] * share
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


def with_origin(pulses: Pulses, request: Request, exponent: float | None) -> Pulses:
    """Return the pulses with where their polarisation counts from: as stated, else as suits the card's law best.

    An offset is fitted only where nothing fixed describes the data. Outliers count little.
    """
    stated = request.word("start")
    if stated != "auto":
        return replace(pulses, counts_from=stated)
    law = pulse_laws(pulses.width, pulses.field)["lognormal"]
    kept = pulses.width.size - int(np.bincount(pulses.folds()).max())
    scale = 0.03 * PRACTICAL * float(np.ptp(np.quantile(pulses.polarization, BULK)))
    left = {}
    for origin in _ORIGINS:
        own = replace(pulses, counts_from=origin)
        residuals, free = pulse_residuals(
            own, law, exponent, request.sample.kelvin, request.number("bias_deviation")
        )  # fmt: skip
        if len(free) >= kept:
            continue
        found = fit(residuals, free, loss="soft_l1", loss_scale=scale, tolerance=1e-6, most_evaluations=200)
        left[origin] = float(np.mean(np.sqrt(1.0 + (found.residuals / scale) ** 2) - 1.0))
    if not left:
        return pulses
    fixed = min((origin for origin in left if origin != "offset"), key=left.__getitem__)
    needed = left.get("offset", np.inf) < _NEEDED**2 * left[fixed]
    remark = (
        "The polarisation counts neither from zero nor from the opposite saturated state: an offset was fitted. State"
        " --set start=poled or --set start=zero if it does."
    )
    if not needed:
        return replace(pulses, counts_from=fixed)
    return replace(pulses, counts_from="offset", remarks=(*pulses.remarks, remark))


def compare_laws(pulses: Pulses, request: Request, exponents: list[float | None], names: list[str]) -> list[Compared]:
    """Fit laws by name with each of the nucleation exponents, each cross-validated over amplitudes.

    A law with too many parameters for the pulses that are left in is passed over.
    """
    found = []
    folds = pulses.folds()
    kept = pulses.width.size - int(np.bincount(folds).max())
    for law in (law for law in pulse_laws(pulses.width, pulses.field).values() if law.name in names):
        for k, exponent in enumerate(exponents):
            residuals, free = pulse_residuals(
                pulses, law, exponent, request.sample.kelvin, request.number("bias_deviation")
            )
            if len(free) >= kept:
                continue
            generator = request.streams.generator(Purpose.CALIBRATION, k)
            best = fit(residuals, free, starts=int(request.number("starts")), generator=generator)
            validation = cross_validate(residuals, near(best), folds, tolerance=1e-7)
            found.append(Compared(law, exponent, best, validation))
    return found


def calibrate_switching(request: Request) -> Calibration:
    """Fit pulse data.

    Raises:
        DataFileError: data that cannot be pulses.
        ArgumentError: thickness or area is needed and was not given.
    """
    word = request.word("nucleation_exponent")
    exponent = None if word == "free" else float(word)
    pulses = with_origin(read_pulses(request), request, exponent)
    _check_profile(request, pulses, exponent)
    compared = compare_laws(pulses, request, [exponent], ["lognormal"])
    if not compared:
        raise DataFileError(
            f"'{request.tables[0].name}' has {pulses.width.size} pulses of {pulses.levels} amplitudes: too few to fit"
            " with one amplitude left out. Give more widths or amplitudes."
        )
    main = compared[0]
    others: list[Compared] = []
    if request.word("compare") == "yes":
        exponents = [1.0, 2.0, None]
        others = compare_laws(pulses, request, exponents, ["lognormal", "gaussian", "beta", "lorentzian", "kai"])
    best = main.fit
    about = (
        f"rmse {best.rmse:.3g} uC/cm^2 on {pulses.width.size} pulses of {', '.join(t.name for t in request.tables)};"
        f" nucleation exponent {word};"
        f" {main.validation.pooled:.3g} uC/cm^2 on amplitudes left out"
    )
    summary = (
        f"Log-normal activation field: {about}.",
        *(
            f"  {_shown(item)}: rmse {item.fit.rmse:.3g} uC/cm^2,"
            f" AIC {item.fit.aic:.1f}, amplitudes left out {item.validation.pooled:.3g} uC/cm^2"
            for item in others
        ),
    )
    model = pulses.polarization * PRACTICAL - best.residuals
    return Calibration(
        kind="switching",
        fragment=CardFragment(
            {"switching": _section(request, pulses, main, f"log-normal activation field, {about}")},
            _not_identified(best),
            held=("switching.nucleation_exponent", "switching.local_bias_field"),
        ),
        summary=summary,
        goodness={
            "rmse [uC/cm^2]": best.rmse,
            "rmse on amplitudes left out [uC/cm^2]": main.validation.pooled,
            "aic": best.aic,
        },
        warnings=(*pulses.remarks, *_doubts(request, pulses, main), *_better(main, others), *best.warnings),
        record={
            "fit": best.record(),
            "left_out_amplitudes": main.validation.record(),
            "jackknife_standard_errors": {item.name: main.validation.jackknife(item.name) for item in best.free},
            "profile_interval": _profile(request, pulses, main, exponent),
            "polarization_counts_from": {
                "zero": "zero",
                "poled": "the opposite saturated state",
                "offset": "an offset",
            }[pulses.counts_from],
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


def _doubts(request: Request, pulses: Pulses, main: Compared) -> list[str]:
    """Return sentences on a law that does not hold, and on points that a robust fit leaves far off."""
    best = main.fit
    residuals, _ = pulse_residuals(
        pulses, main.law, main.exponent, request.sample.kelvin, request.number("bias_deviation")
    )  # fmt: skip
    scale = max(robust_scale(best.residuals), 1e-9)
    robust = fit(residuals, near(best), loss="soft_l1", loss_scale=scale, tolerance=1e-7, most_evaluations=300)
    return [
        *misfit_sentences(pulses.polarization * PRACTICAL, best.residuals, "uC/cm^2"),
        *outlier_sentences(robust.residuals, "uC/cm^2"),
    ]


def _better(main: Compared, others: list[Compared]) -> list[str]:
    """Return a sentence if a law beside the card's describes the data better, or the card's with another exponent."""
    ranked = sorted((item for item in others if not math.isnan(item.fit.aic)), key=lambda item: item.fit.aic)
    better = [item for item in ranked if main.fit.aic - item.fit.aic > _BETTER]
    if not better:
        return []
    best, own = better[0], next((item for item in better if item.law.name == main.law.name), None)
    word = "free" if own is None or own.exponent is None else f"{own.exponent:g}"
    remedy = "" if own is None else f" The card's law comes nearer by --set nucleation_exponent={word}."
    return [
        (
            f"Better than what goes into the card describes the data: {_shown(best)} (AIC lower by"
            f" {main.fit.aic - best.fit.aic:.0f}; rmse {best.fit.rmse:.3g} against {main.fit.rmse:.3g} uC/cm^2, on"
            f" amplitudes left out {best.validation.pooled:.3g} against {main.validation.pooled:.3g}).{remedy}"
        )
    ]


def _shown(item: Compared) -> str:
    return f"{item.law.title}, nucleation exponent {'fitted' if item.exponent is None else f'{item.exponent:g}'}"


def _check_profile(request: Request, pulses: Pulses, exponent: float | None) -> None:
    """Refuse the name of a parameter that there is none of, before anything is fitted."""
    name = request.word("profile")
    law = pulse_laws(pulses.width, pulses.field)["lognormal"]
    names = [item.name for item in pulse_residuals(pulses, law, exponent, request.sample.kelvin)[1]]
    if name and name not in names:
        raise argument_error("profile", f"be one of {', '.join(names)}", repr(name))


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
    errors = {item.name: max(best.stated_errors()[item.name], main.validation.jackknife(item.name))
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
    for level in range(pulses.levels):
        chosen = np.flatnonzero(pulses.level == level)
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
        Wanted("amplitude", ("V", "V/m"), ("amp", "voltage", "V", "Vp", "U", "field", "E")),
        Wanted("polarization", ("C/m^2", "C"), ("Pr", "P", "polarisation", "dP", "Q")),
    ),
    calibrate=calibrate_switching,
    settings={
        "nucleation_exponent": Setting("2", "1 (Markov domains), 2, or free", choices=("1", "2", "free")),
        "start": Setting(
            "auto",
            "polarisation counts from the opposite state (poled), from zero, or from an offset that is fitted",
            choices=("auto", *_ORIGINS),
        ),
        "bias_deviation": Setting(
            0.0, "standard deviation of the domains' local bias, from waveforms; held", "V/m", low=0.0, high=1e9
        ),
        "compare": Setting("yes", "fit other laws beside it", choices=("yes", "no")),
        "profile": Setting("", "parameter whose profile-likelihood interval (95 %) is wanted", text=True),
        "starts": Setting(3.0, "searches, the first from the stated start", low=1.0, high=100.0),
    },
)
