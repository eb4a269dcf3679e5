"""One run of the GPU's benchmark: how calls are timed, and what is kept as it is found."""

import json
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from semiology.files import atomic_path

Figures = dict[str, Any]
LAST = 5  # s that are left at the end, for the table


@dataclass
class Day:
    """One run: where, how large, until when, and what was found so far."""

    device: torch.device
    tiny: bool
    out: Path
    ends: float  # time.monotonic()
    found: Figures = field(default_factory=dict)

    @property
    def on_gpu(self) -> bool:
        return self.device.type == "cuda"

    def left(self) -> float:
        """Seconds until the end."""
        return self.ends - time.monotonic()

    def keep(self, step: str, figures: Figures) -> None:
        """Write what a step has measured so far, and the table."""
        self.found[step] = figures
        for path, text in (
            (self.out, json.dumps(self.found, indent=1, default=float) + "\n"),
            (self.out.with_suffix(".md"), table(self.found)),
        ):
            with atomic_path(path) as temporary:
                temporary.write_text(text, encoding="utf-8")

    def size(self, full: int, tiny: int) -> int:
        return tiny if self.tiny else full

    def wait(self) -> None:
        if self.on_gpu:
            torch.cuda.synchronize()

    def peak(self) -> float:
        """GiB of the GPU at its fullest since the last call; 0 without one."""
        if not self.on_gpu:
            return 0.0
        peak = torch.cuda.max_memory_allocated() / 2**30
        torch.cuda.reset_peak_memory_stats()
        return peak

    def in_turns(
        self, calls: dict[str, Callable[[], object]], seconds: float, items: int
    ) -> Figures:
        """Call each once a round, until `seconds` are over: name -> median ms of a call, items a
        second, peak memory, rounds; an error for those that fail.
        """
        figures: Figures = {}
        times: dict[str, list[float]] = {}
        memory = {}
        for name, call in calls.items():
            try:
                self.peak()
                for _ in range(self.size(3, 1)):
                    call()
                self.wait()
                memory[name], times[name] = self.peak(), []
            except Exception as error:  # this one alone: others may work on this machine
                figures[name] = {"error": f"{type(error).__name__}: {str(error)[:300]}"}
        until = time.monotonic() + min(seconds, max(self.left() - LAST, 0))
        rounds = 0
        least, most = self.size(3, 1), self.size(200, 1)
        while times and rounds < most and (rounds < least or time.monotonic() < until):
            rounds += 1
            for name in times:
                self.wait()
                began = time.perf_counter()
                calls[name]()
                self.wait()
                times[name].append(time.perf_counter() - began)
        for name, own in times.items():
            median = statistics.median(own)
            figures[name] = {
                "ms": median * 1000,
                "a_second": items / median,
                "peak_gib": memory[name],
                "rounds": rounds,
            }
        return figures


@contextmanager
def computing(precision: str, device: torch.device) -> Iterator[None]:
    """A context in which layers compute in "fp32", "tf32" or "bf16"."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision != "fp32"
    try:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def table(found: Figures) -> str:
    """Markdown for docs/speed.md: what was measured, a row each."""
    about = found.get("machine", {})
    lines = [
        f"{about.get('device', '?')}, driver {about.get('driver') or 'none'}, torch"
        f" {about.get('torch', '?')}; medians; products of large matrices:"
        + ",".join(
            f" {precision} {about.get(f'products_{precision}_tflops', 0):.3g} TFLOP/s"
            for precision in ("fp32", "tf32", "bf16")
        ),
        "",
        "| what | ms a call | a second | GiB |",
        "|---|---|---|---|",
    ]
    for step, figures in found.items():
        if step == "machine":
            continue
        if step == "table1":
            lines.append(_table1_row(figures))
            continue
        if "error" in figures:
            lines.append(f"| {step} | failed: {figures['error']} | | |")
            continue
        for group, rows in figures.items():
            for name, row in rows.items() if isinstance(rows, dict) else ():
                what = f"{step}: {group}, {name}"
                lines.append(
                    f"| {what} | not run: {row['error'].splitlines()[0]} | | |"
                    if "error" in row
                    else f"| {what} | {row['ms']:.3g} | {row['a_second']:.0f} |"
                    f" {row['peak_gib']:.2g} |"
                )
    return "\n".join(lines) + "\n"


def _table1_row(figures: Figures) -> str:
    if figures.get("error"):
        return f"| table1: {figures.get('config', '')} | failed, see the JSON | | |"
    whole = figures["minutes_for_all"]
    how = "measured" if figures["whole"] else "ESTIMATE, from the trainings done"
    return (
        f"| table1: {figures['trained']} of {figures['trainings']} trainings in"
        f" {figures['seconds']:.0f} s, {figures['jobs']} at a time | {whole:.1f} min for all"
        f" ({how}) | | |"
    )
