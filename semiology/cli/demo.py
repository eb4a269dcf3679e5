"""The verb demo: every stage of a study on a small phantom, in one process, with the time of each.

Each stage is a command that can be given alone; together they share what is imported and the worker
processes. What is there already is not made again, so that a stopped demo goes on where it was.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from semiology.cli import parser
from semiology.errors import UserError
from semiology.files import write_text

FIRST = "sub-01_sz-01"  # the clip that is shown first
COLUMNS = ("stage", "seconds", "share", "done")


def run_demo(arguments: list[str]) -> int:
    """Render a small synthetic cohort, track it, train and test every fold, explain and report, and
    say how long each stage took. One clip is tracked and drawn in first, to look at meanwhile.
    """
    demo_parser = parser("demo", run_demo)
    demo_parser.add_argument(
        "run", type=Path, nargs="?", default=Path("runs/demo"), help="folder of everything made"
    )
    demo_parser.add_argument(
        "--configs", type=Path, default=Path("configs"), help="folder of the demo's configs"
    )
    parsed = demo_parser.parse_args(arguments)
    if not (parsed.configs / "demo.yaml").is_file():
        raise UserError(
            f"{parsed.configs}: has no demo.yaml; run it in a clone of the repository, or give"
            " --configs DIR"
        )
    times = Times.read(parsed.run / "stages.tsv")
    for name, stage in stages(parsed.run, parsed.configs).items():
        print(f"\n== {name}", flush=True)
        with times.of(name):
            stage()
        print(f"== {name}: {times.seconds[name]:.0f} s", flush=True)
    print(f"\n{times.text()}\n\nthese times: {times.path}\nreport: {parsed.run / 'report.html'}")
    return 0


def stages(run: Path, configs: Path) -> dict[str, Callable[[], None]]:
    """The stages by their names, in order; each raises UserError where it does not end well."""
    cohort, store, stills = f"{run}/cohort", f"{run}/store", f"{run}/cohort_stills"
    weights = {part: run / f"{part}_vgg.safetensors" for part in ("face", "body")}
    render = ["phantom", cohort, "--config", f"{configs}/demo_phantom.yaml"]
    track = ["extract", cohort, "--store", store, "--config", f"{configs}/demo_extract.yaml"]
    track += ["--jobs", "-1"]
    read = [f"--{part}_weights={path}" for part, path in weights.items()]
    pretrain = {
        part: ["pretrain", kind, f"{stills}/{kind}", "--config", f"{configs}/demo_{part}_vgg.yaml"]
        for part, kind in (("face", "expression"), ("body", "posture"))
    }
    todo = [  # one of two that run at once shows its progress
        [*command, "--out", f"{weights[part]}", f"--progress={str(part == 'body').lower()}"]
        for part, command in pretrain.items()
        if not weights[part].is_file()
    ]
    measure = ["tracking", "truth", cohort, "--store", store, "--out", f"{run}/tracking.json"]
    judge = ["loso", "--config", f"{configs}/demo.yaml", "--cohort", cohort]
    judge += ["--store", store, "--out", f"{run}"]
    return {
        "first look": lambda: first_look(run, render, track),
        "rendering": lambda: verb(render),
        "cohort": lambda: verb(["cohort", "check", cohort]),
        "appearance networks": lambda: at_once(todo),
        "tracking": lambda: verb([*track, *read]),
        "tracking error": lambda: verb(measure),
        "folds, null and audit": lambda: verb(judge),
        "explanation": lambda: verb(["explain", f"{run}", "--model", "agcn"]),
        "report": lambda: verb(["report", f"{run}"]),
    }


def verb(arguments: Sequence[str]) -> None:
    """Run `semiology ARGUMENTS` in this process.

    Raises:
        UserError: it did not end well; what was wrong is printed.
        KeyboardInterrupt: it was stopped.
    """
    from semiology.cli.main import main

    status = main(arguments)
    if status == 130:
        raise KeyboardInterrupt
    if status:
        raise UserError(f"stopped at `semiology {' '.join(arguments)}`, see above")


def at_once(commands: Sequence[Sequence[str]]) -> None:
    """Run verbs beside each other, each in a process and on a core of its own."""
    from joblib import delayed

    from semiology.parallel import Workers, run_parallel

    for _ in run_parallel([delayed(verb)(command) for command in commands], Workers(jobs=-1)):
        pass


def first_look(run: Path, render: Sequence[str], track: Sequence[str]) -> None:
    """Render the first participant, track a clip, and save a picture of it with the tracks drawn
    in: FIRST.png. Nothing of it is done again later.
    """
    folder = run / "first_look"
    picture = folder / f"{FIRST}.png"
    if not picture.is_file():
        verb([*render, "--subjects", "1", "--stills", "0"])
        verb([*track, "--clips", FIRST, "--overlay", f"{folder}"])
        middle_frame(folder / f"{FIRST}.mp4", picture)
    print(f"first look, a clip with its tracks: {picture} (film: {folder / FIRST}.mp4)")


def middle_frame(video: Path, picture: Path) -> None:
    """Save the frame in the middle of a video as a PNG."""
    from PIL import Image

    from semiology.files import atomic_path
    from semiology.video import probe, read_frames

    middle = (probe(video).duration or 0) / 2
    frame = next(frame for frame in read_frames(video, middle) if frame.image is not None)
    assert frame.image is not None
    with atomic_path(picture) as temporary:
        Image.fromarray(frame.image).save(temporary, format="PNG")


@dataclass
class Times:
    """How long each stage took, kept in a table (`COLUMNS`, tab-separated).

    A stage's seconds are those of all calls until it was done; a later call, which finds its work
    there, adds nothing.
    """

    path: Path
    seconds: dict[str, float] = field(default_factory=dict)
    done: set[str] = field(default_factory=set)

    @classmethod
    def read(cls, path: Path) -> "Times":
        """The times of earlier calls; none where there is no such table, or another one."""
        times = cls(path)
        if path.is_file():
            rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines()]
            if rows and tuple(rows[0]) == COLUMNS and all(len(row) == 4 for row in rows):
                times.seconds = {row[0]: float(row[1]) for row in rows[1:-1]}
                times.done = {row[0] for row in rows[1:-1] if row[3] == "yes"}
        return times

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        """Count what runs inside, also where it is stopped or fails, and keep the table."""
        began, before = time.monotonic(), self.seconds.get(stage, 0.0)
        finished = stage in self.done
        try:
            yield
            self.done.add(stage)
        finally:
            if not finished:
                self.seconds[stage] = before + time.monotonic() - began
                write_text(self.path, "".join("\t".join(row) + "\n" for row in self.rows()))

    def rows(self) -> list[tuple[str, ...]]:
        """The table with its head, and the total at its end."""
        total = sum(self.seconds.values())
        rows = [
            (name, f"{took:.1f}", f"{took / max(total, 1e-9):.1%}", self._is_done(name))
            for name, took in self.seconds.items()
        ]
        return [COLUMNS, *rows, ("total", f"{total:.1f}", "100.0%", "")]

    def _is_done(self, stage: str) -> str:
        return "yes" if stage in self.done else "no"

    def text(self) -> str:
        """The table to print."""
        width = max(len(row[0]) for row in self.rows()) + 2
        return "\n".join(f"{row[0]:<{width}}{row[1]:>8}{row[2]:>8}" for row in self.rows())
