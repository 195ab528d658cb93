"""Retention: known laws are found again within their intervals, bakes level by level, hostile tables are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy import stats

from ferrogen.calibration.calibrate import calibrate
from ferrogen.calibration.columns import parse_choices
from ferrogen.calibration.fit import fit
from ferrogen.calibration.result import Calibration
from ferrogen.calibration.retention.curves import Curve, CurveSet
from ferrogen.calibration.retention.laws import retention_laws
from ferrogen.calibration.retention.paired import split_levels
from ferrogen.core.errors import ArgumentError, DataFileError, FerrogenError

BOLTZMANN_EV = 8.617333262e-5
TIMES = np.logspace(1.0, 5.0, 24)


def decayed(temperature: float, time: np.ndarray = TIMES) -> np.ndarray:
    """A stretched exponential with 1e12 s at 300 K, exponent 0.35, 1.1 eV, written without the code under test."""
    tau = 1e12 * np.exp(1.1 / BOLTZMANN_EV * (1.0 / temperature - 1.0 / 300.0))
    return np.asarray(0.2 * np.exp(-((time / tau) ** 0.35)))


def write(path: Path, values: np.ndarray, unit: str = "C/m^2", time: np.ndarray = TIMES) -> Path:
    columns = values.reshape(len(time), -1)
    header = ",".join(["time [s]", *(f"value_{k} [{unit}]" for k in range(columns.shape[1]))])
    lines = [",".join(f"{x:.9g}" for x in row) for row in np.column_stack([time, columns])]
    path.write_text("\n".join([header, *lines]))
    return path


def run(files: list[Path], **given: object) -> Calibration:
    return calibrate("retention", files, columns=parse_choices(["value = value_*"]), settings=given)  # type: ignore[arg-type]


@pytest.fixture
def baked(tmp_path: Path) -> list[Path]:
    generator = np.random.default_rng(5)
    return [
        write(tmp_path / f"{t}.csv", decayed(t) + 0.001 * generator.standard_normal(TIMES.size))
        for t in (358, 398, 423)
    ]


def test_a_stretched_exponential_at_three_temperatures_is_found_again(baked: list[Path]) -> None:
    result = run(baked, temperatures="358, 398 K, 423")
    found = result.fragment.sections["reliability"]
    # Fixed seed; three parameters within 4 standard errors: false alarm 2e-4 for correct code.
    for name, truth in (("retention_exponent", 0.35), ("retention_activation_energy", 1.1)):
        error = found[name].standard_error
        assert error is not None
        assert abs(found[name].value - truth) < 4.0 * error
    time, error = found["retention_time"].value, found["retention_time"].standard_error
    assert error is not None
    assert abs(np.log(time / 1e12)) < 4.0 * error / time
    assert result.record["comparison"][0]["law"] == "stretched"
    assert all(row["aic_difference"] > 10.0 for row in result.record["comparison"][1:])
    assert set(result.fragment.plain()["reliability"]["retention_time"]["valid"]) == {"storage_time"}
    forecast = result.record["forecast"]["share_of_first_value"]["stretched"]
    truth = float(decayed(358, np.array([10 * 365.25 * 86400.0]))[0] / decayed(358, TIMES[:1])[0])
    # The whole width of a 95 % interval is 3.9 standard errors.
    assert abs(forecast["value"] - truth) < forecast["high"] - forecast["low"] < 0.15
    assert result.panels
    assert len({len(np.asarray(v)) for v in result.residuals.values()}) == 1


def test_intervals_cover_the_truth_at_the_stated_rate() -> None:
    repeats, covered = 100, {"retention_time": 0, "retention_exponent": 0, "activation_energy": 0}
    truth = {"retention_time": 1e12, "retention_exponent": 0.35, "activation_energy": 1.1}
    for seed in range(repeats):
        generator = np.random.default_rng(seed)
        curves = []
        for t in (398.0, 423.0, 448.0):
            value = decayed(t) * np.exp(0.01 * generator.standard_normal(TIMES.size))
            curves.append(Curve(f"{t}", t, TIMES, value[:, None], value))
        law = retention_laws(CurveSet(tuple(curves), "S", True, ()), own=False, activation_energy=None)[0]
        result = fit(law.residuals, law.free)
        for name in covered:
            interval = result.interval(name)
            covered[name] += interval.low <= truth[name] <= interval.high
    # Binomial(100, 0.95) at a false alarm of 1e-3 over three parameters; an interval of half the width covers 67 %.
    least = stats.binom.ppf(1e-3 / 3, repeats, 0.95)
    assert least > stats.binom.ppf(1.0 - 1e-3, repeats, 0.67)
    assert min(covered.values()) >= least


@pytest.mark.parametrize(("law", "kept"), [("power", (1e3 / 1e1) ** -0.05), ("logarithmic", 1.0 - 0.04 * 2 / 1.0)])
def test_the_law_that_made_the_data_wins(tmp_path: Path, law: str, kept: float) -> None:
    time = np.logspace(0.0, 6.0, 40)
    value = 1e-8 * (time**-0.05 if law == "power" else 1.0 - 0.1 * np.log10(time))
    noisy = value * np.exp(2e-3 * np.random.default_rng(3).standard_normal(time.size))
    result = run([write(tmp_path / "a.csv", noisy, "S", time)], storage_time=1e8)
    assert result.record["comparison"][0]["law"] == law
    fitted = result.record["laws"][law]["parameters"]
    if law == "power":
        assert fitted["power_exponent"]["value"] == pytest.approx(0.05, abs=5e-4)
    else:  # the loss is a share of the value at the geometric mean of the times, 1e3 s
        assert fitted["loss_per_decade"]["value"] == pytest.approx(0.1 / 0.7, rel=0.01)
    truth = (1e8) ** -0.05 if law == "power" else 1.0 - 0.8
    forecast = result.record["forecast"]["share_of_first_value"][law]
    assert forecast["low"] < truth < forecast["high"]
    assert any("2.0 decades beyond" in line for line in result.warnings)
    assert any("better" in line for line in result.fragment.not_identified)


def test_one_temperature_away_from_300_kelvin_needs_an_energy(tmp_path: Path) -> None:
    value = decayed(423.0) + 3e-4 * np.random.default_rng(2).standard_normal(TIMES.size)
    file = write(tmp_path / "a.csv", value)
    without = run([file], temperatures="423")
    assert "reliability" not in without.fragment.sections
    assert any("activation energy" in line for line in without.fragment.not_identified)
    with_energy = run([file], temperatures="423", activation_energy="1.1 eV").fragment.sections["reliability"]
    assert with_energy["retention_activation_energy"].status == "assumed"
    assert abs(np.log(with_energy["retention_time"].value / 1e12)) < 0.5


def test_a_curve_that_hardly_falls_tells_no_time(tmp_path: Path) -> None:
    value = 0.2 + 1e-4 * np.random.default_rng(4).standard_normal(TIMES.size)
    result = run([write(tmp_path / "a.csv", value)])
    assert "reliability" not in result.fragment.sections
    assert any("too small" in line for line in result.fragment.not_identified)


def test_resistances_of_many_cells_and_negative_states(tmp_path: Path) -> None:
    generator = np.random.default_rng(8)
    loss = 0.05 + 0.01 * generator.standard_normal(200)
    cells = 1e6 * np.exp(loss * np.log10(TIMES)[:, None])
    result = run([write(tmp_path / "a.csv", cells, "Ohm")])
    spread = result.record["cells"][0]
    assert spread["cells"] == 200
    # 4 standard errors of a mean and of a standard deviation of 200
    assert spread["loss_of_logarithm_per_decade"]["mean"] == pytest.approx(0.05, abs=4 * 0.01 / 200**0.5)
    assert spread["loss_of_logarithm_per_decade"]["standard_deviation"] == pytest.approx(0.01, rel=4 / 400**0.5)
    mirrored = run([write(tmp_path / "b.csv", -decayed(300.0, TIMES * 1e5))])
    upright = run([write(tmp_path / "c.csv", decayed(300.0, TIMES * 1e5))])
    assert mirrored.record["forecast"] == upright.record["forecast"]


def test_a_bake_is_described_level_by_level(tmp_path: Path) -> None:
    generator = np.random.default_rng(9)
    level = generator.integers(0, 3, 900)
    before = np.array([5e3, 2e4, 1e5])[level] * np.exp(0.05 * generator.standard_normal(900))
    drift, width = np.array([0.0, 0.1, -0.3])[level], np.array([0.02, 0.1, 0.4])[level]
    after = before * np.exp(drift + width * generator.standard_normal(900))
    for name, values in (("before", before), ("after", after)):
        (tmp_path / f"{name}.csv").write_text("\n".join(f"{x:.9g}" for x in values))
    result = calibrate(
        "retention", [tmp_path / "before.csv", tmp_path / "after.csv"],
        columns=parse_choices(["value = #1 [Ohm]"]), settings={"levels": 3, "device": "rram"},
    )  # fmt: skip
    for k, row in enumerate(result.record["levels"]):
        assert row["cells"] == (level == k).sum()
        expected, sigma = (0.0, 0.1, -0.3)[k], (0.02, 0.1, 0.4)[k]
        assert row["median"] == pytest.approx(expected, abs=4 * 1.2533 * sigma / row["cells"] ** 0.5)
        assert row["core"] == pytest.approx(sigma, rel=4 * 1.17 / row["cells"] ** 0.5)
        assert row["median_low"] < row["median"] < row["median_high"]
    assert not result.fragment.sections
    assert any("proxy" in line for line in result.warnings)


def test_levels_that_overlap_are_split_all_the_same() -> None:
    labels = split_levels(np.linspace(8.0, 9.0, 100), 4)
    assert np.bincount(labels).min() > 15
    with pytest.raises(ArgumentError, match="two cells"):
        split_levels(np.array([1.0, 2.0, 3.0]), 2)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("time [s],value_1 [S]\n1,2\n2,3\n", "fewer than 5"),
        ("time [s],value_1 [S]\n" + "\n".join(f"{k},{k - 3}" for k in range(1, 9)), "one sign"),
        ("time [s],value_1 [S]\n" + "\n".join("5,1e-9" for _ in range(9)), "fewer than 5"),
        ("time [s],value_1 [V]\n1,2\n", "must be in"),
        ("value_1 [C/m^2]\n1\n2\n", "Ohm or S"),
        ("value_1 [S]\n1\n2\n", "two columns in all"),
        ("value_1 [S],value_2 [S]\n1,0\n2,3\n", "zero or negative"),
        ("time [s],value_1 [S]\n" + "\n".join(f"1e{k},1e-9" for k in range(28, 38)), "no time of a measurement"),
    ],
)
def test_tables_that_cannot_be_used_are_refused_by_name(tmp_path: Path, text: str, match: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataFileError, match=match):
        run([tmp_path / "a.csv"])


def test_temperatures_must_be_as_many_as_files(baked: list[Path]) -> None:
    with pytest.raises(ArgumentError, match="one a file"):
        run(baked, temperatures="358, 398")
    with pytest.raises(ArgumentError, match="77 K"):
        run(baked, temperatures="3, 398, 423")
    with pytest.raises(ArgumentError, match="must be a number in K"):
        run(baked, temperatures="hot, 398, 423")


positive = st.floats(1e-12, 1e12, allow_nan=False)


@settings(max_examples=12, deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate))
@given(st.lists(st.tuples(st.floats(-1.0, 1e25), st.one_of(positive, st.floats(-1.0, 1.0))), min_size=1, max_size=9))
def test_any_table_gives_finite_numbers_or_a_refusal(tmp_path_factory: pytest.TempPathFactory, rows: list) -> None:
    path = tmp_path_factory.mktemp("any") / "a.csv"
    path.write_text("\n".join(["time [s],value_1 [S]", *(f"{t!r},{v!r}" for t, v in rows)]))
    try:
        result = run([path])
    except FerrogenError:
        return
    for parameters in result.fragment.sections.values():
        assert all(np.isfinite(item.value) for item in parameters.values())
    share = result.record["forecast"]["share_of_first_value"]
    assert all(np.isfinite(list(item.values())).all() for item in share.values())
