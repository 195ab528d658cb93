"""The memory that the engine keeps between calls serves every mode of torch and every thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch

from ferrogen.chip.engine.prepared import prepare_currents
from ferrogen.chip.engine.product import product


def _result(codes: torch.Tensor, addresses: torch.Tensor) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    prepared = prepare_currents(
        torch.randn(2, 24, 20, generator=generator) * 1e-9,
        torch.rand(2, 24, 20, generator=generator) * 1e-22,
        torch.full((2, 20), 1e-12),
        3e-9,
        np.uint64(5),
        input_levels=127,
        output_levels=127,
    )
    return product(codes, prepared, addresses)[0].clone()


def _inputs(vectors: int) -> tuple[torch.Tensor, torch.Tensor]:
    codes = torch.randint(-127, 128, (vectors, 48), generator=torch.Generator().manual_seed(1)).to(torch.int8)
    return codes, torch.arange(vectors)


def test_inference_mode_leaves_nothing_behind_that_cannot_be_written_to() -> None:
    def both_ways() -> None:
        with torch.inference_mode():
            first = _result(*_inputs(900))
        assert torch.equal(_result(*_inputs(900)), first)
        with torch.inference_mode():
            assert torch.equal(_result(*_inputs(900)), first)

    with ThreadPoolExecutor(1) as pool:  # a thread that has no memory yet
        pool.submit(both_ways).result()


def test_threads_do_not_share_memory() -> None:
    wanted = {vectors: _result(*_inputs(vectors)) for vectors in (70, 300, 1100)}
    with ThreadPoolExecutor(4) as pool:
        jobs = [(vectors, pool.submit(_result, *_inputs(vectors))) for _ in range(8) for vectors in wanted]
        for vectors, job in jobs:
            assert torch.equal(job.result(), wanted[vectors])
