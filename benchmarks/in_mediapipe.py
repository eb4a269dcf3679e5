"""Run beside MediaPipe 0.10.21, by `benchmarks/blazepose.py` and `extract.py`; prints JSON.

python in_mediapipe.py stills IMAGES.npz      body landmarks of each still, px
python in_mediapipe.py tracked IMAGES.npz     ms of processor a frame, of body and face, tracked
python in_mediapipe.py extract OUT JOBS VIDEO...   an earlier build of semiology on videos
"""

import json
import sys
import time
from pathlib import Path

import numpy as np


def stills(images: list[np.ndarray]) -> list[list[list[float]] | None]:
    from mediapipe.python.solutions.pose import Pose

    with Pose(static_image_mode=True, smooth_landmarks=False) as pose:
        found = []
        for image in images:
            marks = pose.process(image).pose_landmarks
            size = image.shape[1::-1]
            found.append(
                marks and [[mark.x * size[0], mark.y * size[1]] for mark in marks.landmark]
            )
    return found


def tracked(images: list[np.ndarray]) -> dict[str, float]:
    from mediapipe.python.solutions.face_mesh import FaceMesh
    from mediapipe.python.solutions.pose import Pose

    took = {}
    for name, model in {
        "body": Pose(smooth_landmarks=False),
        "face": FaceMesh(refine_landmarks=True),
    }.items():
        for image in images[:5]:
            model.process(image)
        began = time.process_time()
        for image in images:
            model.process(image)
        took[name] = 1000 * (time.process_time() - began) / len(images)
    return took


def plain(video: str, first: str, count: str, out: str) -> dict[str, float]:
    """Frames a second of a plain loop over some frames of a video; what it found, (frame, landmark,
    2) px, NaN where nothing, goes to a file.
    """
    import av
    from facenet_pytorch import MTCNN
    from mediapipe.python.solutions.face_mesh import FaceMesh
    from mediapipe.python.solutions.pose import Pose

    with av.open(video) as container:
        height, width = container.streams.video[0].height, container.streams.video[0].width
    mtcnn = MTCNN(keep_all=True, min_face_size=round(0.04 * height))
    pose = Pose(smooth_landmarks=False, min_detection_confidence=0.5, min_tracking_confidence=0.8)
    mesh = FaceMesh(refine_landmarks=True)
    grey = np.full((height, width, 3), 127, np.uint8)
    for run in (mtcnn.detect, pose.process, mesh.process):
        run(grey)
    frames = range(int(first), int(first) + int(count))
    found = {"body": np.full((len(frames), 33, 2), np.nan)}
    found["face"] = np.full((len(frames), 478, 2), np.nan)
    done, began = 0, 0.0
    with av.open(video) as container:
        for number, frame in enumerate(container.decode(video=0)):
            if number not in frames:
                continue
            began = began or time.perf_counter()
            image = frame.to_ndarray(format="rgb24")
            mtcnn.detect(image)
            faces = mesh.process(image).multi_face_landmarks
            marks = {"body": pose.process(image).pose_landmarks, "face": faces and faces[0]}
            for part, seen in marks.items():
                if seen:
                    found[part][done] = [(m.x * width, m.y * height) for m in seen.landmark]
            done += 1
    rate = done / (time.perf_counter() - began)
    np.savez(out, **{part: positions[:done] for part, positions in found.items()})
    return {"frames_a_second": rate}


def extract(out: str, jobs: str, *videos: str) -> dict:
    from semiology.parallel import Workers
    from semiology.tracking.extraction import extract_videos

    began = time.perf_counter()
    summary = extract_videos(
        [Path(video) for video in videos], out, workers=Workers(jobs=int(jobs)), progress=False
    )
    return {"seconds": time.perf_counter() - began, "found": summary.found}


if __name__ == "__main__":
    what, *given = sys.argv[1:]
    if what in ("extract", "plain"):
        print(json.dumps({"extract": extract, "plain": plain}[what](*given)))
    else:
        with np.load(given[0]) as stored:
            read = [stored[name] for name in stored.files]
        print(json.dumps({"stills": stills, "tracked": tracked}[what](read)))
