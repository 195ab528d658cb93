"""Every case on every chip, and what they differ in.

A measurement is kept in a file as soon as it is made, under a name that all of its settings are part of: a study that
was stopped goes on where it was, and other settings never meet its files.
"""

from __future__ import annotations

import hashlib
import json
import math
import zipfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.core.errors import argument_error, is_whole
from ferrogen.core.files import atomic_path
from ferrogen.device.card import DeviceCard
from ferrogen.generation.ablation.cases import IDEAL, WHOLE, Case, Stresses, ablation_cases
from ferrogen.generation.ablation.latents import FULL_SAMPLER, IDEAL_SAMPLER, SamplerSwitches, SwitchedSampler
from ferrogen.generation.ablation.measure import Array, Measurement, Reference, measure
from ferrogen.generation.ablation.products import (
    FULL_PRODUCTS,
    ProductBench,
    Products,
    ProductSwitches,
    decode_ideally,
)
from ferrogen.generation.convolutional.model import ConvVAE
from ferrogen.generation.model import VAE
from ferrogen.metrics.features import FeatureNetwork
from ferrogen.metrics.score import CONFIDENCE, percentile_interval
from ferrogen.sampler.latents import SamplerSpec

LEAST_COUNT: Final = 128


@dataclass(frozen=True, slots=True)
class Difference:
    """Of a distance to that of the base, with two intervals.

    Attributes:
        value: mean over chips.
        images_low: lower end of the 95 % interval over images, these chips given.
        images_high: upper end.
        chips_low: lower end of the 95 % interval over chips (Student's t); NaN with one chip.
        chips_high: upper end.
        each: of every chip.
    """

    value: float
    images_low: float
    images_high: float
    chips_low: float
    chips_high: float
    each: tuple[float, ...]

    @property
    def is_seen(self) -> bool:
        """Whether neither interval contains zero (over images alone, with one chip)."""
        ends = [(self.images_low, self.images_high)]
        if math.isfinite(self.chips_low):
            ends.append((self.chips_low, self.chips_high))
        return all(low > 0.0 or high < 0.0 for low, high in ends)


@dataclass(frozen=True, slots=True, eq=False)
class AblationRow:
    """One case over all chips; what is not stated otherwise is a mean over chips.

    Attributes:
        case: what there was of imperfections.
        images: of every chip.
        chips: how many.
        frechet: Frechet distance to the reference.
        frechet_low: lower end of the 95 % interval over chips (Student's t); over images, with one chip.
        frechet_high: upper end.
        frechet_difference: to the base of the case.
        kernel: kernel distance; NaN without real images, likewise ``precision`` and ``recall``.
        kernel_difference: to the base of the case.
        rms_decoder: of pixels against the float32 decoder with the same latents [1].
        rms_ideal: of pixels against the ideal image of the same number [1].
        confidence: of the classifier; NaN without classes.
        precision: share of images on the real ones' manifold.
        recall: share of real images on the images' manifold.
        strip: the first images of the first chip, uint8.
    """

    case: Case
    images: int
    chips: int
    frechet: float
    frechet_low: float
    frechet_high: float
    frechet_difference: Difference
    kernel: float
    kernel_difference: Difference
    rms_decoder: float
    rms_ideal: float
    confidence: float
    precision: float
    recall: float
    strip: NDArray[np.uint8]

    def to_dict(self) -> dict[str, object]:
        """Return plain values for JSON; what is not finite is None."""
        case, numbers = self.case, asdict(replace(self, case=None, strip=None))  # type: ignore[arg-type]
        head = {name: getattr(case, name) for name in ("name", "part", "how", "base", "value", "assumed")}
        return head | {key: _plain(value) for key, value in numbers.items() if key not in ("case", "strip")}


def _plain(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@dataclass(slots=True)
class _Kept:
    """Measurements in files of a folder; None: nothing is kept."""

    folder: Path | None
    settings: str

    def _path(self, case: Case, seed: int) -> Path | None:
        if self.folder is None:
            return None
        name = hashlib.sha256(f"{self.settings}|{seed}|{case!r}".encode()).hexdigest()[:32]
        return self.folder / f"{name}.npz"

    def load(self, case: Case, seed: int) -> Measurement | None:
        path = self._path(case, seed)
        if path is None or not path.is_file():
            return None
        try:
            with np.load(path, allow_pickle=False) as file:
                return Measurement.from_arrays({name: file[name] for name in file.files})
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None  # half a file, or none of ours: it is measured again

    def save(self, case: Case, seed: int, found: Measurement) -> None:
        path = self._path(case, seed)
        if path is not None:
            with atomic_path(path) as temporary, temporary.open("wb") as file:
                np.savez(file, **found.arrays())  # type: ignore[arg-type]


@dataclass(slots=True)
class _ChipStudy:
    """All that the cases of one chip have in common."""

    bench: ProductBench
    network: FeatureNetwork
    reference: Reference
    count: int
    _base: SwitchedSampler | None = field(default=None, init=False)
    _whole: Products | None = field(default=None, init=False)
    _decoded: dict[SamplerSwitches, tuple[NDArray[np.float32], NDArray[np.float32]]] = field(
        default_factory=dict, init=False
    )

    def measure(self, case: Case) -> Measurement:
        products = None if case.products is None else self._made(case.products)
        latents, decoded = self._latents(case, products)
        ideal = self._latents_of_base(IDEAL_SAMPLER)[1]
        pictures = decoded if products is None else products.decode(latents)
        seen = self.network.extract(pictures)
        return measure(pictures, decoded, ideal, seen, self.reference, seed=self.bench.seed)

    def _made(self, switches: ProductSwitches) -> Products:
        if switches != FULL_PRODUCTS:
            return self.bench.make(switches)
        if self._whole is None:  # several cases differ in the sampler only
            self._whole = self.bench.make(switches)
        return self._whole

    def _latents(self, case: Case, products: Products | None) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return latents and what the float32 decoder makes of them."""
        switches = case.products
        if products is None or switches is None or switches.same_cells or case.sampler == IDEAL_SAMPLER:
            return self._latents_of_base(case.sampler)
        # Cells that are stuck, warm or old read other latents; only stuck ones were there when they were calibrated.
        sampler = self._sampler(products)
        calibration = None if switches.stuck > 0.0 else self._base_sampler().calibrate(case.sampler)
        latents = sampler.draw(case.sampler, 0, self.count, calibration)
        return latents, decode_ideally(self.bench.model, latents)

    def _latents_of_base(self, switches: SamplerSwitches) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        if switches in self._decoded:
            return self._decoded[switches]
        latents = self._base_sampler().draw(switches, 0, self.count)
        made = latents, decode_ideally(self.bench.model, latents)
        if switches in (IDEAL_SAMPLER, FULL_SAMPLER):
            self._decoded[switches] = made
        return made

    def _base_sampler(self) -> SwitchedSampler:
        if self._base is None:
            self._base = self._sampler(self._made(FULL_PRODUCTS))
        return self._base

    def _sampler(self, products: Products) -> SwitchedSampler:
        bench = self.bench
        return SwitchedSampler(
            products.chip, products.point, bench.latents, products.sampling_tiles, bench.sampler_spec
        )


def run_ablation(
    model: VAE | ConvVAE,
    card: DeviceCard,
    network: FeatureNetwork,
    reference: Reference,
    *,
    count: int = 2000,
    chips: int = 3,
    seed: int = 0,
    spec: ChipSpec | None = None,
    point: OperatingPoint | None = None,
    sampler: SamplerSpec | None = None,
    stresses: Stresses | None = None,
    cases: Sequence[Case] | None = None,
    keep_in: Path | None = None,
    progress: Callable[[Case, int], None] | None = None,
) -> list[AblationRow]:
    """Measure what every imperfection costs.

    Args:
        model: whose decoder is mapped.
        card: of the cells.
        network: judges the pictures.
        reference: real images.
        count: images of every chip, at least 128; the same numbers in every case.
        chips: how many, of the seeds ``seed``, ``seed + 1``, ...
        seed: of the first chip.
        spec: of the chips.
        point: operating point; the card's default, if not given.
        sampler: how latents are read.
        stresses: what is added to the whole chip.
        cases: some of :func:`.ablation_cases`; all, if not given. The references "ideal" and "whole chip" are measured
            in any case.
        keep_in: folder for finished measurements, from which a later call goes on; None: nothing is kept.
        progress: called with every finished case and the chip's seed.

    Raises:
        ArgumentError: too few images, no chips, or a chip with drawn output converters.
        CapacityError: the chip has too few tiles.
        ValidityError: a point or temperature outside the card's validity.
        SilentCellsError: the cells are too quiet to sample.
    """
    if not is_whole(count, LEAST_COUNT, 10**6):
        raise argument_error("count", f"be a whole number of images, at least {LEAST_COUNT}", repr(count))
    if not is_whole(chips, 1, 1000):
        raise argument_error("chips", "be a whole number from 1 to 1000", repr(chips))
    design, how = spec or ChipSpec(), sampler or SamplerSpec()
    at = OperatingPoint.for_card(card) if point is None else point
    at.check(card)
    every = ablation_cases(card, design, at, how, stresses)
    wanted = (
        every
        if cases is None
        else [case for case in every if case.name in (IDEAL, WHOLE)]
        + [case for case in cases if case.name not in (IDEAL, WHOLE)]
    )
    settings = _settings(model, card, design, at, how, network, reference, count)
    kept = _Kept(keep_in, settings)
    found: list[list[Measurement]] = [[] for _ in wanted]
    for number in range(seed, seed + chips):
        study = _ChipStudy(ProductBench(model, card, design, at, how, number), network, reference, count)
        for k, case in enumerate(wanted):
            one = kept.load(case, number)
            if one is None:
                one = study.measure(case)
                kept.save(case, number, one)
            found[k].append(one)
            if progress is not None:
                progress(case, number)
    names = {case.name: k for k, case in enumerate(wanted) if case.how == "reference"}
    return [_row(case, measured, found[names[case.base]], count) for case, measured in zip(wanted, found, strict=True)]


def _settings(
    model: VAE | ConvVAE,
    card: DeviceCard,
    spec: ChipSpec,
    point: OperatingPoint,
    sampler: SamplerSpec,
    network: FeatureNetwork,
    reference: Reference,
    count: int,
) -> str:
    """Return a digest of all that a measurement depends on, its case and chip apart."""
    digest = hashlib.sha256()
    text = [version("ferrogen"), card.model_dump_json(), repr(spec), repr(point), repr(sampler), str(count)]
    digest.update(json.dumps(text).encode())
    for module in (model.decoder, network):
        for name, tensor in sorted(module.state_dict().items()):
            digest.update(name.encode() + tensor.detach().to(torch.float64).numpy().tobytes())
    digest.update(reference.moments.mean.tobytes() + reference.moments.covariance.tobytes())
    if reference.features is not None:
        digest.update(np.ascontiguousarray(reference.features).tobytes())
    return digest.hexdigest()


def _over_chips(values: Sequence[float]) -> tuple[float, float]:
    """Return the Student t interval of the mean; NaN for one chip."""
    from scipy.special import stdtrit

    if len(values) < 2:
        return math.nan, math.nan
    half = float(stdtrit(len(values) - 1, 0.5 + CONFIDENCE / 2.0)) * float(np.std(values, ddof=1))
    half /= math.sqrt(len(values))
    mean = float(np.mean(values))
    return mean - half, mean + half


def _frechet_difference(ours: Sequence[Measurement], base: Sequence[Measurement]) -> Difference:
    each = [one.frechet - other.frechet for one, other in zip(ours, base, strict=True)]
    resampled: Array = np.mean(
        [one.frechet_resampled - other.frechet_resampled for one, other in zip(ours, base, strict=True)], axis=0
    )
    value = float(np.mean(each))
    # A resample has the bias of finite n a second time.
    low, high = (end - (float(resampled.mean()) - value) for end in percentile_interval(resampled))
    return Difference(value, low, high, *_over_chips(each), tuple(each))


def _kernel_difference(ours: Sequence[Measurement], base: Sequence[Measurement]) -> Difference:
    from scipy.special import stdtrit

    each = [one.kernel - other.kernel for one, other in zip(ours, base, strict=True)]
    left: Array = np.array([one.kernel_left_out - other.kernel_left_out for one, other in zip(ours, base, strict=True)])
    groups = left.shape[1]
    variances = ((left - left.mean(axis=1, keepdims=True)) ** 2).sum(axis=1) * (groups - 1) / groups
    half = float(stdtrit(groups - 1, 0.5 + CONFIDENCE / 2.0)) * math.sqrt(float(variances.sum())) / len(each)
    value = float(np.mean(each))
    return Difference(value, value - half, value + half, *_over_chips(each), tuple(each))


def _row(case: Case, ours: Sequence[Measurement], base: Sequence[Measurement], count: int) -> AblationRow:
    def mean(name: str) -> float:
        return float(np.mean([getattr(one, name) for one in ours]))

    frechet = mean("frechet")
    low, high = _over_chips([one.frechet for one in ours])
    if len(ours) == 1:
        resampled = ours[0].frechet_resampled
        low, high = (end - (float(resampled.mean()) - frechet) for end in percentile_interval(resampled))
    return AblationRow(
        case=case,
        images=count,
        chips=len(ours),
        frechet=frechet,
        frechet_low=max(0.0, low),
        frechet_high=high,
        frechet_difference=_frechet_difference(ours, base),
        kernel=mean("kernel"),
        kernel_difference=_kernel_difference(ours, base),
        rms_decoder=_root_mean([one.rms_decoder for one in ours]),
        rms_ideal=_root_mean([one.rms_ideal for one in ours]),
        confidence=mean("confidence"),
        precision=mean("precision"),
        recall=mean("recall"),
        strip=ours[0].strip,
    )


def _root_mean(values: Sequence[float]) -> float:
    return math.sqrt(float(np.mean(np.square(values))))
