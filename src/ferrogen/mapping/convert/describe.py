"""The report of a mapping, from its records."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from torch import Tensor

from ferrogen.chip.chip import Chip
from ferrogen.chip.energy import energy_of, product_latency
from ferrogen.chip.point import OperatingPoint
from ferrogen.chip.usage import Usage
from ferrogen.mapping.coding import CodingSpec
from ferrogen.mapping.convert.build import Built, Group
from ferrogen.mapping.convert.calibration import Clipping, linears_of
from ferrogen.mapping.convert.survey import FoundLayer, LeftDigital
from ferrogen.mapping.convert.trace import LayerTrace, Trace
from ferrogen.mapping.modules.analog_layer import AnalogLayer
from ferrogen.mapping.report import DigitalReport, LayerReport, MappingReport, PlacedBlock


@dataclass(frozen=True, slots=True, eq=False)
class Record:
    """What is known of a mapping.

    Attributes:
        chip: that carries it.
        point: operating point.
        coding: of the weights.
        fidelity: of the products.
        built: layers on tiles.
        left: layers that stay digital, with why.
        unreached: layers that the typical inputs did not reach.
        folded: path of the folded batch norm, by ``id`` of the float layer.
        norms: paths of batch norms that stay digital.
        trace: of the float module; None: no inputs were given.
        clipping: of typical inputs, by ``id`` of the layer on tiles.
    """

    chip: Chip
    point: OperatingPoint
    coding: CodingSpec
    fidelity: str
    built: Built
    left: tuple[LeftDigital, ...]
    unreached: tuple[FoundLayer, ...]
    folded: dict[int, str]
    norms: tuple[str, ...]
    trace: Trace | None
    clipping: dict[int, Clipping] = field(default_factory=dict)

    def with_clipping(self, clipping: dict[int, Clipping]) -> Record:
        """Return the record with other shares of clipped values."""
        return replace(self, clipping=clipping)


def _shape(group: Group) -> tuple[int, ...]:
    weight = group.members[0].module.weight
    return tuple(weight.shape) if isinstance(weight, Tensor) else ()


def _traces(group: Group, trace: Trace | None) -> list[LayerTrace]:
    if trace is None:
        return []
    return [trace.layers[id(item.module)] for item in group.members if id(item.module) in trace.layers]


def _products(layer: AnalogLayer, traces: Sequence[LayerTrace], part: int) -> int:
    """Return how many vectors a part of a layer multiplies in the traced forward."""
    shapes = [shape for trace in traces for shape in trace.shapes]
    geometry = layer.lowering.parts[part]
    return sum(math.prod(layer.lowering.leading(s)) * layer.lowering.positions(geometry, s) for s in shapes)


def _layer_report(record: Record, group: Group, layer: AnalogLayer, total: int) -> LayerReport:
    linears, traces = linears_of(layer), _traces(group, record.trace)
    blocks = [block for linear in linears for row in linear.blocks.blocks for block in row]
    images = 1 if record.trace is None else record.trace.images
    cells = sum(2 * block.rows * block.pairs for block in blocks)
    # Zeros between the groups of a block-diagonal matrix carry nothing.
    each = 1 if record.coding.reference_lines else 2 * record.coding.conversions_per_output
    carrying = each * math.prod(_shape(group))
    ranges = [linear.full_scale for linear in linears]
    calibrated = bool(layer.calibrated)
    macs = sum(trace.macs for trace in traces)
    clipping = record.clipping.get(id(layer))
    return LayerReport(
        name=group.name,
        kind=group.members[0].kind,
        shape=_shape(group),
        shared=group.others,
        folded=record.folded.get(id(group.members[0].module), ""),
        matrices=len(linears),
        tiles=tuple(sorted({block.tile for block in blocks})),
        blocks=len(blocks),
        cells=cells,
        utilisation=carrying / max(cells, 1),
        calls=sum(trace.calls for trace in traces),
        products_per_image=sum(_products(layer, traces, k) for k in range(len(linears))) / images,
        macs_per_image=macs / images,
        share=macs / total if total else 0.0,
        input_range=float(layer.input_scale) if calibrated else None,
        output_ranges=(min(ranges), max(ranges)) if calibrated else None,
        clipped_inputs=None if clipping is None else clipping.inputs,
        clipped_outputs=None if clipping is None else clipping.conversions,
    )


def _digital_reports(record: Record, total: int) -> list[DigitalReport]:
    trace = record.trace
    images = 1 if trace is None else trace.images
    summed: dict[tuple[str, str, str], int] = {}
    reasons = {item.name: item for item in record.left}
    seen: set[str] = set()
    for product in [] if trace is None else trace.digital:
        owner = next(
            (name for name in reasons if name in {"", product.where} or product.where.startswith(f"{name}.")), None
        )
        if owner is not None:
            seen.add(owner)
            what, why = type(reasons[owner].module).__name__, reasons[owner].reason
        elif product.with_weights:
            what, why = product.operator, "weights used by a function: make it a layer to map it"
        else:
            what, why = product.operator, "activations by activations"
        macs = product.macs + summed.get((product.where, what, why), 0)
        summed[product.where, what, why] = macs
    found = [DigitalReport(*name, macs / images, macs / total) for name, macs in summed.items()]
    found.sort(key=lambda item: -item.macs_per_image)
    still = [item for item in record.left if item.name not in seen]
    found += [DigitalReport(item.name, type(item.module).__name__, item.reason, 0.0, 0.0) for item in still]
    why = "never reached by the inputs: refuses to run"
    found += [DigitalReport(layer.name, layer.kind, why, 0.0, 0.0) for layer in record.unreached]
    return found


def _cost(record: Record) -> tuple[float | None, float | None]:
    """Return energy [J] and latency [s] of the chip for an image, from typical inputs."""
    trace = record.trace
    if trace is None or not all(bool(layer.calibrated) for layer in record.built.analog):
        return None, None
    chip, latency = record.chip, 0.0
    kept, chip.usage = chip.usage, Usage()
    try:
        for group, layer in zip(record.built.groups, record.built.analog, strict=True):
            traces = _traces(group, trace)
            for k, linear in enumerate(linears_of(layer)):
                vectors = _products(layer, traces, k)
                linear.count(vectors, 0)  # the use of so many vectors, without multiplying them
                pairs = min(max(linear.blocks.conversions), chip.spec.pairs)
                latency += vectors * product_latency(chip.spec, chip.device, record.point, pairs)
        energy = energy_of(chip.usage, chip.spec, chip.device, record.point).total
    finally:
        chip.usage = kept
    return energy / trace.images, latency / trace.images


def coding_name(coding: CodingSpec) -> str:
    """Return a coding in a few words."""
    digits = f", {coding.slices} x {coding.bits_per_slice} bits" if coding.scheme == "bit-sliced" else ""
    return f"{coding.scheme}{digits}, scale by {coding.scale}"


def describe(record: Record, *, source: bool) -> MappingReport:
    """Make the report.

    Args:
        record: of the mapping.
        source: whether a latent source serves random numbers.
    """
    trace, chip = record.trace, record.chip
    pairs = list(zip(record.built.groups, record.built.analog, strict=True))
    analog = sum(part.macs for group, _ in pairs for part in _traces(group, trace))
    total = analog + sum(item.macs for item in ([] if trace is None else trace.digital))
    blocks = [
        PlacedBlock(group.name, block.tile, block.row, block.rows, 2 * block.pair, 2 * block.pairs)
        for group, layer in pairs
        for linear in linears_of(layer)
        for row in linear.blocks.blocks
        for block in row
    ]
    energy, latency = _cost(record)
    return MappingReport(
        card=chip.device.name,
        seed=chip.seed,
        rows=chip.spec.logical_rows,
        lines=2 * chip.spec.logical_pairs,
        tiles_of_chip=chip.spec.tiles,
        tiles_free=chip.spec.tiles - len(chip.reserved | chip.tiles.keys()),
        coding=coding_name(record.coding),
        fidelity=record.fidelity,
        layers=tuple(_layer_report(record, group, layer, total) for group, layer in pairs),
        digital=tuple(_digital_reports(record, max(total, 1))),
        norms_folded=tuple(sorted(record.folded.values())),
        norms_digital=record.norms,
        drawn=tuple((where, name, count) for (where, name), count in ({} if trace is None else trace.random).items()),
        random_from="source" if source else "torch",
        blocks=tuple(blocks),
        traced=trace is not None,
        energy_per_image=energy,
        latency_per_image=latency,
    )
