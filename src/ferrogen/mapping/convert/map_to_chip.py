"""Any PyTorch module onto a chip."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from torch import nn

from ferrogen.chip.chip import Chip
from ferrogen.chip.flicker.decision import MemoryChoice
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.repair import Repair
from ferrogen.core.errors import argument_error
from ferrogen.mapping.coding import CodingSpec
from ferrogen.mapping.convert.build import build_layers, group_layers, guard_unreached, tied_layers
from ferrogen.mapping.convert.describe import Record
from ferrogen.mapping.convert.fold import choose_folds, fold, follows_in_graph, norms_of
from ferrogen.mapping.convert.inputs import batches_of
from ferrogen.mapping.convert.latents import LatentSource
from ferrogen.mapping.convert.mapped import MappedModule
from ferrogen.mapping.convert.private import check_module, common_device, private_copy, replace_modules
from ferrogen.mapping.convert.survey import Survey, survey
from ferrogen.mapping.convert.trace import Trace, merged, trace_forward
from ferrogen.mapping.layer import Fidelity
from ferrogen.mapping.modules.analog_layer import AnalogLayer
from ferrogen.mapping.modules.clock import Clock

_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def map_to_chip(
    module: nn.Module,
    chip: Chip,
    inputs: Any = None,
    *,
    point: OperatingPoint | None = None,
    fidelity: Fidelity = "statistical",
    coding: CodingSpec | None = None,
    memory: MemoryChoice = "auto",
    fast: bool = False,
    latent_source: LatentSource | None = None,
    skip: Iterable[str] = (),
    repair: Repair | None = None,
    sampling_tiles: int = 0,
) -> MappedModule:
    """Put a module's layers on a chip; return a module that is called in the same way.

    Linear layers, convolutions and transposed convolutions (1d and 2d, any stride, dilation, padding and groups) and
    the projections of ``nn.MultiheadAttention`` go on tiles. Batch norms (evaluation statistics) become part of the
    layer before them where nobody can tell. Everything else stays digital, and the report lists what multiplies there.
    Layers with tied weights share tiles. The module given is not changed.

    Floats are computed in single precision, on the device of the module; the result is in evaluation mode.

    Args:
        module: any eager module with float weights.
        chip: with enough free tiles. Every call takes more of them.
        inputs: typical inputs: a tensor whose first dimension is the batch, a tuple of the forward's arguments, a dict
            of named ones, or a list of such batches. They set the ranges of converters and show what the module
            multiplies. Without them, call ``.calibrate(inputs)`` before the first forward.
        point: operating point; the card's default, if not given.
        fidelity: ``statistical`` (exact moments), or ``cell`` (every trap followed; slow).
        coding: of weights as conductances; differential pairs, if not given.
        memory: whether noise lasts from image to image, as that of slow traps does. ``auto``: in the layers where that
            is at least 1 % of the conversions' noise; ``on``; ``off``: all noise of products is white (quicker).
        fast: leave out the low digits of the cells' variances: 60 to 80 % of a product's time. Noise is right on
            average, and its variance within 2 % in all but a few outputs in a thousand. For the statistical fidelity.
        latent_source: serves the random numbers that the module's forward draws; None: torch's own generator does.
        skip: names of submodules that stay digital, with all that is below them.
        repair: finds the tiles' faults and programs around them; None: faults are left as they are.
        sampling_tiles: how many of the first tiles also serve the sample mode.

    Raises:
        ArgumentError: a module that cannot be mapped (scripted, quantised, lazy, mapped already, without a supported
            layer, with NaN or infinite weights), or inputs that it does not take; says what to do.
        CapacityError: the chip has too few free tiles; says how many are needed.
        ValidityError: the point lies outside the card's validity.
    """
    if any(isinstance(part, MappedModule | AnalogLayer) for part in _modules(module)):
        raise argument_error("module", "be a float module", "mapped already", "Map the module that it was made from.")
    _check_kinds(chip=chip, point=point, coding=coding, skip=skip, repair=repair, latent_source=latent_source)
    device = common_device(check_module(module))
    at = OperatingPoint.for_card(chip.device) if point is None else point
    at.check(chip.device)
    batches = [] if inputs is None else batches_of(inputs)
    found = survey(private_copy(module), skip)
    if not found.layers:
        raise _nothing_to_map(found)
    norms = {id(part): (name, part) for name, part in norms_of(found.root).items()}
    trace = _trace(found, norms, batches)
    reached = [item for item in found.layers if trace is None or trace.layers[id(item.module)].calls]
    if not reached:
        raise _nothing_to_map(found)
    layers = {id(item.module): item.module for item in reached}
    follows = follows_in_graph(found.root, set(layers), set(norms)) if trace is None else trace.follows
    shapes = {} if trace is None else {key: part.shapes for key, part in trace.layers.items()}
    folds = choose_folds(layers, {key: part for key, (_, part) in norms.items()}, follows, shapes, tied_layers(reached))
    # A layer keeps its identity: only its weights change.
    for norm, layer in folds.items():
        fold(layers[layer], norms[norm][1])
    unreached = tuple(item for item in found.layers if id(item.module) not in layers)
    guard_unreached(unreached)
    clock, coded = Clock(), CodingSpec() if coding is None else coding
    built = build_layers(
        group_layers(reached, chip),
        chip,
        at,
        clock,
        coding=coded,
        fidelity=fidelity,
        repair=repair,
        memory=memory,
        sampling_tiles=sampling_tiles,
    )
    for part in (part for layer in built.analog for part in layer.parts):
        part.fast = fast  # type: ignore[assignment]
    left = {id(part): name for name, part in found.root.named_modules() if isinstance(part, _BATCH_NORMS)}
    replacements = built.replacements | {norm: nn.Identity() for norm in folds}
    record = Record(
        chip=chip,
        point=at,
        coding=coded,
        fidelity=fidelity,
        built=built,
        left=found.left,
        unreached=unreached,
        folded={layer: norms[norm][0] for norm, layer in folds.items()},
        norms=tuple(name for key, name in left.items() if key not in folds),
        trace=trace,
    )
    mapped = MappedModule(replace_modules(found.root, replacements), clock, record, latent_source)
    if batches:
        mapped.calibrate(inputs)
    return mapped.to(device)


def _check_kinds(**given: Any) -> None:
    """Refuse arguments of other types in one line each, before any work is done."""
    kinds: dict[str, tuple[type, str, str]] = {
        "chip": (Chip, "a chip", "Make one: ferrogen.Chip('hzo-mfis-nor', seed=7)."),
        "point": (OperatingPoint, "an operating point", "Make one: ferrogen.OperatingPoint(multiply_voltage=0.1)."),
        "coding": (CodingSpec, "a coding", "Make one: ferrogen.mapping.coding.CodingSpec('bit-sliced', slices=2)."),
        "repair": (Repair, "a way of repair", "Make one: ferrogen.chip.repair.Repair(point)."),
        "latent_source": (
            LatentSource,
            "a source of random numbers",
            "Make one: ferrogen.generation.latent_source.dedicated_source(chip, draws).",
        ),
    }
    for name, (kind, what, remedy) in kinds.items():
        if not isinstance(given[name], kind) and (given[name] is not None or name == "chip"):
            raise argument_error(name, f"be {what}", repr(given[name]), remedy)
    if not isinstance(given["skip"], Iterable):
        raise argument_error("skip", "be a list of names of submodules", repr(given["skip"]))


def _modules(module: object) -> list[nn.Module]:
    return list(module.modules()) if isinstance(module, nn.Module) else []


def _trace(found: Survey, norms: dict[int, Any], batches: list[Any]) -> Trace | None:
    """Run every batch; calls and shapes are of the first, what is reached and what follows what of all."""
    traces = [
        trace_forward(
            found.root,
            [item.module for item in found.layers],
            [part for _, part in norms.values()],
            batch.args,
            batch.kwargs,
            images=batch.images,
        )
        for batch in batches
    ]
    return merged(traces) if traces else None


def _nothing_to_map(found: Survey) -> Exception:
    if found.layers:
        names = ", ".join(repr(item.name) for item in found.layers[:3])
        return argument_error(
            "inputs", "reach at least one layer for tiles", f"such that {names} are never called", "Give other inputs."
        )
    reasons = "; ".join(f"'{item.name}': {item.reason}" for item in found.left[:3])
    return argument_error(
        "module",
        "have a Linear, Conv1d, Conv2d, ConvTranspose1d, ConvTranspose2d or MultiheadAttention layer for the chip",
        "one without" + (f" ({reasons})" if reasons else ""),
    )
