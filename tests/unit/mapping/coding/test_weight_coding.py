"""Weight coding: every scheme undoes what it does; levels, clipping, scales and safe windows do what they say."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ferrogen.array.levels import ConductanceWindow, ContinuousLevels, DiscreteLevels
from ferrogen.chip.chip import Chip
from ferrogen.chip.spec import ChipSpec
from ferrogen.core.errors import ArgumentError
from ferrogen.mapping.coding import CodingSpec, code_matrix, coding_window
from ferrogen.mapping.coding.schemes import carried, centre, digits, slice_weights

WINDOW = ConductanceWindow(1e-9, 17e-9)

CODINGS = st.builds(
    CodingSpec,
    scheme=st.sampled_from(["differential", "offset-column", "bit-sliced"]),
    slices=st.integers(2, 5),
    bits_per_slice=st.integers(1, 4),
    references=st.integers(1, 3),
    scale=st.sampled_from(["column", "tile", "layer"]),
    clip=st.sampled_from([None, 100.0, "least-error"]),
)


@settings(max_examples=150, deadline=None)
@given(coding=CODINGS, outputs=st.integers(1, 9), inputs=st.integers(1, 9), seed=st.integers(0, 1000), data=st.data())
def test_continuous_targets_decode_to_the_weights(
    coding: CodingSpec, outputs: int, inputs: int, seed: int, data: st.DataObject
) -> None:
    weight = np.random.default_rng(seed).normal(size=(outputs, inputs)) * 10.0 ** (seed % 5 - 2)
    first = data.draw(st.integers(1, outputs))
    split = [first] + [outputs - first] * (first < outputs)
    coded = code_matrix(weight, coding, WINDOW, ContinuousLevels(), split)
    for targets, of_block in zip(coded.targets, split, strict=True):
        assert targets.shape == (inputs, 2 * coding.pairs_for(of_block))
        assert targets.min() >= WINDOW.low * (1.0 - 1e-12)
        assert targets.max() <= WINDOW.high * (1.0 + 1e-12)
    np.testing.assert_allclose(coded.decode(), weight, rtol=1e-9, atol=1e-12 * np.abs(weight).max())


@given(coding=CODINGS, count=st.integers(2, 40), seed=st.integers(0, 100))
def test_levels_round_what_is_carried_once(coding: CodingSpec, count: int, seed: int) -> None:
    """Rounding targets to the levels gives what :func:`carried` foretells, zero stays zero, signs stay."""
    levels = DiscreteLevels(count)
    fraction = np.random.default_rng(seed).uniform(-1.0, 1.0, (4, 6))
    fraction[0, 0] = 0.0
    if coding.scheme == "offset-column" and centre(levels)[1] == 0.0:
        return  # two levels have none between them: refused by code_matrix
    coded = code_matrix(fraction, CodingSpec(**_with(coding, clip=None, scale="layer")), WINDOW, levels)
    share = [(cells - WINDOW.low) / WINDOW.span for cells in coded.targets]
    rounded = tuple(WINDOW.low + WINDOW.span * levels.quantise(cells) for cells in share)
    largest = np.abs(fraction).max()
    kept = type(coded)(coded.coding, coded.split, rounded, coded.scale).decode() / largest
    np.testing.assert_allclose(kept, carried(fraction / largest, coding, levels), atol=1e-9)
    assert kept[0, 0] == pytest.approx(0.0, abs=1e-12)


def _with(coding: CodingSpec, **changes: object) -> dict[str, object]:
    return {name: changes.get(name, getattr(coding, name)) for name in CodingSpec.__dataclass_fields__}


def test_digits_are_worth_powers_of_the_base() -> None:
    coding = CodingSpec("bit-sliced", slices=3, bits_per_slice=2)
    np.testing.assert_allclose(slice_weights(coding), np.array([16.0, 4.0, 1.0]) * 3.0 / 63.0)
    exact = np.array([[57.0, -22.0, 63.0, 0.0]]) / 63.0  # 57 = 3 * 16 + 2 * 4 + 1; 22 = 1 * 16 + 1 * 4 + 2
    asked = digits(exact, coding, DiscreteLevels(4))
    np.testing.assert_allclose(np.tensordot(slice_weights(coding), asked, axes=1), exact, atol=1e-12)
    np.testing.assert_allclose(carried(exact, coding, DiscreteLevels(4)), exact, atol=1e-12)


def test_slices_make_up_for_what_levels_leave() -> None:
    """Two slices of 3 bits on 8 levels: 63 steps instead of 7, an error some 9 times smaller."""
    fraction = np.random.default_rng(1).uniform(-1.0, 1.0, (20, 50))

    def error(coding: CodingSpec) -> float:
        return float(np.sqrt(np.mean((carried(fraction, coding, DiscreteLevels(8)) - fraction) ** 2)))

    one, two = error(CodingSpec()), error(CodingSpec("bit-sliced", slices=2, bits_per_slice=3))
    assert one == pytest.approx(1 / 7 / np.sqrt(12.0), rel=0.1)
    assert two == pytest.approx(1 / 63 / np.sqrt(12.0), rel=0.1)


def test_scales_are_shared_as_asked() -> None:
    weight = np.random.default_rng(2).normal(size=(6, 8)) * np.arange(1, 7)[:, None]
    scales = {
        scale: code_matrix(weight, CodingSpec(scale=scale, clip=None), WINDOW, ContinuousLevels(), [2, 4]).scale
        for scale in ("column", "tile", "layer")
    }
    largest = np.abs(weight).max(axis=1)
    np.testing.assert_allclose(scales["column"] * WINDOW.span, largest)
    np.testing.assert_allclose(scales["tile"] * WINDOW.span, np.repeat([largest[:2].max(), largest[2:].max()], [2, 4]))
    np.testing.assert_allclose(scales["layer"] * WINDOW.span, np.full(6, largest.max()))


def test_a_percentile_clips_the_largest_weights() -> None:
    weight = np.arange(-100.0, 101.0)[None]
    coded = code_matrix(weight, CodingSpec(clip=90.0), WINDOW, ContinuousLevels())
    limit = float(np.percentile(np.abs(weight), 90.0))
    np.testing.assert_allclose(coded.decode(), np.clip(weight, -limit, limit), atol=1e-9)
    nearly_empty = np.zeros((1, 50))
    nearly_empty[0, 3] = 2.0
    assert code_matrix(nearly_empty, CodingSpec(clip=90.0), WINDOW, ContinuousLevels()).decode()[0, 3] == pytest.approx(
        2.0
    )


@pytest.mark.parametrize("scheme", ["differential", "offset-column", "bit-sliced"])
@pytest.mark.parametrize("scale", ["column", "layer"])
def test_clipping_a_few_large_weights_lessens_the_error(scheme: str, scale: str) -> None:
    weight = np.random.default_rng(3).normal(size=(4, 400))
    weight[:, 0] = 9.0
    levels = DiscreteLevels(8)

    def error(clip: str | None) -> float:
        coding = CodingSpec(scheme, bits_per_slice=1, scale=scale, clip=clip)  # type: ignore[arg-type]
        coded = code_matrix(weight, coding, WINDOW, levels)
        cells = tuple(
            WINDOW.low + WINDOW.span * levels.quantise((targets - WINDOW.low) / WINDOW.span)
            for targets in coded.targets
        )
        return float(np.mean((type(coded)(coding, coded.split, cells, coded.scale).decode() - weight) ** 2))

    assert error("least-error") < 0.95 * error(None)


def test_reference_lines_take_room() -> None:
    coding = CodingSpec("offset-column", references=2)
    assert coding.outputs_on(8) == 14
    assert (coding.pairs_for(14), coding.pairs_for(13), coding.pairs_for(1)) == (8, 8, 2)
    assert CodingSpec("bit-sliced", slices=3).outputs_on(8) == 2
    with pytest.raises(ArgumentError, match="bit lines, but it is in need of 4"):
        CodingSpec("bit-sliced", slices=2).outputs_on(1)
    with pytest.raises(ArgumentError, match="bit lines, but it is in need of 3"):
        coding.outputs_on(1)


def test_safe_levels_narrow_the_window_and_say_what_it_costs() -> None:
    chip = Chip("hzo-mfis-nor", spec=ChipSpec(tiles=1))
    whole = coding_window(chip, CodingSpec())
    assert (whole.share, whole.noise) == (1.0, None)
    spans = []
    for share in (0.008, 0.012):
        used = coding_window(chip, CodingSpec(safe_levels=share))
        spans.append(used.share)
        assert isinstance(used.levels, DiscreteLevels)
        assert used.levels.count == used.levels_left
        assert used.share == pytest.approx((used.levels_left - 1) / (used.levels_there - 1))
        steps = (np.array([used.window.low, used.window.high]) - chip.window.low) / chip.window.span * 31
        np.testing.assert_allclose(steps, np.rint(steps), atol=1e-9)  # the chip's levels are the coding's
        assert f"{used.levels_left} of 32 levels" in str(used)
        assert used.noise is not None
        assert used.noise_before is not None
        assert used.noise * (used.levels_left - 1) < share  # in level spacings
        assert used.noise_before * (used.levels_there - 1) == pytest.approx(0.0119, rel=0.01)  # all levels, rms
    assert 0.2 < spans[0] < spans[1] < 0.8
    assert coding_window(chip, CodingSpec(safe_levels=0.1)).share == 1.0
    with pytest.raises(ArgumentError, match=r"safe_levels.*at least two.*of the spacing"):
        coding_window(chip, CodingSpec(safe_levels=1e-6))


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"scheme": "binary"}, "scheme"),
        ({"scale": "row"}, "scale"),
        ({"slices": 1}, "slices"),
        ({"slices": 2, "bits_per_slice": 25}, "bits_per_slice"),
        ({"bits_per_slice": 0}, "bits_per_slice"),
        ({"references": 0}, "references"),
        ({"clip": 0.0}, "clip"),
        ({"clip": True}, "clip"),
        ({"clip": "median"}, "clip"),
        ({"clip": float("nan")}, "clip"),
        ({"safe_levels": -1.0}, "safe_levels"),
    ],
)
def test_unknown_codings_are_refused(arguments: dict[str, object], named: str) -> None:
    with pytest.raises(ArgumentError, match=f"`{named}`"):
        CodingSpec(**arguments)  # type: ignore[arg-type]


def test_two_levels_have_no_middle_for_an_offset_column() -> None:
    with pytest.raises(ArgumentError, match=r"offset-column.*at least 3 levels"):
        code_matrix(np.ones((1, 1)), CodingSpec("offset-column"), WINDOW, DiscreteLevels(2))
