"""Question: what does one kind of junction do, page by page?

Enters: one or two device cards, measured tables; the rooms of the device do the physics.
Leaves: pages of panels with the numbers behind them, key figures with unit and meaning, what was assumed.
Not here: physics, fitting; anything that is drawn without its numbers being written beside it.
"""
