"""Question: which images is a model trained on and judged by, and how do they become equal squares of pixels?

Enters: a folder of IDX files, a folder or zip archive of images, and a description (TOML): side, colours, crop, which
images are held out, licence and terms. All of it untrusted.
Leaves: an :class:`~ferrogen.generation.datasets.image_set.ImageSet`: uint8 training and held-out images, labels, names
of classes, fingerprint, names of what was skipped.
Not here: what networks take (:mod:`ferrogen.generation.pictures`), the training (:mod:`ferrogen.generation.training`).
"""
