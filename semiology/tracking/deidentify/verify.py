"""Write the covered copy, detect faces in the written file, and cover again until there are none.

Compression changes images a little, and a detection near the threshold may then change: so the
check reads what a viewer decodes, not what went into the encoder.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from semiology.errors import UserError
from semiology.tracking.boxes import scaled, to_whole_pixels
from semiology.tracking.deidentify.cover import GREY, TIME_MARGIN, Cover, paint
from semiology.tracking.patient import FACE_THRESHOLD, FaceDetector, Faces
from semiology.video import Reading, VideoInfo, every_frame, write_copy
from semiology.video.decode import AS_STATED

# rounds in which a face that is still detected gets a box; in later ones its frame is covered whole
BOX_ROUNDS = 3
MAX_ROUNDS = 20  # rounds in all


def write_verified(
    video: str | Path,
    out: str | Path,
    plan: Sequence[Cover],
    info: VideoInfo,
    *,
    grow: float,
    reading: Reading = AS_STATED,
    progress: bool = False,
) -> tuple[list[Cover], int]:
    """Write `video` to `out` with the boxes of `plan` covered, so that MTCNN at its default
    thresholds detects no face in any frame of the written file. The copy has square pixels.

    A face that is still detected gets a box in its frame and those within 0.1 s, `grow` times its
    size where its probability is 0.9 or more (the others are mostly false detections); after three
    such rounds the frame is covered whole. A frame whose decoded image is the same as in an earlier
    round is not searched twice.

    Returns:
        The final covers, and the number of rounds.

    Raises:
        UserError: faces are detected after twenty rounds, or the copy lacks frames: it must not be
            used.
    """
    detector = FaceDetector(smallest=0, threshold=0)
    searched: dict[int, bytes] = {}
    for number in range(1, MAX_ROUNDS + 1):
        painted = _painted(video, plan, info, reading)
        write_copy(
            out, tqdm(painted, "writing", len(plan), False, unit="frame", disable=not progress)
        )
        decoded = tqdm(
            every_frame(out),
            f"check {number}",
            len(plan),
            False,
            unit="frame",
            disable=not progress,
        )
        left = remaining_faces((frame.image for frame in decoded), len(plan), detector, searched)
        if not left:
            return list(plan), number
        plan = add_covers(plan, left, info, grow, whole=number > BOX_ROUNDS)
    raise UserError(
        f"a face is still detected in frame {min(left)} after {MAX_ROUNDS} rounds; no copy was"
        " written, raise grow"
    )


def _painted(
    video: str | Path, plan: Sequence[Cover], info: VideoInfo, reading: Reading
) -> Iterator[tuple[float, np.ndarray]]:
    for frame, cover in zip(every_frame(video, reading), plan, strict=True):
        yield (
            cover.time,
            (
                np.full((info.height, info.width, 3), GREY, np.uint8)
                if frame.image is None
                else paint(frame.image, cover.boxes)
            ),
        )


def remaining_faces(
    images: Iterator[np.ndarray | None],
    frames: int,
    detector: FaceDetector,
    searched: dict[int, bytes],
) -> dict[int, Faces]:
    """Detect faces in the written copy.

    Args:
        images: of the copy, in order.
        frames: number of images that there must be.
        detector: of faces.
        searched: frame -> digest of an image in which nothing was detected; such an image is not
            searched again. New ones are added.

    Returns:
        Frame -> faces, for the frames in which there are any.

    Raises:
        UserError: a frame that cannot be decoded, or another number of frames.
    """
    left, count = {}, 0
    for count, image in enumerate(images, start=1):
        if image is None:
            raise UserError(
                f"frame {count - 1} of the copy cannot be decoded; the copy was deleted, check the"
                " disk"
            )
        digest = hashlib.blake2b(image.tobytes(), digest_size=16).digest()
        if searched.get(count - 1) == digest:
            continue
        faces = detector(image)
        if len(faces.boxes):
            left[count - 1] = faces
        else:
            searched[count - 1] = digest
    if count != frames:
        raise UserError(f"the copy has {count} frames, the video {frames}; the copy was deleted")
    return left


def add_covers(
    plan: Sequence[Cover], left: dict[int, Faces], info: VideoInfo, grow: float, *, whole: bool
) -> list[Cover]:
    """The plan with the faces that were detected in the copy covered too: by boxes, or, with
    `whole`, by covering their frames whole.
    """
    again, frame = list(plan), np.array([[0, 0, info.width, info.height]])
    times = np.array([cover.time for cover in plan])
    for place, faces in left.items():
        if whole:
            again[place] = replace(again[place], reason="whole frame", boxes=frame)
            continue
        added = np.where(
            faces.probability[:, None] >= FACE_THRESHOLD, scaled(faces.boxes, grow), faces.boxes
        )
        first, last = np.searchsorted(
            times, [times[place] - TIME_MARGIN - 1e-9, times[place] + TIME_MARGIN + 1e-9]
        )
        for near in range(first, last):
            cover = again[near]
            boxes = to_whole_pixels([*cover.boxes, *added], info.width, info.height)
            again[near] = replace(cover, boxes=boxes, added=cover.added + len(added))
    return again
