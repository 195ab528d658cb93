"""What one latent and one product of a 128 x 128 tile cost in energy and time, block by block, and with other blocks.

Every constant behind the numbers is assumed or from the literature, and says so where it is defined
(docs/explanation/periphery.md lists them).
"""

from dataclasses import replace

import numpy as np
import torch

from ferrogen.chip.chip import Chip
from ferrogen.chip.energy import EnergyReport, energy_of, product_latency
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.circuit.amplifier import Amplifier
from ferrogen.circuit.converters import ADC
from ferrogen.circuit.periphery import Periphery
from ferrogen.circuit.readout.flash import FlashADC
from ferrogen.circuit.readout.input_encoding import BitSerial, PulseWidth
from ferrogen.circuit.readout.integrator import CapacitiveIntegrator
from ferrogen.circuit.readout.multiplexer import Multiplexer
from ferrogen.circuit.readout.sample_hold import SampleHold
from ferrogen.circuit.readout.sar import SarADC
from ferrogen.core.units import format_quantity
from ferrogen.device.card import load_card

CARD = load_card("hzo-mfis-nor")
POINT = OperatingPoint.for_card(CARD)
CYCLES, BATCH, PAIRS_PER_LATENT = 64, 64, 2
GENERATOR = np.random.default_rng(1)
SHARES = GENERATOR.uniform(0.0, 1.0, (128, 128))
INPUTS = torch.from_numpy(GENERATOR.uniform(-1.0, 1.0, (BATCH, 128)).astype(np.float32))


def short(value: float, unit: str, digits: int) -> str:
    """Return a quantity with so many digits."""
    return format_quantity(float(f"{value:.{digits}g}"), unit)


def tile(periphery: Periphery) -> Chip:
    """Return a chip with one tile of uniform conductances that samples and multiplies."""
    chip = Chip(CARD, seed=1, spec=ChipSpec(tiles=1, periphery=periphery))
    chip.program(0, chip.window.low + chip.window.span * SHARES, samples=True)
    return chip


def of_products(chip: Chip) -> tuple[EnergyReport, float]:
    """Return what a batch of products cost, and their rms error over the rms of the ideal products."""
    matrices = chip.product_matrices([[0]], POINT, chip.spec.pairs)
    target = chip.tile(0).state.target
    ideal = INPUTS.numpy() @ (target[:, 0::2] - target[:, 1::2]) * matrices.drive
    full_scale = 1.05 * float(np.abs(ideal).max())
    if chip.spec.periphery.dac.cycles > 1:  # a plane may carry more than the whole
        full_scale *= 1.5
    before = replace(chip.usage)
    got = chip.multiply(INPUTS, POINT, full_scale=full_scale).numpy()
    report = energy_of(chip.usage.since(before), chip.spec, CARD, POINT)
    return report, float(np.sqrt(np.mean((got - ideal) ** 2) / np.mean(ideal**2)))


chip = tile(Periphery())
before = replace(chip.usage)
chip.sample(POINT, range(CYCLES), pairs_per_reading=PAIRS_PER_LATENT, full_scale=1e-6)
sampled = energy_of(chip.usage.since(before), chip.spec, CARD, POINT)
latents = CYCLES * chip.spec.pairs // PAIRS_PER_LATENT
multiplied, _ = of_products(chip)

print(f"{CARD.name}, {POINT.sample_voltage} V and {POINT.multiply_voltage} V, uniform conductances and inputs\n")
print("| component | one latent (of 512 cells) | one product (128 x 64) |\n|---|---|---|")
for name, latent in sampled.by_component.items():
    product = multiplied.by_component[name]
    if latent or product:
        shown = [short(value, "J", 3) if value else "-" for value in (latent / latents, product / BATCH)]
        print(f"| {name} | {shown[0]} | {shown[1]} |")
totals = short(sampled.total / latents, "J", 3), short(multiplied.total / BATCH, "J", 3)
print(f"| **all** | **{totals[0]}** | **{totals[1]}** |")
times = short(sampled.sample_latency, "s", 4), short(multiplied.product_latency, "s", 4)
print(f"| latency | {times[0]} (32 at a time) | {times[1]} |")
pulses = chip.usage.pulses / chip.usage.programmed_cells
print(
    f"\nProgramming took {pulses:.2f} pulses a cell. One cycle (two windows and rest): {sampled.cycle_time * 1e3:g} ms."
)

matrices = chip.product_matrices([[0]], POINT, chip.spec.pairs)
typical = INPUTS.abs().mean(dim=0).expand(1, 1, -1)
print("\n| noise of one window | 5 nV/rtHz | 50 nV/rtHz |\n|---|---|---|")
for name, gained in (("as by default", False), ("with the noise that drives the cells", True)):
    amplifiers = [Amplifier(feedback_resistance=1e7, voltage_noise=e, noise_gain=gained) for e in (5e-9, 5e-8)]
    circuits = [replace(Periphery(), multiply_amplifier=amplifier) for amplifier in amplifiers]
    rms = [float(matrices.electronic_noise(circuit, POINT, typical).mean()) for circuit in circuits]
    print(f"| {name} | {short(rms[0], 'A', 3)} | {short(rms[1], 'A', 3)} |")

relaxed = Amplifier(feedback_resistance=1e7, voltage_noise=5e-8, noise_gain=True)
auto_zeroed = replace(relaxed, bandwidth=1e6, offset_voltage=5e-6, swing=1.0)
real = replace(
    Periphery(),
    multiply_amplifier=auto_zeroed,
    integrator=CapacitiveIntegrator(),
    sample_hold=SampleHold(),
    multiply_adc=SarADC(8),
)
variants = {
    "default": Periphery(),
    "amplifier of 50 nV/rtHz": replace(Periphery(), multiply_amplifier=relaxed),
    "pulse width, 8 bits": replace(Periphery(), dac=PulseWidth(8, jitter=1e-3)),
    "bit-serial, 8 bits": replace(Periphery(), dac=BitSerial(8)),
    "SAR, 8 bits, 1 % units": replace(Periphery(), multiply_adc=SarADC(8)),
    "flash, 6 bits": replace(Periphery(), multiply_adc=FlashADC(6)),
    "perfect, 6 bits": replace(Periphery(), multiply_adc=ADC(6)),
    "one converter a pair": replace(Periphery(), multiplexer=Multiplexer(1)),
    "everything real": replace(real, multiply_amplifier=replace(auto_zeroed, offset_voltage=2e-4)),
    "everything real, auto-zeroed": real,
    "everything ideal": Periphery.ideal(),
}
print("\n| periphery | energy of a product | without amplifiers | latency | rms error |\n|---|---|---|---|---|")
for name, periphery in variants.items():
    other = tile(periphery)
    report, error = of_products(other)
    rest = report.total - report.by_component["amplifiers, multiplying"]
    energies = [short(value / BATCH, "J", 3) for value in (report.total, rest)]
    latency = short(product_latency(other.spec, CARD, POINT), "s", 4)
    print(f"| {name} | {energies[0]} | {energies[1]} | {latency} | {100 * error:.2f} % |")
