"""Question: what do all rooms share?

Enters: numbers with units, seeds, paths.
Leaves: SI floats, addressed random streams, typed errors, atomically written files, literature references.
Not here: anything that knows what a junction is.
"""
