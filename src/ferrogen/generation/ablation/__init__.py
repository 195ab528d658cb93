"""What each imperfection of the chip costs in images, one at a time.

Question: which of a chip's imperfections changes its images, alone on an ideal chip and left out of the real one?
Enters: a model, a card, a chip's design, real images' features.
Leaves: a table of differences with intervals, strips of images.
Not here: figures (report), the command (cli), what is broken and repaired (fault_study).
"""
