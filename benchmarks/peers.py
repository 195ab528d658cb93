"""Other programs' products and decoders beside ours, where their packages are installed; others' figures, quoted.

Used by ``analog_products.py`` and ``convolutional_decoder.py``; not a benchmark itself. What runs here, in turns with
everything else of the benchmark: aihwkit-lightning (``pip install aihwkit-lightning``) and aihwkit (``pip install
aihwkit``). aihwkit 1.2.0 has wheels for CPython 3.12 and 3.13 only; for 3.11 there is a source distribution that takes
about 22 minutes to build, so use an interpreter of 3.12 with both to have both in one run. What is not installed is
left out and said to be. CrossSim and NeuroSim are on no registry, MemTorch needs torch 1.10: their figures are quoted
(:data:`QUOTED_PRODUCTS`, :data:`QUOTED_DECODERS`), as ratios that were measured elsewhere on another day.

None of them does the same work. :data:`UNLIKE_OURS` says in which way, row by row, and is printed and written along.
"""

from __future__ import annotations

import contextlib
import importlib
import io
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import torch
from torch import nn

Call = Callable[[], object]
MakeProduct = Callable[[torch.Tensor, torch.Tensor], Call]

STEPS = 2**8 - 2  # of an 8-bit converter with a code for zero in the middle, as these programs count
OUTPUT_BOUND = 10.0  # full scale of an output, in largest inputs times largest weights: a fixed value, not tuned
OUTPUT_NOISE = 0.02  # in the same unit; assumed, the cost does not depend on it
PROGRAMS = ("aihwkit-lightning", "aihwkit")

UNLIKE_OURS = {
    "ferrogen": "Programming errors and read noise of each cell: a conversion's variance is the sum over its own cells,"
    " each with the square of its input; row tiles are converted one by one; noise is addressed, so that results have"
    " the same bits in every batch; input and output ranges are calibrated.",
    "aihwkit-lightning as evaluated": "In evaluation it has no noise at all: output noise is drawn in training only"
    " (2.1.0). Rounding of inputs and outputs, no programming errors, no noise of cells. One weight matrix of floats,"
    " not pairs of cells.",
    "aihwkit-lightning with output noise": "The same in training mode without gradients, its input ranges fixed: one"
    " constant deviation for all outputs of a tile, whatever the inputs and the cells; no programming errors.",
    "aihwkit, compiled tile": "Programming errors (of phase-change memory, drawn once) and read noise of one deviation"
    " for all cells, as noise of the outputs; generator of its own, which no seed of torch's reaches.",
    "aihwkit, torch tile": "Programming errors (drawn once) and constant output noise: it takes no noise of cells.",
    "errors of the peers": "Their output bound is a fixed one, not tuned to the data: a tuned one would"
    " round less coarsely and cost the same.",
    "sub-pixel, zeros inserted": "Rewritten so, transposed convolutions of 4 x 4 taps and stride 2 take 2.25 and 4"
    " times as many products as they have; phases, as on our tiles, take none beyond those.",
}


def installed(program: str) -> str | None:
    """Return the version of a program, or None where it is not installed."""
    try:
        return version(program)
    except PackageNotFoundError:
        return None


def load(module: str) -> Any:
    """Import a module of a peer, without what it prints when it is imported."""
    with contextlib.redirect_stdout(io.StringIO()):
        return importlib.import_module(module)


def without_gradients(call: Callable[[torch.Tensor], object], x: torch.Tensor) -> Call:
    """Return a call that records nothing for gradients."""

    def quiet() -> object:
        with torch.no_grad():
            return call(x)

    return quiet


# -- aihwkit-lightning ------------------------------------------------------------------------------------------------


def lightning_config(tile_rows: int) -> Any:
    """Return 8-bit inputs and outputs, with output noise; ``tile_rows`` below 1: one tile."""
    config = load("aihwkit_lightning.simulator.configs").TorchInferenceRPUConfig()
    config.forward.inp_res = config.forward.out_res = STEPS
    config.forward.out_bound, config.forward.out_noise = OUTPUT_BOUND, OUTPUT_NOISE
    config.mapping.max_input_size = tile_rows
    config.pre_post.input_range.enable = True
    config.pre_post.input_range.init_from_data = 0  # ranges stay as set: in training mode they would follow the inputs
    return config


def set_input_ranges(model: nn.Module, typical: torch.Tensor) -> None:
    """Let every layer's input range be its largest typical input."""

    def widest(layer: Any, inputs: tuple[torch.Tensor, ...]) -> None:
        layer.input_range.data.fill_(float(inputs[0].abs().max()))

    layers = [layer for layer in model.modules() if hasattr(layer, "input_range")]
    hooks = [layer.register_forward_pre_hook(widest) for layer in layers]
    with torch.no_grad():
        model.eval()(typical)
    for hook in hooks:
        hook.remove()


def lightning_product(tile_rows: int, *, noise: bool) -> MakeProduct:
    """Return how to make a product of aihwkit-lightning."""

    def make(weight: torch.Tensor, x: torch.Tensor) -> Call:
        layer = load("aihwkit_lightning.nn").AnalogLinear.from_digital(float_layer(weight), lightning_config(tile_rows))
        set_input_ranges(layer, x)
        return without_gradients(layer.train(noise), x)

    return make


# -- aihwkit ----------------------------------------------------------------------------------------------------------


def aihwkit_config(tile_rows: int, *, compiled: bool) -> Any:
    """Return 8-bit inputs and outputs, programming errors, noise of each read; ``tile_rows`` below 1: one tile."""
    configs = load("aihwkit.simulator.configs")
    enums = load("aihwkit.simulator.parameters.enums")
    config = configs.InferenceRPUConfig() if compiled else configs.TorchInferenceRPUConfig()
    config.forward.inp_res = config.forward.out_res = 1.0 / STEPS
    config.forward.inp_bound, config.forward.out_bound, config.forward.out_noise = 1.0, OUTPUT_BOUND, 0.0
    config.forward.bound_management = enums.BoundManagementType.NONE
    config.forward.noise_management = enums.NoiseManagementType.ABS_MAX
    if compiled:
        config.forward.w_noise = OUTPUT_NOISE
        config.forward.w_noise_type = enums.WeightNoiseType.ADDITIVE_CONSTANT
    else:
        config.forward.out_noise = OUTPUT_NOISE
    config.noise_model = load("aihwkit.inference").PCMLikeNoiseModel(g_max=25.0)
    config.drift_compensation = None
    config.mapping.weight_scaling_omega = 1.0  # the largest weight of a tile is 1 there: else large ones clip outputs
    config.mapping.max_input_size = max(tile_rows, 0)
    config.mapping.max_output_size = max(tile_rows, 0)
    return config


def aihwkit_product(tile_rows: int, *, compiled: bool) -> MakeProduct:
    """Return how to make a product of aihwkit, programmed."""

    def make(weight: torch.Tensor, x: torch.Tensor) -> Call:
        config = aihwkit_config(tile_rows, compiled=compiled)
        layer = load("aihwkit.nn").AnalogLinear.from_digital(float_layer(weight), config)
        layer.eval()
        layer.program_analog_weights()
        return without_gradients(layer, x)

    return make


# -- products ---------------------------------------------------------------------------------------------------------


def float_layer(weight: torch.Tensor) -> nn.Linear:
    """Return the float layer of a weight ``(inputs, outputs)``."""
    layer = nn.Linear(weight.shape[0], weight.shape[1], bias=False)
    layer.weight.data.copy_(weight.T)
    return layer


def products() -> dict[str, MakeProduct]:
    """Return how to make the product of every peer that is installed, by name and tiles."""
    makers: dict[str, MakeProduct] = {}
    lightning, aihwkit = installed("aihwkit-lightning"), installed("aihwkit")
    for tiles, tile_rows in (("one tile", -1), ("128-row tiles", 128), ("512-row tiles", 512)):
        if lightning is not None:
            name = f"aihwkit-lightning {lightning}"
            makers[f"{name} as evaluated: no noise, {tiles}"] = lightning_product(tile_rows, noise=False)
            makers[f"{name} with output noise, {tiles}"] = lightning_product(tile_rows, noise=True)
        if aihwkit is not None:
            makers[f"aihwkit {aihwkit} compiled, {tiles}"] = aihwkit_product(tile_rows, compiled=True)
            makers[f"aihwkit {aihwkit} torch, {tiles}"] = aihwkit_product(tile_rows, compiled=False)
    return makers


def beside(make: MakeProduct, weight: torch.Tensor, x: torch.Tensor) -> Call:
    """Return a peer's product of ``x (batch, inputs)`` and ``weight (inputs, outputs)``, after a look at what it gives.

    A wrong answer is no peer: 25 % leaves room for aihwkit's programming errors, which are of its devices, not of ours.
    """
    call = make(weight, x)
    made, wanted = torch.as_tensor(call()), x @ weight
    off = float((made - wanted).norm() / wanted.norm())
    assert 0.0 < off < 0.25, off
    return call


# -- decoders ---------------------------------------------------------------------------------------------------------


class InsertZeros(nn.Module):
    """Zeros between pixels: what a convolution of stride 1 needs to do as a transposed one of stride 2."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wide = x.new_zeros((*x.shape[:2], 2 * x.shape[2] - 1, 2 * x.shape[3] - 1))
        wide[:, :, ::2, ::2] = x
        return wide


def with_zeros(layer: nn.ConvTranspose2d) -> list[nn.Module]:
    """Rewrite ``ConvTranspose2d(4, stride 2, padding 1)`` as a convolution of an image with zeros inserted."""
    convolution = nn.Conv2d(layer.in_channels, layer.out_channels, 4, padding=2)
    # Contiguous: aihwkit-lightning's convolution views its weight as a matrix.
    convolution.weight.data = layer.weight.detach().transpose(0, 1).flip(2, 3).contiguous()
    assert layer.bias is not None
    assert convolution.bias is not None
    convolution.bias.data = layer.bias.detach().clone()
    return [InsertZeros(), convolution]


def with_subpixels(layer: nn.ConvTranspose2d) -> list[nn.Module]:
    """Rewrite it as a convolution of 3 x 3 taps with four times the channels, and a shuffle of pixels."""
    inputs, outputs = layer.in_channels, layer.out_channels
    impulses = nn.functional.pad(torch.eye(inputs).reshape(inputs, inputs, 1, 1), (1, 1, 1, 1))
    answers = nn.functional.conv_transpose2d(impulses, layer.weight.detach(), stride=2, padding=1)
    taps = answers.reshape(inputs, outputs, 3, 2, 3, 2).flip(2, 4).permute(1, 3, 5, 0, 2, 4)
    convolution = nn.Conv2d(inputs, 4 * outputs, 3, padding=1)
    convolution.weight.data = taps.reshape(4 * outputs, inputs, 3, 3).contiguous()
    assert layer.bias is not None
    assert convolution.bias is not None
    convolution.bias.data = layer.bias.detach().repeat_interleave(4)
    return [convolution, nn.PixelShuffle(2)]


REWRITES: dict[str, Callable[[nn.ConvTranspose2d], list[nn.Module]]] = {
    "as written": lambda layer: [layer],
    "sub-pixel": with_subpixels,
    "zeros inserted": with_zeros,
}


def rewritten(plain: nn.Sequential, form: str) -> nn.Sequential:
    """Return a decoder with its transposed convolutions rewritten."""
    layers: list[nn.Module] = []
    for layer in plain:
        layers += REWRITES[form](layer) if isinstance(layer, nn.ConvTranspose2d) else [layer]
    return nn.Sequential(*layers).eval().requires_grad_(False)


def multiplications(model: nn.Sequential, latents: torch.Tensor) -> dict[str, int]:
    """Return the products of weights and inputs of every layer with weights, by its name."""
    counts: dict[str, int] = {}
    with torch.no_grad():
        for name, layer in model.named_children():
            made = layer(latents)
            if isinstance(layer, nn.Linear | nn.Conv2d | nn.ConvTranspose2d):
                places = latents if isinstance(layer, nn.ConvTranspose2d) else made
                counts[name] = layer.weight.numel() * places.shape[0] * places.shape[2:].numel()
            latents = made
    return counts


@dataclass(frozen=True)
class PeerDecoder:
    """A decoder that a peer converted.

    Attributes:
        call: makes the images.
        analog: its layers that the peer took over, of ``layers``.
        share: of the products that these compute.
    """

    call: Call
    analog: int
    layers: int
    share: float


def converted(program: str, plain: nn.Sequential, form: str, latents: torch.Tensor, variant: str) -> PeerDecoder:
    """Convert a decoder with a peer's own conversion; ``variant`` is one of those of :func:`decoder_variants`.

    Raises:
        Exception: whatever the peer raises in conversion or in its first forward.
    """
    source = rewritten(plain, form)
    counts = multiplications(source, latents)
    assert torch.allclose(source(latents), plain(latents), atol=1e-5)
    if program == "aihwkit-lightning":
        model = load("aihwkit_lightning.nn.conversion").convert_to_analog(source, lightning_config(512))
        set_input_ranges(model, latents)
        model.train(variant == "with output noise")
    else:
        config = aihwkit_config(512, compiled=variant == "compiled")
        model = load("aihwkit.nn.conversion").convert_to_analog(source, config).eval()
        model.program_analog_weights()
    analog = [name for name in counts if type(model.get_submodule(name)).__name__.startswith("Analog")]
    share = sum(counts[name] for name in analog) / sum(counts.values())
    call = without_gradients(model, latents)
    call()
    return PeerDecoder(call, len(analog), len(counts), share)


def decoder_variants() -> list[tuple[str, str]]:
    """Return the programs that are installed, each with its variants."""
    variants = {
        "aihwkit-lightning": ("as evaluated: no noise", "with output noise"),
        "aihwkit": ("compiled", "torch"),
    }
    return [(program, each) for program in PROGRAMS if installed(program) is not None for each in variants[program]]


# -- figures of others, quoted ----------------------------------------------------------------------------------------

QUOTED_FROM = (
    "Measured elsewhere, another day (2026-11-22): a shared machine with two cores of an AMD EPYC, one thread, process"
    " CPU time, each over plain torch in single precision in its own process; 8-bit converters; noise comparable, not"
    " identical. Ratios only: they were not run beside the rows above and differ from run to run by 20 to 40 %."
)


@dataclass(frozen=True)
class QuotedProduct:
    """Ratios to the plain product: 512 x 512 with batches of 64 and 256, 1024 x 1024 with the same."""

    program: str
    ratios: tuple[float | None, float | None, float | None, float | None]
    contains: str


@dataclass(frozen=True)
class QuotedDecoder:
    """Ratio to the plain decoder."""

    program: str
    form: str
    ratio: float | None
    contains: str


QUOTED_PRODUCTS = (
    QuotedProduct(
        "aihwkit 1.2.0, compiled tile, one tile", (4.2, 4.7, 3.3, 3.5), "programming errors, output-referred read noise"
    ),
    QuotedProduct("aihwkit 1.2.0, compiled tile, 512-row tiles", (4.4, 4.8, 5.0, 4.9), "the same"),
    QuotedProduct(
        "aihwkit 1.2.0, torch tile, one tile", (3.0, 2.5, 2.0, 1.5), "programming errors, constant output noise"
    ),
    QuotedProduct("aihwkit 1.2.0, torch tile, 512-row tiles", (3.0, 2.5, 3.2, 2.5), "the same"),
    QuotedProduct("CrossSim 3.2.0, programming errors only", (2.7, 2.5, 2.2, 2.1), "no read noise"),
    QuotedProduct(
        "CrossSim 3.2.0, with read noise", (1904, 3494, 2164, 3948), "every cell's noise, drawn for every vector"
    ),
    QuotedProduct("MemTorch 1.1.6 (torch 1.10), untiled", (3.1, 3.3, None, None), "programming spread, no read noise"),
    QuotedProduct("MemTorch 1.1.6 (torch 1.10), 128-row tiles", (32, 29, None, None), "the same"),
    QuotedProduct(
        "NeuroSim 1.5, 1-bit cells, 1-bit inputs", (903, 386, 727, 620), "64 bit-serial passes, spread and read noise"
    ),
    QuotedProduct("NeuroSim 1.5, 4-bit cells, 8-bit inputs", (34, 14, 37, 19), "2 passes, spread and read noise"),
)

QUOTED_DECODERS = (
    QuotedDecoder("aihwkit 1.2.0, compiled tile", "as written", None, "1 of 5 layers is analog, without a warning"),
    QuotedDecoder("aihwkit 1.2.0, compiled tile", "zeros inserted", 52, "all layers"),
    QuotedDecoder("aihwkit 1.2.0, compiled tile", "sub-pixel", 12, "all layers"),
    QuotedDecoder("aihwkit 1.2.0, torch tile", "zeros inserted", 114, "all layers"),
    QuotedDecoder("aihwkit 1.2.0, torch tile", "sub-pixel", 17, "all layers"),
    QuotedDecoder("CrossSim 3.2.0, no read noise, batch 16", "zeros inserted", 24, "all layers"),
    QuotedDecoder("CrossSim 3.2.0, no read noise, batch 16", "sub-pixel", 5.3, "all layers"),
    QuotedDecoder("CrossSim 3.2.0, with read noise, batch 1", "sub-pixel", 1600, "all layers"),
)


def versions() -> dict[str, str]:
    """Return the versions of the peers, or that they are not installed."""
    return {program: installed(program) or "not installed, left out" for program in PROGRAMS}


def facts(quoted: Iterable[QuotedProduct | QuotedDecoder]) -> dict[str, Any]:
    """Return what goes into a result file besides its rows."""
    return {
        "peers": versions(),
        "unlike_ours": UNLIKE_OURS,
        "quoted": {"from": QUOTED_FROM, "rows": [asdict(each) for each in quoted]},
    }


def print_products() -> None:
    """Print the quoted figures of products, and what is unlike."""
    print("\n| quoted: over the plain product | 512, 64 | 512, 256 | 1024, 64 | 1024, 256 | what is in it |")
    print("|---|---|---|---|---|---|")
    for quoted in QUOTED_PRODUCTS:
        ratios = " | ".join("" if ratio is None else f"{ratio:g}" for ratio in quoted.ratios)
        print(f"| {quoted.program} | {ratios} | {quoted.contains} |")
    print_unlike()


def print_decoders() -> None:
    """Print the quoted figures of decoders, and what is unlike."""
    print("\n| quoted: decoder | written as | over plain torch | what is in it |\n|---|---|---|---|")
    for quoted in QUOTED_DECODERS:
        ratio = "not given" if quoted.ratio is None else f"{quoted.ratio:g}"
        print(f"| {quoted.program} | {quoted.form} | {ratio} | {quoted.contains} |")
    print_unlike()


def print_unlike() -> None:
    """Print where the quoted figures are from, and in which way no row does the work of another."""
    print(f"\n{QUOTED_FROM}\n\nWhat is in a row, and what not:")
    for name, text in UNLIKE_OURS.items():
        print(f"- {name}: {text}")
    for program, found in versions().items():
        print(f"- {program}: {found}")
