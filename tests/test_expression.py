import json
import zipfile

import h5py
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from semiology.data.cohort import Clip, Cohort
from semiology.data.keypoint_names import MESH
from semiology.data.store import Store
from semiology.data.tracks import make_tracks, save_tracks
from semiology.errors import UserError
from semiology.experiments.probe.features import input_features
from semiology.models.features.expression import (
    EMOTIONS,
    MiniXception,
    _halved,
    _places,
    load_expression,
)
from semiology.models.features.vgg import appearance_features
from semiology.models.training.clips import ClipSource
from semiology.models.training.reading import Reading
from semiology.severity.weakness.clip import movement_ranges
from semiology.severity.weakness.expressions import check_weights, network_expressions
from semiology.severity.weakness.measures import MOVEMENTS, measure_values
from semiology.severity.weakness.score import weakness_scores
from semiology.severity.weakness.tables import compared_values, expression_table
from semiology.tracking.blazepose.blendshapes import (
    BLENDSHAPES,
    POINTS,
    Blendshapes,
    of_frames,
    of_tracks,
)
from semiology.tracking.blazepose.landmarks import (
    EYES,
    FACE_SCALE,
    MESH_VERSION,
    RIGHT,
    FaceLandmarks,
    around_line,
)
from semiology.tracking.extraction import ExtractOptions, extract_videos
from semiology.tracking.extraction.features import expression_network
from semiology.video import read_frames
from semiology.weights import find


def needs(*names: str) -> None:
    """Skip where published networks are not on this machine."""
    for name in names:
        try:
            find(name)
        except UserError as error:
            pytest.skip(str(error))


# --- the network trained on FER-2013


def write_keras(path, change=None):
    """A file of the package's layout with weights of a formula, which Keras was given too."""
    network = MiniXception()
    state = network.state_dict()
    with h5py.File(path, "w") as file:
        for name, layer, kind in _places():
            shape = tuple(state[name].shape)
            if len(shape) == 4:  # Keras: (row, column, in, out), or (row, column, out, 1)
                shape = (*shape[2:], *(shape[:2] if kind == "depthwise_kernel" else shape[1::-1]))
            values = formula(f"{layer}/{kind}", shape)
            if change and layer == change[0]:
                values = values[..., : change[1]]
            file[f"model_weights/{layer}/{layer}_1/{kind}:0"] = values
    return path


def formula(name: str, shape: tuple[int, ...]) -> np.ndarray:
    wave = np.sin(0.7 * np.arange(np.prod(shape)) + len(name)).astype(np.float32).reshape(shape)
    if "moving_variance" in name or "gamma" in name:
        return 1 + 0.5 * wave
    if len(shape) == 1:
        return 0.1 * wave
    return 0.5 * wave if "depthwise" in name else 2 * wave / np.sqrt(np.prod(shape[:-1]))


def greys() -> np.ndarray:
    """A ramp, a plain grey and a disc, (3, 64, 64) uint8."""
    y, x = np.mgrid[:64, :64]
    disc = ((x - 32) ** 2 + (y - 32) ** 2 < 400) * 200
    return np.stack([(3 * x + 5 * y) % 256, np.full((64, 64), 128), disc]).astype(np.uint8)


def test_the_rebuilt_network_gives_what_keras_gives(tmp_path):
    """TensorFlow 2.15.1 (Keras 2.15.0): the package's own model with the weights of `formula`."""
    network = load_expression(write_keras(tmp_path / "made.hdf5"))
    images = network.normalise(torch.from_numpy(greys()))
    with torch.inference_mode():
        logits, probabilities = network(images), network.embed(images)
    keras = [
        [0.807626, 0.338656, -0.289589, -0.781633, -0.906068, -0.60436, -0.018414],
        [0.452715, 0.593207, 0.454704, 0.102347, -0.298145, -0.558416, -0.556054],
        [1.008669, 1.245598, 0.896703, 0.126075, -0.70385, -1.202742, -1.135965],
    ]
    np.testing.assert_allclose(logits.numpy(), keras, atol=2e-5)
    np.testing.assert_allclose(probabilities.sum(1).numpy(), 1, atol=1e-6)
    assert probabilities[2].argmax() == 1


def test_the_published_network_gives_what_the_package_gives():
    """fer 22.5.1's file under TensorFlow 2.15.1 (Keras 2.15.0)."""
    needs("fer")
    network = load_expression()
    with torch.inference_mode():
        probabilities = network.embed(network.normalise(torch.from_numpy(greys()))).numpy()
    keras = [
        [0.788852, 0.000004, 0.050866, 0.0015, 0.060928, 0.000261, 0.097589],
        [0.147683, 0.000001, 0.12691, 0.040424, 0.012354, 0.040578, 0.632049],
        [0.160495, 0.000036, 0.0805, 0.018553, 0.238933, 0.009448, 0.492035],
    ]
    np.testing.assert_allclose(probabilities, keras, atol=2e-5)


def test_maxima_are_padded_as_keras_pads():
    even = torch.arange(16.0).view(1, 1, 4, 4)  # windows begin at rows 0 and 2
    assert _halved(even).flatten().tolist() == [10, 11, 14, 15]
    odd = torch.arange(9.0).view(1, 1, 3, 3)  # windows begin at rows -1 and 1
    assert _halved(odd).flatten().tolist() == [4, 5, 7, 8]
    assert _halved(-1 - even).max() == -1  # what lies outside is lower than any value


def test_a_crop_is_made_grey_and_small():
    red = Image.fromarray(np.full((80, 80, 3), (255, 0, 0), np.uint8))
    network = MiniXception()
    assert np.unique(network.shrink(red)).tolist() == [76]  # 0.299 * 255
    values = network.normalise(torch.tensor([[[0, 255]]], dtype=torch.uint8))
    assert values.flatten().tolist() == [-1, 1] and values.shape == (1, 1, 1, 2)


def test_files_that_hold_another_network_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"none\.hdf5: not the expression network .*weights get"):
        load_expression(tmp_path / "none.hdf5")
    (tmp_path / "text.hdf5").write_text("not HDF5")
    with pytest.raises(UserError, match=r"text\.hdf5: not the expression network"):
        load_expression(tmp_path / "text.hdf5")
    with h5py.File(tmp_path / "empty.hdf5", "w") as file:
        file["model_weights/dense_1/dense_1_1/kernel:0"] = np.zeros((2, 2))
    with pytest.raises(UserError, match=r"empty\.hdf5: not the expression network"):
        load_expression(tmp_path / "empty.hdf5")
    six = write_keras(tmp_path / "six.hdf5", change=("conv2d_7", 6))
    with pytest.raises(UserError, match=r"conv2d_7/kernel is \(6, 128, 3, 3\) and should be \(7,"):
        load_expression(six)


def test_a_published_file_that_was_changed_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("SEMIOLOGY_WEIGHTS", str(tmp_path))
    with pytest.raises(UserError, match="semiology weights get fer"):
        load_expression()
    write_keras(tmp_path / "emotion_model.hdf5")
    with pytest.raises(UserError, match="SHA-256"):
        load_expression()


# --- blendshapes


def test_names_of_blendshapes_and_their_points():
    assert len(BLENDSHAPES) == len(set(BLENDSHAPES)) == 52
    left = {name.removesuffix("Left") for name in BLENDSHAPES if name.endswith("Left")}
    right = {name.removesuffix("Right") for name in BLENDSHAPES if name.endswith("Right")}
    assert left == right and {"mouthSmile", "eyeBlink", "browDown"} <= left
    points = [int(number) for number in POINTS.split()]
    assert points == sorted(set(points)) and len(points) == 146 and points[-1] < len(MESH)


@pytest.fixture(scope="module")
def news(testdata):
    """Twenty frames of a face by Py-Feat, which ran MediaPipe's networks by itself: mesh and
    blendshapes.
    """
    table = pd.read_csv(testdata / "keypoints/news/001.csv")
    axes = [table[[f"mesh_{axis}_{number}" for number in range(478)]] for axis in "xy"]
    return np.stack(axes, axis=2), table


@pytest.mark.realdata
def test_blendshapes_are_those_that_another_program_computed(news):
    needs("face_blendshapes")
    mesh, table = news
    found = np.stack([Blendshapes()(points) for points in mesh])
    given = table[list(BLENDSHAPES)].to_numpy()  # computed in half precision
    assert np.median(np.abs(found - given)) < 0.005
    for name in ("mouthSmileLeft", "eyeBlinkLeft", "eyeBlinkRight", "browInnerUp"):
        column = BLENDSHAPES.index(name)
        np.testing.assert_allclose(found[:, column], given[:, column], atol=0.1)


@pytest.mark.realdata
def test_place_and_size_of_a_face_do_not_count_nor_does_lying(news):
    needs("face_blendshapes")
    blendshapes, mesh = Blendshapes(), news[0][0]
    np.testing.assert_allclose(blendshapes(0.3 * mesh + (200, -50)), blendshapes(mesh), atol=1e-3)
    for turn in ([[0, -1], [1, 0]], [[0, 1], [-1, 0]], [[-1, 0], [0, -1]]):
        np.testing.assert_allclose(blendshapes(mesh @ turn), blendshapes(mesh), atol=1e-3)


@pytest.mark.realdata
def test_left_is_the_patients_left(news):
    needs("face_blendshapes")
    blendshapes, mesh = Blendshapes(), news[0][0].copy()
    # the upper lids of the eye that lies further right in the image, the patient's left, are shut
    upper, lower = [384, 385, 386, 387, 388], [381, 380, 374, 373, 390]
    assert mesh[386, 0] > mesh[159, 0]
    before = dict(zip(BLENDSHAPES, blendshapes(mesh)))
    mesh[upper, 1] = mesh[lower, 1]
    after = dict(zip(BLENDSHAPES, blendshapes(mesh)))
    assert after["eyeBlinkLeft"] - before["eyeBlinkLeft"] > 0.3
    assert abs(after["eyeBlinkRight"] - before["eyeBlinkRight"]) < 0.15


@pytest.mark.realdata
def test_blendshapes_of_tracks_are_missing_where_the_face_is(news):
    needs("face_blendshapes")
    position = news[0].astype(np.float32)
    position[3] = np.nan
    tracks = make_tracks(position, MESH, 10.0)
    found, time = of_tracks(tracks, Blendshapes())
    assert found.shape == (20, 52) and time[1] == pytest.approx(0.1)
    assert np.flatnonzero(np.isnan(found).all(axis=1)).tolist() == [3]
    np.testing.assert_array_equal(found[5], Blendshapes()(position[5]))


def test_tracks_of_another_face_are_refused():
    needs("face_blendshapes")
    tracks = make_tracks(np.zeros((4, 68, 2)), [f"face_{n}" for n in range(68)], 10.0)
    with pytest.raises(UserError, match="lack 478 of the mesh's 478"):
        of_tracks(tracks, Blendshapes())


@pytest.mark.realdata
def test_a_smile_is_seen_in_real_faces_by_both(testdata):
    """face_noface.mov: a plain face to 0.5 s, a smile with bared teeth from 1 to 2 s, nobody from
    2.5 s on (looked at).
    """
    needs("face_landmarks", "face_blendshapes", "fer")
    frames = list(read_frames(testdata / "faces/face_noface.mov", 0, 3.5, 2.0))
    # points strewn over the face, as a rough tracker would give them
    place = np.random.default_rng(0).uniform(-0.5, 0.5, (478, 2)) * 290 + (440, 295)
    place[33], place[263] = (360, 240), (520, 240)  # the outer corners of the eyes are level
    tracks = make_tracks(np.repeat(place[None], len(frames), 0), MESH, 2.0)

    found, _ = of_frames(frames, tracks, FaceLandmarks(), Blendshapes())
    smile = found[:, [BLENDSHAPES.index(f"mouthSmile{side}") for side in ("Left", "Right")]]
    assert (smile[:2] < 0.1).all() and (smile[2:5] > 0.5).all()
    assert np.isnan(found[5:]).all()

    emotions, time = appearance_features(frames, tracks, "face", load_expression())
    assert emotions.shape == (7, 7) and time.tolist() == [0, 0.5, 1, 1.5, 2, 2.5, 3]
    happiness = emotions[:, EMOTIONS.index("happiness")]
    assert (happiness[:2] < 0.2).all() and (happiness[2:5] > 0.8).all()


# --- extraction


def smiling(testdata, out, options):
    """Extract face_noface.mov: 6.4 s, a face in the first 2.4 s."""
    video = testdata / "faces/face_noface.mov"
    summary = extract_videos([video], out, options=options, progress=False)
    assert summary.failed == []
    return Store(out, plain=True)


@pytest.mark.realdata
def test_both_are_extracted_beside_the_tracks(testdata, tmp_path):
    needs("face_landmarks", "face_blendshapes", "fer")
    options = ExtractOptions(fps=5, face_every=2, appearance_every=2, expression="both")
    store = smiling(testdata, tmp_path, options)
    tracks = store.tracks("face_noface", "face")
    assert tracks.attrs["face_mesh"] == "attention"
    movements, time = store.features("face_noface", "blendshapes")
    names = store.channels("face_noface", "blendshapes")
    assert names == list(BLENDSHAPES) and movements.shape == (len(time), 52)
    np.testing.assert_allclose(time, tracks["time"].values)
    there = np.isfinite(tracks["position"].values).all(axis=(1, 2))
    seen = np.isfinite(movements).all(axis=1)
    assert there.sum() == 12 and seen[there].sum() >= 11 and not seen[~there].any()
    smile = movements[:, names.index("mouthSmileLeft")]
    assert np.nanmax(smile[time < 0.5]) < 0.1 and smile[(time >= 1) & (time < 2.2)].min() > 0.5

    emotions, slower = store.features("face_noface", "fer")
    assert store.channels("face_noface", "fer") == list(EMOTIONS)
    np.testing.assert_allclose(np.diff(slower), 0.4)
    happiness = emotions[:, EMOTIONS.index("happiness")]
    assert (
        happiness[slower < 0.5].max() < 0.2 and happiness[(slower > 1) & (slower < 2)].min() > 0.8
    )

    # tracks that state the version of the mesh that the network reads: the video is left alone
    dims = ("time", "keypoint", "space")
    landmarks, position = FaceLandmarks(), tracks["position"].transpose(*dims).values.copy()
    for row, frame in enumerate(read_frames(testdata / "faces/face_noface.mov", 0, None, 5)):
        if there[row] and frame.image is not None:
            right, left = position[row, EYES[0]], position[row, EYES[1]]
            region = around_line(position[row], right, left, RIGHT, FACE_SCALE)
            position[row] = landmarks(frame.image, region).position
    tracks["position"] = dims, position
    tracks.attrs["face_mesh"] = MESH_VERSION
    save_tracks(tracks, store.path("face_noface", "face"))
    record = json.loads((tmp_path / "face_noface/record.json").read_text())
    (tmp_path / "face_noface" / record["stages"]["blendshapes"]["file"]).unlink()
    again, _ = smiling(testdata, tmp_path, options).features("face_noface", "blendshapes")
    np.testing.assert_allclose(again, movements, atol=0.01)  # positions are stored as float32


def test_expression_features_need_a_face_and_their_networks(tmp_path, monkeypatch):
    (tmp_path / "room.mp4").write_bytes(b"")
    video = [tmp_path / "room.mp4"]
    with pytest.raises(UserError, match=r"--pose none: .*--expression read crops around tracks"):
        extract_videos(video, tmp_path, options=ExtractOptions(pose="none", expression="fer"))
    with pytest.raises(UserError, match=r"expression.*'fe'"):
        ExtractOptions(expression="fe")
    monkeypatch.setenv("SEMIOLOGY_WEIGHTS", str(tmp_path / "empty"))
    expression_network.cache_clear()
    with pytest.raises(UserError, match="semiology weights get fer"):
        extract_videos(video, tmp_path, options=ExtractOptions(expression="fer"))
    task = tmp_path / "hand.task"
    with zipfile.ZipFile(task, "w") as bundle:
        bundle.writestr("hand_detector.tflite", b"")
    for expression in ("blendshapes", "both"):
        options = ExtractOptions(expression=expression, face_task=task)
        with pytest.raises(
            UserError, match=r"hand\.task: holds no face_landmarks_detector\.tflite"
        ):
            extract_videos(video, tmp_path, options=options)


# --- readers


def store_features(store, clip_id, stage, names, values, time):
    store.write(clip_id, stage, "0" * 16, (values.astype(np.float32), time))
    store.note(clip_id, {}, {stage: {"key": "0" * 16, "channels": names}})


def test_probes_read_the_channels_by_name(shared_cohort, tmp_path):
    store, time = Store(tmp_path / "store"), np.arange(40) / 25
    for clip in Cohort.read(shared_cohort).clips:
        values = np.stack([np.full(40, 0.25), np.arange(40) / 39], axis=1)
        store_features(store, clip.clip_id, "fer", ["anger", "happiness"], values, time)
    reading = Reading("swing", window=32, appearance="fer")
    source = ClipSource(str(shared_cohort), reading, str(tmp_path / "store"))
    assert source.shape.appearance_channels == 2
    table = input_features(source, "appearance").table
    assert table["fer.anger.mean"].tolist() == [0.25] * len(table)
    assert table["fer.happiness.mean"].iloc[0] == pytest.approx(0.5)


def clip_of(clip_id, **source):
    source = source or {"video": "video.mp4"}
    return Clip(clip_id=clip_id, participant_id="p1", **source)


def test_ranges_of_movements_by_side_leave_out_what_is_not_assessable(tmp_path):
    store, names = Store(tmp_path), list(BLENDSHAPES)
    values = np.zeros((5, 52))
    values[:, names.index("mouthSmileLeft")] = [0, 0.2, 0.4, 0.9, 0.9]
    values[:, names.index("mouthSmileRight")] = [0.1, 0.1, 0.1, 0.9, 0.9]
    values[4] = np.nan  # no face
    store_features(store, "c1", "blendshapes", names, values, np.arange(5) / 25)
    turned_away = np.array([True, True, True, False, True])  # in the fourth frame
    ranges = movement_ranges(clip_of("c1"), store, turned_away)
    # of 0, 0.2, 0.4 the quantiles 0.05 and 0.95 are 0.02 and 0.38
    assert ranges["left_mouthSmile_range"] == pytest.approx(0.36)
    assert ranges["right_mouthSmile_range"] == 0
    assert set(ranges) >= {"left_eyeBlink_range", "right_browDown_range", "left_mouth_range"}
    assert movement_ranges(clip_of("c2"), store, turned_away) == {}
    assert movement_ranges(clip_of("c1", tracks="own.nc"), store, turned_away) == {}


def test_only_the_smile_of_the_fer_network_counts_as_an_expression(tmp_path):
    store = Store(tmp_path)
    values = np.array([[0.1, 0.0, 0.0, 0.9, 0.0, 0.0, 0.0], [np.nan] * 7])
    store_features(store, "c1", "fer", list(EMOTIONS), values, np.array([0.0, 0.2]))
    table = network_expressions(store, "c1", "fer")
    assert table["emotion"].unique().tolist() == ["happiness"]
    assert table["score"].iloc[0] == pytest.approx(0.9) and table["found"].tolist() == [True, False]
    with pytest.raises(UserError, match=r"no fer in .*--expression fer"):
        network_expressions(store, "c2", "fer")
    with pytest.raises(UserError, match="give --store DIR, extracted with --expression fer"):
        check_weights("fer", None, ["c1"])


def test_movements_are_compared_beside_the_measures_and_do_not_change_the_score():
    people = [f"c{n}" for n in range(4)] + [f"p{n}" for n in range(4)]
    groups = {person: "control" if person[0] == "c" else "patient" for person in people}
    rows = [
        {
            **{"clip_id": person, "participant_id": person, "visit": "", "panel": "happiness"},
            **{"left_corner_lift_range": 1 + n / 10, "right_corner_lift_range": 1.0},
            **{"left_mouthSmile_range": 0.2 + n / 10, "right_mouthSmile_range": 0.2},
        }
        for n, person in enumerate(people)
    ]
    clips = pd.DataFrame(rows)
    values, movements = measure_values(clips), measure_values(clips, MOVEMENTS)
    scores = weakness_scores(values, groups)
    expressions = expression_table(clips)
    without = compared_values(values, scores, expressions, groups, movements.iloc[:, :0])
    both = compared_values(values, scores, expressions, groups, movements)
    rest = both[both["family"] != "movement"].reset_index(drop=True)
    pd.testing.assert_frame_equal(rest, without)
    smile = both[(both["family"] == "movement") & (both["measure"] == "smile")]
    assert smile["side"].unique().tolist() == ["left", "right", "asymmetry"]
    # of the second person 0.3 and 0.2: 0.1 of 0.5
    own = smile[smile["participant_id"] == "c1"].set_index("side")["value"]
    assert own["asymmetry"] == pytest.approx(0.2) and own["left"] == pytest.approx(0.3)
