"""Our own way through BlazePose's networks, beside MediaPipe 0.10.21 and the last build that ran on
it.

    python benchmarks/blazepose.py [--newest PYTHON]

- Stills of real videos: distance of our body landmarks from MediaPipe's, px.
- One core's time a frame, body and face tracked from frame to frame, both in turn.
- `semiology extract` on a clip of 720x576 and on two at once, this build and the last one in turn,
  and the shares found.
- With --newest, the path or version of a Python 3.13: the same clip by numpy 2, without MediaPipe
  (an environment of some gigabytes is made).

MediaPipe and the last build run in processes of their own, with our packages beside them.
"""

import argparse
import itertools
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from environments import NotInstalled, answer, beside_ours, earlier_build, environment
from extract import frames_of, phantom, real
from record import TESTDATA, record

from semiology.tracking.blazepose.attention import AttentionMesh
from semiology.tracking.blazepose.detectors import NEAR_FACES, PEOPLE, Detector
from semiology.tracking.blazepose.landmarks import BodyLandmarks, body_region
from semiology.tracking.pose.face_mesh import FaceMesh
from semiology.video import read_frames

TESTDATA = TESTDATA
VIDEOS = (
    "people/walking_1768x994.mp4",
    "people/room_cam01_portrait.mp4",
    "people/room_cam03_portrait.mp4",
    "people/dance_720x406.mp4",
    "faces/WolfgangLanger_Pexels.mp4",
    "faces/carphone_176x144.mp4",
)
HERE, THERE = Path(__file__).parent, Path(__file__).with_name("in_mediapipe.py")
LAST = "31e384c"  # the last build on MediaPipe's own solutions
STILLS, TRACKED, ROUNDS = 8, 150, 3
MEDIAN_PX, WORST_PX, TIME, FASTER, TWO_AT_ONCE = 0.5, 2.0, 0.7, 1.4, 90.0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--newest", help="a Python 3.13, as uv takes it")
    arguments = parser.parse_args()
    if not TESTDATA.is_dir():
        print(f"blazepose: no test data at {TESTDATA}; set SEMIOLOGY_TESTDATA", file=sys.stderr)
        return 2
    try:
        mediapipe = [beside_ours("mediapipe", "0.10.21", "numpy<2")]
        last = [*mediapipe, earlier_build(LAST)]
    except NotInstalled as error:
        print(f"blazepose: {error}", file=sys.stderr)
        return 2
    figures = {"stills": stills(mediapipe), "ms": ms_a_frame(mediapipe)}
    print(figures["stills"], figures["ms"], sep="\n", flush=True)
    clip = real()
    figures["one"] = in_turn([clip], 1, last)
    figures["two"] = in_turn([clip, phantom()], 2, last)
    print(figures["one"], figures["two"], sep="\n", flush=True)
    newest = None
    if arguments.newest:
        newest = figures["newest"] = on_newest(clip, arguments.newest)
        print(newest, flush=True)
    far, ms, one, two = (figures[name] for name in ("stills", "ms", "one", "two"))
    share = ms["ours"]["body"] / ms["mediapipe"]["body"]
    passed = (
        far["median"] <= MEDIAN_PX
        and far["worst"] <= WORST_PX
        and share <= TIME
        and one["times"] >= FASTER
        and two["ours"] >= TWO_AT_ONCE
        and same_shares(one, two)
        and newest is not None
    )
    return record(
        "blazepose",
        figures,
        f"landmarks within {MEDIAN_PX} px (median) and {WORST_PX:g} px (worst) of MediaPipe's, the"
        f" body's in at most {TIME} of its time, a clip at least {FASTER} times the last build's"
        f" frames/s, {TWO_AT_ONCE:g} frames/s from two on two cores, same shares found, and a run"
        " with numpy 2 and Python 3.13",
        bool(passed),
        headline=(
            f"{far['median']:.3f} and {far['worst']:.1f} px over {far['landmarks']} landmarks of"
            f" {far['images']} stills; body {ms['ours']['body']:.1f} ms against"
            f" {ms['mediapipe']['body']:.1f} ({share:.2f}), face {ms['ours']['face']:.1f} against"
            f" {ms['mediapipe']['face']:.1f}; a clip {one['ours']:.1f} frames/s against"
            f" {one['last']:.1f} ({one['times']:.2f} times), two {two['ours']:.1f} against"
            f" {two['last']:.1f}; shares {'the same' if same_shares(one, two) else 'differ'};"
            f" numpy 2: {newest or 'not run'}"
        ),
        seed=0,
    )


def stills(path: list[Path]) -> dict[str, float]:
    """How far our landmarks lie from MediaPipe's, of its detection of one person in each still."""
    images = []
    for name in VIDEOS:
        frames = (frame.image for frame in read_frames(TESTDATA / name, fps=2))
        images += list(itertools.islice((each for each in frames if each is not None), STILLS))
    theirs = in_file(images, "stills", path)
    people, landmarks, away, alone = Detector(PEOPLE), BodyLandmarks(), [], 0
    for image, marks in zip(images, theirs):
        found = people(image)
        if not len(found) or marks is None:
            alone += len(found) > 0 or marks is not None
            continue
        position = landmarks(image, body_region(*found.keypoints[0, :2])).position
        away.append(np.linalg.norm(position - np.array(marks), axis=1))
    distances = np.concatenate(away)
    return {
        "images": len(away),
        "landmarks": len(distances),
        "found_by_one_alone": int(alone),
        "median": float(np.median(distances)),
        "q99": float(np.quantile(distances, 0.99)),
        "worst": float(distances.max()),
        "over_2_px": int((distances > WORST_PX).sum()),
    }


def ms_a_frame(path: list[Path]) -> dict[str, dict[str, float]]:
    """ms of processor a frame, tracked, ours and MediaPipe's in turn: the median of the rounds."""
    images = [frame.image for frame in itertools.islice(read_frames(real()), TRACKED)]
    ours, theirs = [], []
    for _ in range(ROUNDS):
        ours.append(our_ms(images))
        theirs.append(in_file(images, "tracked", path))
    return {
        name: {part: median(each[part] for each in runs) for part in ("body", "face")}
        for name, runs in {"ours": ours, "mediapipe": theirs}.items()
    }


def our_ms(images: list[np.ndarray]) -> dict[str, float]:
    people, landmarks, faces, mesh = (
        Detector(PEOPLE),
        BodyLandmarks(),
        Detector(NEAR_FACES),
        AttentionMesh(),
    )
    region = body_region(*people(images[0]).keypoints[0, :2])
    landmarks(images[0], region)
    began = time.process_time()
    for image in images:
        region = landmarks(image, region).next
    body = time.process_time() - began
    tracker = FaceMesh()
    tracker.start()
    box = faces(images[0]).boxes[0]
    tracker.find(images[0], box, 1.0)
    region = mesh(images[0], tracker._next).next
    began = time.process_time()
    for image in images:
        region = mesh(image, region).next
    face = time.process_time() - began
    return {"body": 1000 * body / len(images), "face": 1000 * face / len(images)}


def in_file(images: list[np.ndarray], what: str, path: list[Path]):
    """What MediaPipe finds in images."""
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "images.npz", *images)
        return answer(Path(sys.executable), THERE, what, Path(folder) / "images.npz", path=path)


def in_turn(clips: list[Path], jobs: int, last: list[Path]) -> dict:
    """Frames a second of this build and of the last one on the same clips, in turn."""
    frames, rates, found = sum(map(frames_of, clips)), {"ours": [], "last": []}, {}
    for _ in range(ROUNDS):
        for name, path in {"ours": [HERE.parent], "last": last}.items():
            with tempfile.TemporaryDirectory() as folder:
                ran = answer(
                    Path(sys.executable), THERE, "extract", folder, jobs, *clips, path=path
                )
            rates[name].append(frames / ran["seconds"])
            found[name] = ran["found"]
    ratios = [one / other for one, other in zip(rates["ours"], rates["last"])]
    return {
        **{name: median(each) for name, each in rates.items()},
        "times": median(ratios),
        "found": found,
    }


def same_shares(*runs: dict) -> bool:
    """Whether both builds found body and face in the same share of frames, within one percent."""
    return all(
        abs(share - run["found"]["last"][clip][part]) <= 0.01
        for run in runs
        for clip, parts in run["found"]["ours"].items()
        for part, share in parts.items()
    )


def on_newest(clip: Path, interpreter: str) -> str:
    """Versions of Python and numpy in an environment without MediaPipe in which the clip was
    extracted, and the share found.
    """
    python = environment("ai-edge-litert", "2.3.0", interpreter)
    uv = Path(sys.executable).with_name("uv")
    subprocess.run(
        [uv, "pip", "install", "--quiet", "--python", python, f"{HERE.parent}[blazepose]"],
        check=True,
    )
    with tempfile.TemporaryDirectory() as folder:
        ran = answer(python, THERE, "extract", folder, 1, clip)
    versions = subprocess.run(
        [
            python,
            "-c",
            "import sys, numpy, importlib.util as u; assert u.find_spec('mediapipe') is None;"
            "print(sys.version.split()[0], numpy.__version__)",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    found = next(iter(ran["found"].values()))
    return f"Python {versions[0]}, numpy {versions[1]}: body {found['body']:.3f}"


if __name__ == "__main__":
    sys.exit(main())
