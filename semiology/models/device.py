"""On which device a network computes, and whether in fp32 or bf16: one vocabulary for all of them.

Only the trainer translates it into Lightning's words. The words are checked without torch, so that
settings can be read without it.
"""

import re
import time
from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING

from semiology.errors import UserError

if TYPE_CHECKING:
    import torch

DEVICES = ("auto", "cpu", "cuda")
PRECISIONS = ("auto", "fp32", "bf16")
CLEARLY = 1.5  # times as fast [our choice: less is not worth other last digits]
FORMER = {"32-true": "fp32", "bf16-mixed": "bf16"}  # Lightning's words, which configs once used


def check_device(device: str, where: str = "device") -> None:
    """Refuse a word that names no device: auto, cpu, cuda, or one GPU of several, cuda:1 say.

    Raises:
        UserError: another word; `where` says of which option.
    """
    if device not in DEVICES and not re.fullmatch(r"cuda:\d+", device):
        raise UserError(f"{where}: no device is called {device!r}; give {', '.join(DEVICES)}")


def check_precision(precision: str, where: str = "precision") -> None:
    """Refuse a word that names no precision.

    Raises:
        UserError: another word; `where` says of which option.
    """
    if precision in FORMER:
        raise UserError(f"{where}: {precision!r} is called {FORMER[precision]} here; write that")
    if precision not in PRECISIONS:
        raise UserError(f"{where}: {precision!r}; give {', '.join(PRECISIONS)}")


def choose_device(device: str = "auto") -> str:
    """The device to compute on, "cpu" or "cuda" (or "cuda:1" and so on).

    Args:
        device: "auto" takes a GPU where torch can use one.

    Raises:
        UserError: another word; no such GPU here.
    """
    import torch

    check_device(device)
    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if device != "cpu" and not torch.cuda.is_available():
        raise UserError(f"device {device}: there is no GPU that torch can use here; give cpu")
    return device


def choose_precision(precision: str, device: str = "auto") -> str:
    """The precision to compute in, "fp32" or "bf16".

    Args:
        precision: "auto" takes bf16 where the device has instructions for it: there it is up to
            four times as fast, elsewhere slower [measured]. The results then depend on the device
            by the last digits of bf16.
        device: see `choose_device`.

    Raises:
        UserError: another word; no such GPU here.
    """
    import torch

    check_precision(precision)
    if precision != "auto":
        return precision
    if choose_device(device) != "cpu":
        in_hardware = torch.cuda.is_bf16_supported(including_emulation=False)
        return "bf16" if in_hardware else "fp32"
    found = torch.cpu.get_capabilities().items()
    return "bf16" if any(there for name, there in found if name.endswith("bf16")) else "fp32"


@cache
def bf16_pays(device: str) -> bool:
    """Whether matrix products in bf16 are measured to be clearly faster than in fp32 on a device
    that has it; measured once in a process, some 50 ms.

    Having the instructions is not enough: on some processors a training step in bf16 takes longer.
    """
    import torch

    if choose_precision("auto", device) != "bf16":
        return False
    return product_rate(torch.bfloat16, device) > CLEARLY * product_rate(torch.float32, device)


def product_rate(dtype: "torch.dtype", device: str, size: int = 1024, repeats: int = 5) -> float:
    """Floating-point operations per second of products of square matrices, the best of some."""
    import torch

    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    durations = []
    for _ in range(repeats + 1):
        began = time.perf_counter()
        left @ right
        if device != "cpu":
            torch.cuda.synchronize(device)
        durations.append(time.perf_counter() - began)
    return 2 * size**3 / min(durations)


def computing(precision: str, device: "torch.device") -> AbstractContextManager:
    """A context in which layers compute in this precision ("fp32" or "bf16"), as in training."""
    import torch

    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16")
