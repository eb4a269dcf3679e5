import csv
import json
import re
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
import pytest
from facenet_pytorch import MTCNN

from semiology.cli.main import main
from semiology.data.cohort import Cohort
from semiology.errors import UserError
from semiology.phantom.drawing.clip import film, perform
from semiology.phantom.dystonia_emotion.recipe import DystoniaEmotionRecipe, plan_clip
from semiology.phantom.shared.truth import face_truth
from semiology.tracking.boxes import scaled, to_whole_pixels
from semiology.tracking.deidentify import DeidentifyOptions, deidentify_cohort, deidentify_videos
from semiology.tracking.deidentify.cover import (
    Cover,
    covered_fraction,
    fill_between,
    paint,
    plan_covers,
    spread_over_time,
)
from semiology.tracking.deidentify.heads import EveryFace, HeadDetection, assign_head, pose_head_box
from semiology.tracking.deidentify.verify import write_verified
from semiology.tracking.patient import Faces
from semiology.tracking.pose.base import Landmarks
from semiology.video import every_frame, probe, read_frames, write_copy, write_video

NO_FACES = Faces(np.zeros((0, 4)), np.zeros(0))
WHOLE = [[0, 0, 176, 144]]


@pytest.fixture(scope="module")
def phantom(tmp_path_factory):
    """Two seconds of a phantom at 384x288, its covered copy, and the 23 landmarks of each frame,
    (time, landmark, 2) px.
    """
    folder = tmp_path_factory.mktemp("phantom")
    plan, _ = plan_clip(DystoniaEmotionRecipe(seconds=(2, 2)), 7, 0)
    assert (plan.subject.view.width, plan.subject.view.height) == (384, 288)
    performance = perform(plan)
    write_video(folder / "in.mp4", film(plan, performance), 25)
    summary = deidentify_videos([folder / "in.mp4"], folder / "out", progress=False)
    assert summary.done == ["in"], summary.failed
    truth = face_truth(plan, performance)
    return folder / "in.mp4", folder / "out" / "in.mp4", truth


def read_log(copy: Path) -> list[tuple[str, list[list[int]]]]:
    """(reason, boxes) of each frame."""
    rows = list(csv.DictReader(copy.with_suffix(".csv").read_text().splitlines()))
    assert [int(row["frame"]) for row in rows] == list(range(len(rows)))
    return [
        (
            row["reason"],
            [[int(edge) for edge in box.split()] for box in row["boxes"].split(";") if box],
        )
        for row in rows
    ]


def faces_by_default(path: Path, frames: int | None = None) -> int:
    """Frames of a file (or of its first `frames`) in which MTCNN at its defaults finds a face,
    decoded without this project.
    """
    mtcnn, count = MTCNN(keep_all=True), 0
    with av.open(str(path)) as container:
        for image in islice(container.decode(video=0), frames):
            count += mtcnn.detect(image.to_ndarray(format="rgb24"))[0] is not None
    return count


def detection(
    index: int, head=None, faces=(), probability: float = 0.99, damaged: bool = False
) -> HeadDetection:
    boxes = np.array(faces, float).reshape(-1, 4)
    head = None if head is None else np.array(head, float)
    return HeadDetection(
        index,
        index / 25,
        head,
        "" if head is None else "face",
        Faces(boxes, np.full(len(boxes), probability)),
        damaged,
    )


def test_every_landmark_of_the_face_is_covered_in_every_frame_and_the_rest_is_as_it_was(phantom):
    source, copy, truth = phantom
    log = read_log(copy)
    frames = list(zip(every_frame(source), every_frame(copy), strict=True))
    assert len(log) == len(frames) >= 50
    for row, index in enumerate(truth.source_index.values):
        reason, boxes = log[index]
        assert reason in ("face", "head", "filled")
        covered = np.zeros((288, 384), bool)
        for x0, y0, x1, y1 in boxes:
            covered[y0:y1, x0:x1] = True
        points = truth.position.values[row].T.astype(int)
        inside = (points >= 0).all(1) & (points < [384, 288]).all(1)
        assert covered[points[inside, 1], points[inside, 0]].all(), index
    for (_, boxes), (before, after) in zip(log, frames, strict=True):
        assert before.time == pytest.approx(after.time, abs=1e-4)
        far = np.ones((288, 384), bool)
        for x0, y0, x1, y1 in boxes:
            far[max(y0 - 16, 0) : y1 + 16, max(x0 - 16, 0) : x1 + 16] = (
                False  # 16 px: a block of the codec
            )
            assert (
                np.abs(after.image[y0 + 8 : y1 - 8, x0 + 8 : x1 - 8].astype(int) - 127).max() < 16
            )  # flat, up to compression
        assert far.mean() > 0.4
        assert (
            np.abs(before.image[far].astype(int) - after.image[far]).mean() < 4
        )  # grey levels: sensor noise, compressed once more


def test_no_face_is_found_in_the_copy_where_there_was_one_before(phantom):
    source, copy, _ = phantom
    assert faces_by_default(source, 5) == 5
    assert faces_by_default(copy) == 0
    record = json.loads(copy.with_suffix(".json").read_text())
    assert record["frames"] == sum(record["reasons"].values()) and 0 < record["covered"] < 0.6
    assert (
        "in.mp4" not in copy.with_suffix(".json").read_text() + copy.with_suffix(".csv").read_text()
    )


def test_a_plan_that_misses_the_face_is_mended_by_the_check(phantom, tmp_path):
    source, _, _ = phantom
    short = [frame.image for frame, _ in zip(every_frame(source), range(6))]
    write_copy(tmp_path / "short.mp4", ((number / 25, image) for number, image in enumerate(short)))
    nothing = [Cover(number, number / 25, "face", np.zeros((0, 4), int)) for number in range(6)]
    plan, rounds = write_verified(
        tmp_path / "short.mp4",
        tmp_path / "out.mp4",
        nothing,
        probe(tmp_path / "short.mp4"),
        grow=1.5,
    )
    assert rounds > 1 and any(cover.added for cover in plan)
    assert (
        faces_by_default(tmp_path / "short.mp4") > 0 and faces_by_default(tmp_path / "out.mp4") == 0
    )


def test_a_frame_without_a_head_is_covered_whole_unless_it_is_to_be_kept():
    head = [80, 40, 100, 60]
    frames = [detection(index, head if index < 10 else None) for index in range(50)]
    plan = plan_covers(frames, 176, 144, DeidentifyOptions(grow=2))
    # found in frames 0 to 9 (to 0.36 s); filled for 0.5 s, to 0.86 s, which is frame 21
    assert [cover.reason for cover in plan] == ["face"] * 10 + ["filled"] * 12 + [
        "whole frame"
    ] * 28
    assert plan[5].boxes.tolist() == [[70, 30, 110, 70]]  # twice the size around the same centre
    assert all(cover.boxes.tolist() == WHOLE for cover in plan[22:])
    kept = plan_covers(frames, 176, 144, DeidentifyOptions(lost="keep"))
    assert [cover.reason for cover in kept[22:]] == ["nothing"] * 28 and all(
        len(cover.boxes) == 0 for cover in kept[25:]
    )


def test_a_caregivers_face_is_covered_and_does_not_stand_for_the_patients():
    other = [120, 10, 150, 40]
    plan = plan_covers(
        [
            detection(index, [20, 60, 40, 80] if index < 25 else None, [other])
            for index in range(75)
        ],
        176,
        144,
        DeidentifyOptions(),
    )
    assert [15, 55, 45, 85] in plan[5].boxes.tolist() and [112, 2, 158, 48] in plan[
        5
    ].boxes.tolist()
    assert plan[60].reason == "whole frame"
    kept = plan_covers(
        [detection(index, None, [other]) for index in range(75)],
        176,
        144,
        DeidentifyOptions(lost="keep"),
    )
    assert kept[60].reason == "nothing" and kept[60].boxes.tolist() == [[112, 2, 158, 48]]


def test_what_is_seen_once_or_doubtfully_is_covered_as_found_and_only_thereabouts():
    hand = [100, 100, 120, 120]
    frames = [
        detection(index, [20, 20, 40, 40], [hand] if index == 20 else []) for index in range(40)
    ]
    with_hand = [
        cover.index
        for cover in plan_covers(frames, 176, 144, DeidentifyOptions())
        if hand in cover.boxes.tolist()
    ]
    assert with_hand == [18, 19, 20, 21, 22]  # 0.1 s is two frames at 25 Hz


def test_damaged_frames_are_covered_whole_even_where_lost_frames_are_kept():
    frames = [detection(index, [20, 20, 40, 40], damaged=index == 3) for index in range(6)]
    plan = plan_covers(frames, 176, 144, DeidentifyOptions(lost="keep"))
    assert [cover.reason for cover in plan] == ["face"] * 3 + ["damaged"] + ["face"] * 2 and plan[
        3
    ].boxes.tolist() == WHOLE


def test_a_short_gap_is_filled_on_a_straight_line_and_a_long_one_from_its_ends():
    times = np.arange(6) * 0.1
    boxes = np.full((6, 4), np.nan)
    boxes[0], boxes[2] = [0, 0, 10, 10], [20, 0, 30, 10]
    filled = fill_between(times, boxes, 0.25, 4)
    # half-way, 0.1 s from either end: 4 sides of 10 px a second for 0.1 s are 4 px at each edge
    assert filled[1] == pytest.approx([10 - 4, -4, 20 + 4, 14])
    assert filled[3] == pytest.approx([20 - 4, -4, 30 + 4, 14]) and filled[4] == pytest.approx(
        [20 - 8, -8, 30 + 8, 18]
    )
    assert np.isnan(filled[5]).all()  # 0.3 s away
    assert (
        np.array_equal(fill_between(times, boxes, 0, 4)[[0, 2]], boxes[[0, 2]])
        and np.isnan(fill_between(times, boxes, 0, 4)[1]).all()
    )
    assert np.isnan(fill_between(times, np.full((6, 4), np.nan), 9.0, 4)).all()
    far = np.full((6, 4), np.nan)
    far[0], far[5] = [0, 0, 10, 10], [100, 0, 110, 10]
    assert fill_between(times, far, 0.2, 4)[1] == pytest.approx(
        [-4, -4, 14, 14]
    )  # 0.5 s apart is more than twice 0.2 s: no line between them
    assert np.isnan(fill_between(times, far, 0.15, 4)[2]).all()


def test_neighbours_boxes_are_united_within_a_tenth_of_a_second():
    boxes = np.array([[0, 0, 10, 10], [5, 0, 15, 10], [50, 0, 60, 10.0]])
    united = spread_over_time(np.array([0, 0.1, 0.3]), boxes)
    assert united.tolist() == [[0, 0, 15, 10], [0, 0, 15, 10], [50, 0, 60, 10]]


def test_boxes_become_whole_pixels_of_the_picture():
    assert to_whole_pixels([np.array([1.2, 2.7, 9.1, 9.9])], 176, 144).tolist() == [[1, 2, 10, 10]]
    assert (
        to_whole_pixels([np.array([-50, -50, 500, 500.0])] * 2, 176, 144).tolist() == WHOLE
    )  # one of two equal boxes stays
    assert to_whole_pixels(
        [np.array([5, 5, 6, 6.0]), np.array([0, 0, 9, 9.0])], 176, 144
    ).tolist() == [[0, 0, 9, 9]]
    assert to_whole_pixels([np.array([200, 0, 300, 50.0])], 176, 144).shape == (0, 4)
    assert scaled(np.array([0, 0, 10, 20.0]), 2).tolist() == [-5, -10, 15, 30]
    boxes = np.array([[0, 0, 88, 144], [44, 0, 132, 72]])
    image = np.arange(144 * 176 * 3, dtype=np.uint32).astype(np.uint8).reshape(144, 176, 3)
    painted = paint(image, boxes)
    assert (painted[:, :88] == 127).all() and (painted[:72, 88:132] == 127).all()
    assert np.array_equal(painted[72:, 88:], image[72:, 88:]) and np.array_equal(
        painted[:, 132:], image[:, 132:]
    )
    assert covered_fraction(boxes, 176, 144) == pytest.approx(1 / 2 + 1 / 8)


def test_a_head_rests_on_landmarks_detector_and_joints_and_other_faces_stay_apart():
    names = ["nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder"]
    points = np.array([[50, 50], [54, 46], [46, 46], [60, 50], [40, 50], [60, 80.0]])
    body = Landmarks(points, np.array([1, 1, 1, 1, 1, 0.2]))
    assert pose_head_box(body, names).tolist() == [
        38,
        36,
        62,
        60,
    ]  # 20 px from ear to ear: a square of 24 px around (50, 48)
    assert pose_head_box(Landmarks(points, np.full(6, 0.4)), names) is None
    metres = np.column_stack(
        [(points - points.mean(0)) / 250, np.zeros(6)]
    )  # 250 px are a metre: 0.32 m are 80 px
    deep = Landmarks(points, body.confidence, metres)
    own, other = [40, 40, 60, 66], [120, 40, 140, 66]
    seen = assign_head(detection(0, None, [own, other]), {"body": body}, names, None, 176, 144)
    assert (seen.head.tolist(), seen.by, seen.faces.boxes.tolist()) == (
        [38, 36, 62, 66],
        "face",
        [other],
    )
    alone = assign_head(detection(0), {"body": body}, names, None, 176, 144)
    assert (alone.head.tolist(), alone.by) == ([38, 36, 62, 60], "head")
    alone = assign_head(detection(0), {"body": deep}, names, None, 176, 144)
    assert (alone.head.tolist(), alone.by) == (pytest.approx([10, 8, 90, 88]), "head")
    assert assign_head(
        detection(0, None, [own]), {"body": deep}, names, None, 176, 144
    ).head.tolist() == [38, 36, 62, 66]
    outside = assign_head(
        detection(0), {"body": Landmarks(points - [100, 0], body.confidence)}, names, None, 176, 144
    )
    assert outside.head is None and outside.by == ""


@pytest.fixture
def tagged(tmp_path) -> Path:
    """A video of nobody, 20 frames at uneven times, stored lying on its side, with sound, a title,
    a date and a place.
    """
    path = tmp_path / "tagged.mov"
    with av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as container:
        container.metadata.update(
            {
                "title": "ward 3",
                "creation_time": "2024-05-01T10:00:00Z",
                "location": "+48.1+011.6/",
                "artist": "camera",
            }
        )
        video = container.add_stream("mpeg4", rate=25)
        video.width, video.height, video.pix_fmt = 176, 144, "yuv420p"
        video.codec_context.time_base = Fraction(1, 1000)
        video.codec_context.sample_aspect_ratio = Fraction(16, 15)
        video.metadata["handler_name"] = "bed 7"
        video.set_display_rotation(90)
        audio = container.add_stream("aac", rate=44100)
        time = 0
        for number in range(20):
            frame = av.VideoFrame.from_ndarray(
                np.full((144, 176, 3), 60 + number, np.uint8), format="rgb24"
            )
            frame.pts, frame.time_base = time, Fraction(1, 1000)
            container.mux(video.encode(frame))
            time += (30, 40, 50)[number % 3]
        sound = av.AudioFrame.from_ndarray(
            np.zeros((1, 2048), np.float32), format="fltp", layout="mono"
        )
        sound.sample_rate, sound.pts = 44100, 0
        container.mux(audio.encode(sound))
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return path


def test_sound_and_metadata_are_gone_and_every_frame_has_its_time(tagged, tmp_path):
    with av.open(str(tagged)) as container:
        assert {stream.type for stream in container.streams} == {
            "video",
            "audio",
        } and container.metadata["title"] == "ward 3"
    summary = deidentify_videos([tagged], tmp_path / "out", progress=False)
    assert summary.records["tagged"]["reasons"]["whole frame"] == 20  # nobody was found
    with av.open(str(tmp_path / "out" / "tagged.mp4")) as container:
        assert [stream.type for stream in container.streams] == ["video"]
        assert container.metadata.keys() <= {"major_brand", "minor_version", "compatible_brands"}
        assert container.streams.video[0].metadata == {
            "language": "und",
            "handler_name": "VideoHandler",
        }
        stream = container.streams.video[0]
        assert (stream.width, stream.height, stream.sample_aspect_ratio) == (
            144,
            188,
            None,
        )  # upright, and in square pixels: 176 * 16 / 15
        decoded = list(container.decode(video=0))
        assert [round(image.time * 1000) for image in decoded][:5] == [0, 30, 70, 120, 150] and len(
            decoded
        ) == 20
        assert all(
            np.abs(image.to_ndarray(format="rgb24").astype(int) - 127).max() < 3
            for image in decoded
        )
    data = (tmp_path / "out" / "tagged.mp4").read_bytes()
    assert not any(word in data for word in (b"ward 3", b"bed 7", b"+48.1", b"2024"))


def test_lost_frames_are_kept_on_request_and_a_second_run_does_no_work(tagged, tmp_path):
    assert (
        main(
            [
                "deidentify",
                str(tagged),
                "--out",
                str(tmp_path / "out"),
                "--lost",
                "keep",
                "--rename",
            ]
        )
        == 0
    )
    copy = tmp_path / "out" / "video-001.mp4"
    first = next(every_frame(copy)).image
    assert np.abs(first.astype(int) - 60).max() < 6
    assert [reason for reason, _ in read_log(copy)] == ["nothing"] * 20
    changed = copy.stat().st_mtime_ns
    again = deidentify_videos(
        [tagged],
        tmp_path / "out",
        options=DeidentifyOptions(lost="keep"),
        rename=True,
        progress=False,
    )
    assert again.skipped == ["video-001"] and copy.stat().st_mtime_ns == changed
    other = deidentify_videos([tagged], tmp_path / "out", rename=True, progress=False)
    assert (
        other.done == ["video-001"]
        and np.abs(next(every_frame(copy)).image.astype(int) - 127).max() < 3
    )


def test_a_damaged_frame_keeps_its_place_and_is_covered(tmp_path):
    images = [
        np.random.default_rng(number).integers(0, 255, (144, 176, 3)).astype(np.uint8)
        for number in range(24)
    ]
    write_video(tmp_path / "whole.avi", iter(images), 25, bit_rate=8_000_000)
    with av.open(str(tmp_path / "whole.avi")) as container:
        packets = [packet for packet in container.demux(video=0) if packet.size]
    data = bytearray((tmp_path / "whole.avi").read_bytes())
    hit = packets[15]
    data[hit.pos + hit.size // 2 : hit.pos + hit.size] = bytes(hit.size - hit.size // 2)
    (tmp_path / "hit.avi").write_bytes(data)
    damaged = [frame.index for frame in every_frame(tmp_path / "hit.avi") if frame.image is None]
    assert damaged and damaged[0] == 15
    deidentify_videos(
        [tmp_path / "hit.avi"],
        tmp_path / "out",
        options=DeidentifyOptions(lost="keep"),
        progress=False,
    )
    log = read_log(tmp_path / "out" / "hit.mp4")
    assert (
        len(log) == 24
        and [index for index, (reason, _) in enumerate(log) if reason == "damaged"] == damaged
    )


def test_bad_videos_are_listed_and_the_others_are_made(tagged, tmp_path, capsys):
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty.avi").write_bytes(b"")
    videos = [tmp_path / "text.mp4", tagged, tmp_path / "gone.mp4", tmp_path / "empty.avi"]
    assert main(["deidentify", *map(str, videos), "--out", str(tmp_path / "out")]) == 1
    printed = capsys.readouterr().out
    assert printed.startswith("4 videos: 1 covered, 0 were there already, 3 failed\n")
    assert (
        "failed: gone: there is no such file" in printed
        and "failed: empty: is empty (0 bytes)" in printed
        and "failed: text: " in printed
    )
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "tagged.csv",
        "tagged.json",
        "tagged.mp4",
    ]


def test_nothing_is_overwritten_that_is_not_ours(tagged, tmp_path):
    write_video(tmp_path / "clip.mp4", (np.full((144, 176, 3), 9, np.uint8) for _ in range(3)), 25)
    with pytest.raises(UserError, match=r"clip\.mp4: "):
        deidentify_videos([tmp_path / "clip.mp4"], tmp_path, progress=False)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "tagged.mp4").write_bytes(b"somebody's")
    with pytest.raises(UserError, match=re.escape(f"{tmp_path / 'out'}")):
        deidentify_videos([tagged], tmp_path / "out", progress=False)
    assert (tmp_path / "out" / "tagged.mp4").read_bytes() == b"somebody's"
    with pytest.raises(UserError, match="would share the copy"):
        deidentify_videos(
            [tmp_path / "a" / "v.mp4", tmp_path / "b" / "V.avi"], tmp_path / "out", progress=False
        )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"grow": 0.5}, "grow"),
        ({"lost_after": -1}, "lost_after"),
        ({"lost": "blur"}, "cover or keep"),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(UserError, match=message):
        DeidentifyOptions(**options)


def test_a_cohorts_copy_is_a_cohort_with_videos_named_by_clip(tagged, tmp_path):
    folder = tmp_path / "cohort"
    (folder / "videos").mkdir(parents=True)
    tagged.rename(folder / "videos" / "smith.mov")
    (folder / "participants.tsv").write_text("participant_id\tsex\nP1\tF\n")
    rows = [
        "clip_id\tparticipant_id\tvideo\ttracks\tstart\tend\tsign",
        "c1\tP1\tvideos/smith.mov\tn/a\t0\t0.3\tno",
        "c2\tP1\tvideos/smith.mov\tn/a\t0.3\tn/a\tn/a",
        "c3\tP1\tvideos/gone.mov\tn/a\t0\tn/a\tno",
        "c4\tP1\tn/a\tbody.nc\t0\tn/a\tyes",
    ]
    (folder / "clips.tsv").write_text("\n".join(rows) + "\n")
    (folder / "clips.json").write_text(
        json.dumps({"sign": {"Role": "label", "Levels": {"no": "", "yes": ""}}})
    )
    stretches = "c2\t0.05\t0.1\tann\tn/a\nc3\t0\t1\tann\tn/a\n"
    (folder / "out_of_view.tsv").write_text(f"clip_id\tonset\tduration\trater\twhen\n{stretches}")
    summary = deidentify_cohort(
        Cohort.read(folder, check_videos=False), tmp_path / "copy", progress=False
    )
    assert (summary.done, summary.left_out, [name for name, _ in summary.failed]) == (
        ["c1"],
        ["c4"],
        ["c3"],
    )
    copy = Cohort.read(tmp_path / "copy")
    assert [
        (clip.clip_id, clip.video, clip.start, clip.end, clip.labels["sign"]) for clip in copy.clips
    ] == [("c1", "videos/c1.mp4", 0.0, 0.3, "no"), ("c2", "videos/c1.mp4", 0.3, None, None)]
    assert [(person.participant_id, person.sex) for person in copy.participants] == [("P1", "F")]
    assert [clip.away for clip in copy.clips] == [(), ((0.05, 0.1),)]
    assert "ann" not in (tmp_path / "copy" / "out_of_view.tsv").read_text()
    everything = summary.text() + "".join(
        path.read_text() for path in (tmp_path / "copy").rglob("*.*") if path.suffix != ".mp4"
    )
    assert "smith" not in everything
    assert (
        json.loads((tmp_path / "copy" / "deidentified.json").read_text())["videos"]["c1"]["frames"]
        == 20
    )
    (folder / "out_of_view.tsv").unlink()
    cohort = Cohort.read(folder, check_videos=False)
    assert deidentify_cohort(cohort, tmp_path / "copy", progress=False).skipped == ["c1"]
    assert not (tmp_path / "copy" / "out_of_view.tsv").exists()
    with pytest.raises(UserError, match=re.escape(f"{folder}: ")):
        deidentify_cohort(cohort, folder, progress=False)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "clips.tsv").write_text("theirs")
    with pytest.raises(UserError, match=re.escape(f"{tmp_path / 'other'}: ")):
        deidentify_cohort(cohort, tmp_path / "other", progress=False)


@pytest.mark.realdata
def test_no_face_is_left_in_a_talking_face(testdata, tmp_path):
    with av.open(str(testdata / "faces/carphone_176x144.mp4")) as container:
        images = [
            image.to_ndarray(format="rgb24")
            for image, _ in zip(container.decode(video=0), range(30))
        ]
    write_video(tmp_path / "talk.mp4", iter(images), 30)
    deidentify_videos([tmp_path / "talk.mp4"], tmp_path / "out", progress=False)
    assert (
        faces_by_default(tmp_path / "talk.mp4", 5) == 5
        and faces_by_default(tmp_path / "out" / "talk.mp4") == 0
    )
    assert all(reason == "face" for reason, _ in read_log(tmp_path / "out" / "talk.mp4"))


def test_a_cohorts_videos_are_read_in_their_own_pixels_and_copied_in_square_ones(tmp_path):
    folder = tmp_path / "cohort"
    folder.mkdir()
    images = [np.full((96, 64, 3), 60 + number, np.uint8) for number in range(8)]
    write_video(folder / "a.mp4", images, 25, pixel_aspect=Fraction(4, 3))  # the header is wrong
    write_video(folder / "b.mp4", images, 25)
    (folder / "participants.tsv").write_text("participant_id\nP1\n")
    (folder / "recordings.tsv").write_text("recording_id\tvideo\tstart\nnight\ta.mp4\t0\n")
    columns = "clip_id\tparticipant_id\tvideo\trecording\tstart\tend\tpixel_aspect\tsign\n"
    own = "c1\tP1\ta.mp4\tn/a\t0\tn/a\t2:1\tno\n"
    others = "c2\tP1\tb.mp4\tn/a\t0\tn/a\tn/a\tno\nc3\tP1\tn/a\tnight\t0\t0.2\tn/a\tno\n"
    (folder / "clips.tsv").write_text(columns + own + others)
    (folder / "clips.json").write_text(
        json.dumps({"sign": {"Role": "label", "Levels": {"no": "", "yes": ""}}})
    )
    summary = deidentify_cohort(Cohort.read(folder), tmp_path / "copy", progress=False)
    assert summary.done == ["c1", "c2"] and summary.left_out == ["c3"]
    sizes = [probe(tmp_path / "copy" / "videos" / f"{name}.mp4") for name in ("c1", "c2")]
    assert [(info.width, info.height) for info in sizes] == [(128, 96), (64, 96)]
    assert all(info.pixel_aspect == 1 for info in sizes)
    assert [clip.pixel_aspect for clip in Cohort.read(tmp_path / "copy").clips] == [None, None]
    (folder / "clips.tsv").write_text(columns + own + own.replace("c1", "c4").replace("2:1", "1:1"))
    with pytest.raises(UserError, match="c1 and c4 are of one video and state different pixels"):
        deidentify_cohort(Cohort.read(folder), tmp_path / "other", progress=False)


@pytest.mark.realdata
def test_faces_that_lie_or_are_upside_down_are_covered_too(testdata):
    frame = next(iter(read_frames(testdata / "faces/carphone_176x144.mp4")))
    image, detector = frame.image, EveryFace()
    upright = detector(image).boxes
    assert len(upright) == 1
    for quarters in (1, 2, 3):
        turned = np.ascontiguousarray(np.rot90(image, quarters))
        middles = [(box[:2] + box[2:]) / 2 for box in detector(turned).boxes]
        x, y = (upright[0][:2] + upright[0][2:]) / 2
        for _ in range(quarters):  # rot90 takes (x, y) to (y, width - x)
            x, y = y, (image.shape[1] if _ % 2 == 0 else image.shape[0]) - x
        assert min(np.linalg.norm(middle - (x, y)) for middle in middles) < 30
