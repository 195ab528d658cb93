"""One thread for every library: small products on two spinning threads are many times slower on a busy machine."""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
os.environ.setdefault("MPLBACKEND", "Agg")

from hypothesis import settings  # noqa: E402  (after the environment is set)

# The same examples every time, as with every other seed of the suite; and no deadlines, for machines are shared.
settings.register_profile("ferrogen", derandomize=True, deadline=None)
settings.load_profile("ferrogen")
