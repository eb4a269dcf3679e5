"""Track one clip again: `semiology extract` for this clip in a process of its own, one at a time;
the others wait. What the process prints is read for its progress only.

A clip's choice of the patient is read from clips.tsv when its turn comes, so that the last click
holds.
"""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from semiology.data.store import FEATURES, Store
from semiology.errors import UserError
from semiology.tracking.extraction.options import ExtractOptions

State = Literal["waiting", "running", "done", "failed", "stopped"]
PERCENT = re.compile(r"(\d+)%\|")  # of the display of `tracking.extraction.progress`
PATIENCE = 5.0  # s that a process which was asked to stop has to do so [our choice]
KEPT = 4000  # characters at the end of what it printed [our choice]


@dataclass
class Job:
    """One clip to be tracked again.

    Attributes:
        job: its number.
        clip_id: of the clip.
        state: waiting, running, done, failed or stopped.
        share: that is done, 0 to 1.
        fault: why it failed.
    """

    job: str
    clip_id: str
    state: State = "waiting"
    share: float = 0.0
    fault: str | None = None


def lost_stages(store: Store, clip_ids: Iterable[str], options: ExtractOptions) -> list[str]:
    """What the store holds of some clips and a clip that is tracked again would lose or have
    otherwise, a line each: stages that the options do not make, and another frame rate.
    """
    made = {"body", "face", *options.weights(), *options.expressions}
    made |= {name for name in ("hands", "flow", "people") if getattr(options, name)}
    held, rates = set(), set()
    for clip_id in clip_ids:
        stages = store.known_record(clip_id)["stages"]
        held |= {stage for stage in stages if stage != "snippets"}  # they need no tracks
        rates.add(stages.get("body", {}).get("depends", {}).get("fps", options.fps))
    lines = [
        f"the store holds {stage}; a clip that is tracked again loses it without"
        f" {FEATURES.get(stage, f'--{stage} true').replace('--', '--extract.', 1)}"
        for stage in sorted(held - made)
    ]
    if others := sorted(rates - {options.fps}):
        lines.append(
            f"the store's tracks have {others[0]:g} Hz; a clip that is tracked again gets"
            f" {options.fps:g} Hz without --extract.fps {others[0]:g}"
        )
    return lines


class Tracking:
    """The queue of clips to be tracked again, worked off by a thread; `close` ends both.

    Args:
        cohort: folder of the cohort.
        store: of the tracks.
        options: of `semiology extract`, as on the command line.
    """

    def __init__(self, cohort: Path, store: Path, options: Sequence[str] = ()):
        self.cohort, self.store, self.options = cohort, store, list(options)
        self._jobs: dict[str, Job] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._change = threading.Condition()
        self._closed = False
        self._thread: threading.Thread | None = None

    def add(self, clip_id: str) -> dict[str, Any]:
        """Put a clip into the queue; one that waits there already is not added twice. Returns the
        job, as `list` does.
        """
        with self._change:
            for job in self._jobs.values():
                if job.clip_id == clip_id and job.state == "waiting":
                    return asdict(job)
            job = Job(str(len(self._jobs) + 1), clip_id)
            self._jobs[job.job] = job
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()
            self._change.notify_all()
            return asdict(job)

    def list(self) -> list[dict[str, Any]]:
        """All jobs since the start, oldest first."""
        with self._change:
            return [asdict(job) for job in self._jobs.values()]

    def stop(self, number: str) -> dict[str, Any]:
        """Take a job out of the queue, or stop it; one that has ended stays as it is.

        Raises:
            UserError: there is no such job.
        """
        with self._change:
            if number not in self._jobs:
                raise UserError(f"job {number!r}: there is no such job; load the page again")
            job = self._jobs[number]
            if job.state in ("waiting", "running"):
                if job.state == "running" and self._process is not None:
                    _interrupt(self._process)
                job.state = "stopped"
                self._change.notify_all()
            return asdict(job)

    def close(self) -> None:
        """Stop what runs and wait until it has ended; nothing else is begun."""
        with self._change:
            self._closed = True
            for job in self._jobs.values():
                if job.state in ("waiting", "running"):
                    job.state = "stopped"
            process, thread = self._process, self._thread
            self._change.notify_all()
        if process is not None:
            _interrupt(process)
        if thread is not None:
            thread.join(2 * PATIENCE)

    def _work(self) -> None:
        while True:
            with self._change:
                while not (waiting := self._waiting()) and not self._closed:
                    self._change.wait()
                if self._closed or waiting is None:
                    return
                waiting.state = "running"
                process = self._process = self._begin(waiting.clip_id)
            printed = self._follow(process, waiting)
            status = process.wait()
            with self._change:
                self._process = None
                if waiting.state == "stopped":
                    continue
                waiting.state = "done" if status == 0 else "failed"
                if status == 0:
                    waiting.share = 1.0
                else:
                    waiting.fault = _fault(printed, waiting.clip_id, status)

    def _waiting(self) -> Job | None:
        return next((job for job in self._jobs.values() if job.state == "waiting"), None)

    def _begin(self, clip_id: str) -> "subprocess.Popen[bytes]":
        call = [sys.executable, "-m", "semiology.cli.main", "extract", str(self.cohort)]
        return subprocess.Popen(
            [*call, "--store", str(self.store), *self.options, "--clips", clip_id],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches it through `close`, once
        )

    def _follow(self, process: "subprocess.Popen[bytes]", job: Job) -> str:
        """Read what the process prints until it ends; returns the end of it."""
        printed = ""
        assert process.stdout is not None
        with process.stdout as stream:
            while block := os.read(stream.fileno(), 1 << 16):
                printed = (printed + block.decode("utf-8", "replace"))[-KEPT:]
                if percents := PERCENT.findall(printed):
                    with self._change:
                        job.share = min(int(percents[-1]) / 100, 1.0)
        return printed


def _interrupt(process: "subprocess.Popen[bytes]") -> None:
    """Ask a process to stop, as by Ctrl-C where there is such a signal, so that it removes what it
    has half written; one that does not is ended.
    """
    process.send_signal(signal.SIGINT if os.name == "posix" else signal.SIGTERM)
    end = threading.Timer(PATIENCE, process.kill)
    end.daemon = True
    end.start()


def _fault(printed: str, clip_id: str, status: int) -> str:
    """Why it failed: the line of the clip in the summary, else the last line."""
    lines = [line.strip() for line in re.split(r"[\r\n]+", printed) if line.strip()]
    own = [line for line in lines if line.startswith(f"failed: {clip_id}: ")]
    if own:
        return own[-1].removeprefix(f"failed: {clip_id}: ")
    lines = [line for line in lines if not PERCENT.search(line)]
    return lines[-1] if lines else f"semiology extract ended with status {status}"
