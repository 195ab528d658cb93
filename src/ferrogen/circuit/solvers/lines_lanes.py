"""Eight double-precision numbers that numba kernels handle as one value: a vector register, on any processor.

numba's own loop vectoriser gives up on recurrences (a line's elimination) whose inner loop runs over eight lanes, and
leaves the carried value in memory. These few operations fix the shape instead: LLVM turns one such value into one
register of 512 bits, two of 256 or four of 128. Multiplications and additions may be fused, nothing else is reordered.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic, models, register_model

LANES = 8

_DOUBLES = ir.VectorType(ir.DoubleType(), LANES)
_INDEX = ir.IntType(32)
_FUSE = ("contract",)


class _LanesType(types.Type):
    def __init__(self) -> None:
        super().__init__(name="ferrogen_lanes")


@register_model(_LanesType)
class _LanesModel(models.PrimitiveModel):
    def __init__(self, manager: Any, frontend: Any) -> None:
        super().__init__(manager, frontend, _DOUBLES)  # type: ignore[no-untyped-call]


_LANES = _LanesType()


def _address(context: Any, builder: Any, array_type: Any, array: Any, index: Any) -> Any:
    data = context.make_array(array_type)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [index]), _DOUBLES.as_pointer())


def _load(_typing: Any, array: Any, _index: Any) -> Any:
    """Return the eight numbers of a flat float64 array from an index on; no bounds are checked."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        return builder.load(_address(context, builder, signature.args[0], *values), align=8)

    return _LANES(array, types.intp), code


def _store(_typing: Any, array: Any, _index: Any, lanes: Any) -> Any:
    """Write eight numbers into a flat float64 array from an index on; no bounds are checked."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        builder.store(values[2], _address(context, builder, signature.args[0], *values[:2]), align=8)
        return context.get_dummy_value()

    return types.void(array, types.intp, lanes), code


def _shuffle(builder: Any, first: Any, second: Any, order: list[int]) -> Any:
    return builder.shuffle_vector(first, second, ir.Constant(ir.VectorType(_INDEX, LANES), order))


def _splat(_typing: Any, _number: Any) -> Any:
    """Return eight times the same number."""

    def code(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        undefined = ir.Constant(_DOUBLES, ir.Undefined)
        return _shuffle(builder, builder.insert_element(undefined, values[0], _INDEX(0)), undefined, [0] * LANES)

    return _LANES(types.float64), code


def _add(_typing: Any, first: Any, second: Any) -> Any:
    """Return the sum."""
    return _LANES(first, second), lambda _c, builder, _s, v: builder.fadd(v[0], v[1], flags=_FUSE)


def _subtract(_typing: Any, first: Any, second: Any) -> Any:
    """Return the difference."""
    return _LANES(first, second), lambda _c, builder, _s, v: builder.fsub(v[0], v[1], flags=_FUSE)


def _multiply(_typing: Any, first: Any, second: Any) -> Any:
    """Return the product."""
    return _LANES(first, second), lambda _c, builder, _s, v: builder.fmul(v[0], v[1], flags=_FUSE)


def _multiply_add(_typing: Any, first: Any, second: Any, third: Any) -> Any:
    """Return ``first * second + third``, fused where the processor can."""

    def code(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        product = builder.fmul(values[0], values[1], flags=_FUSE)
        return builder.fadd(product, values[2], flags=_FUSE)

    return _LANES(first, second, third), code


def _inverse(_typing: Any, lanes: Any) -> Any:
    """Return 1 over each number, and 0 for 0."""

    def code(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        zero, one = (ir.Constant(_DOUBLES, [number] * LANES) for number in (0.0, 1.0))
        vanishes = builder.fcmp_ordered("==", values[0], zero)
        return builder.select(vanishes, zero, builder.fdiv(one, builder.select(vanishes, one, values[0])))

    return _LANES(lanes), code


def _larger_magnitude(_typing: Any, first: Any, second: Any) -> Any:
    """Return the larger of ``first`` (not negative) and the magnitude of ``second``."""

    def code(_context: Any, builder: Any, _signature: Any, values: Any) -> Any:
        kind = ir.FunctionType(_DOUBLES, [_DOUBLES])
        fabs = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fabs.v{LANES}f64")  # type: ignore[no-untyped-call]
        magnitude = builder.call(fabs, [values[1]])
        return builder.select(builder.fcmp_ordered(">", magnitude, values[0]), magnitude, values[0])

    return _LANES(first, second), code


def _transpose(_typing: Any, source: Any, _begin: Any, _stride: Any, target: Any, _place: Any, _step: Any) -> Any:
    """Copy a tile of 8 x 8, transposed: ``target[place + j step + i] = source[begin + i stride + j]``."""

    def code(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        source, begin, stride, target, place, step = values
        count = context.get_value_type(types.intp)
        lanes = []
        for row in range(LANES):
            at = builder.add(begin, builder.mul(stride, count(row)))
            lanes.append(builder.load(_address(context, builder, signature.args[0], source, at), align=8))
        # Three rounds of exchanging halves, quarters and eighths of pairs of rows.
        for span in (4, 2, 1):
            low = [i + (LANES if i & span else 0) - (span if i & span else 0) for i in range(LANES)]
            high = [i + span if not i & span else i + LANES for i in range(LANES)]
            for row in range(LANES):
                if not row & span:
                    one, other = lanes[row], lanes[row + span]
                    lanes[row] = _shuffle(builder, one, other, low)
                    lanes[row + span] = _shuffle(builder, one, other, high)
        for row in range(LANES):
            at = builder.add(place, builder.mul(step, count(row)))
            builder.store(lanes[row], _address(context, builder, signature.args[3], target, at), align=8)
        return context.get_dummy_value()

    number = types.intp
    return types.void(source, number, number, target, number, number), code


# What kernels call; declared as Any because mypy would check the calls against the signatures above.
load: Any = intrinsic(_load)
store: Any = intrinsic(_store)
splat: Any = intrinsic(_splat)
add: Any = intrinsic(_add)
subtract: Any = intrinsic(_subtract)
multiply: Any = intrinsic(_multiply)
multiply_add: Any = intrinsic(_multiply_add)
inverse: Any = intrinsic(_inverse)
larger_magnitude: Any = intrinsic(_larger_magnitude)
transpose: Any = intrinsic(_transpose)
