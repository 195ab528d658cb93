"""Question: does a device model or card of one's own keep the promises that ferrogen relies on?

Enters: a card, or a device model that somebody else wrote.
Leaves: nothing, or an error that names the broken promise.
Not here: ferrogen's own tests.
"""

from ferrogen.testing.device import check_device

__all__ = ["check_device"]
