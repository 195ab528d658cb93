"""``endure``: the arms of a run, checkpoint by checkpoint, going on from whatever is recorded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ferrogen.chip.energy import energy_of
from ferrogen.chip.usage import Usage
from ferrogen.generation.endurance.machine import Machine
from ferrogen.generation.endurance.maintain import maintain
from ferrogen.generation.endurance.measure import Measure
from ferrogen.generation.endurance.policy import Policy
from ferrogen.generation.endurance.records import Record, Records, hold, open_records
from ferrogen.generation.endurance.spec import EnduranceSpec
from ferrogen.generation.endurance.upkeep import (
    Upkeep,
    begin,
    calibration_from,
    calibration_record,
    layer_record,
    settings_of,
    with_gain,
)
from ferrogen.sampler.latents import Calibration

START = "start"
"""Name of what comes before every arm: the chip as programmed, and its commissioning."""

Progress = Callable[[str, float], None]
"""Called with what is being done and the finished fraction of the whole."""


@dataclass(frozen=True, slots=True)
class EnduranceRun:
    """What a finished run recorded.

    Attributes:
        spec: of the run.
        programmed: the chip as programmed, before any sampling, with the calibration that `ferrogen generate` makes.
        start: commissioning.
        checkpoints: of every arm, by policy, in the order of cycles.
        maintenance: of every arm, likewise.
    """

    spec: EnduranceSpec
    programmed: Record
    start: Record
    checkpoints: dict[str, list[Record]]
    maintenance: dict[str, list[Record]]

    @property
    def remarks(self) -> list[str]:
        """What a reader must know of how the cells were followed."""
        return [str(item) for item in self.start["remarks"]]


@dataclass(slots=True)
class _Bench:
    """The machine and its instruments, made when something is left to do."""

    spec: EnduranceSpec
    threads: int
    calibration: Calibration | None = None
    machine: Machine | None = None
    measure: Measure | None = None

    def get(self) -> tuple[Machine, Measure]:
        if self.machine is None or self.measure is None:
            self.machine = Machine(self.spec, self.threads, self.calibration)
            self.measure = Measure(self.machine)
        return self.machine, self.measure


def actions(spec: EnduranceSpec, policy: Policy) -> list[tuple[int, str]]:
    """Return what an arm does, in order: (cycle, "checkpoint" or "maintenance"); a checkpoint comes first."""
    looks = [(cycle, "checkpoint") for cycle in spec.checkpoints() if cycle > 0]
    turns = [(cycle, "maintenance") for cycle in spec.turns()] if policy.takes_turns else []
    return sorted(looks + turns)


def endure(spec: EnduranceSpec, folder: Path, *, threads: int = 1, progress: Progress | None = None) -> EnduranceRun:
    """Run all arms of a spec, or what is left of them.

    Every finished piece is a file in ``folder/records``; a run that was stopped, at any moment and in any way, goes on
    with the same call, and repeats nothing that is there.

    Args:
        spec: of the run.
        folder: for its records.
        threads: for the telegraph sampler; results do not depend on it.
        progress: called with every finished piece.

    Raises:
        ArgumentError: the folder holds another run.
        DataFileError: a record is damaged.
        OutputError: the folder cannot be written, or another process is at work in it.
        CapacityError: the chip has too few tiles.
    """
    report = progress or (lambda _stage, _done: None)
    records = open_records(folder, spec.description())
    with hold(folder):
        bench = _Bench(spec, threads)
        total = 2 + sum(len(actions(spec, policy)) for policy in spec.policies)
        report("the chip as programmed", 0.0)
        programmed, start = _start(bench, records)
        checkpoints: dict[str, list[Record]] = {}
        maintenance: dict[str, list[Record]] = {}
        done = 2
        untouched: dict[int, Record] = {}  # until its first maintenance, an arm is like any other
        for policy in spec.policies:
            upkeep = begin(start)
            looks, turns = list[Record](), list[Record]()
            for cycle, kind in actions(spec, policy):
                report(f"policy {policy.name}, cycle {cycle:,}", done / total)
                record = records.read(kind, policy.name, cycle)
                if record is None:
                    if kind == "maintenance":
                        made = maintain(*bench.get(), policy, upkeep, cycle)
                    elif not turns and cycle in untouched and not tracking(spec, policy, cycle):
                        made = untouched[cycle]
                    else:
                        made = _look(bench, policy, upkeep, cycle, looks[-1] if looks else start)
                    record = records.write(kind, policy.name, cycle, made)
                if kind == "maintenance":
                    upkeep.take(record)
                    turns.append(record)
                else:
                    looks.append(record)
                    if not turns and not tracking(spec, policy, cycle):
                        untouched.setdefault(cycle, record)
                done += 1
            checkpoints[policy.name], maintenance[policy.name] = looks, turns
        report("done", 1.0)
    return EnduranceRun(spec, programmed, start, checkpoints, maintenance)


def _start(bench: _Bench, records: Records) -> tuple[Record, Record]:
    programmed = records.read("checkpoint", START, 0)
    if programmed is None:
        _, measure = bench.get()
        programmed = records.write("checkpoint", START, 0, measure.checkpoint(0))
    start = records.read("start", START, 0)
    if start is None:
        machine, measure = bench.get()
        programming = Usage(
            pulses=sum(int(tile.state.pulses.sum()) for tile in machine.chip.tiles.values()),
            programmed_cells=sum(int(tile.state.pulses.size) for tile in machine.chip.tiles.values()),
        )
        machine.settle()
        machine.chip.usage = Usage()
        machine.generator.move(bench.spec.point)
        point, chip = machine.generator.at, machine.chip
        energy = [energy_of(use, chip.spec, chip.device, point).total for use in (programming, chip.usage)]
        layers = machine.generator.decoder.layers
        gains = [np.ones(layer.outputs, dtype=np.float32) for layer in layers]
        settings = [settings_of(layer, ones) for layer, ones in zip(layers, gains, strict=True)]
        if bench.spec.start_gain:
            gains = measure.gains(0)
            energy.append(measure.test_energy(0)[1])
        start = {
            "layers": [layer_record(with_gain(item, gain)) for item, gain in zip(settings, gains, strict=True)],
            "latents": calibration_record(machine.generator.sampler.in_use),
            "cycles": machine.commissioning,
            "tiles": len(machine.chip.tiles),
            "pulses": programming.pulses,
            "energy_used": sum(energy),
            "remarks": machine.remarks(),
        }
        start = records.write("start", START, 0, start)
    bench.calibration = calibration_from(start["latents"])
    return programmed, start


def tracking(spec: EnduranceSpec, policy: Policy, cycle: int) -> bool:
    """Return whether the latents' calibration has left that of commissioning after ``cycle`` cycles."""
    first = spec.maintenance.reads if spec.reading == "read-operations" else 1
    return "latents" in policy.tasks and cycle >= first


def _look(bench: _Bench, policy: Policy, upkeep: Upkeep, cycle: int, previous: Record) -> Record:
    """Measure a checkpoint. What was spent since the previous one is reckoned at this one's price."""
    machine, measure = bench.get()
    since = 0
    if tracking(bench.spec, policy, cycle):
        since = machine.track(upkeep, cycle)
    else:
        machine.stand(upkeep, cycle)
    record = {**measure.checkpoint(cycle), "latents_calibrated_at": since}
    if bench.spec.reading == "program-erase":
        record |= machine.writing(cycle)
    price = record.get("writing_energy", record["energy_per_image"])
    used = previous["energy_used"] + price * (cycle - previous["cycle"])
    cost = asdict(upkeep.cost)
    return {
        **record,
        "energy_used": used,
        "energy_since_start": used + upkeep.cost.energy,
        **{f"maintenance_{name}": value for name, value in cost.items()},
    }
