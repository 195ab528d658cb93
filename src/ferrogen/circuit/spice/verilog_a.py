"""The Verilog-A module of a card's junction: read current, tangent beyond 600 V0, capacitance of the stack."""

from __future__ import annotations

from ferrogen.circuit.spice.devices import LARGEST_EXPONENT, JunctionConstants, junction_constants
from ferrogen.circuit.spice.netlist import comment, number
from ferrogen.device.card import DeviceCard

_MODULE = """\
`include "constants.vams"
`include "disciplines.vams"

module {name}(top, bottom);
    {ports} top, bottom;
    electrical top, bottom;

    (* desc = "share of the domains that are switched on", units = "1" *)
    parameter real switched_fraction = 0.5 from [0:1];
    (* desc = "conductance at 0 V, all domains on", units = "S" *)
    parameter real on_conductance = {on} from (0:inf);
    (* desc = "conductance at 0 V, all domains off", units = "S" *)
    parameter real off_conductance = {off} from (0:inf);
    (* desc = "voltage of the sinh characteristic", units = "V" *)
    parameter real characteristic_voltage = {v0} from (0:inf);
    (* desc = "capacitance of the stack without switching", units = "F" *)
    parameter real capacitance = {c} from [0:inf);

    real conductance, ratio, bound, current;

    analog begin
        conductance = switched_fraction * on_conductance + (1.0 - switched_fraction) * off_conductance;
        ratio = V(top, bottom) / characteristic_voltage;
        if (abs(ratio) < {limit})
            current = conductance * characteristic_voltage * sinh(ratio);
        else begin
            // the tangent goes on where sinh would overflow
            bound = ratio > 0.0 ? {limit} : -{limit};
            current = conductance * characteristic_voltage * (sinh(bound) + cosh(bound) * (ratio - bound));
        end
        I(top, bottom) <+ current;
        I(top, bottom) <+ ddt(capacitance * V(top, bottom));
    end
endmodule
"""


def verilog_a_module(card: DeviceCard, header: str = "") -> str:
    """Return the Verilog-A source of a card's mean junction.

    I = [s G_on + (1 - s) G_off] V0 sinh(V / V0) + d(C V) / dt (:mod:`ferrogen.device.transport.compact`); the state s
    is a parameter of the instance: reading does not switch it here.

    Args:
        card: whose values are the defaults of the parameters.
        header: comment at the beginning: provenance, assumptions.
    """
    own: JunctionConstants = junction_constants(card)
    source = _MODULE.format(
        name=own.name,
        ports="inout",  # codespell:ignore inout
        on=number(own.on_conductance),
        off=number(own.off_conductance),
        v0=number(own.characteristic_voltage),
        c=number(own.capacitance),
        limit=number(LARGEST_EXPONENT),
    )
    if not header:
        return source
    lines = (line.removeprefix("*").rstrip() for line in comment(header).splitlines())
    return "\n".join([*(f"//{line}" for line in lines), "", source])
