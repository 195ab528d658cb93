"""A restricted Boltzmann machine whose Gibbs sampling runs on the chip: products on tiles, bits from telegraph noise.

A unit's activation is a product with the weights plus a bias; the unit's cell is held at the voltage that is linear in
it, and the trap in the cell is occupied with the logistic function of the activation: that is Gibbs sampling. Both
directions need a product; the weights and their transpose are programmed separately (two programmings: the arrays here
are driven on word lines and read on bit lines only).

Without arguments a tiny machine of bars and stripes is trained by the exact gradient and sampled in four ways; its
distribution over all 64 visible states is compared with exact enumeration, and with what as many ideal chains show:

    python examples/boltzmann_machine.py --out boltzmann

With MNIST images (IDX files) a machine of 784 visible and 256 hidden units makes digits from the weights beside this
file, in the same four ways, judged by the Frechet distance in the features of the shipped network. Images are the
visible units' probabilities in the last step, as grey values. --train trains these weights anew:

    python examples/boltzmann_machine.py --full --out boltzmann
    python examples/boltzmann_machine.py --train FOLDER --weights boltzmann.safetensors
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file

from ferrogen.chip.chip import Chip
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.spec import ChipSpec
from ferrogen.core.philox import addressed_normals
from ferrogen.core.streams import Purpose, Streams
from ferrogen.mapping.layer import AnalogLinear, map_matrices
from ferrogen.sampler.bit_kernels import addressed_uniforms
from ferrogen.sampler.bits import BitSampler, BitSpec

Array = NDArray[np.float64]
WEIGHTS = Path(__file__).with_suffix(".safetensors")
CARD = "hzo-mfis-nor"
SETTLE = 1e-2  # [s]: at 1 ms few cells of this card have a trap that settles and is seen


@dataclass(frozen=True)
class Machine:
    """Weights ``(hidden, visible)`` and biases of a restricted Boltzmann machine with units of 0 and 1."""

    weight: Array
    visible_bias: Array
    hidden_bias: Array

    @property
    def hidden(self) -> int:
        return int(self.weight.shape[0])

    @property
    def visible(self) -> int:
        return int(self.weight.shape[1])


def states(units: int) -> Array:
    """Return all states of some units, shape ``(2**units, units)``."""
    return np.array(list(itertools.product([0.0, 1.0], repeat=units)))


def exact_distribution(machine: Machine, inverse_temperature: float = 1.0) -> Array:
    """Return the probability of every visible state, hidden ones summed out."""
    v = states(machine.visible)
    hidden = inverse_temperature * (v @ machine.weight.T + machine.hidden_bias)
    log = inverse_temperature * (v @ machine.visible_bias) + np.logaddexp(0.0, hidden).sum(axis=1)
    weight = np.exp(log - log.max())
    return np.asarray(weight / weight.sum())


def bars_and_stripes() -> Array:
    """Return the 2 x 3 images whose rows or columns are all alike."""
    stripes = {tuple(np.repeat(rows, 3)) for rows in itertools.product([0.0, 1.0], repeat=2)}
    bars = {tuple(np.tile(columns, 2)) for columns in itertools.product([0.0, 1.0], repeat=3)}
    return np.array(sorted(stripes | bars))


def train_exactly(hidden: int = 4, steps: int = 1500, rate: float = 0.3, decay: float = 3e-4) -> Machine:
    """Train on bars and stripes by the exact gradient of the likelihood."""
    data, all_states = bars_and_stripes(), states(6)
    normals = addressed_normals(Streams(0).key(Purpose.BITS, 1), np.arange(hidden), 6)
    weight, b, c = 0.5 * normals.astype(np.float64), np.zeros(6), np.zeros(hidden)
    for _ in range(steps):
        p = exact_distribution(Machine(weight, b, c))

        def moments(v: Array, share: Array, c: Array = c, weight: Array = weight) -> tuple[Array, Array, Array]:
            h = 1.0 / (1.0 + np.exp(-(v @ weight.T + c)))
            return (h * share[:, None]).T @ v, share @ v, share @ h

        up = moments(data, np.full(len(data), 1.0 / len(data)))
        down = moments(all_states, p)
        weight = weight + rate * (up[0] - down[0] - decay * weight)
        b, c = b + rate * (up[1] - down[1]), c + rate * (up[2] - down[2])
    return Machine(weight, b, c)


@dataclass
class Sampling:
    """How a machine is sampled: each of products and bits on the chip or ideal.

    Products and bits are addressed by chain and step: what a chain does does not depend on the others.
    """

    machine: Machine
    seed: int
    layers: tuple[AnalogLinear, AnalogLinear] | None
    bits: BitSampler | None
    point: OperatingPoint
    steps: int
    asked: int = 0  # bits so far

    def activation(self, layer: int, x: NDArray[np.float32], cycles: NDArray[np.int64]) -> Array:
        """Return the activations of the hidden (0) or visible (1) units."""
        if self.layers is None:
            machine = self.machine
            if layer == 0:
                return np.asarray(x @ machine.weight.T.astype(np.float32) + machine.hidden_bias, dtype=np.float64)
            return np.asarray(x @ machine.weight.astype(np.float32) + machine.visible_bias, dtype=np.float64)
        out = self.layers[layer].multiply(torch.from_numpy(x), self.point, torch.from_numpy(cycles))
        return out.double().numpy()

    def draw(self, logits: Array, cycles: NDArray[np.int64], first: int) -> NDArray[np.float32]:
        """Return bits; the machine's units own the sampler's bits from ``first`` on."""
        self.asked += logits.size
        if self.bits is None:
            key = Streams(self.seed).key(Purpose.BITS, 2)
            uniforms = addressed_uniforms(key, cycles, first + logits.shape[1])[:, first:]
            return (uniforms < 0.5 * (1.0 + np.tanh(0.5 * logits))).astype(np.float32)
        whole = np.zeros((logits.shape[0], self.bits.bits))
        whole[:, first : first + logits.shape[1]] = logits
        return self.bits.draw_logits(whole, cycles)[:, first : first + logits.shape[1]].astype(np.float32)

    def run(
        self, chains: int, keep: Callable[[int, NDArray[np.float32], Array], None], inverse_temperature: float = 1.0
    ) -> None:
        """Run chains from fair bits; ``keep`` gets step, visible bits and their logits after every step."""
        numbers = np.arange(chains, dtype=np.int64) * (2 * self.steps + 1)
        h = self.draw(np.zeros((chains, self.machine.hidden)), numbers, self.machine.visible)
        for step in range(self.steps):
            cycles = numbers + 1 + 2 * step
            logits = inverse_temperature * self.activation(1, h, cycles)
            v = self.draw(logits, cycles, 0)
            keep(step, v, logits)
            h = self.draw(inverse_temperature * self.activation(0, v, cycles + 1), cycles + 1, self.machine.visible)


def on_chip(
    machine: Machine, bit_tiles: int, seed: int, steps: int, typical: NDArray[np.float32]
) -> tuple[Sampling, BitSampler]:
    """Put a machine's weights, their transpose and its bits on a chip.

    ``typical`` visible states set the ranges of the converters.
    """
    chip = Chip(CARD, seed=seed, spec=ChipSpec(tiles=bit_tiles + 64))
    for number in chip.reserve(bit_tiles):
        chip.program(number, np.full((chip.spec.rows, chip.spec.columns), chip.window.high), samples=True)
    point = OperatingPoint.for_card(chip.device, sampling_time=SETTLE)
    up, down = map_matrices(
        chip, [machine.weight, np.ascontiguousarray(machine.weight.T)], [machine.hidden_bias, machine.visible_bias]
    )
    v = torch.from_numpy(typical)
    up.calibrate(v, point)
    probabilities = torch.sigmoid(v @ torch.from_numpy(machine.weight.T.astype(np.float32)) + up.bias)
    uniforms = addressed_uniforms(Streams(seed).key(Purpose.BITS, 3), np.arange(len(typical)), machine.hidden)
    down.calibrate((torch.from_numpy(uniforms) < probabilities).float(), point)
    bits = BitSampler(chip, point, machine.visible + machine.hidden, BitSpec(), tiles=list(range(bit_tiles)))
    return Sampling(machine, seed, (up, down), bits, point, steps), bits


def four_ways(chip: Sampling) -> dict[str, Sampling]:
    """Return the four ways to sample, by name."""
    m, s, p, n = chip.machine, chip.seed, chip.point, chip.steps
    return {
        "ideal bits and products": Sampling(m, s, None, None, p, n),
        "chip bits only": Sampling(m, s, None, chip.bits, p, n),
        "chip products only": Sampling(m, s, chip.layers, None, p, n),
        "both": chip,
    }


def visible_shares(sampling: Sampling, chains: int, burn: int, every: int, inverse_temperature: float = 1.0) -> Array:
    """Return how often each visible state was seen in each chain, shape ``(chains, 2**visible)``."""
    place = 2 ** np.arange(sampling.machine.visible)[::-1]
    counts = np.zeros((chains, 2**sampling.machine.visible))

    def keep(step: int, v: NDArray[np.float32], _logits: Array) -> None:
        if step >= burn and (step - burn) % every == 0:
            np.add.at(counts, (np.arange(chains), v.astype(np.int64) @ place), 1.0)

    sampling.run(chains, keep, inverse_temperature)
    return counts


def distance(shares: Array, exact: Array) -> float:
    """Return the total variation distance of two distributions."""
    return float(0.5 * np.abs(shares - exact).sum())


def tiny(out: Path | None, seed: int, chains: int) -> dict[str, Any]:
    """Compare the tiny machine's states with exact enumeration; print, draw and return the results."""
    machine = train_exactly()
    data, exact = bars_and_stripes(), exact_distribution(machine)
    chip, bits = on_chip(machine, 2, seed, 60, np.tile(states(6), (8, 1)).astype(np.float32))
    place = 2 ** np.arange(6)[::-1]
    rows: dict[str, Any] = {}
    print(f"Tiny machine: {exact[data.astype(int) @ place].sum():.3f} of the exact probability is bars and stripes.\n")
    print("| products and bits | total variation to exact, with interval | KL to exact [nats] | bars and stripes |")
    print("|---|---|---|---|")
    generator = Streams(seed).generator(Purpose.BOOTSTRAP, 0)
    ways = four_ways(chip)
    for name, sampling in ways.items():
        counts = visible_shares(sampling, chains, burn=20, every=2)
        share = counts.sum(axis=0) / counts.sum()
        value = distance(share, exact)
        again = []
        for _ in range(200):  # whole chains are drawn again: steps of a chain depend on each other
            drawn = counts[generator.integers(0, chains, chains)].sum(axis=0)
            again.append(distance(drawn / drawn.sum(), exact))
        spread = np.quantile(again, [0.025, 0.975]) - np.mean(again)
        smooth = (counts.sum(axis=0) + 0.5) / (counts.sum() + 0.5 * counts.shape[1])
        rows[name] = {
            "total_variation": value,
            "low": max(0.0, value + float(spread[0])),
            "high": value + float(spread[1]),
            "kl": float((smooth * np.log(smooth / exact)).sum()),
            "bars_and_stripes": float(share[data.astype(int) @ place].sum()),
            "states": int(counts.sum()),
            "chains": chains,
        }
        row = rows[name]
        print(
            f"| {name} | {value:.4f} [{row['low']:.4f}, {row['high']:.4f}] | {row['kl']:.4f}"
            f" | {row['bars_and_stripes']:.3f} |"
        )
    rows["out_of_reach"] = bits.out_of_reach / sum(way.asked for way in ways.values() if way.bits is not None)
    rows["bits_per_second_of_a_cell"] = 1.0 / bits.bit_time
    low, high = bits.reach
    print(f"\nOf the bits asked of cells, {rows['out_of_reach']:.1%} had a probability beyond what the voltages reach")
    print(
        f"(from {low.max():.4f} up to {high.min():.3f}); a cell gives {rows['bits_per_second_of_a_cell']:.0f} bits/s."
    )
    rows["temperature"] = temperature(chip, chains // 4)
    if out is not None:
        draw_tiny(bits, rows["temperature"], out)
    return rows


def temperature(chip: Sampling, chains: int) -> list[dict[str, float]]:
    """Sample at several temperatures, set by nothing but the volts per unit of activation."""
    machine, v = chip.machine, states(chip.machine.visible)

    def free_energy(p: Array) -> float:
        hidden = v @ machine.weight.T + machine.hidden_bias
        return float(-p @ (v @ machine.visible_bias + np.logaddexp(0.0, hidden).sum(axis=1)))

    rows = []
    for beta in (0.25, 0.5, 0.75, 1.0, 1.5, 2.0):
        counts = visible_shares(chip, chains, burn=20, every=2, inverse_temperature=beta).sum(axis=0)
        exact = exact_distribution(machine, beta)
        rows.append(
            {
                "inverse_temperature": beta,
                "mean_free_energy": free_energy(counts / counts.sum()),
                "exact_mean_free_energy": free_energy(exact),
                "total_variation": distance(counts / counts.sum(), exact),
            }
        )
    return rows


def draw_tiny(bits: BitSampler, rows: list[dict[str, float]], out: Path) -> None:
    """Draw probability against voltage for a few cells, and energy against temperature; numbers lie beside it."""
    from ferrogen.report.style import new_figure, save_figure, styled

    volts, reads = np.linspace(0.3, 1.5, 25), 400
    followed = BitSampler(
        bits.chip, bits.point, bits.bits, bits.spec, tiles=bits.tiles, calibration=bits.in_use, fidelity="cell"
    )
    z = (volts[:, None] - bits.in_use.half) / bits.in_use.width
    cycles = np.arange(reads)
    seen = {
        name: np.stack([which.draw_logits(np.tile(row, (reads, 1)), cycles).mean(axis=0) for row in z])
        for name, which in (("statistical", bits), ("cell", followed))
    }
    law, chosen = bits.probability(volts[:, None]), range(0, bits.bits, max(1, bits.bits // 4))
    with styled():
        figure = new_figure(12.0, 3.8)
        raw, calibrated, energy = figure.subplots(1, 3)
        for k, bit in enumerate(chosen):
            for axes, x in ((raw, volts), (calibrated, z[:, bit])):
                axes.plot(x, law[:, bit], color=f"C{k}", lw=1)
                axes.plot(x, seen["statistical"][:, bit], "o", color=f"C{k}", ms=4, mfc="none")
                axes.plot(x, seen["cell"][:, bit], "x", color=f"C{k}", ms=4)
        raw.set(xlabel="voltage [V]", ylabel="probability of 1", title="raw: every cell its own curve")
        x = np.linspace(-8, 8, 200)
        calibrated.plot(x, 1.0 / (1.0 + np.exp(-x)), color="black", lw=2, alpha=0.3)
        calibrated.set(xlabel="(V - half) / width, calibrated", xlim=(-8, 8), title="o statistical, x cell, line: law")
        beta = [row["inverse_temperature"] for row in rows]
        energy.plot(beta, [row["exact_mean_free_energy"] for row in rows], color="black", lw=1, label="exact")
        energy.plot(beta, [row["mean_free_energy"] for row in rows], "o", label="chip")
        energy.set(xlabel="inverse temperature", ylabel="mean free energy", title="temperature by volts an activation")
        energy.legend()
        save_figure(figure, out / "telegraph_bits.png")
    table = {"voltage": volts.tolist(), "law": law[:, list(chosen)].tolist()}
    table |= {name: values[:, list(chosen)].tolist() for name, values in seen.items()}
    (out / "telegraph_bits.json").write_text(json.dumps(table | {"reads": reads}, indent=1) + "\n")


def digits(out: Path | None, seed: int, count: int, steps: int, weights: Path, bit_tiles: int) -> dict[str, Any]:
    """Make digits in four ways; print the table, write grids and return the results."""
    from ferrogen.metrics.features import load_feature_network
    from ferrogen.metrics.frechet import frechet_distance
    from ferrogen.metrics.reference import load_reference_moments
    from ferrogen.report.grids import image_grid, save_png

    tensors = {name: value.double().numpy() for name, value in load_file(weights).items()}
    machine = Machine(tensors["weight"], tensors["visible_bias"], tensors["hidden_bias"])
    ideal = Sampling(machine, seed + 1, None, None, OperatingPoint(), 100)
    kept: dict[str, NDArray[np.float32]] = {}
    ideal.run(256, lambda _step, v, _logits: kept.update(v=v))
    chip, bits = on_chip(machine, bit_tiles, seed, steps, kept["v"])
    network, reference, rows = load_feature_network("mnist"), load_reference_moments("mnist"), dict[str, Any]()
    print("\n| products and bits | Frechet distance to MNIST test images, with interval | n | Gibbs steps |")
    print("|---|---|---|---|")
    ways = four_ways(chip)
    for name, sampling in ways.items():
        last: dict[str, Array] = {}
        begin = time.process_time()
        sampling.run(count, lambda _step, _v, logits, last=last: last.update(logits=logits))  # type: ignore[misc]
        images = (0.5 * (1.0 + np.tanh(0.5 * last["logits"]))).reshape(-1, 28, 28).astype(np.float32)
        score = frechet_distance(network.extract(images).features, reference, seed=seed)
        rows[name] = score.to_dict() | {"steps": steps, "process_seconds": time.process_time() - begin}
        print(f"| {name} | {score.value:.2f} [{score.low:.2f}, {score.high:.2f}] | {score.n} | {steps} |", flush=True)
        if out is not None:
            save_png(out / f"digits-{name.replace(' ', '-')}.png", image_grid(images[:64]))
    low, high = bits.reach
    rows["out_of_reach"] = bits.out_of_reach / sum(way.asked for way in ways.values() if way.bits is not None)
    rows["reach"] = {"low": np.quantile(low, [0.5, 1.0]).tolist(), "high": np.quantile(high, [0.0, 0.5]).tolist()}
    rows["chip_seconds_per_image"] = (2 * steps + 1) * bits.bit_time
    print(f"\n{rows['out_of_reach']:.1%} of the bits asked of cells were beyond the voltages' reach.")
    print(f"A chain of {steps} steps takes {rows['chip_seconds_per_image']:.1f} s of the chip.")
    return rows


def train(folder: Path, weights: Path, epochs: int, stop: int) -> None:
    """Train on MNIST by persistent contrastive divergence (T. Tieleman, ICML 2008, doi:10.1145/1390156.1390290).

    The rate falls to nothing over ``epochs``; training ends after ``stop`` of them.
    """
    from ferrogen.generation.datasets.idx import load_idx_folder

    x = torch.from_numpy(load_idx_folder(folder).train_images.reshape(-1, 784).astype(np.float32) / 255)
    g, hidden, batch, count = torch.Generator().manual_seed(0), 256, 100, 500
    weight = 0.01 * torch.randn((hidden, 784), generator=g)
    mean = x.mean(0).clamp(0.01, 0.99)
    b, c = torch.log(mean / (1 - mean)), torch.full((hidden,), -1.0)
    chains = (torch.rand((count, hidden), generator=g) < 0.3).float()
    steps, step = epochs * (x.shape[0] // batch), 0
    for epoch in range(min(stop, epochs)):
        order = torch.randperm(x.shape[0], generator=g)
        for i in range(0, x.shape[0] - batch + 1, batch):
            rate = 0.05 * (1 - step / steps) if step > 600 else 0.02
            pixels = x[order[i : i + batch]]
            v = (torch.rand(pixels.shape, generator=g) < pixels).float()
            up = torch.sigmoid(v @ weight.T + c)
            p = torch.sigmoid(chains @ weight + b)
            dream = (torch.rand(p.shape, generator=g) < p).float()
            down = torch.sigmoid(dream @ weight.T + c)
            chains = (torch.rand(down.shape, generator=g) < down).float()
            weight += rate * (up.T @ v / batch - down.T @ dream / count - 2e-4 * weight)
            b += rate * (v.mean(0) - dream.mean(0))
            c += rate * (up.mean(0) - down.mean(0))
            step += 1
        error = (v - torch.sigmoid(up @ weight + b)).square().sum(1).mean()
        print(f"epoch {epoch + 1} of {epochs}: squared error of reconstructions {error:.2f}", flush=True)
    save_file({"weight": weight, "visible_bias": b, "hidden_bias": c}, weights)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, help="folder for figures and numbers")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--chains", type=int, default=4000, help="of the tiny machine")
    parser.add_argument("--full", action="store_true", help="also make digits")
    parser.add_argument("--count", type=int, default=400, help="digits of each kind")
    parser.add_argument("--steps", type=int, default=500, help="Gibbs steps of a digit")
    parser.add_argument("--bit-tiles", type=int, default=24, help="tiles whose cells may serve as bits of digits")
    parser.add_argument("--weights", type=Path, default=WEIGHTS)
    parser.add_argument(
        "--train", type=Path, metavar="FOLDER", help="train weights on the IDX files of MNIST, and stop"
    )
    parser.add_argument("--epochs", type=int, default=30, help="over which the rate of training falls to nothing")
    parser.add_argument("--stop", type=int, default=26, help="epoch after which training ends")
    options = parser.parse_args()
    torch.set_num_threads(1)
    if options.train is not None:
        train(options.train, options.weights, options.epochs, options.stop)
        return
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
    results = {"tiny": tiny(options.out, options.seed, options.chains)}
    if options.full:
        results["digits"] = digits(
            options.out, options.seed, options.count, options.steps, options.weights, options.bit_tiles
        )
    if options.out is not None:
        (options.out / "boltzmann_machine.json").write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
