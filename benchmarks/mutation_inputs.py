"""Small valid files of every kind that semiology reads, each with the command that reads it: what
`mutations` damages.

Made here, or real where there is the folder of public data (SEMIOLOGY_TESTDATA).
"""

import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
import yaml
from many_clips import drawn_tracks

from semiology.cli.main import main as semiology
from semiology.data.cohort import Cohort
from semiology.data.formats import write as write_format
from semiology.data.store import Store, fingerprint, make_key
from semiology.data.tracks import make_tracks, save_tracks
from semiology.models.features.r2plus1d import R2Plus1D, Shape
from semiology.models.training.saved import save_state

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
from conftest import JOINTS, write_cohort

REAL = Path(os.environ.get("SEMIOLOGY_TESTDATA", "../shared/data"))
LEVELS = {"absent": "", "present": ""}
NETWORK = {"stream": "agcn", "options": {"widths": [4, 8]}}
APPEARANCE = {"stream": "tcn", "options": {"width": 8, "blocks": 1}}


@dataclass(frozen=True)
class Input:
    """A file that is damaged, and the command that reads it.

    Attributes:
        name: of the kind, for the table.
        file: the valid file, below the folder `inside`.
        inside: a folder of which a copy is made for every mutation; the file alone where it is the
            file's own.
        arguments: of `semiology`, from the folder of the copy and a fresh folder for what it
            writes.
        detected: the command has to fail when a single bit of the file is flipped.
        valid: exit status on the valid file.
    """

    name: str
    file: Path
    arguments: Callable[[Path, Path], list[str]] = field(repr=False)
    inside: Path | None = None
    detected: bool = False
    valid: int = 0


def make_inputs(folder: Path) -> list[Input]:
    """All inputs, below `folder`; made once."""
    folder = folder.resolve()
    if not (folder / "ready").is_file():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        _videos(folder)
        _tracks(folder)
        _cohorts(folder)
        _tables(folder)
        (folder / "ready").touch()
    return [*_of_keypoints(folder), *_of_videos(folder), *_of_tables(folder), *_of_stores(folder)]


def _videos(folder: Path) -> None:
    for name, codec in {"a.mp4": "libx264", "b.mkv": "libx264", "c.ts": "mpeg2video"}.items():
        film(folder / name, codec, frames=40)
    save_state(
        folder / "snippets.safetensors", R2Plus1D(Shape.make(classes=2, depth=10, width=0.0625))
    )


def film(path: Path, codec: str = "libx264", frames: int = 40, rate: int = 25) -> Path:
    """A bright square that moves over a grey ground."""
    with av.open(str(path), "w") as file:
        stream = file.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuv420p"
        for number in range(frames):
            image = np.full((96, 128, 3), 90, np.uint8)
            image[20:60, number % 90 : number % 90 + 30] = 220
            for packet in stream.encode(av.VideoFrame.from_ndarray(image)):
                file.mux(packet)
        for packet in stream.encode():
            file.mux(packet)
    return path


def _tracks(folder: Path) -> None:
    tracks = drawn_tracks(2.0, seed=0).drop_vars("position_3d")
    save_tracks(tracks, folder / "body.nc")
    for name, format in {
        "theirs.nc": "movement",
        "long.csv": "long_csv",
        "dlc.csv": "deeplabcut",
        "dlc.h5": "deeplabcut",
        "a.slp": "sleap",
        "coco.json": "coco",
        "landmarks.npz": "mediapipe",
    }.items():
        write_format(tracks, folder / name, format)
    rng = np.random.default_rng(0)
    face = make_tracks(
        rng.normal(200, 40, (20, 68, 2)), [f"landmark_{number:02d}" for number in range(68)], 25
    )
    write_format(face, folder / "openface.csv", "openface")
    body = make_tracks(rng.normal(200, 40, (6, 2, 2)), ["nose", "neck"], 25)
    write_format(body, folder / "openpose", "openpose")


def _cohorts(folder: Path) -> None:
    """Of tracks, with a run of them and its kept models; and of videos, with a store."""
    write_cohort(folder / "tracked")
    protocol = {
        "cohort": "tracked",
        "out": "run",
        "tasks": {
            "swing": {
                "reading": {
                    "label": "swing",
                    "part": "body",
                    "skeleton": "upper_body_11",
                    "rate": 25.0,
                    "window": 32,
                    "whole": True,
                }
            }
        },
        "models": {"agcn": {"network": NETWORK, "schedule": {"epochs": 1, "patience": None}}},
        "keep": True,
        "validation": 0.0,
    }
    (folder / "loso.yaml").write_text(yaml.safe_dump(protocol))
    shutil.copytree(folder / "tracked", folder / "both/tracked")
    where = ["--cohort", str(folder / "both/tracked"), "--out", str(folder / "both/run")]
    if semiology(["loso", "--config", str(folder / "loso.yaml"), *where]):
        raise RuntimeError("the run whose models are damaged could not be made")
    filmed = folder / "filmed"
    shutil.copytree(folder / "tracked", filmed, ignore=shutil.ignore_patterns("tracks"))
    rows = (filmed / "clips.tsv").read_text().replace("tracks/", "videos/").replace(".nc", ".mp4")
    (filmed / "clips.tsv").write_text(rows.replace("\ttracks\t", "\tvideo\t"))
    (filmed / "videos").mkdir()
    store, rng = Store(filmed / "store"), np.random.default_rng(0)
    for clip in Cohort.read(folder / "tracked").clips:
        shutil.copy(folder / "a.mp4", filmed / f"videos/{clip.clip_id}.mp4")
        key = make_key({"clip": clip.clip_id})
        position = rng.normal(200, 40, (40, len(JOINTS), 2))
        store.write(clip.clip_id, "body", key, make_tracks(position, JOINTS, 25.0))
        features = rng.normal(size=(40, 16)).astype(np.float32), np.arange(40) / 25
        store.write(clip.clip_id, "body_vgg", key, features)
        entry = {"key": key, "found": 1.0, "depends": {}}
        source = fingerprint(filmed / f"videos/{clip.clip_id}.mp4", {})
        store.note(clip.clip_id, source, {"body": entry, "body_vgg": entry})
    reading = protocol["tasks"]["swing"]["reading"] | {"appearance": "body_vgg"}
    models = {"tcn": {"network": APPEARANCE, "schedule": {"epochs": 1, "patience": None}}}
    filmed_protocol = protocol | {
        "cohort": "filmed",
        "store": "filmed/store",
        "tasks": {"swing": {"reading": reading}},
        "models": models,
    }
    (folder / "filmed.yaml").write_text(yaml.safe_dump(filmed_protocol))


def _tables(folder: Path) -> None:
    events = "onset\tduration\teventType\tconfidence\tchannels\tdateTime\trecordingDuration\n"
    for name, onset in {"reference.tsv": 10.0, "found.tsv": 12.0}.items():
        rows = [
            f"{onset + 60 * n}\t20.0\tsz\tn/a\tn/a\t2026-01-01 00:00:00\t600.0" for n in range(5)
        ]
        (folder / name).write_text(events + "\n".join(rows) + "\n")
    rows = [
        f"seizure,present,{second},{second + 2},{0.9 if second // 20 % 2 else 0.1}"
        for second in range(0, 100, 2)
    ]
    (folder / "timeline.csv").write_text("task,level,start,end,probability\n" + "\n".join(rows))
    rng = np.random.default_rng(0)
    scores = [f"p{n}\t{n % 5}\t{n % 5 + rng.integers(2)}\t{n % 4}" for n in range(20)]
    (folder / "scores.tsv").write_text(
        "participant_id\tmachine\trater_a\trater_b\n" + "\n".join(scores) + "\n"
    )
    (folder / "names.yaml").write_text("nose: tip\nleft_wrist: hand\n")


def _of_keypoints(folder: Path) -> list[Input]:
    def imports(copy: Path, out: Path) -> list[str]:
        return ["tracks", "import", str(copy), "--out", str(out / "t.nc"), "--fps", "25"]

    def stated(copy: Path, out: Path) -> list[str]:
        return ["tracks", "import", str(copy), "--out", str(out / "t.nc")]

    found = [
        Input("movement .nc", folder / "theirs.nc", stated),
        Input("long csv", folder / "long.csv", stated),
        Input("DeepLabCut csv", folder / "dlc.csv", imports),
        Input("DeepLabCut h5", folder / "dlc.h5", imports),
        Input("SLEAP .slp", folder / "a.slp", imports),
        Input("COCO json", folder / "coco.json", imports),
        Input("MediaPipe npz", folder / "landmarks.npz", stated),
        Input("OpenFace csv", folder / "openface.csv", stated),
        Input(
            "OpenPose folder",
            folder / "openpose/tracks_000000000002_keypoints.json",
            imports,
            inside=folder / "openpose",
        ),
        Input(
            "names",
            folder / "names.yaml",
            lambda copy, out: [
                *imports(folder / "dlc.csv", out),
                "--names",
                str(copy),
            ],
        ),
        Input(
            "our tracks",
            folder / "body.nc",
            lambda copy, out: [
                "tracks", "export", str(copy), "--out", str(out / "t.csv"), "--format", "deeplabcut"
            ],
            detected=True,
        ),
    ]  # fmt: skip
    if REAL.is_dir():
        found += [
            Input(
                "real DeepLabCut h5",
                REAL / "keypoints/dlc/openfield/CollectedData_Pranav.h5",
                imports,
            ),
            Input("real OpenFace csv", REAL / "faces/OpenFace_Test.csv", stated),
        ]
        found += [
            Input(
                "real SLEAP .slp",
                file,
                lambda copy, out: [*imports(copy, out), "--individual", "female"],
            )
            for file in sorted(REAL.glob("keypoints/sleap/**/*.slp"))[:1]
        ]
    return found


def _of_videos(folder: Path) -> list[Input]:
    def extracts(copy: Path, out: Path) -> list[str]:
        network = str(folder / "snippets.safetensors")
        what = ["--pose", "none", "--snippet_weights", network]
        return ["extract", str(copy), "--out", str(out), *what]

    found = [Input(f"video {name}", folder / name, extracts) for name in ("a.mp4", "b.mkv", "c.ts")]
    if REAL.is_dir():
        found += [
            Input("real mpg", REAL / "decoding/torchcodec/testsrc2_odd_width_mpeg2.mp4", extracts),
            Input("real 3gp", REAL / "decoding/odd/sample.3gp", extracts),
        ]
    return found


def _of_tables(folder: Path) -> list[Input]:
    tracked = folder / "tracked"

    def checks(copy: Path, out: Path) -> list[str]:
        return ["cohort", "check", str(copy)]

    return [
        Input("clips.tsv", tracked / "clips.tsv", checks, inside=tracked),
        Input("clips.json", tracked / "clips.json", checks, inside=tracked),
        Input(
            "events.tsv",
            folder / "found.tsv",
            lambda copy, out: ["events", "score", str(folder / "reference.tsv"), str(copy)],
        ),
        Input(
            "timeline.csv",
            folder / "timeline.csv",
            lambda copy, out: ["events", "find", str(copy), "--out", str(out)],
        ),
        Input(
            "scores.tsv",
            folder / "scores.tsv",
            lambda copy, out: [
                "agreement", str(copy), "--machine", "machine", "--raters", "rater_a", "rater_b",
                "--draws", "50", "--out", str(out),
            ],
        ),
        Input(
            "config",  # of a cohort that is not there: nothing is trained
            folder / "loso.yaml",
            lambda copy, out: [
                "loso", "--config", str(copy), "--cohort", str(out / "none"), "--out",
                str(out / "run"),
            ],
            valid=2,
        ),
    ]  # fmt: skip


def _of_stores(folder: Path) -> list[Input]:
    filmed, both = folder / "filmed", folder / "both"  # run and cohort are moved together
    clip = filmed / "store/p0_0"

    def reads(copy: Path, out: Path) -> list[str]:
        where = ["--cohort", str(copy), "--store", str(copy / "store"), "--out", str(out / "run")]
        return ["loso", "--config", str(folder / "filmed.yaml"), *where]

    def explains(copy: Path, out: Path) -> list[str]:
        return ["explain", str(copy / "run"), "--clips", "p0_0"]  # which that fold held out

    kept = both / "run/kept/swing/seed-0/p0/agcn"
    return [
        Input("stored tracks", next(clip.glob("body-*.nc")), reads, inside=filmed, detected=True),
        Input(
            "stored features",
            next(clip.glob("body_vgg-*.safetensors")),
            reads,
            inside=filmed,
            detected=True,
        ),
        Input("stored record", clip / "record.json", reads, inside=filmed, detected=True),
        Input("model.json", kept / "model.json", explains, inside=both, detected=True),
        Input("weights", kept / "weights.safetensors", explains, inside=both, detected=True),
    ]
