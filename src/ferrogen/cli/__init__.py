"""Question: how does a person at a shell use ferrogen?

Enters: command-line arguments with units.
Leaves: files, one-line errors, exit codes (0 done, 2 refused, 130 interrupted).
Not here: anything that a Python user could not do through the public functions.
"""
