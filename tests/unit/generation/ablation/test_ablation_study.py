"""The study over cases and chips: what is kept, what differs, and how sure it is."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.core.errors import ArgumentError
from ferrogen.device.card import load_card
from ferrogen.generation.ablation.cases import Case, Stresses, ablation_cases, choose_cases
from ferrogen.generation.ablation.measure import GROUPS, Measurement, Reference, measure
from ferrogen.generation.ablation.study import AblationRow, Difference, run_ablation
from ferrogen.generation.model import VAE, VAESpec, initialise
from ferrogen.metrics.features import Features, load_feature_network
from ferrogen.metrics.frechet import feature_moments, frechet_distance
from ferrogen.metrics.kernel import kernel_distance
from ferrogen.metrics.reference import load_reference_moments
from ferrogen.sampler.latents import SamplerSpec

CARD = load_card("hzo-mfis-nor")
SPEC = ChipSpec(rows=12, columns=800)
SAMPLER = SamplerSpec(calibration_reads=512)
POINT = OperatingPoint.for_card(CARD)


def _model() -> VAE:
    vae = VAE(VAESpec(latent=2, hidden=(8,), encoder_channels=(2, 2, 2)))
    initialise(vae, torch.Generator().manual_seed(1))
    return vae


def _cases(*names: str) -> list[Case]:
    return choose_cases(ablation_cases(CARD, SPEC, POINT, SAMPLER), names)


def _run(cases: list[Case], **options: object) -> list[AblationRow]:
    settings: dict[str, object] = {"count": 128, "chips": 2, "spec": SPEC, "sampler": SAMPLER}
    return run_ablation(
        _model(), CARD, load_feature_network("mnist"), Reference(load_reference_moments("mnist")),
        cases=cases, **(settings | options),  # type: ignore[arg-type]
    )  # fmt: skip


def test_a_stopped_study_goes_on_to_the_same_rows(tmp_path: Path) -> None:
    cases, done = _cases("stuck cells"), []
    whole = _run(cases, chips=1)

    def stop(case: Case, seed: int) -> None:
        done.append((case.label, seed))
        if len(done) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        _run(cases, chips=1, keep_in=tmp_path, progress=stop)
    kept = sorted(tmp_path.glob("*.npz"))
    assert len(kept) == 4
    kept[0].write_bytes(b"half a file")
    written = {path: path.stat().st_mtime_ns for path in kept[1:]}
    again = _run(cases, chips=1, keep_in=tmp_path)
    assert {path: path.stat().st_mtime_ns for path in kept[1:]} == written
    assert len(list(tmp_path.glob("*.npz"))) == len(cases)
    for one, other in zip(whole, again, strict=True):
        assert str(one.to_dict()) == str(other.to_dict())
        np.testing.assert_array_equal(one.strip, other.strip)
    # Other settings do not meet these files.
    _run(cases[:2], keep_in=tmp_path, count=130, chips=1)
    assert len(list(tmp_path.glob("*.npz"))) == len(cases) + 3


def test_differences_are_to_the_right_base_and_stuck_cells_are_seen() -> None:
    rows = {row.case.label: row for row in _run(_cases("stuck cells", "wires"))}
    ideal, whole = rows["ideal"], rows["whole chip"]
    assert ideal.rms_decoder == ideal.rms_ideal == ideal.frechet_difference.value == 0.0
    assert rows["ideal chip"].rms_decoder < 2e-6
    assert rows["sampler only"].rms_decoder == 0.0 < rows["sampler only"].rms_ideal
    assert rows["products only"].rms_decoder == rows["products only"].rms_ideal > 1e-3
    alone, added = rows["stuck cells, alone"], rows["stuck cells, added"]
    assert alone.frechet_difference.value == pytest.approx(alone.frechet - ideal.frechet)
    assert added.frechet_difference.value == pytest.approx(added.frechet - whole.frechet)
    assert added.rms_decoder > whole.rms_decoder
    assert 0.0 < rows["wires, alone"].rms_decoder < 1e-2
    assert len(alone.frechet_difference.each) == 2
    assert alone.case.assumed
    assert "1 %" in alone.case.value


def _features(seed: int, count: int = 600, size: int = 6) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, size))


def _measured(features: np.ndarray, reference: np.ndarray, *, kernel: bool = True) -> Measurement:
    pictures = np.zeros((len(features), 2, 2), dtype=np.float32)
    seen = Features(features, np.full((len(features), 10), 0.1))
    real = Reference(feature_moments(reference), reference if kernel else None)
    return measure(pictures, pictures + 0.5, pictures, seen, real, seed=4)


def test_distances_are_those_of_the_metrics() -> None:
    features, reference = _features(1), _features(2) + 0.3
    found = _measured(features, reference)
    assert found.frechet == pytest.approx(frechet_distance(features, reference).value, rel=1e-9)
    assert found.kernel == pytest.approx(kernel_distance(features, reference).value, rel=1e-9)
    assert found.rms_decoder == 0.5
    assert found.rms_ideal == 0.0
    edges = np.linspace(0, len(features), GROUPS + 1).round().astype(int)
    for k in (0, 7, GROUPS - 1):
        rest = np.delete(features, np.s_[edges[k] : edges[k + 1]], axis=0)
        assert found.kernel_left_out[k] == pytest.approx(kernel_distance(rest, reference).value, rel=1e-9)


def test_resampled_differences_are_as_wide_as_those_of_new_images() -> None:
    """The paired bootstrap's deviation against that of 60 repetitions: within a third (level about 1e-3)."""
    reference, estimates, found = _features(2), [], None
    for seed in range(60):
        features = _features(100 + seed)
        changed = 1.1 * features + 0.1
        base, ours = (_measured(part, reference, kernel=False) for part in (features, changed))
        estimates.append(ours.frechet - base.frechet)
        found = (ours.frechet_resampled - base.frechet_resampled).std() if found is None else found
    assert found is not None
    assert 0.67 < found / np.std(estimates) < 1.5
    apart = np.hypot(base.frechet_resampled.std(), ours.frechet_resampled.std())
    assert found < apart


def test_a_difference_is_seen_only_if_both_intervals_leave_zero_out() -> None:
    seen = Difference(1.0, 0.5, 1.5, 0.1, 1.9, (0.9, 1.1))
    assert seen.is_seen
    assert not replace(seen, chips_low=-0.1).is_seen
    assert not replace(seen, images_low=-0.1).is_seen
    assert replace(seen, chips_low=math.nan, chips_high=math.nan).is_seen


def test_cases_name_their_values_and_mark_what_is_assumed() -> None:
    cases = ablation_cases(CARD, SPEC, POINT, SAMPLER, Stresses(stuck=0.02, warmer=0.0, cycles=0.0, storage=0.0))
    labels = [case.label for case in cases]
    assert len(set(labels)) == len(labels)
    assert not any(name.startswith(("temperature", "age")) for name in labels)
    assert next(case for case in cases if case.name == "stuck cells").value.startswith("2 %")
    assert next(case for case in cases if case.name == "conductance levels").value == "32 levels"
    assert all(case.assumed for case in cases if case.name not in ("ideal", "ideal chip"))
    for case in cases:
        if case.how == "left out" and case.part == "products":
            twin = next(c for c in cases if c.name == case.name and c.how == "alone")
            assert case.value == twin.value


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 127}, "`count` must be a whole number of images, at least 128"),
        ({"chips": 0}, "`chips` must be a whole number from 1"),
    ],
)
def test_unusable_numbers_are_refused(options: dict[str, int], message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        _run(_cases(), **options)


def test_unknown_names_and_negative_stresses_are_refused() -> None:
    with pytest.raises(ArgumentError, match="hold names of imperfections: telegraph noise only"):
        _cases("wire")
    with pytest.raises(ArgumentError, match="stuck"):
        Stresses(stuck=-0.1)
