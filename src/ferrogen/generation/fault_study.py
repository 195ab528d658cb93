"""What faults cost in image quality, kind by kind and rate by rate, as they are and after test and repair.

Chips of one seed have the same cells whatever is broken on them, and the faults at a higher rate include those at a
lower one: what differs between points is the faults. The same images are asked of every chip of a seed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray

from ferrogen.array.faults import PROBABILITIES, FaultMap, FaultRates
from ferrogen.chip.chip import Chip
from ferrogen.chip.diagnosis import Detection, compare
from ferrogen.chip.energy import energy_of
from ferrogen.chip.memory import TileMemory
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.repair import Repair
from ferrogen.chip.self_test import TestResult
from ferrogen.chip.spec import ChipSpec
from ferrogen.chip.usage import Usage
from ferrogen.core.errors import SilentCellsError, argument_error, check_number, is_whole
from ferrogen.device.card import DeviceCard
from ferrogen.generation.generator import ChipGenerator
from ferrogen.generation.model import VAE
from ferrogen.metrics.classes import classifier_confidence
from ferrogen.metrics.features import FeatureNetwork
from ferrogen.metrics.frechet import Moments, frechet_distance
from ferrogen.sampler.latents import SamplerSpec

KINDS: Final[Mapping[str, tuple[str, ...]]] = {
    "stuck on": ("stuck_on",),
    "stuck off": ("stuck_off",),
    "open lines": ("open_row", "open_column"),
    "shorted lines": ("shorted_rows", "shorted_columns"),
    "shorted cells": ("shorted_cell",),
    "dead columns": ("dead_column",),
    "converter offsets": ("converter_offset",),
    "everything": PROBABILITIES,
}
"""The kinds of faults that are studied, and the rates that each consists of."""

REFERENCE: Final = FaultRates(
    stuck_on=1e-3,
    stuck_off=1e-3,
    shorted_cell=1e-6,
    open_row=1e-3,
    open_column=1e-3,
    shorted_rows=1e-3,
    shorted_columns=1e-3,
    dead_column=1e-3,
    converter_offset=1e-2,
)
"""Rates at the multiple 1. Assumed, source none: no statistics of faults are published for these junctions."""

MULTIPLES: Final = (1.0, 3.0, 10.0, 30.0)
"""Multiples of the reference rates that are studied, if not told otherwise."""

STUDY_CHIP: Final = ChipSpec(rows=132, columns=136, spare_rows=4, spare_pairs=4)
"""Tiles that carry 128 x 64 weights, with 4 spare word lines and 4 spare pairs: 9.6 % more cells."""

CALIBRATION_READS: Final = 1024
"""Readings from which each chip's latents are calibrated; fewer than in a run, to be quick."""

_STRIP = 10  # images kept of the first chip, for the figure

COLUMNS: Final = {
    "kind": "text",
    "rate": "1",
    "multiple": "1",
    "repaired": "0 or 1",
    "chip": "seed",
    "faults": "1",
    "frechet_distance": "1",
    "frechet_low": "1",
    "frechet_high": "1",
    "confidence": "1",
    "weight_error": "1",
    "present": "1",
    "recall": "1",
    "precision": "1",
    "rows_left": "1",
    "pairs_left": "1",
    "test_time": "s",
    "test_energy": "J",
    "images": "1",
}
"""Names and units of a study's table."""


@dataclass(frozen=True, slots=True)
class FaultPoint:
    """One chip with faults of one kind at one rate.

    Attributes:
        kind: of :data:`KINDS`, or ``none``.
        rate: of the (first) rate that the kind consists of [1]; of everything: the multiple.
        multiple: of the reference rates.
        repaired: whether the chip was tested and programmed around what was found.
        chip: its seed.
        faults: how many faults its tiles have.
        frechet_distance: of its images' features to the reference; NaN: it makes none, as a latent is silent.
        frechet_low: lower end of the 95 % interval.
        frechet_high: upper end.
        confidence: mean of the classifier's largest probability.
        weight_error: rms error of the mapped weights over their rms.
        present: how many faults could be found.
        recall: share of them that the self-test found (NaN without one, or without faults).
        precision: share of what it reported that is there.
        rows_left: logical rows without a word line of their own after repair.
        pairs_left: logical pairs without any pair after repair.
        test_time: of the self-test of one tile [s]; tiles are tested side by side.
        test_energy: of the self-tests of all tiles [J].
        images: how many the scores come from.
    """

    kind: str
    rate: float
    multiple: float
    repaired: bool
    chip: int
    faults: int
    frechet_distance: float
    frechet_low: float
    frechet_high: float
    confidence: float
    weight_error: float
    present: int
    recall: float
    precision: float
    rows_left: int
    pairs_left: int
    test_time: float
    test_energy: float
    images: int


@dataclass(slots=True)
class FaultStudy:
    """Results of :func:`run_fault_study`.

    Attributes:
        points: one a chip, kind, rate, raw and repaired, in that order.
        strips: images of the first chip at the last multiple but one, by (kind, repaired), ``(images, 28, 28)``.
        strip_multiple: that multiple.
    """

    points: list[FaultPoint]
    strips: dict[tuple[str, bool], NDArray[np.float32]]
    strip_multiple: float


@dataclass(slots=True)
class _Judge:
    """Measures chips: what all of a study's chips have in common."""

    model: VAE | str | Path
    card: DeviceCard
    point: OperatingPoint
    spec: ChipSpec
    reference: Moments
    network: FeatureNetwork
    count: int
    sampler_spec: SamplerSpec = field(default_factory=lambda: SamplerSpec(calibration_reads=CALIBRATION_READS))


def kind_rates(rates: FaultRates, kind: str, multiple: float) -> FaultRates:
    """Return ``rates`` with all but those of one kind at zero, times a multiple.

    Raises:
        ArgumentError: an unknown kind.
    """
    if kind not in KINDS:
        raise argument_error("kind", f"be one of {', '.join(KINDS)}", repr(kind))
    zero = {name: 0.0 for name in PROBABILITIES if name not in KINDS[kind]}
    return replace(rates, **zero).scaled(multiple)


def _check_present(kind: str, rates: FaultRates) -> None:
    """Refuse a kind whose rate is zero before chips are made: it has no place on an axis of rates."""
    names = KINDS[kind] if kind == "everything" else KINDS[kind][:1]
    if not any(getattr(rates, name) > 0.0 for name in names):
        raise argument_error(
            "rates", f"hold a positive `{names[0]}` for the kind '{kind}'", 0.0, "Or leave the kind out with --kinds."
        )


def run_fault_study(
    model: VAE | str | Path,
    card: DeviceCard,
    reference: Moments,
    network: FeatureNetwork,
    *,
    point: OperatingPoint | None = None,
    rates: FaultRates = REFERENCE,
    multiples: Sequence[float] = MULTIPLES,
    kinds: Sequence[str] = tuple(KINDS),
    chips: int = 3,
    count: int = 500,
    seed: int = 0,
    spec: ChipSpec = STUDY_CHIP,
    threads: int = 2,
    progress: Callable[[FaultPoint], None] | None = None,
) -> FaultStudy:
    """Measure image quality with faults of each kind at each rate, raw and repaired, on several chips.

    Args:
        model: a VAE, ``"mnist"``, or the path of a weight file.
        card: of the chips.
        reference: moments of real images' features.
        network: feature network.
        point: operating point; the card's default, if not given.
        rates: at the multiple 1.
        multiples: of the rates, rising.
        kinds: which of :data:`KINDS`.
        chips: how many, of the seeds ``seed``, ``seed + 1``, ...
        count: images a chip, at least 128 (twice the number of features).
        seed: of the first chip.
        spec: of the chips, spare lines included.
        threads: chips that are worked on side by side; results do not depend on it.
        progress: called with every finished point.

    Raises:
        ArgumentError: no kinds, chips or multiples, too few images, a kind that there is not, or one with a
            rate of zero.
    """
    if not is_whole(chips, 1) or not is_whole(count, 128) or not is_whole(threads, 1):
        raise argument_error("chips", "be at least 1, and count at least 128 images, and threads 1", (chips, count))
    if not kinds or not multiples or any(b <= a for a, b in zip(multiples, list(multiples)[1:], strict=False)):
        raise argument_error("multiples", "rise, and there must be a kind", list(multiples))
    for multiple in multiples:
        check_number("multiples", multiple, "1")
        for kind in kinds:
            _check_present(kind, kind_rates(rates, kind, multiple))
    at = OperatingPoint.for_card(card) if point is None else point
    at.check(card)
    judge = _Judge(model, card, at, replace(spec, fault_rates=None), reference, network, count)
    shown = list(multiples)[-2] if len(multiples) > 1 else multiples[0]
    strips: dict[tuple[str, bool], NDArray[np.float32]] = {}
    report = progress or (lambda _point: None)

    def of_chip(number: int) -> list[FaultPoint]:
        keep = strips if number == seed else {}
        return _study_chip(judge, number, rates, multiples, kinds, shown, keep, report)

    with ThreadPoolExecutor(max_workers=min(threads, chips)) as pool:
        points = [item for part in pool.map(of_chip, range(seed, seed + chips)) for item in part]
    return FaultStudy(points, strips, shown)


def _study_chip(
    judge: _Judge,
    seed: int,
    rates: FaultRates,
    multiples: Sequence[float],
    kinds: Sequence[str],
    shown: float,
    strips: dict[tuple[str, bool], NDArray[np.float32]],
    report: Callable[[FaultPoint], None],
) -> list[FaultPoint]:
    memory = TileMemory(judge.point)
    results: list[FaultPoint] = []

    def measure(kind: str, multiple: float, own: FaultRates | None, repair: Repair | None) -> None:
        found, images = _measure(judge, memory, seed, kind, multiple, own, repair)
        if multiple in (0.0, shown) and images is not None:
            strips[(kind, repair is not None)] = images[:_STRIP]
        results.append(found)
        report(found)

    measure("none", 0.0, None, None)
    memory.learning = False
    whole = _repair(judge, memory, {})
    measure("none", 0.0, None, whole)
    for kind in kinds:
        for multiple in multiples:
            own = kind_rates(rates, kind, multiple)
            measure(kind, multiple, own, None)
            measure(kind, multiple, own, _repair(judge, memory, whole.tests))
    return results


def _repair(judge: _Judge, memory: TileMemory, whole: Mapping[int, TestResult]) -> Repair:
    repair = Repair(judge.point, limits=memory.limits)
    repair.tests.update(whole)
    return repair


def _measure(
    judge: _Judge,
    memory: TileMemory,
    seed: int,
    kind: str,
    multiple: float,
    rates: FaultRates | None,
    repair: Repair | None,
) -> tuple[FaultPoint, NDArray[np.float32] | None]:
    chip = Chip(judge.card, seed=seed, spec=replace(judge.spec, fault_rates=rates), memory=memory)
    if repair is not None:  # a tile without faults reads what it read when the whole chip had none
        for number in [number for number in repair.tests if chip.faults(number) is not None]:
            del repair.tests[number]
    values: dict[str, Any] = {}
    images: NDArray[np.float32] | None = None
    try:
        generator = ChipGenerator(judge.model, chip, judge.point, judge.sampler_spec, repair=repair)
    except SilentCellsError:
        values = dict.fromkeys(
            ("frechet_distance", "frechet_low", "frechet_high", "confidence", "weight_error"), math.nan
        )
    else:
        images = generator.images(0, judge.count)
        seen = judge.network.extract(images)
        distance = frechet_distance(seen.features, judge.reference, seed=seed)
        values = {
            "frechet_distance": distance.value,
            "frechet_low": distance.low,
            "frechet_high": distance.high,
            "confidence": classifier_confidence(seen.class_probabilities).value,
            "weight_error": _weight_error(generator),
        }
    truths = {number: chip.faults(number) for number in chip.tiles}
    field_name = KINDS[kind][0] if kind in KINDS else ""
    rate = multiple if kind in ("everything", "none") else float(getattr(rates, field_name))
    point = FaultPoint(
        kind=kind,
        rate=rate,
        multiple=multiple,
        repaired=repair is not None,
        chip=seed,
        faults=sum(0 if truth is None else truth.count for truth in truths.values()),
        **values,
        **_of_repair(judge, chip, repair, truths),
        images=judge.count,
    )
    return point, images


def _of_repair(
    judge: _Judge, chip: Chip, repair: Repair | None, truths: Mapping[int, FaultMap | None]
) -> dict[str, Any]:
    if repair is None:
        none = dict.fromkeys(("present", "rows_left", "pairs_left"), 0)
        return {**none, **dict.fromkeys(("recall", "precision", "test_time", "test_energy"), math.nan)}
    total, usage, time = Detection(0, 0, 0), Usage(), 0.0
    for number, result in repair.tests.items():
        if number not in truths:
            continue
        truth = truths[number] or FaultMap(chip.spec.rows, chip.spec.columns)
        if truth.count or result.faults.count:
            for part in compare(truth, result.faults).values():
                total = total + part
        usage, time = _sum(usage, result.usage), max(time, result.time)
    energy = energy_of(usage, chip.spec, judge.card, judge.point)
    return {
        "present": total.present,
        "recall": total.recall if total.present else math.nan,
        "precision": total.precision if total.found + total.false_alarms else math.nan,
        "rows_left": sum(item.rows_left for item in repair.reports.values()),
        "pairs_left": sum(item.pairs_left for item in repair.reports.values()),
        "test_time": time,
        # Test patterns are written without verify reads.
        "test_energy": sum(part for name, part in energy.by_component.items() if name != "verify reads"),
    }


def _sum(one: Usage, other: Usage) -> Usage:
    # since() is a difference: a + b = a - (0 - b)
    return one.since(Usage().since(other))


def _weight_error(generator: ChipGenerator) -> float:
    wanted = [
        layer.weight.detach().double().numpy()
        for layer in generator.vae.decoder.modules()
        if isinstance(layer, torch.nn.Linear)
    ]
    error = sum(
        float(np.sum((layer.weights(generator.at) - weight) ** 2))
        for layer, weight in zip(generator.decoder.layers, wanted, strict=True)
    )
    return math.sqrt(error / sum(float(np.sum(weight**2)) for weight in wanted))
