"""Whether to compute in bfloat16: said by the user, or chosen by what this processor or GPU does
faster.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import cache

import torch

from semiology.errors import UserError

PRECISIONS = ("auto", "32-true", "bf16-mixed")
EXTRACT_PRECISIONS = ("auto", "fp32", "bf16")
CLEARLY = 1.5  # times as fast; our choice: less is not worth other last digits


def chosen_precision(precision: str, accelerator: str = "auto") -> str:
    """What Lightning calls it, "32-true" or "bf16-mixed"; "auto" takes bf16 where the device
    computes clearly faster in it.

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
    """Whether matrix products in bfloat16 are clearly faster than in float32 there; measured once
    in a process, some 50 ms.
    """
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


def fit_device(device: str) -> str:
    """A device's name; "auto" takes a GPU where there is one.

    Raises:
        UserError: there is no such device here.
    """
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        kind = torch.device(device).type
    except RuntimeError as error:
        raise UserError(
            f"snippets: no device is called {device!r}; give cpu, cuda or auto"
        ) from error
    if kind == "cuda" and not torch.cuda.is_available():
        raise UserError("snippets: there is no GPU that torch can use here; give cpu")
    return device


def fit_precision(precision: str, device: str) -> str:
    """ "fp32" or "bf16"; "auto" takes bf16 where the device computes in it: there it is four times
    as fast, elsewhere slower [measured].

    Raises:
        UserError: another word.
    """
    if precision not in EXTRACT_PRECISIONS:
        raise UserError(f"snippets: precision {precision!r}; give {', '.join(EXTRACT_PRECISIONS)}")
    if precision != "auto":
        return precision
    if torch.device(device).type == "cuda":
        return "bf16" if torch.cuda.is_bf16_supported() else "fp32"
    return (
        "bf16"
        if any(
            name.endswith("bf16") and there for name, there in torch.cpu.get_capabilities().items()
        )
        else "fp32"
    )
