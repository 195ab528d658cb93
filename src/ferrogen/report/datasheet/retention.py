"""Retention and imprint: what storage does to a state, and how a stored state comes to be favoured."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ferrogen.core.errors import ArgumentError
from ferrogen.device.electrostatics.spec import InterfaceSpec
from ferrogen.device.polarization.domains import initial_state
from ferrogen.device.polarization.ensemble import mean_domains
from ferrogen.device.polarization.spec import SwitchingSpec
from ferrogen.device.reliability.decay import decay_of, share_kept
from ferrogen.device.reliability.imprint import imprint_field, imprint_of
from ferrogen.device.reliability.retention import RetentionCurve, decades, retain, storage_of
from ferrogen.device.reliability.spec import ReliabilitySpec
from ferrogen.report.datasheet.disturb import YEARS
from ferrogen.report.datasheet.measured import Measured
from ferrogen.report.datasheet.page import Array, Axis, Content, Curve, Mark, Page, Plot, curve, quantity
from ferrogen.report.datasheet.subject import Subject
from ferrogen.report.style import INK

_FIRST = 1e-6
_PER_DECADE = 3
_NODES = (64, 16)
_TOLERANCE = 1e-4
_KEPT = 0.9


def _stored(subject: Subject, temperature: float, *, up: bool, imprinted: bool) -> RetentionCurve:
    card = subject.card
    domains = mean_domains(card.require(SwitchingSpec), *_NODES)
    imprint = imprint_of(card.require(ReliabilitySpec)) if imprinted else None
    storage = storage_of(card, imprint, temperature)
    return retain(
        domains, initial_state(domains, 1.0 if up else 0.0), storage, decades(_FIRST, YEARS, _PER_DECADE),
        tolerance=_TOLERANCE,
    )  # fmt: skip


def _share(item: RetentionCurve) -> Array:
    """Return the polarisation over that at the start."""
    return np.asarray(item.polarization[0] / item.start[0])


def _kept_until(time: Array, share: Array, kept: float) -> float:
    below = np.flatnonzero(share < kept)
    if not below.size:
        return math.inf
    j = int(below[0])
    if j == 0:
        return float(time[0])
    part = (share[j - 1] - kept) / (share[j - 1] - share[j])
    return float(time[j - 1] * (time[j] / time[j - 1]) ** part)


def _make(subject: Subject) -> Content:
    card, spec = subject.card, subject.card.require(ReliabilitySpec)
    now = subject.temperature
    temperatures = subject.temperatures()
    curves = {t: _stored(subject, t, up=True, imprinted=True) for t in temperatures}
    time = next(iter(curves.values())).time
    bare = _stored(subject, now, up=True, imprinted=False)
    down = _stored(subject, now, up=False, imprinted=True)
    axis = Axis("Storage time", "s", logarithmic=True)
    data = subject.measured.get("retention")
    law = decay_of(spec)
    imprint = imprint_of(spec)
    field = card.require(InterfaceSpec).compensated_share.value
    physical = (
        "Follows from the switching law in the depolarisation field that the stored polarisation makes itself;"
        f" interface charge compensates {100.0 * field:.3g} % of it at all times."
    )
    ten_years = Mark(YEARS, "10 years")
    panels = [
        Plot(
            "temperature", "Fully on state against temperature",
            f"{physical} Imprint favours the stored state as it grows. Points: measured, over their first value.",
            axis, Axis("Polarisation over that at the start", "1"),
            [*(curve(f"{t:g} K", time, _share(item)) for t, item in curves.items()), *_data(data, now)],
            marks=(ten_years,), ordered=True,
        ),
        Plot(
            "laws", f"What the laws say at {now:g} K",
            "Solid: as panel a. Dashed: without imprint. Dotted: the stretched exponential by which the card"
            " describes the same loss empirically; the two need not agree, and where they do not the card's"
            " parameters contradict.",
            axis, Axis("Polarisation over that at the start", "1"),
            [
                curve("on, from the switching law", time, _share(curves[now]), colour=1),
                curve("off, likewise", time, _share(down), colour=0),
                curve("on, without imprint", time, _share(bare), colour=1, style="dashed"),
                curve("stretched exponential", time, share_kept(law, time, now), colour=INK, style="dotted"),
            ],
            marks=(ten_years,),
        ),
        Plot(
            "imprint", "Imprint",
            "Field in favour of a state that was stored fully polarised: S T / 300 K times ln(1 + t / t_i), the onset"
            " t_i thermally activated (Chojecki 2021).",
            axis, Axis("Imprint field", "V/m"),
            [curve(f"{t:g} K", time, imprint_field(imprint, time, t)) for t in temperatures], ordered=True, y_from=0.0,
            marks=(ten_years,),
        ),
        Plot(
            "field", "Field on the stored state",
            "Field in the ferroelectric while the fully on state is stored, the imprint counted in: negative drives"
            " it back. Where it crosses zero the imprint holds the state.",
            axis, Axis("Field in the ferroelectric", "V/m"),
            [curve(f"{t:g} K", time, item.field[0]) for t, item in curves.items()], ordered=True,
        ),
    ]  # fmt: skip
    hottest = temperatures[-1]
    key: dict[str, Any] = {
        "kept_after_10_years": quantity(float(_share(curves[now])[-1]), "1", f"of the on polarisation, {now:g} K"),
        "kept_after_10_years_hot": quantity(float(_share(curves[hottest])[-1]), "1", f"likewise, {hottest:g} K"),
        "retention_to_90_percent": quantity(
            _kept_until(time, _share(curves[now]), _KEPT), "s", "on state; none: longer"
        ),
        "retention_to_90_percent_off": quantity(_kept_until(time, _share(down), _KEPT), "s", "off state; none: longer"),
        "retention_to_90_percent_hot": quantity(
            _kept_until(time, _share(curves[hottest]), _KEPT), "s", f"on state at {hottest:g} K; none: longer"
        ),
        "depolarization_field_at_start": quantity(float(bare.field[0, 0]), "V/m", "on state, first microsecond"),
        "imprint_after_10_years": quantity(float(imprint_field(imprint, YEARS, now)), "V/m", f"{now:g} K"),
    }
    return Content(panels, key, subject.outside("storage_time", "storage time", YEARS))


def _data(data: Measured | None, temperature: float) -> list[Curve]:
    if data is None:
        return []
    time, value = data.columns["time"], data.columns["value"]
    kept = time > 0.0
    return [curve(f"{temperature:g} K", time[kept], value[kept] / value[kept][0], data=True, shown=data.name)]


def _refuses(subject: Subject) -> str:
    try:
        storage_of(subject.card, None, subject.temperature)
    except ArgumentError as error:
        return str(error)
    return ""


PAGE = Page(
    "retention", "Retention and imprint", (SwitchingSpec, InterfaceSpec, ReliabilitySpec), _make, _refuses,
    kinds=("retention",),
)  # fmt: skip
