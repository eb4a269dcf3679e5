import hashlib
import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from semiology.data.cohort import Cohort
from semiology.data.cohort.row import Click
from semiology.data.store import Store
from semiology.errors import UserError
from semiology.phantom.drawing.clip import film, perform
from semiology.phantom.dystonia_emotion.recipe import DystoniaEmotionRecipe, plan_clip
from semiology.tracking.blazepose.detectors import PEOPLE, Detector, anchors, averaged
from semiology.tracking.blazepose.landmarks import (
    BodyLandmarks,
    SteadyCircle,
    body_region,
    hand_region,
    palm_region,
    refined,
)
from semiology.tracking.blazepose.networks import LAYOUTS, Network
from semiology.tracking.blazepose.regions import Region, around_box, direction
from semiology.tracking.extraction import ExtractOptions, extract_cohort
from semiology.tracking.patient import Faces, FaceTrack, Look, clicked, follow_patient, unlike
from semiology.tracking.people import PeopleDetector, is_same_person, squares_of, torso_angle
from semiology.tracking.pose.base import BlazePoseOptions
from semiology.tracking.pose.blazepose import BlazePose, clothes
from semiology.video import Frame, read_frames, write_video
from semiology.weights import find

# of two frames of `drawn_people`, by mediapipe 0.10.21: Pose(static_image_mode=True,
# smooth_landmarks=False); x, y in px and visibility, and world landmarks in metres
MEDIAPIPE = json.loads(Path(__file__).with_name("blazepose.json").read_text())


@pytest.fixture(scope="module")
def drawn_people() -> list[np.ndarray]:
    plan, _ = plan_clip(DystoniaEmotionRecipe(seconds=(2, 2)), 1, 0)
    return [np.ascontiguousarray(image) for image in film(plan, perform(plan), range(0, 40, 20))]


def test_a_region_crops_what_it_covers_and_carries_points_back():
    image = np.zeros((40, 60, 3), np.uint8)
    image[10:20, 30:40] = 200
    crop = Region(np.array([35.0, 15.0]), 10.0).crop(image, 10)
    assert (crop == 200).all()
    turned = Region(np.array([35.0, 15.0]), 20.0, np.pi / 2)
    # turned clockwise by a quarter, the region's upper left corner lies at the upper right
    np.testing.assert_allclose(turned.to_image(np.array([0.0, 0.0])), [45, 5], atol=1e-9)
    np.testing.assert_allclose(turned.to_image(np.array([0.5, 0.0])), [45, 15], atol=1e-9)
    assert Region(np.array([0.0, 20.0]), 40.0).crop(image, 8, black=True)[:, 0].max() == 0


@pytest.mark.parametrize(
    ("end", "angle"), [((0, -1), 0.0), ((1, 0), 90.0), ((0, 1), -180.0), ((-1, 0), -90.0)]
)
def test_a_body_is_upright_where_its_head_is_above_its_hips(end, angle):
    found = body_region(np.zeros(2), np.array(end, float))
    assert np.degrees(found.angle) == pytest.approx(angle) and found.side == pytest.approx(2.5)


def test_a_hand_is_upright_where_its_fingers_are_above_its_wrist():
    keypoints = np.array([[50, 90], [40, 60], [50, 60], [60, 60], [70, 60], [30, 80], [40, 70]])
    upright = palm_region(np.array([30.0, 50, 70, 90]), keypoints.astype(float))
    # the square of 2.6 times the palm, moved up by half a palm
    assert (upright.side, upright.angle) == (pytest.approx(104), pytest.approx(0))
    np.testing.assert_allclose(upright.centre, [50, 50])
    flat = np.zeros((21, 2))
    flat[:, 0] = np.linspace(0, 100, 21)  # fingers to the right
    assert np.degrees(hand_region(flat).angle) == pytest.approx(90)


def test_anchors_lie_in_the_middle_of_their_cells():
    found = anchors([(2, 1), (1, 2)])
    assert found.tolist() == [
        [0.25, 0.25], [0.75, 0.25], [0.25, 0.75], [0.75, 0.75], [0.5, 0.5], [0.5, 0.5]
    ]  # fmt: skip
    assert [len(anchors(kind)) for kind in (PEOPLE.anchors, ((48, 1),))] == [2254, 2304]


def test_detections_that_overlap_are_averaged_by_their_scores():
    points = np.array(
        [[[0.2, 0.2], [0.2, 0.2]], [[0.24, 0.2], [0.2, 0.2]], [[0.8, 0.8], [0.1, 0.1]]]
    )
    kept, scores = averaged(points, np.array([0.9, 0.6, 0.7]))
    assert scores.tolist() == [0.9, 0.7]
    assert kept[0, 0].tolist() == pytest.approx([(0.9 * 0.2 + 0.6 * 0.24) / 1.5, 0.2])


def test_a_landmark_moves_to_the_mass_of_its_heatmap_where_that_is_high_enough():
    heatmap = np.full((64, 64, 2), -20.0)
    heatmap[30, 21:23, 0] = 20.0  # two cells of probability 1
    heatmap[30, 22, 1] = -0.1  # below one half
    points = np.array([[20.5, 30.5], [20.5, 30.5]]) / 64
    moved = refined(points, heatmap.ravel().astype(np.float32))
    assert (moved[0] * 64).tolist() == pytest.approx([21.5, 30.0], abs=1e-4)
    assert moved[1].tolist() == points[1].tolist()


def test_landmarks_of_a_still_are_mediapipes(drawn_people):
    people, landmarks = Detector(PEOPLE), BodyLandmarks()
    for image, expected in zip(drawn_people, MEDIAPIPE):
        found = landmarks(image, body_region(*people(image).keypoints[0, :2]))
        theirs = np.array(expected["landmarks"])
        away = np.linalg.norm(found.position - theirs[:, :2], axis=1)
        assert np.median(away) < 0.5 and away.max() < 2
        np.testing.assert_allclose(found.visibility, theirs[:, 2], atol=0.02)
        np.testing.assert_allclose(found.metres, expected["world"], atol=0.02)


def test_the_circle_around_a_body_is_steady_at_rest_and_follows_when_it_moves():
    rng, still, moving = np.random.default_rng(0), SteadyCircle(), SteadyCircle()
    circle = np.array([[100.0, 200.0], [100.0, 100.0]])
    noise = rng.normal(0, 1, (50, 2, 2))
    sides = [still(frame / 25, circle + noise[frame]).centre for frame in range(50)]
    assert np.std(sides[10:], axis=0).max() < 0.5  # of 1 px
    # ten px a frame, 1.25 diameters a second: the lag of a filter with a cutoff of 12.5 Hz is
    # 10 px * 25 Hz / (2 pi 12.5 Hz)
    for frame in range(50):
        found = moving(frame / 25, circle + np.array([10.0 * frame, 0]))
    assert circle[0, 0] + 490 - found.centre[0] == pytest.approx(250 / (2 * np.pi * 12.51), abs=0.1)


def test_people_are_found_whichever_way_they_lie(drawn_people):
    people, landmarks = Detector(PEOPLE), BodyLandmarks()
    image = drawn_people[0]
    upright = landmarks(image, body_region(*people(image).keypoints[0, :2])).position
    torso = np.linalg.norm(upright[11] - upright[23])
    height, width = image.shape[:2]
    for quarters in (1, 2, 3):
        turned = np.ascontiguousarray(np.rot90(image, quarters))
        found = landmarks(turned, body_region(*people(turned).keypoints[0, :2]))
        assert found.score > 0.8
        back = found.position
        for _ in range(quarters):  # rot90 took (x, y) to (y, width - x)
            back = np.stack(
                [(width if _ % 2 == (quarters + 1) % 2 else height) - back[:, 1], back[:, 0]], 1
            )
        assert np.median(np.linalg.norm(back - upright, axis=1)) < 0.25 * torso


def test_a_network_is_refused_that_is_another_one(tmp_path):
    full = find("pose_landmark_full")
    with pytest.raises(UserError, match=r"pose_detection\.tflite: a network that reads"):
        Network("pose_landmark_full", (0, 1), find("pose_detection"))
    with pytest.raises(UserError, match=r"palm_detection_full\.tflite"):
        BlazePose(BlazePoseOptions(str(find("palm_detection"))))._landmarks  # noqa: B018
    (tmp_path / "text.tflite").write_text("no network")
    with pytest.raises(UserError, match=r"text\.tflite: not a network"):
        Network("pose_landmark_full", (0, 1), tmp_path / "text.tflite")
    cut = tmp_path / "cut.tflite"
    cut.write_bytes(full.read_bytes()[:100_000])
    with pytest.raises(UserError, match=r"cut\.tflite"):
        Network("pose_landmark_full", (0, 1), cut)
    with zipfile.ZipFile(tmp_path / "hands.task", "w") as bundle:
        bundle.write(find("palm_detection"), "hand_detector.tflite")
    with pytest.raises(UserError, match=r"holds no pose_landmarks_detector\.tflite, but hand_det"):
        Network("pose_landmark_full", (0, 1), tmp_path / "hands.task")
    with pytest.raises(UserError, match=r"absent\.task: no such file"):
        BlazePoseOptions(str(tmp_path / "absent.task"))


def test_a_bundle_gives_the_same_landmarks_as_its_file(tmp_path, drawn_people):
    with zipfile.ZipFile(tmp_path / "pose.task", "w") as bundle:
        bundle.write(find("pose_landmark_full"), LAYOUTS["pose_landmark_full"].in_task)
    region = around_box(np.array([0.0, 0, *drawn_people[0].shape[1::-1]]))
    published = BodyLandmarks()(drawn_people[0], region).position
    given = BodyLandmarks("pose_landmark_full", tmp_path / "pose.task")(drawn_people[0], region)
    np.testing.assert_array_equal(given.position, published)
    key = BlazePose(BlazePoseOptions(str(tmp_path / "pose.task"))).parameters()["weights"]
    sha256 = hashlib.sha256((tmp_path / "pose.task").read_bytes()).hexdigest()
    assert key["body"] == sha256 != BlazePose().parameters()["weights"]["body"]


def test_a_missing_network_says_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMIOLOGY_WEIGHTS", str(tmp_path))
    with pytest.raises(UserError, match=r"pose_landmark_lite is not there; .*weights get"):
        Network("pose_landmark_lite", (0, 1))


def test_without_networks_an_extraction_stops_at_once_and_lists_no_clip(tmp_path):
    """In a process of its own: this one has the networks in memory."""
    for name in ("a", "b"):
        write_video(tmp_path / f"{name}.mp4", [np.full((144, 176, 3), 90, np.uint8)] * 3, 25)
    code = """
import sys
from semiology.tracking.blazepose import networks
networks.find_spec = lambda name: None  # no MediaPipe beside it
from semiology.cli.main import main
sys.exit(main(["extract", "a.mp4", "b.mp4", "--out", "out"]))
"""
    environment = {**os.environ, "SEMIOLOGY_WEIGHTS": str(tmp_path / "empty")}
    environment["PYTHONPATH"] = os.pathsep.join(path for path in sys.path if path)
    call = [sys.executable, "-c", code]
    done = subprocess.run(call, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 2 and "failed" not in done.stdout
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("semiology extract: ") and "semiology weights get blazepose" in last


def test_long_frames_are_also_looked_at_square_by_square():
    assert [(tuple(region.centre), region.side) for region in squares_of(720, 576)] == [
        ((360.0, 288.0), 720.0)
    ]
    wide = squares_of(1600, 800)
    assert [tuple(region.centre) for region in wide[1:]] == [(400, 400), (800, 400), (1200, 400)]
    assert {region.side for region in wide[1:]} == {800.0}


def test_the_torsos_angle_and_the_clothes_of_a_pose():
    position = np.full((33, 2), 50.0)
    position[[11, 12]], position[[23, 24]] = [[40, 30], [60, 30]], [[45, 70], [55, 70]]
    assert torso_angle(position) == pytest.approx(0)
    lying = position[:, ::-1].copy()
    assert abs(np.degrees(torso_angle(lying))) == pytest.approx(90)
    image = np.zeros((100, 100, 3), np.uint8)
    image[30:71, 40:61] = (255, 0, 0)
    red, blue = clothes(image, position), clothes(image[..., ::-1], position)
    assert red.max() == 1.0 and unlike(red, red) == pytest.approx(0) and unlike(red, blue) == 1.0
    assert is_same_person(position, position + 2) and not is_same_person(position, position + 200)


def look(colour: int, lies: bool = False, face: bool = True) -> Look:
    colours = np.zeros(216)
    colours[colour] = 1
    return Look(face, np.pi / 2 if lies else 0.0, np.array([0.0, 0, 1, 1]), colours)


def square(x: float) -> np.ndarray:
    return np.array([x - 20, 80, x + 20, 120.0])


def test_two_people_who_cross_keep_their_clothes():
    samples = [(100, 180), (130, 150), (160, 120), (190, 90)]  # by position alone they would swap
    frames = [Frame(i, i / 2, i / 2, i, np.zeros((360, 640, 3), np.uint8)) for i in range(4)]
    seen = iter(
        [
            Faces(np.stack([square(a), square(b)]), np.ones(2), [look(1), look(2)])
            for a, b in samples
        ]
    )
    followed = follow_patient(frames, lambda image: next(seen), 0.5)
    assert [round(float(box[0] + 20)) for box in followed.face.boxes] in (
        [100, 130, 160, 190],
        [180, 150, 120, 90],
    )


def test_who_lies_is_the_patient_and_who_stands_beside_is_not():
    standing = FaceTrack([0.0, 0.5], [square(100)] * 2, [1.0] * 2, [look(1)] * 2)
    lying = FaceTrack([0.0, 0.5], [square(300)] * 2, [1.0] * 2, [look(2, lies=True)] * 2)
    hidden = FaceTrack([0.0, 0.5], [square(300)] * 2, [1.0] * 2, [look(2, face=False)] * 2)
    assert (standing.weight, lying.weight, hidden.weight) == (80.0, 120.0, 40.0)


def test_a_click_chooses_the_person_and_one_on_nobody_is_refused():
    near = FaceTrack([0.0, 0.5], [square(100)] * 2, [1.0] * 2, [look(1)] * 2)
    far = FaceTrack([0.0, 0.5], [square(300)] * 2, [1.0] * 2, [look(2)] * 2)
    assert clicked([near, far], Click.parse("0.4,310,95"), 0.5) is far
    with pytest.raises(UserError, match="nobody was found"):
        clicked([near, far], Click(0.4, 310, 300), 0.5)
    for text in ("1,2", "a,b,c", "-1,2,3", "nan,1,1"):
        with pytest.raises(UserError, match="TIME,X,Y"):
            Click.parse(text)


def test_clips_of_one_video_have_each_their_own_click(drawn_people, tmp_path):
    """Two people side by side; the clip's own click goes before that of the options."""
    two = np.ascontiguousarray(np.hstack([drawn_people[0], drawn_people[0]]))
    width = drawn_people[0].shape[1]
    write_video(tmp_path / "two.mp4", [two] * 5, 25)
    nose = np.array(MEDIAPIPE[0]["landmarks"])[0, :2]
    (tmp_path / "participants.tsv").write_text("participant_id\np1\n")
    (tmp_path / "clips.json").write_text("{}")
    left, right = (f"0.1,{nose[0] + shift:.0f},{nose[1]:.0f}" for shift in (0, width))
    rows = [("left", left), ("right", right), ("options", "n/a")]
    table = "clip_id\tparticipant_id\tvideo\tstart\tend\tpatient\n"
    table += "".join(f"{clip}\tp1\ttwo.mp4\t0\tn/a\t{click}\n" for clip, click in rows)
    (tmp_path / "clips.tsv").write_text(table)
    store, options = Store(tmp_path / "store"), ExtractOptions(patient=right)
    cohort = Cohort.read(tmp_path)
    assert len(extract_cohort(cohort, store.folder, options=options, progress=False).done) == 3
    for clip, shift in (("left", 0), ("right", width), ("options", width)):
        tracks = store.tracks(clip, "body")
        found = tracks.position.sel(keypoint="nose").mean("time").values
        assert np.linalg.norm(found - nose - [shift, 0]) < 5 and tracks.patient_by == "click"
    (tmp_path / "clips.tsv").write_text(table.replace(left, "n/a"))
    again = extract_cohort(Cohort.read(tmp_path), store.folder, options=options, progress=False)
    assert (again.done, again.skipped) == (["left"], ["right", "options"])


def test_everybody_in_an_image_is_found_with_face_and_direction(drawn_people):
    two = np.ascontiguousarray(np.hstack([drawn_people[0], drawn_people[1]]))
    found = PeopleDetector()(two)
    width = drawn_people[0].shape[1]
    middles = sorted((box[0] + box[2]) / 2 for box in found.boxes)
    assert len(middles) == 2 and middles[0] < width < middles[1]
    assert all(each.is_face and each.colours is not None for each in found.looks)


@pytest.mark.realdata
def test_real_people_are_found_turned_by_quarters(testdata):
    people = Detector(PEOPLE)
    frames = read_frames(testdata / "people/dance_720x406.mp4", fps=1)
    for frame in (frame for frame in frames if frame.image is not None):
        for quarters in range(4):
            found = people(np.ascontiguousarray(np.rot90(frame.image, quarters)))
            hips, rim = found.keypoints[0, :2]
            angle = np.degrees(direction(hips, rim, np.pi / 2))
            # rot90 turns counter-clockwise
            assert abs((angle + 90 * quarters + 180) % 360 - 180) < 45


def test_landmarks_without_a_sure_peak_stay_where_the_network_places_them():
    from semiology.tracking.blazepose.landmarks import refined

    points = np.linspace(-0.1, 1.1, 78, dtype=np.float32).reshape(39, 2)
    np.testing.assert_array_equal(refined(points, np.full(64 * 64 * 39, -9.0, np.float32)), points)
