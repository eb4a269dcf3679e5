"""Reading a cohort of short clips with tracks of their own, beside how it was before: processor
time a clip, and the same numbers to the last bit.

The clips are UTKinect-Action3D's 199. The code of before is taken out of the repository's history
(`BEFORE`); both read in processes of their own, in turn.
"""

import hashlib
import io
import json
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from statistics import median

import numpy as np
from record import record
from utkinect import DATA
from utkinect_cohort import make_cohort

RUN = Path("runs/read_clips")
HERE = Path(__file__).resolve().parents[1]
BEFORE = "22f5783"  # the last commit that prepared every clip through xarray
ROUNDS = 7  # of each, in turn, so that a busy moment meets both; the medians count
TARGET = 5  # times as fast


def read(cohort: str) -> dict[str, object]:
    """Seconds of processor of one reading after a first one, which imports, and a digest of all
    joints.
    """
    from semiology.models.training.clips import ClipSource
    from semiology.models.training.reading import Reading

    reading = Reading(
        "action", skeleton="kinect_20", dimensions=3, rate=15, longest_gap=1, window=32, whole=True
    )
    _ = ClipSource(cohort, reading).clips
    began = time.process_time()
    clips = ClipSource(cohort, reading).clips
    seconds = time.process_time() - began
    digest = hashlib.sha256()
    for clip in clips:
        digest.update(f"{clip.clip_id} {clip.target} {clip.joints.shape}".encode())
        digest.update(np.ascontiguousarray(clip.joints).tobytes())
    return {"clips": len(clips), "s": seconds, "digest": digest.hexdigest()}


def by(code: Path) -> dict[str, object]:
    """The same in a process of its own, by the code in a folder."""
    found = subprocess.run(
        [sys.executable, __file__, str(RUN / "cohort")],
        env={"PYTHONPATH": f"{code}:{HERE / 'benchmarks'}", "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(found.stdout)


def main() -> int:
    if not (RUN / "cohort/clips.tsv").is_file():
        make_cohort(DATA, RUN / "cohort")
    before = RUN.resolve() / f"before-{BEFORE}"
    packed = subprocess.run(
        ["git", "archive", BEFORE, "semiology"], cwd=HERE, capture_output=True, check=True
    )
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(before, filter="data")
    runs: dict[str, list] = {"before": [], "now": []}
    for _ in range(ROUNDS):
        runs["before"].append(by(before))
        runs["now"].append(by(HERE))
    clips = runs["now"][0]["clips"]
    each = {name: median(run["s"] for run in all_) / clips * 1e3 for name, all_ in runs.items()}
    ratio = each["before"] / each["now"]
    same = len({run["digest"] for all_ in runs.values() for run in all_}) == 1
    print(f"{clips} clips: before {each['before']:.1f} ms a clip, now {each['now']:.1f} ms")
    return record(
        "read-clips",
        {"clips": clips, "ms_a_clip": each, "times": ratio, "same": same, "runs": runs},
        f"{TARGET} times as fast, the same bits",
        ratio >= TARGET and same,
        headline=f"{ratio:.1f} times as fast as {BEFORE} ({each['now']:.1f} against"
        f" {each['before']:.1f} ms of processor a clip), {'the same' if same else 'OTHER'} bits",
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(read(sys.argv[1])))
    else:
        sys.exit(main())
