"""Movement without a skeleton: optical flow by region, with the camera and the light taken out."""

import sys
from dataclasses import replace

import numpy as np
import pytest
import xarray as xr
from scipy.ndimage import gaussian_filter

from semiology.cli.main import main
from semiology.data.store import Store, box_side, flow_features, read_flow
from semiology.data.tracks import make_tracks, save_tracks
from semiology.errors import UserError
from semiology.phantom.drawing.blanket import make_blanket
from semiology.phantom.drawing.clip import draw_frames, draw_subject
from semiology.phantom.drawing.filming import with_image_size
from semiology.phantom.myoclonus.recipe import MyoclonusRecipe
from semiology.phantom.seizures.recording import act, draw_recording
from semiology.tracking.extraction import ExtractOptions, extract_videos
from semiology.tracking.flow import BODY, GRID, affine, flow_blocks, patient_box, seen
from semiology.video import Frame, read_frames, write_video

FPS = 25.0
HEIGHT, WIDTH = 160, 200
NAMES = ["nose", "left_ear", "right_ear", "left_eye", "right_eye"] + [
    f"{side}_{joint}"
    for side in ("left", "right")
    for joint in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
]


def printed(seed, height=HEIGHT, width=WIDTH):
    """Random cloth (height, width): grey levels about 120."""
    cloth = gaussian_filter(np.random.default_rng(seed).normal(size=(height, width)), 2)
    return 120 + 30 * cloth / cloth.std()


def frames(images):
    """Grey images, None for a missing one, as frames at 25 Hz."""
    return [
        Frame(
            number,
            number / FPS,
            np.nan if image is None else number / FPS,
            -1 if image is None else number,
            None
            if image is None
            else np.repeat(np.clip(image, 0, 255).astype(np.uint8)[..., None], 3, 2),
        )
        for number, image in enumerate(images)
    ]


def measured(images, body=None):
    return xr.concat(list(flow_blocks(frames(images), FPS, body)), "time")


def with_patch(top, left, still=0, side=36):
    """A still wall with a square of another cloth on it, its corner at (top, left)."""
    image = printed(still)
    image[top : top + side, left : left + side] = printed(99, side, side)
    return image


def test_a_square_that_moves_two_pixels_a_frame_moves_fifty_a_second_in_its_cell_alone():
    flow = measured([with_patch(2, 4 + 2 * number) for number in range(5)])
    own = flow.sel(region="grid_1_1").isel(time=slice(1, None))
    assert np.isnan(flow["energy"][0]).all() and (flow["texture"][0] == 0).all()
    # the square fills 36 x 36 px of a cell of 50 x 40
    filled = 36 * 36 / (50 * 40)
    across, down = own["velocity"].mean("time").values
    assert across == pytest.approx(50 * filled, rel=0.15) and abs(down) < 5
    # flow is smooth over the square's edges
    assert float(np.sqrt(own["energy"].mean())) == pytest.approx(50 * np.sqrt(filled), rel=0.2)
    far = flow["energy"].sel(region=[name for name in GRID if name[5] in "34"])
    assert float(np.sqrt(far).max()) < 2  # px/s


def test_what_the_camera_does_is_taken_out():
    wide = printed(1, HEIGHT + 60, WIDTH + 60)
    shaken = [
        wide[30 + dy : 30 + dy + HEIGHT, 30 + dx : 30 + dx + WIDTH]
        for dx, dy in [(0, 0), (3, 0), (3, 2), (-1, 5), (-4, 1)]
    ]
    flow = measured(shaken)
    # the image moves against the camera
    assert flow["camera"].values[1] == pytest.approx([-3 * FPS, 0], abs=6)
    assert flow["camera"].values[3] == pytest.approx([4 * FPS, -3 * FPS], abs=6)
    assert float(np.sqrt(flow["energy"][1:]).max()) < 12  # px/s, while the image moves at 25 to 125


def test_an_affine_field_is_found_under_a_fifth_of_other_movement():
    rng = np.random.default_rng(0)
    places = rng.uniform(0, 100, (200, 2))
    field = np.array([[0.01, -0.02], [0.02, 0.01], [1.5, -0.5]])
    moved = np.column_stack([places, np.ones(200)]) @ field
    moved[:40] += [8.0, 3.0]
    assert affine(moved, places) == pytest.approx(field, abs=1e-6)


def test_a_light_that_is_switched_off_moves_nothing():
    wall = printed(2)
    flow = measured([wall, wall, 0.4 * wall + 8, 0.4 * wall + 8, 1.5 * wall])
    assert float(np.sqrt(flow["energy"][1:]).max()) < 3  # px/s


def test_a_cut_and_a_missing_frame_are_holes():
    one, other = printed(3), printed(4)
    flow = measured([one, one, other, other, None, other, other])
    assert np.isnan(flow["energy"]).all("region").values.tolist() == (
        [True, False, True, False, True, True, False]
    )
    assert flow["source_index"].values.tolist() == [0, 1, 2, 3, -1, 5, 6]


@pytest.mark.parametrize(("height", "width"), [(2, 2), (8, 11), (2000, 20), (20, 2000)])
def test_a_frame_that_is_too_small_for_flow_is_a_hole(height, width):
    flow = measured([printed(5, height, width)] * 3)
    assert np.isnan(flow["energy"]).all() and (flow["texture"] == 0).all()


def test_a_source_frame_that_is_repeated_repeats_its_movement():
    images = [with_patch(2, 4 + 4 * number) for number in range(4)]
    slow = [
        Frame(row, row / FPS, (row // 2) * 0.08, row // 2, frames(images)[row // 2].image)
        for row in range(8)
    ]
    flow = xr.concat(list(flow_blocks(slow, FPS)), "time")["velocity"].sel(region="grid_1_1")
    assert np.array_equal(flow[2], flow[3]) and np.array_equal(flow[4], flow[5])
    assert float(flow[2, 0]) == pytest.approx(4 / 0.08 * 36 * 36 / 2000, rel=0.2)


def body(arm_confidence=0.9, count=5):
    """A person whose left wrist is in the square of `with_patch`, the right one far from it."""
    place = {name: (100.0, 25.0) for name in NAMES[:5]}
    place |= {"left_shoulder": (70, 60), "left_elbow": (45, 40), "left_wrist": (24, 22)}
    place |= {"right_shoulder": (130, 60), "right_elbow": (160, 90), "right_wrist": (180, 120)}
    place |= {"left_hip": (80, 100), "left_knee": (75, 125), "left_ankle": (70, 150)}
    place |= {"right_hip": (120, 100), "right_knee": (125, 125), "right_ankle": (130, 150)}
    position = np.tile(np.array([place[name] for name in NAMES], float), (count, 1, 1))
    confidence = np.full((count, len(NAMES)), 0.9)
    confidence[:, [name.startswith(("left_wrist", "left_elbow")) for name in NAMES]] = (
        arm_confidence
    )
    return make_tracks(position, NAMES, FPS, confidence=confidence, width=WIDTH, height=HEIGHT)


def test_the_patients_own_arm_moves_and_an_unsure_one_is_nan():
    images = [with_patch(4, 4 + 2 * number) for number in range(5)]
    sure, unsure = measured(images, body()), measured(images, body(arm_confidence=0.2))
    speed = np.sqrt(sure["energy"][1:].mean("time"))
    assert float(speed.sel(region="left_arm")) > 5 * float(speed.sel(region="right_arm"))
    assert np.isnan(unsure["energy"].sel(region="left_arm")).all()
    assert np.isfinite(unsure["energy"].sel(region="right_arm")[1:]).all()
    # four of five rows, six regions or five
    assert seen(sure) == pytest.approx({"pose": 4 / 5, "flow": 0.0})
    assert seen(unsure) == pytest.approx({"pose": 4 * 5 / 30, "flow": 4 / 30})


def test_a_box_around_a_head_alone_reaches_as_far_as_a_body_does():
    position = np.full((3, len(NAMES), 2), np.nan)
    position[:, :5] = [(500, 300), (510, 300), (490, 300), (505, 298), (495, 298)]
    tracks = make_tracks(position, NAMES, FPS)
    # ten widths of 20 px to each side of its middle (500, 299.2), times 1.2
    assert patient_box(tracks, 2000, 1000) == pytest.approx([260, 59.2, 740, 539.2], abs=0.5)
    assert patient_box(None, 640, 480).tolist() == [0, 0, 640, 480]
    nobody = make_tracks(np.full((3, len(NAMES), 2), np.nan), NAMES, FPS)
    assert patient_box(nobody, 640, 480).tolist() == [0, 0, 640, 480]


def test_features_are_speeds_and_velocities_of_the_grid_in_box_sides():
    flow = measured([with_patch(2, 4 + 2 * number) for number in range(4)])
    features, time = flow_features(flow)
    assert features.shape == (4, 48) and time.tolist() == [0, 0.04, 0.08, 0.12]
    assert np.isnan(features[0]).all() and np.isfinite(features[1:]).all()
    assert box_side(flow) == WIDTH
    own = flow["velocity"].sel(region="grid_1_1", space="x").values[2]
    assert features[2, 16] == pytest.approx(own / WIDTH)


def test_without_opencv_the_message_names_the_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(UserError, match=r"pip install 'semiology\[blazepose\]'"):
        next(flow_blocks(frames([printed(0)]), FPS))


def test_flow_needs_tracks(tmp_path):
    with pytest.raises(UserError, match="--pose none"):
        extract_videos(
            [tmp_path / "a.mp4"], tmp_path, options=ExtractOptions(pose="none", flow=True)
        )


def test_extraction_stores_flow_beside_tracks_and_makes_it_once(tmp_path, capsys):
    video = tmp_path / "clip.mp4"
    write_video(
        video, (frame.image for frame in frames([with_patch(2, 4 + 2 * n) for n in range(12)])), FPS
    )
    arguments = ["extract", str(video), "--out", str(tmp_path / "out"), "--flow", "true"]
    assert main(arguments) == 0
    assert "by optical flow alone in" in capsys.readouterr().out
    store = Store(tmp_path / "out", plain=True)
    flow = store.flow("clip")
    assert flow.sizes == {"time": 12, "region": len(BODY) + len(GRID), "space": 2}
    assert np.array_equal(flow["time"], store.tracks("clip", "body")["time"])
    record = store.record("clip")["stages"]["flow"]
    assert record["seen"]["pose"] == 0 and record["seen"]["flow"] == pytest.approx(11 / 12)
    assert store.features("clip", "flow")[0].shape == (12, 48)
    assert main(arguments) == 0
    assert "0 extracted, 1 were there already" in capsys.readouterr().out
    path = tmp_path / "out/clip/flow.nc"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"flow\.nc"):
        store.flow("clip")


def test_other_files_are_no_flow(tmp_path):
    save_tracks(body(), tmp_path / "body.nc")
    with pytest.raises(UserError, match="not of movement by region"):
        read_flow(tmp_path / "body.nc")
    with pytest.raises(UserError, match="no such file"):
        read_flow(tmp_path / "none.nc")
    with pytest.raises(UserError, match=r"no flow in .*--flow true"):
        (tmp_path / "store/a").mkdir(parents=True)
        Store(tmp_path / "store").flow("a")


def covered(cover, skin=(0.8, 0.6, 0.5)):
    """A tonic-clonic seizure of 20 s under a blanket: the recording and three frames that are two
    frames apart, clonic.
    """
    subject = draw_subject(np.random.default_rng(5))
    subject = replace(
        subject,
        person=replace(subject.person, skin=skin),
        view=with_image_size(subject.view, 176, 144),
        blanket=cover,
    )
    recording = draw_recording(np.random.default_rng(6), subject, 20.0, [("TCS", 0.0, 20.0)], FPS)
    performance = act(recording, range(300, 305))
    return recording, list(draw_frames(subject, recording.light, performance, (0, 2, 4)))


def test_nothing_of_a_limb_is_seen_itself_through_the_blanket_and_the_cloth_moves_with_it():
    recording, drawn = covered("all")
    subject = recording.subject
    camera = subject.view.camera(subject.person.body, subject.room)
    cloth = make_blanket(
        "all", subject.room, subject.person.body, camera, np.ones(3), np.array([0.0, -1.0, 0.0])
    )
    _, other = covered("all", skin=(0.2, 0.9, 0.2))
    for one, two in zip(drawn, other):
        assert np.array_equal(one[cloth.outline], two[cloth.outline])
        assert not np.array_equal(one, two)  # the face is seen
    changed = (drawn[0] != drawn[1]).any(axis=2)[cloth.outline]
    assert 0.05 < changed.mean() < 0.95
    assert 0.2 < cloth.outline.mean() < 0.9
    _, bare = covered("none")
    assert (bare[0] != drawn[0]).any(axis=2)[cloth.outline].mean() > 0.9
    assert np.array_equal(bare[0][~cloth.outline], drawn[0][~cloth.outline])


def test_another_blanket_is_refused():
    with pytest.raises(UserError, match="blanket='wool'; give one of none, half, all"):
        MyoclonusRecipe(blanket="wool")


@pytest.mark.realdata
def test_a_real_cut_is_a_hole_and_the_rest_of_the_scene_is_none(testdata):
    """One scene ends before a black frame at 2.4 s, the next begins at 2.44 s (looked at)."""
    seconds = read_frames(testdata / "faces/face_noface.mov", 1.6, 3.2, FPS)
    flow = next(flow_blocks(seconds, FPS))
    hole = np.isnan(flow["energy"]).all("region").values
    assert (flow["time"].values[hole] + 1.6).tolist() == pytest.approx([1.6, 2.4, 2.44])
