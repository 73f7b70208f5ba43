"""The rows about normalization layers, and what each of them must reach."""

from __future__ import annotations

from benchmarks.case import COPY, ONE_THREAD, Case
from benchmarks.goals import faster
from benchmarks.peers import TORCH
from benchmarks.tables import Table

WIDE, WIDE_DOUBLE = Table((100_000, 300), "float32"), Table((100_000, 300))
BATCH, ROW = Table((10_000, 100), "float32"), Table((1, 300), "float32")


def layers() -> list[Case]:
    """Return the layers against PyTorch's on the same threads."""
    return [
        *(
            Case("transform", "LayerNorm", t, against=(TORCH, COPY), threads=threads, goals=goals)
            for t, goals in ((WIDE, (faster(1, TORCH),)), (WIDE_DOUBLE, ()))
            for threads in (1, 2)
        ),
        Case("transform", "GroupNorm", WIDE, (("n_groups", 2),), (TORCH, ONE_THREAD), 2),
        Case("transform", "InstanceNorm", WIDE, (("n_channels", 2),), (TORCH, ONE_THREAD), 2),
        *(
            Case("partial_fit", "BatchNorm", BATCH, against=(TORCH,), threads=threads, goals=(faster(1, TORCH),))
            for threads in (1, 2)
        ),
        Case("transform", "BatchNorm", WIDE, against=(TORCH, COPY), threads=2),
        Case("transform", "LayerNorm", ROW, against=(TORCH,), unit="µs"),
    ]
