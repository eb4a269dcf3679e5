"""A pose backend of the user's own: what it needs, what it gives, and when its code runs."""

import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from joblib.externals.loky import get_reusable_executor

import semiology
from semiology.cli.main import main
from semiology.data.corrections import Correction, write_corrections
from semiology.data.result import allowing
from semiology.data.tracks import read_tracks
from semiology.errors import UserError
from semiology.files import read_json
from semiology.tracking.extraction import ExtractOptions, extract_videos
from semiology.tracking.extraction.tracks import _backend_of
from semiology.tracking.patient import PatientLocation
from semiology.tracking.pose import pose_backend
from semiology.tracking.pose.base import Landmarks
from semiology.video import read_frames, write_video

PAGE = Path(__file__).resolve().parents[1] / "docs/extraction.md"
BLOCKS = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
[MARKER] = [block for block in BLOCKS if "class BrightMarker" in block]
PLACES = [(20 + 2 * frame, 60) for frame in range(25)]  # centre of the marker, x and y px


@pytest.fixture
def tracker(tmp_path, monkeypatch):
    """The page's backend as the module my_tracker, which can be imported."""
    folder = tmp_path / "code"
    folder.mkdir()
    (folder / "my_tracker.py").write_text(MARKER)
    monkeypatch.syspath_prepend(str(folder))
    yield folder / "my_tracker.py"
    sys.modules.pop("my_tracker", None)
    _backend_of.cache_clear()  # a process builds a backend once; here its file changes


@pytest.fixture
def video(tmp_path):
    """A white square of 9 px that moves by 2 px a frame over dark grey."""
    images = []
    for x, y in PLACES:
        image = np.full((120, 160, 3), 40, np.uint8)
        image[y - 4 : y + 5, x - 4 : x + 5] = 255
        images.append(image)
    write_video(tmp_path / "arm.mp4", images, 25)
    return tmp_path / "arm.mp4"


def test_the_pages_backend_tracks_from_the_command_line_in_workers_and_once(
    tracker, video, tmp_path, capsys, monkeypatch
):
    get_reusable_executor().shutdown()  # workers of other tests began with another path
    monkeypatch.setenv("PYTHONPATH", str(tracker.parent))
    (tmp_path / "leg.mp4").write_bytes(video.read_bytes())
    call = ["extract", str(video), str(tmp_path / "leg.mp4"), "--out", str(tmp_path / "out")]
    call += ["--pose", "my_tracker:BrightMarker", "--jobs", "2"]
    assert main(call) == 0
    assert "the code of my_tracker runs" in capsys.readouterr().err
    tracks = read_tracks(tmp_path / "out/arm/body.nc")
    assert tracks.attrs["backend"] == "bright-marker"
    assert tracks.keypoint.values.tolist() == ["left_wrist"]
    np.testing.assert_allclose(tracks.position.values[:, :, 0], PLACES, atol=0.5)
    assert not (tmp_path / "out/arm/face.nc").exists()
    assert main(call) == 0
    assert "0 extracted, 2 were there already" in capsys.readouterr().out
    depends = read_json(tmp_path / "out/arm/record.json", checksummed=True)["stages"]["body"]
    pose = depends["depends"]["pose"]
    assert (pose["threshold"], pose["class"]) == (240, "my_tracker:BrightMarker")
    assert len(pose["code"]) == 64


def test_a_config_needs_allow_and_the_command_line_does_not(tracker, video, tmp_path, capsys):
    (tmp_path / "options.yaml").write_text("pose: my_tracker:BrightMarker\n")
    call = ["extract", str(video), "--out", str(tmp_path / "out")]
    call += ["--config", str(tmp_path / "options.yaml")]
    assert main(call) == 2 and "needs --allow my_tracker" in capsys.readouterr().err
    assert "my_tracker" not in sys.modules and not (tmp_path / "out").exists()
    assert main([*call, "--allow", "my_tracker"]) == 0
    # what was allowed once is not taken over into the next call
    assert main(call) == 2
    # another class on the command line does not cover the one that the config gives after it
    other = ["extract", str(video), "--out", str(tmp_path / "out"), "--pose", "blazepose"]
    assert main([*other, "--config", str(tmp_path / "options.yaml")]) == 2


def test_from_python_it_needs_allow_too(tracker, video, tmp_path):
    options = {"out": tmp_path / "out", "pose": "my_tracker:BrightMarker", "progress": False}
    with pytest.raises(UserError, match=r"allow=\[\.\.\.\] from Python"):
        semiology.extract(video, **options)
    assert semiology.extract(video, allow=["my_tracker"], **options).found == {"arm": {"body": 1.0}}


def test_a_change_of_its_code_or_parameters_makes_new_tracks(tracker):
    def parameters():
        sys.modules.pop("my_tracker", None)
        with allowing(["my_tracker"]):
            return pose_backend("my_tracker:BrightMarker").parameters()

    first = parameters()
    tracker.write_text(MARKER.replace("240", "25"))
    second = parameters()
    assert first["code"] != second["code"]
    assert (first["threshold"], second["threshold"]) == (240, 25)


def refused(folder: Path, code: str, monkeypatch) -> str:
    """The message about a class `Mine` with this body."""
    (folder / "mine_tracker.py").write_text(
        "import numpy as np\nfrom semiology.tracking.pose.base import Landmarks\n" + code
    )
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "mine_tracker", raising=False)
    with allowing(["mine_tracker"]), pytest.raises(UserError) as error:
        backend = pose_backend("mine_tracker:Mine")
        frame = np.zeros((4, 4, 3), np.uint8)
        place = PatientLocation(0, np.array([0, 0, 4, 4]), None, 0, 0, np.zeros((0, 4)))
        list(backend.track([(frame, place), (None, place)]))
    return str(error.value)


WHOLE = """class Mine:
    name, keypoints, in_metres = "mine", {"body": ["nose"]}, frozenset()
    def parameters(self): return {}
    def track(self, frames):
        for frame in frames: yield RESULT
"""
GOOD = '{"body": Landmarks(np.zeros((1, 2)), np.ones(1))}'


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("class Mine: pass", r"lacks name \(.*lacks keypoints \(.*lacks track \("),
        ("Mine = 3", "is not a class"),
        ("class Other: pass", "mine_tracker has no Mine"),
        ("raise ValueError('no GPU')", r"cannot be imported \(ValueError: no GPU\)"),
        ("class Mine:\n    def __init__(self, size): pass", "created without arguments"),
        (WHOLE.replace('"mine"', '"blazepose"'), "its name, blazepose, is that of a backend"),
        (WHOLE.replace('"body"', '"tail"'), "no part 'tail'; parts are body, face, hands"),
        (WHOLE.replace('["nose"]', '["nose", "nose"]'), "body: names repeat"),
        (WHOLE.replace("frozenset()", '{"face"}'), "in_metres: face: not in keypoints"),
        (WHOLE.replace("return {}", "return {'a': object()}"), r"parameters\(\) gives no dict"),
        (WHOLE.replace("RESULT", "None"), "frame 0: expected a dict of body -> Landmarks"),
        (WHOLE.replace("RESULT", '{"face": 1}'), "frame 0: expected a dict of body"),
        (
            WHOLE.replace("RESULT", GOOD.replace("(1, 2)", "(2, 2)")),
            r"frame 0: body: position has shape \(2, 2\), expected \(1, 2\)",
        ),
        (WHOLE.replace("RESULT", GOOD.replace("ones(1)", "full(1, 7)")), "confidence 7 is outside"),
        (WHOLE.replace("RESULT", "{}; return"), "frame 1: no result"),
        (WHOLE.replace("RESULT", "{}; yield {}"), "frame 1: more results than frames"),
        (
            WHOLE.replace("RESULT", "frame[0].sum()"),
            r"frame 0: expected a dict of body -> Landmarks, got",
        ),
        (
            WHOLE.replace("yield RESULT", "yield {'body': frame[1].nobody}"),
            r"frame 0: AttributeError: .*nobody.* \(mine_tracker.py, line 7\)",
        ),
    ],
)
def test_what_is_no_backend_is_refused_by_what_is_missing(tmp_path, monkeypatch, code, message):
    assert re.search(message, refused(tmp_path, code, monkeypatch))


def test_a_mistake_in_one_clip_is_listed_and_the_others_go_on(tracker, video, tmp_path):
    dark = tmp_path / "dark.mp4"
    write_video(dark, (np.zeros((120, 160, 3), np.uint8) for _ in range(5)), 25)
    tracker.write_text(MARKER.replace("if len(x):", "if x[0] >= 0:"))
    with allowing(["my_tracker"]):
        summary = extract_videos(
            [dark, video],
            tmp_path / "out",
            options=ExtractOptions(pose="my_tracker:BrightMarker"),
            progress=False,
        )
    assert summary.done == ["arm"]
    ((clip_id, why),) = summary.failed
    assert clip_id == "dark" and "frame 0: IndexError" in why and "my_tracker.py, line 2" in why


def test_an_installed_package_announces_its_backend_by_a_name(tracker, monkeypatch):
    about = tracker.parent / "my_tracker-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-tracker\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(
        "[semiology.pose]\nmarker = my_tracker:BrightMarker\nlost = my_tracker:Gone\n"
    )
    assert pose_backend("marker").name == "bright-marker"
    with pytest.raises(UserError, match="lost: my_tracker:Gone cannot be loaded"):
        pose_backend("lost")
    with pytest.raises(UserError, match=r"there are blazepose, keypoint-rcnn.*, lost, marker"):
        pose_backend("market")


def test_landmarks_are_taken_as_lists_too(tracker):
    tracker.write_text(
        MARKER.replace("np.array([[x.mean(), y.mean()]]), np.array([1.0])", "[[1, 2]], [1]")
    )
    with allowing(["my_tracker"]):
        backend = pose_backend("my_tracker:BrightMarker")
    place = PatientLocation(0, np.array([0, 0, 4, 4]), None, 0, 0, np.zeros((0, 4)))
    [found] = backend.track([(np.full((4, 4, 3), 255, np.uint8), place)])
    assert isinstance(found["body"], Landmarks) and found["body"].position.tolist() == [[1, 2]]


def test_overlays_of_an_extraction_are_made_once_and_again_when_tracks_or_corrections_change(
    tracker, video, tmp_path
):
    folder = tmp_path / "looks"
    options = ExtractOptions(pose="my_tracker:BrightMarker")
    call = {"options": options, "progress": False, "overlay": folder}

    def extract():
        with allowing(["my_tracker"]):
            return extract_videos([video], tmp_path / "out", **call)

    assert extract().done == ["arm"]
    first = (folder / "arm.mp4").stat().st_mtime_ns
    frames = [frame.image.astype(int) for frame in read_frames(folder / "arm.mp4")]
    for image, (x, y) in zip(frames, PLACES, strict=True):
        # the patient's left is orange, in the middle of the white square
        assert np.abs(image[y, x] - [255, 170, 0]).max() < 90
    assert extract().skipped == ["arm"] and (folder / "arm.mp4").stat().st_mtime_ns == first
    (folder / "arm.mp4").unlink()  # it alone is made again, without tracking
    killed = folder / ".part-00000000-1-abcdefgh.mp4"  # of a run that was killed days ago
    killed.write_bytes(b"half a video")
    os.utime(killed, (0, 0))
    assert extract().skipped == ["arm"] and (folder / "arm.mp4").is_file()
    assert not killed.exists()
    when = "2026-01-01T00:00:00Z"
    corrected = Correction(3, "left_wrist", (), 100.0, 20.0, 2, "hs", when, "labels")
    write_corrections([corrected], tmp_path / "out/arm/body.corrections.csv")
    assert extract().skipped == ["arm"]
    image = list(read_frames(folder / "arm.mp4"))[3].image.astype(int)
    assert np.abs(image[20, 100] - [255, 170, 0]).max() < 90


def test_an_overlay_takes_no_other_files_place_and_needs_tracks(tracker, video, tmp_path):
    options = ExtractOptions(pose="my_tracker:BrightMarker")
    with allowing(["my_tracker"]), pytest.raises(UserError, match="was not made by semiology ext"):
        extract_videos(
            [video], tmp_path / "out", options=options, progress=False, overlay=video.parent
        )
    assert not (tmp_path / "out").exists()
    with pytest.raises(UserError, match="draws tracks"):
        extract_videos(
            [video],
            tmp_path / "out",
            options=ExtractOptions(pose="none", snippet_weights=video),
            overlay=tmp_path / "o",
        )
