"""Endurance: wake-up, fatigue and breakdowns are found again within their intervals; hostile tables are refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from scipy import stats

from ferrogen.calibration.calibrate import calibrate
from ferrogen.calibration.columns import parse_choices
from ferrogen.calibration.endurance.curves import Curve, endurance_laws
from ferrogen.calibration.fit import fit
from ferrogen.calibration.result import Calibration
from ferrogen.core.errors import DataFileError, FerrogenError

BOLTZMANN_EV = 8.617333262e-5
CYCLES = np.logspace(0.0, 9.0, 40)


def worn(cycles: np.ndarray, temperature: float = 300.0, energy: float = 0.0) -> np.ndarray:
    """0.2 C/m^2 that wakes up by 30 % at 1e3 cycles and halves at 1e8, written without the code under test."""
    slow = np.exp(energy / BOLTZMANN_EV * (1.0 / temperature - 1.0 / 300.0))
    woken = 1.0 - 0.3 * np.exp(-((cycles / (1e3 * slow)) ** 0.6))
    return np.asarray(0.2 * woken / (1.0 + (cycles / (1e8 * slow)) ** 0.8))


TRUTH = {
    "wake_up_share": 0.3, "wake_up_cycles": 1e3, "wake_up_exponent": 0.6, "fatigue_cycles": 1e8,
    "fatigue_exponent": 0.8,
}  # fmt: skip


def write(path: Path, **columns: np.ndarray) -> Path:
    names = {"cycles": "cycles", "value": "Pr [C/m^2]", "negative_value": "negative_value [C/m^2]", "time": "time [s]",
             "failed": "failed", "voltage": "voltage [V]", "temperature": "temperature [K]"}  # fmt: skip
    rows = [",".join(f"{x:.12g}" for x in row) for row in np.column_stack(list(columns.values()))]
    path.write_text("\n".join([",".join(names[key] for key in columns), *rows]))
    return path


def run(files: list[Path], **given: object) -> Calibration:
    return calibrate("endurance", files, settings=given)  # type: ignore[arg-type]


def test_wake_up_and_fatigue_are_found_again(tmp_path: Path) -> None:
    noisy = worn(CYCLES) + 5e-4 * np.random.default_rng(1).standard_normal(CYCLES.size)
    result = run([write(tmp_path / "a.csv", cycles=CYCLES, value=noisy)], criterion=0.4)
    found = result.fragment.sections["reliability"]
    # Fixed seed; five parameters within 4 standard errors: false alarm 4e-4.
    for name, truth in TRUTH.items():
        error = found[name].standard_error
        assert error is not None
        assert abs(found[name].value - truth) < 4.0 * error < 2.0 * truth
    life = result.record["cycles_to_criterion"]
    truth = 1e8 * (1.0 / 0.4 - 1.0) ** (1.0 / 0.8)
    assert abs(np.log(life["cycles"] / truth)) < np.log(life["high"] / life["low"]) < 1.0
    assert result.record["comparison"][0]["law"] == "wake-up and fatigue"
    assert found["fatigue_cycles"].valid["cycles"] == (0.0, 1e9)


def test_intervals_cover_the_truth_at_the_stated_rate() -> None:
    repeats, covered = 60, dict.fromkeys(TRUTH, 0)
    clean = worn(CYCLES)
    for seed in range(repeats):
        value = clean + 5e-4 * np.random.default_rng(seed).standard_normal(CYCLES.size)
        law = endurance_laws([Curve("", 300.0, CYCLES, value[:, None], value)], "C/m^2", None)[-1]
        result = fit(law.residuals, law.free)
        for name, truth in TRUTH.items():
            interval = result.interval(name)
            covered[name] += interval.low <= truth <= interval.high
    # Binomial(60, 0.95), false alarm 1e-3 over five parameters.
    assert min(covered.values()) >= stats.binom.ppf(1e-3 / 5, repeats, 0.95)


def test_what_ends_before_fatigue_gives_limits_only(tmp_path: Path) -> None:
    cycles = np.logspace(0.0, 5.0, 30)
    noisy = worn(cycles) + 5e-4 * np.random.default_rng(2).standard_normal(cycles.size)
    result = run([write(tmp_path / "a.csv", cycles=cycles, value=noisy)])
    found = result.fragment.sections["reliability"]
    assert set(found) == {"wake_up_share", "wake_up_cycles", "wake_up_exponent"}
    limits = result.record["least_fatigue_cycles_by_exponent"]
    assert 1e5 < limits["2"] < limits["1"] < limits["0.5"]
    # True fatigue has the exponent 0.8: the limit for 1 must lie below its 1e8.
    assert limits["1"] < 1e8
    assert any("before it" in line for line in result.fragment.not_identified)
    assert result.record["cycles_to_criterion"] is None


def test_a_constant_value_shows_nothing(tmp_path: Path) -> None:
    value = 0.2 + 5e-4 * np.random.default_rng(3).standard_normal(CYCLES.size)
    result = run([write(tmp_path / "a.csv", cycles=CYCLES, value=value)])
    assert result.record["comparison"][0]["law"] == "constant"
    assert not result.fragment.sections
    assert len(result.fragment.not_identified) == 2


def test_temperatures_give_an_activation_energy(tmp_path: Path) -> None:
    generator = np.random.default_rng(4)
    files = [
        write(tmp_path / f"{t}.csv", cycles=CYCLES, value=worn(CYCLES, t, 0.4) + 5e-4 * generator.standard_normal(40))
        for t in (300.0, 358.0)
    ]
    found = run(files, temperatures="300, 358 K").fragment.sections["reliability"]
    energy = found["cycling_activation_energy"]
    assert energy.standard_error is not None
    assert abs(energy.value - 0.4) < 4.0 * energy.standard_error < 0.1
    hot = run(files[1:], temperatures="358")
    assert not hot.fragment.sections
    assert any("300 K" in line for line in hot.fragment.not_identified)
    told = run(files[1:], temperatures="358", activation_energy="0.4 eV").fragment.sections["reliability"]
    assert told["cycling_activation_energy"].status == "assumed"
    assert abs(np.log(told["fatigue_cycles"].value / 1e8)) < 0.3


def test_both_states_make_a_window(tmp_path: Path) -> None:
    value = worn(CYCLES) + 5e-4 * np.random.default_rng(5).standard_normal(CYCLES.size)
    plain = run([write(tmp_path / "a.csv", cycles=CYCLES, value=value)])
    both = run([write(tmp_path / "b.csv", cycles=CYCLES, value=value + 0.01, negative_value=0.01 - value)])
    for name, item in plain.fragment.sections["reliability"].items():
        assert both.fragment.sections["reliability"][name].value == pytest.approx(item.value, rel=1e-3)


def test_weibull_intervals_cover_shape_and_scale_with_censoring() -> None:
    from ferrogen.calibration.endurance.breakdowns import _SCALE, _shape
    from ferrogen.device.reliability.lifetime import failures, fit_lifetime, life_interval

    repeats, scale_covered, shape_covered = 60, 0, 0
    for seed in range(repeats):
        times = 100.0 * np.random.default_rng(seed).weibull(1.5, 60)
        data = failures(np.minimum(times, 120.0), times <= 120.0)
        law = fit_lifetime(data)
        life = life_interval(law, _SCALE)
        shape = _shape(1.0 / law.scale, float(np.sqrt(law.covariance[1, 1])))
        scale_covered += life.low <= 100.0 <= life.high
        shape_covered += shape.low <= 1.5 <= shape.high
    # Binomial(60, 0.94): likelihood intervals of 60 junctions cover 1 % less than stated; false alarm 1e-3.
    least = stats.binom.ppf(5e-4, repeats, 0.94)
    assert scale_covered >= least
    assert shape_covered >= least


def test_breakdowns_with_survivors(tmp_path: Path) -> None:
    times = 100.0 * np.random.default_rng(6).weibull(1.5, 80)
    file = write(tmp_path / "a.csv", time=np.minimum(times, 120.0), failed=(times <= 120.0).astype(float))
    without = run([file])
    found = without.fragment.sections["reliability"]
    assert set(found) == {"breakdown_shape"}
    result = run([file], voltage="3 V", activation_energy="0.5 eV")
    found = result.fragment.sections["reliability"]
    assert found["breakdown_voltage"].value == 3.0
    error = found["breakdown_time"].standard_error
    assert error is not None
    assert abs(found["breakdown_time"].value - 100.0) < 4.0 * error < 60.0
    assert result.record["weibull"]["failures"] == int((times <= 120.0).sum())
    # Treating survivors as failures would make the scale too short: the fit must not.
    assert found["breakdown_time"].value > np.mean(np.minimum(times, 120.0)) / 0.9
    assert any("one voltage" in line for line in result.fragment.not_identified)
    assert result.panels


def test_breakdown_cycles_need_the_stress_of_a_cycle(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", cycles=1e6 * np.random.default_rng(7).weibull(2.0, 12))
    without = run([file], voltage=2.0)
    assert "breakdown_time" not in without.fragment.sections["reliability"]
    assert any("12 failures" in line for line in without.warnings)
    found = run([file], voltage=2.0, stress_per_cycle="1 us").fragment.sections["reliability"]
    assert found["breakdown_time"].value == pytest.approx(
        without.record["weibull"]["scale"]["estimate"] * 1e-6, rel=1e-5
    )


def test_several_voltages_and_temperatures_give_the_acceleration(tmp_path: Path) -> None:
    generator = np.random.default_rng(8)
    voltage = np.repeat([2.6, 2.8, 3.0, 2.6, 2.8, 3.0], 25)
    temperature = np.repeat([300.0, 300.0, 300.0, 360.0, 360.0, 360.0], 25)
    scale = 1e3 * np.exp(-8.0 * (voltage - 2.6) + 0.5 / BOLTZMANN_EV * (1.0 / temperature - 1.0 / 300.0))
    times = scale * generator.weibull(1.4, voltage.size)
    file = write(tmp_path / "a.csv", time=times, voltage=voltage, temperature=temperature)
    result = run([file], voltage="1 V")
    found = result.fragment.sections["reliability"]
    for name, truth in (
        ("breakdown_acceleration", 8.0), ("breakdown_activation_energy", 0.5), ("breakdown_shape", 1.4),
        ("breakdown_time", 1e3),
    ):  # fmt: skip
        error = found[name].standard_error
        assert error is not None
        assert abs(found[name].value - truth) < 4.0 * error < truth
    assert found["breakdown_voltage"].value == 2.6
    assert result.record["life_in_use"]["low"] < 1e3 * np.exp(8.0 * 1.6) * (-np.log(0.99)) ** (1 / 1.4)
    assert any("extrapolated" in line for line in result.warnings)
    cold = temperature == 300.0
    one = run([write(tmp_path / "b.csv", time=times[cold], voltage=voltage[cold])])
    assert "breakdown_activation_energy" not in one.fragment.sections["reliability"]
    assert one.fragment.sections["reliability"]["breakdown_acceleration"].value == pytest.approx(8.0, abs=1.5)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("cycles,Pr [C/m^2]\n1,2\n2,3\n", "fewer than 4"),
        ("cycles,Pr [C/m^2]\n1,2\n2,3\n4,-1\n8,1\n", "one sign"),
        ("cycles,Pr [C/m^2]\n-1,2\n2,3\n4,1\n8,1\n", "negative"),
        ("time [s],Pr [C/m^2]\n1,2\n2,3\n4,1\n8,1\n", "over cycles"),
        ("cycles,failed\n1,2\n2,1\n4,1\n8,1\n", "1 for a breakdown"),
        ("cycles,failed\n1,0\n2,0\n4,1\n8,1\n", "three failures"),
        ("cycles\n0\n2\n3\n4\n", "positive"),
        ("time [s],temperature [K]\n1,300\n2,300\n3,300\n1,400\n2,400\n5,400\n", "several voltages"),
    ],
)
def test_tables_that_cannot_be_used_are_refused_by_name(tmp_path: Path, text: str, match: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(FerrogenError, match=match):
        run([tmp_path / "a.csv"])


def test_files_of_two_sorts_are_refused(tmp_path: Path) -> None:
    curve = write(tmp_path / "a.csv", cycles=CYCLES, value=worn(CYCLES))
    deaths = write(tmp_path / "b.csv", cycles=CYCLES)
    with pytest.raises(DataFileError, match="one kind"):
        run([curve, deaths])
    seconds = write(tmp_path / "c.csv", time=CYCLES)
    with pytest.raises(DataFileError, match="seconds"):
        calibrate("endurance", [deaths, seconds], columns=parse_choices([]))


@settings(max_examples=10, deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate))
@given(st.lists(st.tuples(st.floats(0.0, 1e19), st.floats(1e-9, 1e9)), min_size=1, max_size=8), st.booleans())
def test_any_table_gives_finite_numbers_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, rows: list, with_values: bool
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.csv"
    lines = [f"{n!r},{v!r}" if with_values else f"{n!r}" for n, v in rows]
    path.write_text("\n".join(["cycles,Pr [C/m^2]" if with_values else "cycles", *lines]))
    try:
        result = run([path])
    except FerrogenError:
        return
    for parameters in result.fragment.sections.values():
        assert all(np.isfinite(item.value) for item in parameters.values())
    assert np.isfinite(list(result.goodness.values())).all()
