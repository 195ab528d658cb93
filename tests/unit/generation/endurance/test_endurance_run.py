"""A tiny run from end to end: condition of the cells, maintenance, and resuming after SIGKILL at random moments."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from ferrogen.array.evolution_exposure import Stage
from ferrogen.array.programming import IdealProgramming
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.core.errors import ArgumentError
from ferrogen.device.card import load_card
from ferrogen.generation.endurance.machine import Machine
from ferrogen.generation.endurance.measure import pack_images, unpack_images
from ferrogen.generation.endurance.policy import Maintenance, parse_policy
from ferrogen.generation.endurance.run import EnduranceRun, endure
from ferrogen.generation.endurance.spec import EnduranceSpec
from ferrogen.generation.endurance.upkeep import begin
from ferrogen.generation.model import VAE, VAESpec, initialise
from ferrogen.sampler.latents import SamplerSpec

# Without a layer beside the ferroelectric, cells are followed in single steps: quick, and they switch readily.
_SHIPPED = load_card("hzo-mfis-nor")
CARD = _SHIPPED.model_copy(
    update={
        "interface": None,
        "interlayer_thickness": _SHIPPED.interlayer_thickness.model_copy(update={"value": 0.0}),
    }
)


def make_spec() -> EnduranceSpec:
    model = VAE(VAESpec(latent=2, hidden=(16,), encoder_channels=(2, 2, 2)))
    initialise(model, torch.Generator().manual_seed(1))
    return EnduranceSpec(
        model.eval(),
        "tiny",
        CARD,
        OperatingPoint.for_card(CARD),
        chip=ChipSpec(rows=16, columns=32, tiles=64, programming=IdealProgramming()),
        sampler=SamplerSpec(calibration_reads=512),
        cycles=1000,
        images=64,
        per_decade=1,
        features="none",
        policies=(parse_policy("none"), parse_policy("full")),
        maintenance=Maintenance(first=100, reads=64, refresh_threshold=0.2),
        temperature_steps=((50, 320.0),),
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("endurance")


@pytest.fixture(scope="module")
def run(folder: Path) -> EnduranceRun:
    return endure(make_spec(), folder)


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*.json"))}


def test_every_checkpoint_and_turn_is_there_once_and_in_order(run: EnduranceRun, folder: Path) -> None:
    for records in run.checkpoints.values():
        assert [record["cycle"] for record in records] == [1, 10, 100, 1000]
        assert [record["temperature"] for record in records] == [300.0, 300.0, 320.0, 320.0]
    assert [record["cycle"] for record in run.maintenance["full"]] == [50, 100, 316]
    assert run.maintenance["none"] == []
    assert len(contents(folder)) == 1 + 2 + 4 + 4 + 3


def test_a_finished_run_is_only_read(run: EnduranceRun, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object) -> None:
        raise AssertionError

    monkeypatch.setattr("ferrogen.generation.endurance.run.Machine", refuse)
    before = contents(folder)
    again = endure(make_spec(), folder)
    assert again.checkpoints == run.checkpoints
    assert contents(folder) == before
    with pytest.raises(ArgumentError, match="seed"):
        endure(replace(make_spec(), seed=1), folder)


def test_arms_are_alike_until_the_first_maintenance(run: EnduranceRun) -> None:
    none, full = run.checkpoints["none"], run.checkpoints["full"]
    for k in range(2):
        assert {**none[k], "arm": ""} == {**full[k], "arm": ""}
    assert none[3]["layers"] != full[3]["layers"]
    assert [record["latents_calibrated_at"] for record in full] == [0, 0, 64, 960]
    assert [record["latents_calibrated_at"] for record in none] == [0] * 4


def test_energy_adds_up(run: EnduranceRun) -> None:
    """Summed by hand: programming and commissioning, images at the price of the checkpoint, maintenance."""
    for records in run.checkpoints.values():
        total, last = run.start["energy_used"], 0
        for record in records:
            total += (record["cycle"] - last) * record["energy_per_image"]
            last = record["cycle"]
            assert record["energy_since_start"] == pytest.approx(total + record["maintenance_energy"], rel=1e-12)
            assert record["energy_per_image"] == pytest.approx(sum(record["energy_by_component"].values()), rel=1e-12)
    costs = [record["cost"] for record in run.maintenance["full"]]
    assert [cost["turns"] for cost in costs] == [1, 2, 3]
    assert all(after["energy"] > before["energy"] for before, after in pairwise(costs))


def test_maintenance_writes_what_strayed_and_mends_the_products(run: EnduranceRun) -> None:
    none, full = run.checkpoints["none"][-1], run.checkpoints["full"][-1]
    assert run.maintenance["full"][0]["written"]
    assert full["maintenance_tiles_written"] == sum(len(record["written"]) for record in run.maintenance["full"])
    assert max(part["error"] for part in full["layers"]) < 0.9 * max(part["error"] for part in none["layers"])


def test_exposures_count_every_cycle_since_the_cells_were_written(run: EnduranceRun) -> None:
    machine = Machine(make_spec())
    sampling = machine.chip.tile(machine.generator.sampling_tiles[0])
    other = next(tile for tile in machine.chip.tiles.values() if not tile.samples)
    first = machine.commissioning
    assert first == 256 + 512
    whole = machine.exposure(sampling, 0, 200)
    assert [(stage.cycles, stage.temperature) for stage in whole.stages] == [(first + 50, 300.0), (150, 320.0)]
    assert machine.exposure(sampling, 60, 200).stages == (Stage(140, machine.phases(sampling), 320.0),)
    point = machine.spec.point
    for tile in (sampling, other):
        assert sum(time for _, time in machine.phases(tile)) == pytest.approx(2 * point.sampling_time + point.reset)
    assert max(abs(volts) for volts, _ in machine.phases(other)) == point.multiply_voltage
    assert max(volts for volts, _ in machine.phases(sampling)) == point.sample_voltage


def test_a_state_is_reached_without_the_ones_before_it(run: EnduranceRun) -> None:
    """The conductances after 1000 cycles are the same whether or not the chip stood elsewhere first."""
    machine, upkeep = Machine(make_spec()), begin(run.start)
    tile = machine.generator.decoder.tiles[0]
    machine.stand(upkeep, 1000)
    direct = machine.chip.tile(tile).switched_fraction.copy()
    latents = machine.generator.draw_latents(1000, 16)
    for cycle in (0, 500, 1000):
        machine.stand(upkeep, cycle)
    assert np.array_equal(machine.chip.tile(tile).switched_fraction, direct)
    assert np.array_equal(machine.generator.draw_latents(1000, 16), latents)
    assert not np.array_equal(machine.chip.tile(tile).state.switched_fraction, direct)


def test_program_erase_cycles_age_the_cells_and_write_them_anew(tmp_path: Path) -> None:
    chip = ChipSpec(rows=16, columns=32, tiles=64)
    spec = replace(make_spec(), reading="program-erase", cycles=10, temperature_steps=(), chip=chip)
    machine = Machine(spec)
    number = machine.generator.decoder.tiles[0]
    tile = machine.chip.tile(number)
    assert machine.exposure(tile, 0, 10).program_erase_cycles == 10.0
    assert machine.exposure(tile, 0, 10).cycles == machine.commissioning
    once, again = machine.written(number, 5, 5), machine.written(number, 10, 10)
    assert not np.array_equal(once.switched_fraction, again.switched_fraction)
    assert machine.writing(10)["writing_energy"] > 0.0


def test_shown_images_keep_eight_bits() -> None:
    images = np.linspace(0.0, 1.0, 2 * 28 * 28, dtype=np.float32).reshape(2, 28, 28)
    assert np.abs(unpack_images(pack_images(images)) - images).max() <= 0.5 / 255.0 + 1e-6


_DRIVER = """
import json, os, random, signal, sys, time, warnings
from pathlib import Path

warnings.simplefilter("ignore")  # of forks
sys.path.insert(0, sys.argv[3])
from test_endurance_run import endure, make_spec

folder, moments = Path(sys.argv[1]), random.Random(int(sys.argv[2]))

def records():
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in folder.rglob("[!.]*.json")}

kept, killed_at = {}, []
while True:
    child = os.fork()
    if child == 0:
        try:
            endure(make_spec(), folder)
        finally:
            os._exit(0)
    if len(killed_at) < 4:
        goal = len(records()) + moments.randint(1, 3)
        done = 0
        while len(records()) < goal and not done:
            time.sleep(0.002)
            done, _ = os.waitpid(child, os.WNOHANG)
        if not done:
            time.sleep(moments.uniform(0.0, 0.2))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            killed_at.append(len(records()))
    else:
        os.waitpid(child, 0)
    now = records()
    lost = [path for path in kept if now.get(path) != kept[path]]
    assert not lost, f"written again: {lost}"
    done = len(now) == int(sys.argv[4])
    kept = now
    if done:
        print(json.dumps(killed_at))
        break
"""


def test_killed_at_random_moments_it_goes_on_without_loss_or_repetition(
    run: EnduranceRun, folder: Path, tmp_path: Path
) -> None:
    """Processes are killed between, and within, records; what is left in the end is, byte for byte, an unbroken run's.

    Two seeds of moments would do no more: the moments differ from run to run anyway, with the machine's load.
    """
    whole = contents(folder)
    driven = subprocess.run(
        [sys.executable, "-c", _DRIVER, str(tmp_path / "cut"), "1", str(Path(__file__).parent), str(len(whole))],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert driven.returncode == 0, driven.stderr
    killed_at = json.loads(driven.stdout)
    assert len(killed_at) >= 2
    assert any(0 < count < len(whole) for count in killed_at)
    assert contents(tmp_path / "cut") == whole
