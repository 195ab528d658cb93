"""One turn of maintenance: look at the chip, do what the policy asks for, say what it took."""

from __future__ import annotations

from dataclasses import asdict, replace

from ferrogen.chip.energy import energy_of
from ferrogen.chip.usage import Usage
from ferrogen.generation.decoder import CALIBRATION_LATENTS
from ferrogen.generation.endurance.machine import Machine
from ferrogen.generation.endurance.measure import TESTS, Measure
from ferrogen.generation.endurance.policy import Policy
from ferrogen.generation.endurance.records import Record
from ferrogen.generation.endurance.upkeep import (
    Cost,
    LayerSettings,
    Upkeep,
    layer_record,
    settings_of,
    with_gain,
)


def maintain(machine: Machine, measure: Measure, policy: Policy, upkeep: Upkeep, cycle: int) -> Record:
    """Do one turn after ``cycle`` cycles and return its record; ``upkeep`` is left as it was.

    Everything follows from the spec, the arm and the cycle: not from checkpoints, nor from where a run was resumed.
    """
    how, tiles = machine.spec.maintenance, machine.generator.decoder.tiles
    now = replace(upkeep, written=dict(upkeep.written))
    since = cycle
    machine.stand(now, cycle)
    cost = replace(now.cost, turns=now.cost.turns + 1)
    written: list[int] = []
    if "refresh" in policy.tasks and machine.spec.reading == "read-operations":
        written = [number for number in tiles if float(machine.errors(number).mean()) > how.refresh_threshold]
        pulses = 0
        for number in written:
            turn = now.written.get(number, (0, 0))[1] + 1
            now.written[number] = (cycle, turn)
            pulses += machine.written(number, turn, cycle).pulses
        cost = _with_writes(machine, cost, len(written), pulses, watched=len(tiles))
        if written:  # cells relax most right after they are written: the decoder is set once they have
            since = cycle + how.reads
            machine.stand(now, since)
    layers = _layers(machine, measure, policy, now, since)
    runs = CALIBRATION_LATENTS / TESTS * ("converters" in policy.tasks) + ("gain" in policy.tasks)
    if runs:
        products, energy = measure.test_energy(since)
        cost = replace(cost, products=cost.products + round(runs * products), energy=cost.energy + runs * energy)
    cost = replace(cost, recalibrations=cost.recalibrations + (layers is not None))
    return {
        "written": written,
        "layers": None if layers is None else [layer_record(item) for item in layers],
        "in_use_from": since,
        "cost": asdict(cost),
    }


def _with_writes(machine: Machine, cost: Cost, tiles: int, pulses: int, *, watched: int) -> Cost:
    """Add writes of whole tiles; every cell is erased by a pulse of its own, and all watched ones were read before."""
    chip = machine.chip
    cells = chip.spec.rows * chip.spec.columns
    use = Usage(pulses=pulses + cells * tiles, programmed_cells=cells * watched)
    return replace(
        cost,
        tiles_written=cost.tiles_written + tiles,
        pulses=cost.pulses + use.pulses,
        cells_verified=cost.cells_verified + use.pulses + use.programmed_cells,
        energy=cost.energy + energy_of(use, chip.spec, chip.device, machine.generator.at).total,
    )


def _layers(machine: Machine, measure: Measure, policy: Policy, now: Upkeep, cycle: int) -> list[LayerSettings] | None:
    if not {"converters", "gain"} & set(policy.tasks):
        return None
    decoder, layers = machine.generator.decoder, now.layers(cycle)
    if "converters" in policy.tasks:
        decoder.move(machine.generator.at)
        layers = [settings_of(layer, old.gain) for layer, old in zip(decoder.layers, layers, strict=True)]
    if "gain" in policy.tasks:
        layers = [with_gain(old, more) for old, more in zip(layers, measure.gains(cycle), strict=True)]
    machine.set_layers(layers)
    return layers
