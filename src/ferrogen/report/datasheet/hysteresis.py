"""Quasi-static models of the film: Preisach with wiping-out, Landau-Khalatnikov, beside the domain ensemble."""

from __future__ import annotations

from typing import Any

import numpy as np

from ferrogen.device.polarization.landau import landau_parameters, static_field
from ferrogen.device.polarization.loops import Loop, hysteresis_loop, loop_figures
from ferrogen.device.polarization.models import DomainModel, LandauModel, PreisachModel
from ferrogen.device.polarization.preisach import preisach_density, preisach_parameters
from ferrogen.device.polarization.spec import HysteresisSpec
from ferrogen.report.datasheet.loops import MIDDLE
from ferrogen.report.datasheet.page import Axis, Content, Curve, Map, Page, Panel, Plot, curve, quantity
from ferrogen.report.datasheet.subject import Subject
from ferrogen.report.datasheet.words import short
from ferrogen.report.style import BLUE, GREEN, INK, ORANGE

_REACH = 2.2  # amplitude over the coercive field
_INTRINSIC_REACH = 1.5
_NESTED = (0.5, 0.65, 0.8, 1.0)
_GRID = 41
_STEPS = 400


def _closed(loop: Loop, label: str, **more: Any) -> Curve:
    return curve(
        label, np.append(loop.field, loop.field[0]), np.append(loop.polarization, loop.polarization[0]), **more
    )


def _make(subject: Subject) -> Content:
    spec = subject.card.require(HysteresisSpec)
    parameters = preisach_parameters(spec)
    preisach = PreisachModel(parameters)
    most = _REACH * parameters.coercive_field
    field, polarization = Axis("Field", "V/m"), Axis("Polarisation", "C/m^2")
    major = hysteresis_loop(preisach, most, MIDDLE, steps_per_cycle=_STEPS)
    found = {"preisach": major}
    models = [_closed(major, "Preisach", colour=ORANGE)]
    if subject.card.switching is not None:
        film = DomainModel(subject.mean_domains, subject.temperature)
        found["domain_ensemble"] = hysteresis_loop(film, most, MIDDLE, steps_per_cycle=_STEPS)
        models.append(_closed(found["domain_ensemble"], "domain ensemble", colour=BLUE, style="dashed"))
    nested = [
        _closed(
            hysteresis_loop(preisach, share * most, MIDDLE, steps_per_cycle=_STEPS), f"{share:g} of the amplitude",
            shown=f"{1e-8 * share * most:.3g} MV/cm",
        )
        for share in _NESTED
    ]  # fmt: skip
    grid = np.linspace(-most, most, _GRID)
    upper, lower = np.meshgrid(grid, grid)
    density = np.where(upper >= lower, preisach_density(parameters, upper, np.minimum(lower, upper)), np.nan)
    panels: list[Panel] = [
        Plot(
            "models", f"Models of one film at {short(MIDDLE, 'Hz')}",
            "The film alone under a triangular field, after two cycles. Preisach: tanh branches with a memory of"
            " turning points, its field delayed by one relaxation time, no temperature. Domain ensemble:"
            " nucleation-limited. They are separate descriptions with parameters of their own; where they part, the"
            " card contradicts itself.",
            field, polarization, models,
        ),
        Plot(
            "nested", "Preisach: nested loops",
            "Loops of rising amplitude; a turning point is forgotten once a larger one has passed it (wiping-out)."
            " From negative saturation, so that small loops do not lie in the middle.",
            field, polarization, nested, ordered=True,
        ),
        Map(
            "density", "Preisach: density of hysterons",
            "Density over the fields at which a hysteron switches up and down: what reversal curves measure.",
            Axis("Field up", "V/m"), Axis("Field down", "V/m"), Axis("Density", "F^2/C"), grid, grid, density,
        ),
        *_landau(spec),
    ]  # fmt: skip
    key = {
        f"{name}_coercive_field": quantity(
            loop_figures(item.field, item.polarization).coercive_field, "V/m", "half of the loop's width at zero, 1 kHz"
        )
        for name, item in found.items()
    } | {
        "preisach_relaxation_time": quantity(spec.relaxation_time.value, "s", "of the effective field"),
    }
    if spec.viscosity is not None:
        key["landau_coercive_field"] = quantity(
            landau_parameters(spec).coercive_field, "V/m", "intrinsic: of a film that switches as a whole"
        )
    return Content(panels, key)


def _landau(spec: HysteresisSpec) -> list[Plot]:
    if spec.viscosity is None:
        return []
    parameters = landau_parameters(spec)
    most = _INTRINSIC_REACH * parameters.coercive_field
    p = np.linspace(-1.25, 1.25, 161) * parameters.remanent_polarization
    still = static_field(parameters, p)
    loops = [
        _closed(
            hysteresis_loop(LandauModel(parameters), most, frequency, steps_per_cycle=_STEPS, settling_cycles=1),
            short(frequency, "Hz"), colour=colour,
        )
        for frequency, colour in ((1e3, ORANGE), (1e6, GREEN))
    ]  # fmt: skip
    return [
        Plot(
            "landau", "Landau-Khalatnikov",
            "A film that switches as a whole at its intrinsic coercive field, two-term free energy with a viscosity;"
            " dotted: the polarisation at rest, unstable between the extrema. No logarithmic tails: real films"
            " nucleate earlier.",
            Axis("Field", "V/m"), Axis("Polarisation", "C/m^2"),
            [*loops, curve("at rest", still, p, style="dotted", colour=INK, guide=True)],
        )
    ]  # fmt: skip


PAGE = Page("hysteresis", "Preisach and Landau-Khalatnikov", (HysteresisSpec,), _make)
