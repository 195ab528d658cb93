"""I-V: the read model, barriers, activation energies and laws that made the data are found again; hostile tables."""

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
from ferrogen.calibration.iv.barriers import barrier_laws
from ferrogen.calibration.iv.compact import compact_laws, split_states
from ferrogen.calibration.iv.curves import Curve, CurveSet
from ferrogen.calibration.iv.leakage import leakage_laws
from ferrogen.calibration.result import Calibration
from ferrogen.calibration.samples import Sample
from ferrogen.core.errors import DataFileError, FerrogenError
from ferrogen.device.transport.barrier import Barrier, trapezoid_profile
from ferrogen.device.transport.trap_assisted import AssistingTraps, trap_assisted_current
from ferrogen.device.transport.wkb import tunnel_current

BOLTZMANN_EV = 8.617333262e-5
VOLTS = np.concatenate([np.linspace(-1.5, -0.1, 15), np.linspace(0.1, 1.5, 15)])


def write(path: Path, voltage: np.ndarray, current: np.ndarray, unit: str = "A") -> Path:
    columns = current.reshape(voltage.size, -1)
    header = ",".join(["V [V]", *(f"I_{k} [{unit}]" for k in range(columns.shape[1]))])
    rows = [",".join(f"{x:.12g}" for x in row) for row in np.column_stack([voltage, columns])]
    path.write_text("\n".join([header, *rows]))
    return path


def run(files: list[Path], sample: Sample | None = None, **given: object) -> Calibration:
    return calibrate(
        "iv", files, columns=parse_choices(["current = I_*"]), sample=sample, settings=given  # type: ignore[arg-type]
    )  # fmt: skip


def sinh_current(conductance: np.ndarray, generator: np.random.Generator, noise: float = 0.03) -> np.ndarray:
    clean = conductance * 0.4 * np.sinh(VOLTS[:, None] / 0.4)
    return np.asarray(clean * np.exp(noise * generator.standard_normal(clean.shape)))


def leak(voltage: np.ndarray, temperature: float, law: str, thickness: float = 1e-8) -> np.ndarray:
    """Leakage [A/m^2], from formulas written without the code under test."""
    heat = BOLTZMANN_EV * temperature
    if law == "activated":
        arrhenius = np.exp(-0.3 / BOLTZMANN_EV * (1.0 / temperature - 1.0 / 300.0))
        return np.asarray(0.2 * 0.5 * np.sinh(voltage / 0.5) * arrhenius)
    field = np.abs(voltage) / thickness
    beta = np.sqrt(1.602176634e-19 / (np.pi * 8.8541878188e-12 * 4.5))
    return np.asarray(1e-3 * voltage / thickness * np.exp(-(1.0 - beta * np.sqrt(field)) / heat))


def leakage_files(folder: Path, law: str, noise: float = 0.05) -> list[Path]:
    generator = np.random.default_rng(3)
    volts = np.concatenate([-np.linspace(0.3, 3.0, 10), np.linspace(0.3, 3.0, 10)])
    return [
        write(folder / f"{t}.csv", volts, leak(volts, t, law) * np.exp(noise * generator.standard_normal(20)), "A/m^2")
        for t in (300.0, 350.0, 400.0)
    ]


def test_the_compact_model_of_two_states_is_found_again(tmp_path: Path) -> None:
    generator = np.random.default_rng(1)
    device = np.exp(0.2 * generator.standard_normal(16))
    conductance = np.concatenate([2e-8 * device[:8], 1e-9 * device[8:]])
    file = write(tmp_path / "a.csv", VOLTS, sinh_current(conductance, generator))
    result = run([file])
    own = result.fragment.sections[""]
    scale = own["characteristic_voltage"]
    assert scale.standard_error is not None
    assert abs(scale.value - 0.4) < 4.0 * scale.standard_error < 0.02
    assert scale.valid["read_voltage"] == (0.0, 1.5)
    for name, truth in (("on_conductance", 2e-8), ("off_conductance", 1e-9)):
        item = own[name]
        assert item.standard_error is not None
        assert abs(item.value - truth) < 4.0 * item.standard_error
        assert item.spread is not None
        assert item.spread.value == pytest.approx(0.2, rel=4.0 / (2 * 7) ** 0.5)
    assert result.record["compact"]["states"]["on"]["curves"] == 8
    repeats = run([file], curves="repeats")
    assert repeats.fragment.sections[""]["on_conductance"].spread is None


def test_a_pulled_apart_voltage_is_noticed(tmp_path: Path) -> None:
    generator = np.random.default_rng(2)
    scales = np.array([0.3, 0.5])
    clean = 1e-9 * scales * np.sinh(VOLTS[:, None] / scales)
    result = run([write(tmp_path / "a.csv", VOLTS, clean * np.exp(0.02 * generator.standard_normal(clean.shape)))])
    assert result.record["compact"]["comparison"][0]["law"] == "a voltage a curve"
    assert any("simplification" in line for line in result.warnings)


def test_intervals_of_the_characteristic_voltage_cover_it_at_the_stated_rate() -> None:
    repeats, covered = 60, 0
    for seed in range(repeats):
        generator = np.random.default_rng(seed)
        current = sinh_current(np.array([1e-9, 3e-9]), generator, 0.1)
        curves = [Curve(str(k), 300.0, VOLTS, current[:, k], 0, False) for k in range(2)]
        law = compact_laws(curves)[0]
        interval = fit(law.residuals, law.free).interval("characteristic_voltage")
        covered += interval.low <= 0.4 <= interval.high
    assert covered >= stats.binom.ppf(1e-3, repeats, 0.95)


def test_one_state_has_to_be_named(tmp_path: Path) -> None:
    file = write(tmp_path / "a.csv", VOLTS, sinh_current(np.array([1e-9]), np.random.default_rng(4)))
    assert set(run([file]).fragment.sections[""]) == {"characteristic_voltage"}
    assert set(run([file], state="off").fragment.sections[""]) == {"characteristic_voltage", "off_conductance"}
    density = write(tmp_path / "b.csv", VOLTS, sinh_current(np.array([1e5]), np.random.default_rng(4)), "A/m^2")
    assert "off_conductance" not in run([density], state="off").fragment.sections[""]
    sized = run([density], Sample(area=1e-14), state="off").fragment.sections[""]["off_conductance"]
    assert sized.value == pytest.approx(1e-9, rel=0.1)


def test_sizes_offsets_and_floors(tmp_path: Path) -> None:
    clean = sinh_current(np.array([1e-9]), np.random.default_rng(5))[:, 0]
    plain = run([write(tmp_path / "a.csv", VOLTS, clean)])
    sizes = run([write(tmp_path / "b.csv", VOLTS, np.abs(clean))])
    assert sizes.record["compact"]["laws"] == plain.record["compact"]["laws"]
    assert any("sizes" in line for line in sizes.warnings)
    # An offset of the instrument is seen near zero bias; taken off, the sinh is there again.
    volts, offset = np.append(VOLTS, [0.0, 0.001]), 2e-10
    raw = write(tmp_path / "c.csv", volts, np.append(clean, [0.0, 1e-12]) + offset)
    kept, subtracted = run([raw]), run([raw], offset="subtract", floor=0.0)
    truth = plain.fragment.sections[""]["characteristic_voltage"].value
    assert subtracted.fragment.sections[""]["characteristic_voltage"].value == pytest.approx(truth, rel=0.01)
    assert kept.record["points_left_out"] != plain.record["points_left_out"]
    least = np.abs(kept.residuals["current [A]"]).min()
    assert least > 3.0 * offset


def test_an_activated_leakage_is_found_again_and_textbook_laws_are_rejected(tmp_path: Path) -> None:
    result = run(leakage_files(tmp_path, "activated"), Sample(thickness=1e-8), temperatures="300, 350, 400")
    found = result.fragment.sections["transport"]
    for name, truth in (("leakage_activation_energy", 0.3), ("leakage_voltage", 0.5), ("leakage_conductance", 0.2)):
        error = found[name].standard_error
        assert error is not None
        assert abs(found[name].value - truth) < 4.0 * error < 0.2 * truth
    leakage = result.record["leakage"]["positive"]
    assert leakage["comparison"][0]["law"] == "activated sinh"
    worse = {row["law"]: row["aic_difference"] for row in leakage["comparison"]}
    assert worse["Poole-Frenkel, optical permittivity"] > 10.0
    assert worse["tunnelling (integral)"] > 10.0
    for points in result.record["activation_energy_over_bias"].values():
        assert len(points) == 10
        # 5 % in ln J at three temperatures: 0.05 / sqrt(Sxx) = 0.005 eV; 20 points within 4.5 standard deviations
        assert all(abs(point["energy"] - 0.3) < 0.025 for point in points)
    assert all(item["excludes_optical"] for item in result.record["apparent_permittivity"])
    assert any("does not tunnel" in line for line in result.fragment.not_identified)


def test_true_poole_frenkel_is_not_rejected(tmp_path: Path) -> None:
    result = run(leakage_files(tmp_path, "frenkel"), Sample(thickness=1e-8), temperatures="300, 350, 400")
    comparison = {row["law"]: row for row in result.record["leakage"]["positive"]["comparison"]}
    assert comparison["Poole-Frenkel, optical permittivity"]["aic_difference"] < 10.0
    assert comparison["activated sinh"]["aic_difference"] > 10.0
    law = result.record["leakage"]["negative"]["laws"]["Poole-Frenkel, permittivity free"]["parameters"]
    assert abs(law["optical_permittivity"]["value"] - 4.5) < 4.0 * law["optical_permittivity"]["standard_error"]
    assert abs(law["trap_energy"]["value"] - 1.0) < 4.0 * law["trap_energy"]["standard_error"]
    for item in result.record["apparent_permittivity"]:
        assert abs(item["value"] - 4.5) < 4.5 * item["standard_error"]
        assert not item["excludes_optical"]
    points = result.record["activation_energy_over_bias"]["positive"]
    beta = np.sqrt(1.602176634e-19 / (np.pi * 8.8541878188e-12 * 4.5))
    for point in points:
        assert point["energy"] == pytest.approx(1.0 - beta * np.sqrt(point["voltage"] / 1e-8), abs=0.025)


def test_tunnelling_through_single_traps_is_one_of_the_laws_if_it_is_asked_for() -> None:
    volts, heats = np.linspace(0.4, 1.6, 5), (300.0, 400.0)
    barrier, sites = Barrier(1.9, 1.9, 6e-9, 0.25), AssistingTraps(3e24, 1.3, 0.0, 0.7, 1e13)
    curves = [
        Curve(f"{t}", t, volts, trap_assisted_current(trapezoid_profile(barrier, volts), volts, sites, t), 0, False)
        for t in heats
    ]
    data = CurveSet(tuple(curves), "A/m^2", 1.0)
    assert len(leakage_laws(data, 1.0, 6e-9, 4.5)[0]) == 7
    law = leakage_laws(data, 1.0, 6e-9, 4.5, traps=True)[0][-1]
    truth = {"trap_density": 3e24, "trap_energy": 1.3, "relaxation_energy": 0.7, "barrier_height": 1.9,
             "tunnelling_mass": 0.25}  # fmt: skip
    assert {item.name for item in law.free} == set(truth)
    np.testing.assert_allclose(law.residuals(truth), 0.0, atol=1e-9)
    # The prefactor starts where the residuals have no mean.
    start = law.residuals({item.name: item.start for item in law.free})
    assert abs(start.mean()) < 1e-9
    assert np.abs(start).max() > 0.01


def test_intervals_of_the_activation_energy_cover_it_at_the_stated_rate() -> None:
    repeats, covered = 60, 0
    volts = np.linspace(0.3, 3.0, 10)
    for seed in range(repeats):
        generator = np.random.default_rng(seed)
        curves = [
            Curve(f"{t}", t, volts, leak(volts, t, "activated") * np.exp(0.1 * generator.standard_normal(10)), 0, False)
            for t in (300.0, 350.0, 400.0)
        ]
        law = leakage_laws(CurveSet(tuple(curves), "A/m^2", 1.0), 1.0, 1e-8, 4.5)[0][0]
        interval = fit(law.residuals, law.free).interval("leakage_activation_energy")
        covered += interval.low <= 0.3 <= interval.high
    assert covered >= stats.binom.ppf(1e-3, repeats, 0.95)


def test_barriers_are_found_again_and_mass_and_thickness_are_said_to_be_one(tmp_path: Path) -> None:
    barrier = Barrier(2.2, 1.6, 3e-9, 0.3)
    volts = np.concatenate([np.linspace(-0.7, -0.1, 7), np.linspace(0.1, 0.7, 7)])
    clean = tunnel_current(trapezoid_profile(barrier, volts), volts, 300.0)
    noisy = clean * np.exp(0.01 * np.random.default_rng(6).standard_normal(14))
    file = write(tmp_path / "a.csv", volts, noisy, "A/m^2")
    result = run([file], Sample(thickness=3e-9))
    laws = result.record["barriers"]["all"]["laws"]
    own = laws["integral"]["parameters"]
    for name, truth in (("top_barrier_height", 2.2), ("bottom_barrier_height", 1.6), ("tunnelling_mass", 0.3)):
        assert abs(own[name]["value"] - truth) < 4.0 * own[name]["standard_error"] < 0.25 * truth
    assert set(laws) == {"Gruverman", "Brinkman", "Simmons", "integral"}
    # The closed forms are within some 7 % of the integral (device reference, 2.1), and see the asymmetry, too.
    near = laws["Gruverman"]["parameters"]
    assert near["top_barrier_height"]["value"] - near["bottom_barrier_height"]["value"] == pytest.approx(0.6, abs=0.2)
    assert laws["Simmons"]["rmse"] > 2.0 * laws["Gruverman"]["rmse"]
    assert result.fragment.sections["transport"]["tunnelling_mass"].value == pytest.approx(0.3, rel=0.25)
    assert any("sqrt(mass)" in line for line in result.fragment.not_identified)
    # Told to be half as thick, the film gets four times the mass, at the same product: only that is identified.
    data = CurveSet((Curve("", 300.0, volts, noisy, 0, False),), "A/m^2", 1.0)
    law = next(law for law in barrier_laws(data, data.curves, 1.5e-9)[0] if law.name == "integral")
    mass = fit(law.residuals, law.free).values["tunnelling_mass"]
    assert mass == pytest.approx(4.0 * own["tunnelling_mass"]["value"], rel=1e-2)
    free = run([write(tmp_path / "b.csv", volts, noisy * 1e-14)], Sample(thickness=3e-9))
    assert "transport" not in free.fragment.sections
    assert any("prefactor" in line for line in free.fragment.not_identified)


def test_states_are_split_only_where_they_are_apart() -> None:
    assert split_states(np.array([1e-9, 1.1e-9, 1.2e-9])) is None
    assert split_states(np.array([1e-9])) is None
    on = split_states(np.array([1e-9, 2e-8, 1.1e-9, 2.2e-8]))
    assert on is not None
    assert on.tolist() == [False, True, False, True]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("V [V],I_0 [A]\n" + "\n".join(f"{v},{v}" for v in (0.1, 0.2, 0.3)), "fewer than 5"),
        ("V [V],I_0 [A]\n" + "\n".join(f"0.5,{k}" for k in range(1, 9)), "fewer than 5"),
        ("V [V],I_0 [A]\n" + "\n".join(f"{k},-1e-9" for k in range(1, 9)), "sign against"),
        ("V [V],I_0 [A]\n" + "\n".join(f"{k}e5,1e-9" for k in range(1, 9)), "Is its unit right"),
        ("V [V],I_0 [V]\n1,1\n2,2", "must be in"),
        ("V [V],I_0 [A]\n" + "\n".join("0,1e-9" for k in range(1, 9)), "fewer than 5"),
    ],
)
def test_tables_that_cannot_be_used_are_refused_by_name(tmp_path: Path, text: str, match: str) -> None:
    (tmp_path / "a.csv").write_text(text)
    with pytest.raises(DataFileError, match=match):
        run([tmp_path / "a.csv"])


currents = st.one_of(st.floats(-1e-6, 1e-6), st.floats(1e-15, 1e3), st.sampled_from([0.0, 1e-300, 1e300]))


@settings(max_examples=12, deadline=None, derandomize=True, phases=(Phase.explicit, Phase.generate))
@given(st.lists(st.tuples(st.floats(-10.0, 10.0), currents), min_size=1, max_size=9), st.booleans())
def test_any_table_gives_finite_numbers_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, rows: list, thick: bool
) -> None:
    path = tmp_path_factory.mktemp("any") / "a.csv"
    path.write_text("\n".join(["V [V],I_0 [A]", *(f"{v!r},{i!r}" for v, i in rows)]))
    try:
        result = run([path], Sample(thickness=3e-9, area=1e-12) if thick else None, state="on")
    except FerrogenError:
        return
    for parameters in result.fragment.sections.values():
        assert all(np.isfinite(item.value) for item in parameters.values())
    assert np.isfinite(list(result.goodness.values())).all()
