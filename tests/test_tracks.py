import numpy as np
import pytest
import xarray as xr

import semiology
from semiology import UserError, load_skeleton
from semiology.data.preprocessing import (
    bones,
    coordinates,
    deviation,
    drop_low_confidence,
    fill_gaps,
    motion,
    normalise,
    select,
    smooth,
)
from semiology.data.tracks import make_tracks, read_tracks, save_tracks, steps

BODY = [
    f"{side}_{joint}"
    for joint in ("ear", "shoulder", "elbow", "wrist", "hip")
    for side in ("left", "right")
]


def tagged(frames: int = 4) -> np.ndarray:
    """(time, keypoint, space) whose every value encodes its position: 100 time + 10 keypoint +
    space.
    """
    t, k, s = np.meshgrid(np.arange(frames), np.arange(len(BODY)), np.arange(2), indexing="ij")
    return (100.0 * t + 10 * k + s).astype(np.float32)


def test_every_value_lands_at_its_time_keypoint_and_axis():
    tracks = make_tracks(tagged(), BODY, 25.0)
    assert float(tracks.position.sel(time=0.08, space="y", keypoint="right_wrist")) == 271.0
    assert tracks.position.dims == ("time", "space", "keypoint")


def test_a_saved_file_comes_back_equal_with_what_is_missing(tmp_path):
    position = tagged()
    position[1, 3] = np.nan
    made = make_tracks(
        position,
        BODY,
        25.0,
        position_3d=np.zeros((4, 10, 3)),
        source_index=np.array([0, 1, -1, 3]),
        width=704,
        height=576,
    )
    save_tracks(made, tmp_path / "body.nc")
    read = read_tracks(tmp_path / "body.nc")
    assert made.equals(read) and read.attrs == made.attrs
    assert read.confidence.sel(keypoint="right_shoulder").values.tolist() == [1, 0, 1, 1]


def decoded_by_xarray(path) -> xr.Dataset:
    with xr.open_dataset(path, engine="h5netcdf") as opened:
        return opened.load()


@pytest.mark.parametrize(
    "given",
    ["plain", "one frame", "metres", "step", "more attributes", "units", "scaled", "true or false"],
)
def test_files_are_read_as_xarray_reads_them(tmp_path, given):
    position = tagged(1 if given == "one frame" else 4)
    position[0, 3] = np.nan
    metres = np.zeros((len(position), 10, 3))
    written = make_tracks(
        None if given == "metres" else position, BODY, 25, position_3d=metres, backend="by hand"
    )
    if given == "step":
        written = drop_low_confidence(written, 0.5)
    elif given == "more attributes":
        written = written.assign_attrs(
            rates=np.array([25.0, 50.0]), room="Zimmer 3, grün", empty=""
        )
    elif given == "units":
        written.time.attrs["units"] = "milliseconds"
    elif given == "scaled":
        written.position.encoding = {"dtype": "int16", "scale_factor": 0.5, "_FillValue": -9}
    elif given == "true or false":
        written = written.assign(corrected=written.confidence > 0.5)
    read, expected = (
        read_tracks(save_tracks(written, tmp_path / "t.nc")),
        decoded_by_xarray(tmp_path / "t.nc"),
    )
    xr.testing.assert_identical(read, expected)
    assert list(read.data_vars) == list(expected.data_vars) and list(read.attrs) == list(
        expected.attrs
    )
    assert {name: str(read[name].dtype) for name in expected.variables} == {
        name: str(expected[name].dtype) for name in expected.variables
    }
    assert [type(value) for value in read.attrs.values()] == [
        type(value) for value in expected.attrs.values()
    ]


def test_a_damaged_file_is_one_line_wherever_the_damage_is(tmp_path):
    path = save_tracks(make_tracks(tagged(), BODY, 25.0), tmp_path / "t.nc")
    content = path.read_bytes()
    refused = 0
    for cut in range(0, len(content), len(content) // 40):
        path.write_bytes(content[:cut] + b"\xff" * 16 + content[cut + 16 :])
        try:
            read_tracks(path)
        except UserError as error:
            refused += "\n" not in str(error)
    assert refused >= 5


def test_a_long_csv_of_any_keypoints(tmp_path):
    path = tmp_path / "mine.csv"
    path.write_text(
        "frame,keypoint,x,y,confidence\n0,nose,1,2,0.9\n0,chin,3,4,0.8\n2,nose,5,6,0.7\n"
    )
    tracks = read_tracks(path, fps=10)
    assert tracks.position.sel(keypoint="nose").values.tolist()[2] == [5, 6]
    assert (
        np.isnan(tracks.position.values[1]).all() and tracks.sizes["time"] == 3
    )  # the absent frame is a hole
    assert tracks.confidence.sel(keypoint="chin").values == pytest.approx([0.8, 0, 0])


@pytest.mark.parametrize(
    "text, message",
    [
        ("frame,keypoint,x,y\n0,nose,1,two\n", "row 2, column \"y\": 'two' is not a number"),
        (
            "time,keypoint,x,y\n0,nose,1,2\n0.1,nose,1,2\n0.2,nose,1,2\n0.25,nose,1,2\n",
            "row 5: time or frame is empty or off the grid",
        ),
        ("frame,keypoint,x,y\n0,nose,1,2\n0,nose,1,2\n", "row 3: "),
        ("frame,x,y\n0,1,2\n", "columns keypoint"),
    ],
)
def test_a_wrong_csv_is_reported_with_the_place(tmp_path, text, message):
    path = tmp_path / "wrong.csv"
    path.write_text(text)
    with pytest.raises(UserError, match=message):
        read_tracks(path, fps=None if "time" in text else 10)


@pytest.mark.parametrize("rate", [23.976, 25, 29.97, 30, 50, 59.94, 60, 120, 12.5])
@pytest.mark.parametrize("decimals", [3, 6])
def test_times_of_a_csv_may_be_rounded_and_give_the_rate_from_first_to_last(
    tmp_path, rate, decimals
):
    frames = [*range(40), *range(300, 2000)]  # a hole of 260 frames
    rows = [f"{frame / rate:.{decimals}f},nose,{frame},0" for frame in frames]
    (tmp_path / "a.csv").write_text("time,keypoint,x,y\n" + "\n".join(rows))
    tracks = read_tracks(tmp_path / "a.csv")
    assert tracks.attrs["fps"] == rate and tracks.sizes["time"] == 2000
    x = tracks.position.values[:, 0, 0]
    assert x[frames].tolist() == frames and np.isnan(x[40:300]).all()
    assert (tracks.source_index.values[40:300] == -1).all()


def test_a_csv_that_begins_later_stays_there_and_keeps_its_times(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("time,keypoint,x,y\n10.012,nose,1,2\n10.052,nose,3,4\n10.092,nose,5,6\n")
    tracks = read_tracks(path)
    assert tracks.attrs["fps"] == 25 and tracks.sizes["time"] == 253
    assert np.isnan(tracks.position.values[:250]).all()
    assert tracks.position.values[250:, 0, 0].tolist() == [1, 3, 5]
    assert tracks.source_time.values[250:].tolist() == [10.012, 10.052, 10.092]


@pytest.mark.parametrize(
    ("rows", "fps", "message"),
    [
        (
            "1764446400.00,nose,1,2\n1764446400.04,nose,1,2",
            None,
            'row 2, column "time": 1.76445e+09',
        ),
        ("0,nose,1,2\n33,nose,1,2\n67,nose,1,2", None, "a time is in seconds"),
        ("0,nose,1,2\n0.04,nose,1,2\n5e5,nose,1,2", 25, 'row 4, column "time": 500000 s is too'),
        ("0,nose,1,2\n-0.04,nose,1,2", 25, 'row 3, column "time": -0.04: is negative'),
        ("0,nose,1,2\n,nose,1,2", 25, 'row 3, column "time": is empty'),
        ("0,nose,1,2\ninf,nose,1,2", 25, 'row 3, column "time": inf: is negative or infinite'),
        ("0,nose,1,2\n1,,1,2", 25, 'row 3, column "keypoint": is empty'),
    ],
)
def test_times_that_are_none_of_a_clip_are_named_by_row(tmp_path, rows, fps, message):
    (tmp_path / "a.csv").write_text("time,keypoint,x,y\n" + rows)
    with pytest.raises(UserError) as raised:
        read_tracks(tmp_path / "a.csv", fps=fps)
    assert message in str(raised.value)


@pytest.mark.parametrize("frame", ["10000000", "9999999", "1e300", "4000000"])
def test_one_huge_frame_number_is_named_by_row_and_takes_no_memory(tmp_path, frame):
    names = [f"k{number}" for number in range(33)]
    rows = [f"{row},{name},1,2" for row in (0, 1) for name in names] + [f"{frame},k0,1,2"]
    (tmp_path / "a.csv").write_text("frame,keypoint,x,y\n" + "\n".join(rows))
    with pytest.raises(UserError, match=r'a\.csv: row 68, column "frame": '):
        read_tracks(tmp_path / "a.csv", fps=25)


def test_a_csv_between_semicolons_has_decimal_commas_and_names_stay_as_they_are(tmp_path):
    (tmp_path / "a.csv").write_text(
        "time;keypoint;x;y;confidence\n0;01;1,5;2;0,5\n0;1;3;4;\n0,04;01;-nan(ind);-1.#IND;0\n"
        "0,04;NA;7;8;1\n"
    )
    tracks = read_tracks(tmp_path / "a.csv")
    assert tracks.keypoint.values.tolist() == ["01", "1", "NA"] and tracks.attrs["fps"] == 25
    assert tracks.position.sel(keypoint="01").values[0].tolist() == [1.5, 2]
    np.testing.assert_array_equal(tracks.confidence, np.float32([[0.5, np.nan, 0], [0, 0, 1]]))


def test_what_was_not_found_has_no_place_and_what_has_no_score_is_there():
    confidence = np.array([[0.9], [0], [np.nan], [1e-6]])
    tracks = make_tracks(
        line([1, 2, 3, 4]), ["a"], 25.0, confidence=confidence, position_3d=np.ones((4, 1, 3))
    )
    found = [True, False, True, True]
    assert np.isfinite(tracks.position.values).all(axis=1)[:, 0].tolist() == found
    assert np.isfinite(tracks.position_3d.values).all(axis=1)[:, 0].tolist() == found
    np.testing.assert_array_equal(tracks.confidence[:, 0], np.float32([0.9, 0, np.nan, 1e-6]))


def test_half_a_position_is_none():
    position = line([1, 2, 3])
    position[1, 0, 1] = np.nan
    assert np.isnan(make_tracks(position, ["a"], 25.0).position.values[1]).all()


def test_positions_that_an_older_file_has_for_what_was_not_found_are_not_read(tmp_path):
    tracks = make_tracks(line([1, 2, 3]), ["a"], 25.0, position_3d=np.ones((3, 1, 3)))
    tracks["confidence"][1] = 0
    save_tracks(tracks, tmp_path / "a.nc")
    for name in ("position", "position_3d"):
        values = read_tracks(tmp_path / "a.nc")[name].values
        assert np.isnan(values[1]).all() and np.isfinite(values[[0, 2]]).all()
        assert values.shape == tracks[name].shape


@pytest.mark.parametrize("who", ["filled", "truth"])
def test_places_that_were_put_where_none_was_seen_stay(tmp_path, who):
    tracks = make_tracks(line([1, np.nan, 3]), ["a"], 25.0)
    if who == "filled":
        tracks = fill_gaps(tracks, 0.2)
    else:
        tracks["position"] = make_tracks(line([1, 2, 3]), ["a"], 25.0).position
        tracks.attrs["backend"] = "phantom truth"
    read = read_tracks(save_tracks(tracks, tmp_path / "a.nc"))
    assert read.position.values[:, 0, 0].tolist() == [1, 2, 3]
    assert read.confidence.values[:, 0].tolist() == [1, 0, 1]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fps": np.nan}, "its tracks have nan frames a second"),
        ({"time": [0, 0.08, 0.04]}, "its tracks go back in time in row 2, from 0.08 s to 0.04 s"),
        ({"time": [0, np.nan, 0.04]}, "its tracks have no time in row 1"),
        ({"confidence": -1}, "frame 1, a: confidence -1 is outside"),
        ({"confidence": 95}, "frame 1, a: confidence 95 is outside"),
    ],
)
def test_a_stored_file_that_cannot_be_tracks_is_refused(tmp_path, change, message):
    tracks = make_tracks(line([1, 2, 3]), ["a"], 25.0)
    if "fps" in change:
        tracks.attrs["fps"] = change["fps"]
    elif "time" in change:
        tracks = tracks.assign_coords(time=change["time"])
    else:
        tracks["confidence"][1] = change["confidence"]
    save_tracks(tracks, tmp_path / "a.nc")
    with pytest.raises(UserError, match=f"a.nc: {message}"):
        read_tracks(tmp_path / "a.nc")


def test_wrong_shapes_are_refused_with_what_was_expected():
    with pytest.raises(
        UserError,
        match=r"position has shape \(4, 10, 2\), expected \(4, 2, 2\) for 2 keypoint names",
    ):
        make_tracks(tagged(), ["a", "b"], 25.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"position": np.full((3, 2, 2), [np.inf, 0])}, "frame 0, keypoint 'a': position is inf"),
        ({"position_3d": np.full((3, 2, 3), -np.inf)}, "frame 0, keypoint 'a': position_3d is inf"),
        ({"keypoints": [1, 2]}, "must be text, got 1"),
        ({"keypoints": ["a", ""]}, "must be text, got ''"),
        ({"source_time": [0, 2, 1.5]}, "frame 2: source_time falls from 2 to 1.5"),
        ({"source_time": [0, np.inf, np.inf]}, "frame 1: source_time inf"),
        ({"source_index": [0, 1, 2], "source_time": [0, np.nan, 1]}, "frame 1: source_time nan"),
        ({"source_index": [0, 5, 4]}, "frame 2: source_index falls from 5 to 4"),
        ({"source_index": [0, np.nan, 1]}, "frame 1: source_index nan"),
        ({"source_index": [0, 0.5, 1]}, "frame 1: source_index 0.5"),
        ({"source_index": [0, -2, 1]}, "frame 1: source_index -2"),
    ],
)
def test_what_cannot_be_a_track_is_refused_with_its_frame(changes, message):
    given = {"position": np.zeros((3, 2, 2)), "keypoints": ["a", "b"], "fps": 25.0, **changes}
    with pytest.raises(UserError, match=message):
        semiology.make_tracks(**given)


def test_a_missing_source_frame_has_no_time_and_a_frame_may_be_shown_twice():
    given = np.zeros((4, 1, 2)), ["a"], 25.0
    tracks = semiology.make_tracks(*given, source_time=[0.0, np.nan, 0.1, 0.1])
    assert tracks.source_index.values.tolist() == [0, -1, 2, 3]
    tracks = semiology.make_tracks(
        *given, source_time=[0.0, np.nan, 0.1, 0.1], source_index=[0, -1, 7, 7]
    )
    assert tracks.source_index.values.tolist() == [0, -1, 7, 7]
    assert np.isnan(tracks.source_time.values).tolist() == [False, True, False, False]


def test_neck_head_and_spine_base_are_midpoints_and_carry_the_lower_confidence():
    confidence = np.ones((4, 10), np.float32)
    confidence[:, BODY.index("left_shoulder")] = 0.25
    selected = select(
        make_tracks(tagged(), BODY, 25.0, confidence=confidence), load_skeleton("upper_body_11")
    )
    assert selected.keypoint.values.tolist() == load_skeleton("upper_body_11").names
    assert (
        float(selected.position.sel(time=0, space="x", keypoint="neck")) == 25.0
    )  # between 20 and 30
    assert float(selected.confidence.sel(keypoint="neck")[0]) == 0.25
    assert [step["step"] for step in steps(selected)] == ["select"]


def test_a_backend_that_tracks_the_neck_itself_is_taken_at_its_word():
    names = [*BODY, "neck"]
    position = np.concatenate([tagged(), np.full((4, 1, 2), 7.0)], axis=1)
    assert (
        float(
            select(make_tracks(position, names, 25.0), load_skeleton("upper_body_11")).position.sel(
                keypoint="neck"
            )[0, 0]
        )
        == 7.0
    )


def test_missing_keypoints_are_named():
    with pytest.raises(UserError, match=r"no keypoints for .*left_wrist"):
        select(make_tracks(tagged()[:, :4], BODY[:4], 25.0), load_skeleton("upper_body_11"))


def line(values: list[float]) -> np.ndarray:
    return np.stack([values, np.zeros(len(values))], axis=1)[:, None, :].astype(np.float32)


def test_short_gaps_are_filled_by_lines_long_ones_and_ends_stay_open():
    nan = np.nan
    tracks = make_tracks(line([nan, 1, nan, 3, nan, nan, nan, 7]), ["a"], 10.0)
    filled = fill_gaps(tracks, longest=0.2)
    np.testing.assert_array_equal(
        filled.position.sel(space="x", keypoint="a"), [nan, 1, 2, 3, nan, nan, nan, 7]
    )
    assert filled.confidence.values[2, 0] == 0  # filled is not tracked
    assert steps(filled) == [{"step": "fill_gaps", "longest_s": 0.2}]


def test_a_point_without_a_score_is_present_and_no_threshold_drops_it():
    confidence = np.array([[np.nan], [0.2], [np.nan]])
    tracks = make_tracks(line([1, 2, np.nan]), ["a"], 10.0, confidence=confidence)
    np.testing.assert_array_equal(
        tracks.confidence[:, 0], np.float32([np.nan, 0.2, 0])
    )  # the third is missing: 0, as ever
    dropped = drop_low_confidence(tracks, 0.5)
    np.testing.assert_array_equal(dropped.position.values[:, 0, 0], np.float32([1, np.nan, np.nan]))
    np.testing.assert_array_equal(dropped.confidence[:, 0], np.float32([np.nan, 0, 0]))


@pytest.mark.parametrize("value", [5, -1, 1.0001, np.inf])
def test_a_confidence_outside_0_to_1_is_an_error_that_states_where(value):
    confidence = np.full((4, 10), 0.5)
    confidence[2, BODY.index("left_wrist")] = value
    with pytest.raises(UserError, match=rf"frame 2, keypoint 'left_wrist': confidence {value:g} "):
        make_tracks(tagged(), BODY, 25.0, confidence=confidence)
    missing = tagged()
    missing[2, BODY.index("left_wrist")] = (
        np.nan
    )  # programs that mark what they did not find, by -1 for instance
    tracks = make_tracks(missing, BODY, 25.0, confidence=confidence)
    assert tracks.confidence.sel(keypoint="left_wrist").values.tolist() == [0.5, 0.5, 0, 0.5]


def test_a_confidence_just_outside_0_to_1_is_rounding():
    confidence = np.array([[1.000005], [-1e-9], [np.nextafter(np.float32(1), np.float32(2))]])
    assert make_tracks(
        line([1, 2, 3]), ["a"], 10.0, confidence=confidence
    ).confidence.values.tolist() == [[1], [0], [1]]


def test_a_confidence_outside_0_to_1_in_a_csv_is_named_by_row(tmp_path):
    (tmp_path / "a.csv").write_text(
        "frame,keypoint,x,y,confidence\n0,nose,1,2,0.5\n1,nose,3,4,95\n"
    )
    with pytest.raises(UserError, match=r'a\.csv: row 3, column "confidence": 95 '):
        read_tracks(tmp_path / "a.csv", fps=25)


def test_a_joint_has_the_lowest_of_the_scores_that_its_keypoints_have():
    confidence = np.ones((4, 10), np.float32)
    confidence[:, BODY.index("left_shoulder")] = np.nan
    confidence[:, BODY.index("right_shoulder")] = [0.25, 0.5, np.nan, 0]
    selected = select(
        make_tracks(tagged(), BODY, 25.0, confidence=confidence), load_skeleton("upper_body_11")
    )
    np.testing.assert_array_equal(
        selected.confidence.sel(keypoint="neck"), np.float32([0.25, 0.5, np.nan, 0])
    )


def test_an_empty_cell_of_a_csv_is_no_score(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("frame,keypoint,x,y,confidence\n0,nose,1,2,\n1,nose,3,4,0.5\n2,nose,,,\n")
    np.testing.assert_array_equal(
        read_tracks(path, fps=25).confidence[:, 0], np.float32([np.nan, 0.5, 0])
    )


def test_low_confidence_becomes_missing_never_shorter():
    tracks = make_tracks(line([1, 2, 3]), ["a"], 10.0, confidence=np.array([[0.9], [0.2], [0.9]]))
    dropped = drop_low_confidence(tracks, 0.5)
    np.testing.assert_array_equal(dropped.position.sel(space="x", keypoint="a"), [1, np.nan, 3])


def test_smoothing_keeps_a_parabola_and_does_not_reach_across_a_gap():
    values = [float(t * t) for t in range(9)]
    values[4] = np.nan
    tracks = make_tracks(line(values), ["a"], 10.0)
    np.testing.assert_allclose(
        smooth(tracks, 0.3).position.sel(space="x", keypoint="a"), values, atol=1e-4
    )


@pytest.mark.parametrize("origin", ["clip", "frame"])
def test_translation_and_scale_of_the_patient_change_nothing_after_normalisation(origin):
    skeleton = load_skeleton("upper_body_11")
    rng = np.random.default_rng(0)
    position = rng.normal(300, 80, (20, 10, 2))
    near = coordinates(
        normalise(select(make_tracks(position, BODY, 25.0), skeleton), skeleton, origin), 2
    )
    far = coordinates(
        normalise(
            select(make_tracks(position * 0.37 + [55, -20], BODY, 25.0), skeleton), skeleton, origin
        ),
        2,
    )
    np.testing.assert_allclose(near, far, atol=1e-4)
    neck, base = skeleton.names.index("neck"), skeleton.names.index("spine_base")
    assert np.median(np.linalg.norm(near[:, neck] - near[:, base], axis=1)) == pytest.approx(
        1, abs=1e-5
    )


def test_a_clip_in_which_nobody_is_found_stays_missing():
    skeleton = load_skeleton("upper_body_11")
    tracks = normalise(
        select(make_tracks(np.full((5, 10, 2), np.nan), BODY, 25.0), skeleton), skeleton
    )
    assert np.isnan(tracks.position).all()


def test_bones_point_from_the_inner_neighbour_and_motion_to_the_next_frame():
    skeleton = load_skeleton("upper_body_11")
    joints = np.zeros((2, 11, 2))
    joints[:, skeleton.names.index("left_elbow")] = [3, 4]
    joints[1, skeleton.names.index("left_wrist")] = [3, 9]
    bone = bones(joints, skeleton)
    assert bone[1, skeleton.names.index("left_wrist")].tolist() == [0, 5]
    assert bone[0, skeleton.names.index("neck")].tolist() == [0, 0]
    moved = motion(joints)
    assert moved[0, skeleton.names.index("left_wrist")].tolist() == [3, 9] and (moved[1] == 0).all()


def test_dimensions_that_are_not_there_are_refused():
    with pytest.raises(UserError, match=r"dimensions: 3 .*\['position'\]"):
        coordinates(make_tracks(tagged(), BODY, 25.0), 3)


def test_a_head_that_rolls_and_moves_leaves_an_upright_face_unchanged():
    skeleton = load_skeleton("face_23")
    face = np.random.default_rng(1).normal(0, 1, (23, 2))
    face[skeleton.names.index("left_eye_outer")], face[skeleton.names.index("right_eye_outer")] = (
        [1, 0],
        [-1, 0],
    )
    angles = np.linspace(-0.6, 0.6, 9)
    rolled = np.stack(
        [
            face @ np.array([[np.cos(a), np.sin(a)], [-np.sin(a), np.cos(a)]]) * 40
            + [300 + 90 * a, 200]
            for a in angles
        ]
    )
    tracks = make_tracks(rolled, skeleton.names, 25.0)
    upright = coordinates(normalise(select(tracks, skeleton), skeleton, "frame", upright=True), 2)
    np.testing.assert_allclose(
        upright,
        np.broadcast_to((face - face[skeleton.names.index("nose_bridge")]) / 2, upright.shape),
        atol=1e-4,
    )
    plain = coordinates(normalise(select(tracks, skeleton), skeleton, "frame"), 2)
    assert np.abs(plain - plain[4]).max() > 0.1  # without it, the roll stays


def test_deviation_takes_out_who_it_is_and_keeps_what_moves():
    joints = np.zeros((5, 2, 2))
    joints[:, 0] = [10, 20]
    joints[4, 0] = [13, 20]
    joints[:, 1] = np.nan
    apart = deviation(joints)
    assert (
        apart[0, 0].tolist() == [0, 0]
        and apart[4, 0].tolist() == [3, 0]
        and np.isnan(apart[:, 1]).all()
    )
    np.testing.assert_array_equal(deviation(joints + 7), apart)
    windows = np.random.default_rng(0).normal(size=(3, 8, 2, 2))
    windows[0, 2, 0] = windows[1, 1:6] = np.nan  # seven and three frames known of eight
    medians = np.nanmedian(windows, axis=1, keepdims=True)
    np.testing.assert_array_equal(deviation(windows), windows - medians)
