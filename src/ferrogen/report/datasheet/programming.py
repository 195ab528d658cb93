"""Programming pulse trains: conductance after every pulse, and the figures of merit of the curves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ferrogen.core.errors import ArgumentError
from ferrogen.device.polarization.spec import SwitchingSpec
from ferrogen.device.programming.figures import ProgrammingFigures, programming_figures
from ferrogen.device.programming.spec import ProgrammingSpec
from ferrogen.device.programming.trains import PulseTrain, TrainKind, card_train
from ferrogen.device.transport.compact import conductance
from ferrogen.report.datasheet.measured import Measured
from ferrogen.report.datasheet.page import Array, Axis, Content, Curve, Page, Plot, TextTable, curve, quantity
from ferrogen.report.datasheet.subject import Subject
from ferrogen.report.datasheet.words import short
from ferrogen.report.style import GREY

_KINDS: tuple[tuple[TrainKind, str], ...] = (
    ("identical", "identical pulses"), ("amplitude", "rising amplitude"), ("width", "rising width"),
)  # fmt: skip
_LEAST_STEP = 0.005


def _train(spec: ProgrammingSpec, kind: TrainKind) -> PulseTrain:
    return card_train(spec, kind).then(card_train(spec, kind, reset=True))


def _shares(subject: Subject, trains: list[PulseTrain]) -> Array:
    """Return the switched share before the first and after every pulse, shape ``(trains, pulses + 1)``.

    Trains of equal widths run side by side. Before that the junction is switched on and off by identical pulses.
    """
    model = subject.mean_model(len(trains))
    state = model.initial_state()
    spec = subject.card.require(ProgrammingSpec)
    for voltage in (spec.set_voltage.value, -spec.reset_voltage.value):
        state = subject.advance(model, state, voltage, spec.last_pulse_width.value)
    shares = [model.switched_fraction(state)]
    for k in range(trains[0].count):
        volts = np.array([train.amplitude[k] for train in trains])
        state = subject.advance(model, state, volts, float(trains[0].width[k]))
        if trains[0].gap > 0.0:
            state = subject.advance(model, state, 0.0, trains[0].gap)
        shares.append(model.switched_fraction(state))
    return np.stack(shares, axis=1)


def _make(subject: Subject) -> Content:
    card, spec = subject.card, subject.card.require(ProgrammingSpec)
    identical, amplitude, width = (_train(spec, kind) for kind, _ in _KINDS)
    together = _shares(subject, [identical, amplitude])
    shares = dict(zip((name for name, _ in _KINDS), [*together, _shares(subject, [width])[0]], strict=True))
    on, off = card.on_conductance.value, card.off_conductance.value
    curves = {kind: conductance(share, on, off) for kind, share in shares.items()}
    half = identical.count // 2
    number = np.arange(identical.count + 1, dtype=np.float64)
    figures = {kind: _figures(values, half) for kind, values in curves.items()}
    pulse, g = Axis("Pulse", "1"), Axis("Conductance", "S")
    low, high = spec.first_set_voltage.value, spec.set_voltage.value
    told = (
        f"{half} set pulses, then {half} reset pulses of {short(spec.pulse_width.value, 's')},"
        f" {short(spec.pulse_gap.value, 's')} apart, read in the gap with all traps empty. Identical: {high:g} V;"
        f" rising amplitude: {low:g} to {high:g} V; rising width: to {short(spec.last_pulse_width.value, 's')} at"
        f" {high:g} V."
    )
    panels: list[Any] = [
        Plot(
            "conductance", "Conductance after every pulse",
            f"{told} Mean junction {subject.stack_says()}, after one long set and reset pulse; conductances of domains"
            " add (parallel domains).",
            pulse, g,
            [*(curve(name, number, curves[kind]) for kind, name in _KINDS), *_data(subject.measured.get("pulses"))],
            y_from=0.0,
        ),
        Plot(
            "normalised", "Straightness of the set curves",
            "The set half of panel a, from its first to its last point; the straight line is what a linear update"
            " wants.",
            Axis("Pulse over all pulses", "1"), Axis("Share of the range", "1"),
            [
                *(
                    curve(name, number[: half + 1] / half, _normalised(curves[kind][: half + 1]))
                    for kind, name in _KINDS
                ),
                curve("straight", [0.0, 1.0], [0.0, 1.0], style="dotted", colour=GREY, guide=True),
            ],
        ),
        _table(figures),
    ]  # fmt: skip
    key: dict[str, Any] = {}
    for kind, name in _KINDS:
        item = figures[kind]
        if item is None:
            continue
        key[f"{kind}_set_nonlinearity"] = quantity(item.potentiation_label, "1", f"NeuroSim label, {name}")
        key[f"{kind}_reset_nonlinearity"] = quantity(item.depression_label, "1", f"NeuroSim label, {name}")
        key[f"{kind}_dynamic_range"] = quantity(item.dynamic_range, "1", f"largest over smallest conductance, {name}")
    said = [
        *subject.outside("program_voltage", "pulse amplitude", low, high, spec.reset_voltage.value),
        *subject.outside("pulse_width", "pulse width", spec.pulse_width.value, spec.last_pulse_width.value),
    ]
    return Content(panels, key, said)


def _data(data: Measured | None) -> list[Curve]:
    if data is None:
        return []
    values = data.columns["conductance"]
    number = data.columns.get("pulse", np.arange(values.size, dtype=np.float64))
    return [curve("identical pulses", number, values, data=True, shown=data.name)]


def _normalised(values: Array) -> Array:
    span = values[-1] - values[0]
    return np.asarray((values - values[0]) / span if span else np.zeros_like(values))


def _figures(values: Array, half: int) -> ProgrammingFigures | None:
    try:
        return programming_figures(values[: half + 1], values[half:], _LEAST_STEP)
    except ArgumentError:
        return None


def _table(figures: Mapping[str, ProgrammingFigures | None]) -> TextTable:
    rows = []
    for kind, name in _KINDS:
        item = figures[kind]
        if item is None:
            rows.append((name, *("none",) * 7))
            continue
        rows.append(
            (
                name,
                f"{item.potentiation.largest_deviation:.2f}",
                f"{item.potentiation.r_squared:.3f}",
                f"{item.potentiation_label:.2f}",
                f"{item.depression_label:.2f}",
                f"{item.asymmetry:.2f}",
                f"{item.dynamic_range:.3g}",
                f"{item.effective_states}",
            )
        )
    return TextTable(
        "figures", "Figures of merit",
        "Deviation: largest of the set curve from its straight line, of the range; set, reset: label of nonlinearity"
        " as NeuroSim defines it (0 is straight, negative: a reset that falls fast first); asymmetry: distance of the"
        f" labels; states: points of the set curve at least {100.0 * _LEAST_STEP:g} % of the range apart. Without"
        " noise or scatter.",
        ("train", "deviation", "R²", "set", "reset", "asymmetry", "range", "states"), tuple(rows),
        (2.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0),
    )  # fmt: skip


PAGE = Page("programming", "Programming pulse trains", (SwitchingSpec, ProgrammingSpec), _make, kinds=("pulses",))
