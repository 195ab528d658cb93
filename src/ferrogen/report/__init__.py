"""Question: what does a result look like on paper?

Enters: numbers with units from the rooms below, a device card, a path.
Leaves: figures (PNG), the numbers behind each (CSV, JSON), image grids.
Not here: deciding what to simulate; any result that exists only as a picture.
"""
