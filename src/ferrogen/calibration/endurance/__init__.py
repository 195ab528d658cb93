"""Question: how does cycling change a junction, and when does it end?

Enters: polarisation or window over cycles, at temperatures; or times (cycles) of breakdown, some of them censored.
Leaves: wake-up and fatigue with errors, or limits where the data end before; Weibull shape and scale; lifetimes.
Not here: the laws and the likelihood of lifetimes (:mod:`ferrogen.device.reliability`).
"""
