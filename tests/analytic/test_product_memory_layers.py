"""Layers that remember: statistical against cell over cycles and positions, decisions, modules."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy import stats

from ferrogen.chip.chip import Chip
from ferrogen.chip.flicker.currents import remembered_currents
from ferrogen.chip.flicker.decision import LEAST_SHARE
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.amplifier import IdealAmplifier
from ferrogen.circuit.converters import DAC, IdealADC
from ferrogen.circuit.periphery import Periphery
from ferrogen.circuit.readout.input_encoding import BitSerial
from ferrogen.core.errors import ArgumentError
from ferrogen.device.card import DeviceCard, load_card
from ferrogen.mapping.coding import CodingSpec
from ferrogen.mapping.convert.map_to_chip import map_to_chip
from ferrogen.mapping.layer import AnalogLinear, map_matrices

FALSE_ALARM = 1e-3
SPACING = 16 * 8192 + 4099


SILENT = Periphery(multiply_adc=IdealADC(), multiply_amplifier=IdealAmplifier())


def many_like_traps() -> DeviceCard:
    card = load_card("hzo-mfis-nor")
    amplitude, number = card.trap_amplitude, card.traps_per_cell
    assert amplitude.spread is not None
    narrow = amplitude.spread.model_copy(update={"value": 0.1})
    return card.model_copy(
        update={
            "trap_amplitude": amplitude.model_copy(update={"value": 0.002, "spread": narrow}),
            "traps_per_cell": number.model_copy(update={"value": 8.0 * number.value}),
        }
    )


def limit(comparisons: int) -> float:
    return float(stats.norm.isf(FALSE_ALARM / 2 / comparisons))


def linear(chip: Chip, memory: str = "on", coding: CodingSpec | None = None, size: int = 12) -> AnalogLinear:
    generator = np.random.default_rng(3)
    (layer,) = map_matrices(chip, [generator.normal(size=(size, 40))], [np.zeros(size)], coding=coding)
    layer.memory = memory  # type: ignore[assignment]
    layer.calibrate(torch.from_numpy(generator.normal(size=(64, 40))).float(), OperatingPoint.for_card(chip.device))
    return layer


def small_chip(periphery: Periphery | None = None, seed: int = 4) -> Chip:
    spec = ChipSpec(rows=24, columns=32, tiles=8, periphery=periphery or Periphery())
    return Chip("hzo-mfis-nor", seed=seed, spec=spec)


def outputs(
    layer: AnalogLinear, x: torch.Tensor, cycles: np.ndarray, fidelity: str, first_address: int = 0
) -> np.ndarray:
    """Return outputs of vectors ``x`` in each of ``cycles``, ``(cycles, vectors, outputs)``."""
    point = OperatingPoint.for_card(layer.chip.device)
    count = len(x)
    vectors = x.repeat(cycles.size, 1)
    when = torch.from_numpy(np.repeat(cycles, count))
    where = torch.arange(vectors.shape[0]) + first_address
    made = layer.multiply(vectors, point, where, cycles=when, fidelity=fidelity)  # type: ignore[arg-type]
    return made.double().numpy().reshape(cycles.size, count, -1)


def test_statistical_is_cell_in_covariance_and_change() -> None:
    """Two vectors of one cycle, and the changes from cycle to cycle: second moments of the outputs, both levels.

    Traps are many and alike here, or a few of them would hold most of a line's noise and more cycles be needed. Each
    output counts in units of its own change. Traps that are frozen at the statistical level move in the cells; over a
    few cycles changes hardly see that.
    """
    chip = Chip(many_like_traps(), seed=4, spec=ChipSpec(rows=24, columns=64, tiles=2, periphery=SILENT))
    layer = linear(chip, size=32)
    x = torch.from_numpy(np.random.default_rng(9).normal(size=(2, 40))).float()
    lags, runs, length = (1, 2, 8), 60, 60
    found = {
        fidelity: np.stack(
            [outputs(layer, x, run * SPACING + np.arange(length), fidelity, 2 * run * length) for run in range(runs)]
        )
        for fidelity in ("cell", "statistical")
    }
    unit = np.sqrt((np.diff(found["statistical"], axis=1) ** 2).mean(axis=(0, 1, 2)))
    moments = {}
    for fidelity, values in found.items():
        samples = []
        for k in lags:
            change = (values[:, k:] - values[:, :-k]) / unit
            samples += [(change[:, :, a] * change[:, :, b]).mean(axis=(1, 2)) for a, b in ((0, 0), (1, 1), (0, 1))]
            samples.append((change[:, :, 0].mean(axis=2) ** 2).mean(axis=1))  # what outputs have in common
        moments[fidelity] = np.mean(samples, axis=1), np.std(samples, axis=1, ddof=1) / np.sqrt(runs)
    (cell, cell_error), (ours, error) = moments["cell"], moments["statistical"]
    bound = float(stats.t.isf(FALSE_ALARM / 2 / cell.size, runs - 1))
    assert (np.abs(cell - ours) <= bound * np.hypot(error, cell_error) + 0.015 * np.repeat(ours[0::4], 4)).all()
    assert (cell[[8, 9]] > 1.15 * cell[[0, 1]]).all()  # eight cycles change more than one: something is remembered
    assert (np.hypot(error, cell_error)[0::4] < 0.12 * cell[0::4]).all()


def test_a_reference_line_is_remembered_by_all_that_subtract_it() -> None:
    layer = linear(small_chip(SILENT), coding=CodingSpec(scheme="offset-column"))
    point = OperatingPoint.for_card(layer.chip.device)
    memory = layer.remembering(point).memory
    assert memory is not None
    assert memory.reference_of is not None
    codes = torch.from_numpy(np.random.default_rng(2).integers(-127, 128, 40).astype(np.int8))
    origins = torch.arange(2000) * SPACING
    found = remembered_currents(codes.expand(2000, 40), origins, memory, input_levels=127)[0].double()
    squares = (codes[:24].double() / 127).square()
    variance = (memory.variance.sum(dim=0)[0] * squares[:, None]).sum(dim=0)
    common, outputs_ = variance[memory.outputs :], memory.outputs
    assert float(common.min()) > 0.0
    for j in range(1, outputs_):
        if memory.reference_of[j] != memory.reference_of[0]:
            continue
        product = (found[:, 0] * found[:, j]).numpy()
        error = product.std() / np.sqrt(len(product))
        assert abs(product.mean() - float(common[memory.reference_of[0]])) < limit(outputs_) * error
    own = (found**2).mean(dim=0)
    assert float((own / (variance[:outputs_] + common[memory.reference_of]) - 1).abs().max()) < 0.25


def test_general_circuits_remember_the_same() -> None:
    """Bit-serial inputs go plane by plane, drawn circuits in floats: the lasting noise is that of the fast way."""
    fast = linear(small_chip(Periphery(dac=DAC(bits=8), multiply_adc=IdealADC(), multiply_amplifier=IdealAmplifier())))
    serial = linear(
        small_chip(Periphery(dac=BitSerial(bits=8), multiply_adc=IdealADC(), multiply_amplifier=IdealAmplifier()))
    )
    assert fast.prepared(OperatingPoint.for_card(fast.chip.device)) is not None
    assert serial.prepared(OperatingPoint.for_card(serial.chip.device)) is None
    x = torch.from_numpy(np.random.default_rng(9).normal(size=(1, 40))).float()
    cycles = np.arange(600) * 97
    both = [outputs(layer, x, cycles, "statistical")[:, 0] for layer in (fast, serial)]
    centred = [values - values.mean(axis=0) for values in both]
    alike = (centred[0] * centred[1]).mean() / np.sqrt((centred[0] ** 2).mean() * (centred[1] ** 2).mean())
    assert alike > 0.5
    # The same lasting part, and white parts of equal variance: 600 cycles of many outputs tell them to a few per cent.
    assert float((centred[0] ** 2).mean() / (centred[1] ** 2).mean()) == pytest.approx(1.0, abs=0.1)


def test_without_memory_nothing_changes() -> None:
    chip = small_chip()
    layer = linear(chip, "off")
    point = OperatingPoint.for_card(chip.device)
    x, where = torch.ones(3, 40), torch.arange(3)
    assert torch.equal(layer.multiply(x, point, where), layer.multiply(x, point, where, cycles=where + 5))
    assert layer.remembering(point).decision is None
    layer.memory = "on"
    with pytest.raises(ArgumentError, match="cycles"):
        layer.multiply(x, point, where)
    layer.memory = "sometimes"  # type: ignore[assignment]
    with pytest.raises(ArgumentError, match="'auto', 'on' or 'off'"):
        layer.remembering(point)


def test_auto_goes_by_the_share() -> None:
    """An 8-bit converter drowns what lasts; without converter and amplifier there is nothing else to hear."""
    loud, quiet = linear(small_chip(), "auto"), linear(small_chip(SILENT), "auto")
    point = OperatingPoint.for_card(loud.chip.device)
    drowned, heard = loud.remembering(point).decision, quiet.remembering(point).decision
    assert drowned is not None
    assert heard is not None
    assert drowned.bound
    assert not drowned.used
    assert drowned.share < LEAST_SHARE
    assert loud.remembering(point).memory is None
    assert loud.remembering(point).matrices is loud.matrices(point)
    assert heard.used
    assert 0.3 < heard.share < 0.8
    assert f"{100 * heard.share:.2g} %" in str(heard)
    assert heard.telegraph == pytest.approx(drowned.telegraph, rel=0.02)
    exact = linear(small_chip(), "on").remembering(point).decision
    assert exact is not None
    assert exact.remembered == pytest.approx(heard.remembered, rel=0.02)
    assert exact.share < drowned.share


def test_before_ranges_nobody_can_tell() -> None:
    layer = linear(small_chip(), "auto")
    fresh = replace(layer, has_ranges=False)
    assert fresh.remembering(OperatingPoint.for_card(layer.chip.device)).decision is None


def test_modules_remember_bit_for_bit() -> None:
    torch.manual_seed(0)
    net = torch.nn.Sequential(
        torch.nn.Conv2d(2, 6, 3, padding=1), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.Linear(6 * 16, 5)
    )
    x = torch.from_numpy(np.random.default_rng(1).normal(size=(6, 2, 4, 4))).float()

    def mapped(memory: str, seed: int = 4) -> torch.nn.Module:
        chip = Chip("hzo-mfis-nor", seed=seed, spec=ChipSpec(rows=64, columns=32, tiles=12))
        return map_to_chip(net, chip, x, memory=memory)  # type: ignore[arg-type]

    model = mapped("on")
    whole = model(x)
    model.seek(0)
    parts = torch.cat([model(x[:1]), model(x[1:4]), model(x[4:])])
    assert torch.equal(whole, parts)
    model.seek(2)
    assert torch.equal(model(x[2:3]), whole[2:3])
    state = model.state_dict()
    assert any("memory_deviations" in name for name in state)
    for other in (mapped("off", 5), mapped("on", 5)):
        other.load_state_dict(state)
        other.seek(0)
        assert torch.equal(other(x), whole)
    white = mapped("off")
    assert not torch.equal(white(x), whole)
    fresh = mapped("on", 5)
    fresh.load_state_dict(white.state_dict())
    fresh.seek(0)
    white.seek(0)
    assert torch.equal(fresh(x), white(x))
