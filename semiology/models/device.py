"""Whether to compute in bfloat16: said by the user, or chosen by what this processor or GPU does faster."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache

import torch

from semiology.errors import UserError
from semiology.models.features.snippets import fit_precision

PRECISIONS = ("auto", "32-true", "bf16-mixed")
CLEARLY = 1.5  # times as fast; our choice: less is not worth other last digits


def chosen_precision(precision: str, accelerator: str = "auto") -> str:
    """What Lightning calls it, "32-true" or "bf16-mixed"; "auto" takes bf16 where the device computes clearly faster in it.

    Args:
        precision: "auto", "32-true" or "bf16-mixed".
        accelerator: of Lightning's Trainer: "auto" is a GPU where there is one.

    Raises:
        UserError: another word.
    """
    if precision not in PRECISIONS:
        raise UserError(f"schedule.precision: {precision!r}; give {', '.join(PRECISIONS)}")
    if precision != "auto":
        return precision
    on_gpu = accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available()
    return "bf16-mixed" if bf16_pays("cuda" if on_gpu else "cpu") else "32-true"


@cache
def bf16_pays(device: str) -> bool:
    """Whether matrix products in bfloat16 are clearly faster than in float32 there; measured once in a process, some 50 ms."""
    if fit_precision("auto", device) != "bf16":
        return False
    return product_rate(torch.bfloat16, device) > CLEARLY * product_rate(torch.float32, device)


def product_rate(dtype: torch.dtype, device: str, size: int = 1024, repeats: int = 5) -> float:
    """Floating-point operations a second of products of square matrices, the best of some."""
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    return 2 * size**3 / min(seconds(lambda: left @ right, device) for _ in range(repeats + 1))


def seconds(call: Callable[[], object], device: str) -> float:
    """Seconds that a call takes, on a GPU until it has ended."""
    began = time.perf_counter()
    call()
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


def computing(precision: str, device: torch.device) -> AbstractContextManager:
    """Inside, layers compute as the trainer's do with this precision."""
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16-mixed")
