"""The public API: every name's example runs, imports stay light, results print themselves."""

import copy
import doctest
import inspect
import json
import subprocess
import sys

import av
import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
from conftest import write_cohort
from weak_faces import write_weak_cohort

import semiology
from semiology.data.keypoint_names import HANDS
from semiology.data.result import run_folder
from semiology.phantom.drawing.hand import FINGERS, hand_landmarks

CONFIG = {
    "cohort": "my_cohort",
    "out": "my_run",
    "tasks": {
        "dystonia (pose)": {
            "reading": {"label": "dystonia", "skeleton": "left_arm_4", "window": 16, "whole": True}
        }
    },
    "models": {
        "agcn": {
            "network": {"stream": "agcn", "options": {"widths": [8]}},
            "schedule": {"epochs": 1, "patience": None},
        }
    },
    "keep": True,
    "validation": 0.0,
}
TIMELINE = "task,level,start,end,probability\n" + "".join(
    f"dystonia,present,{start}.0,{start + 1}.0,{0.9 if 2 <= start < 5 else 0.1}\n"
    for start in range(8)
)
ANNOTATED = "onset\tduration\ttrial_type\tlevel\n" + "".join(
    f"{onset}\t{duration}\tdystonia\tpresent\n" for onset, duration in ((1.8, 3.0), (6.5, 1.0))
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files that the examples name: cohorts of tracks, settings, a video without a person, ..."""
    folder = tmp_path_factory.mktemp("examples")
    (folder / "my_cohort").mkdir()
    write_cohort(folder / "my_cohort")
    for name in ("clips.tsv", "clips.json"):
        path = folder / "my_cohort" / name
        path.write_text(path.read_text().replace("swing", "dystonia"))
    (folder / "my_run.yaml").write_text(yaml.safe_dump(CONFIG))
    write_video(folder / "walk.mp4")
    (folder / "timeline.csv").write_text(TIMELINE)
    (folder / "annotated.tsv").write_text(ANNOTATED)
    people = {"p1": ("patient", 0.3, 1.0), "p2": ("control", 1.0, 1.0)}
    write_weak_cohort(folder / "my_faces", people)
    names = semiology.load_skeleton("upper_body_11").names
    still = np.random.default_rng(0).normal(0, 0.01, (250, len(names), 2))
    still += np.arange(len(names))[:, None] * 20
    semiology.write_tracks(semiology.make_tracks(still, names, fps=25.0), folder / "still.nc")
    semiology.write_tracks(tapping_hand(), folder / "tapping.nc")
    rows = [[f"p{n}", n + 0.5, n, n] for n in range(5)]
    columns = ["participant_id", "score", "rater_1", "rater_2"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "scores.tsv", sep="\t", index=False)
    units = [
        [f"p{n}", n + 0.5 - n % 3, n**2 / 7, "patient" if n > 5 else "control"] for n in range(12)
    ]
    names = ["person", "au01", "au02", "diagnosis"]
    pd.DataFrame(units, columns=names).to_csv(folder / "units.csv", index=False)
    answers = [
        [f"c{n}", f"P{n}", ["no", "yes"][n % 2], ["No.", "yes"][n // 2 % 2]] for n in range(8)
    ]
    pd.DataFrame(answers, columns=["clip", "participant", "truth", "answer"]).to_csv(
        folder / "answers.csv", index=False
    )
    return folder


def tapping_hand():
    """Left hand of 190 px that taps at 2.5 Hz for 5 s."""
    time = np.arange(125) / 25
    fingers = {finger: np.zeros(125) for finger in FINGERS}
    apart = 0.5 - 0.5 * np.cos(2 * np.pi * 2.5 * time)
    points = hand_landmarks(0.19, fingers, apart)
    return semiology.make_tracks(
        1000 * points[..., :2], HANDS[:21], fps=25.0, position_3d=points, width=640, height=480
    )


def write_video(path):
    """Ten grey frames."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 64, 48
        for _ in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8))
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


ORDER = [  # of the examples: later ones use what earlier ones wrote
    *(
        "Result",
        "UserError",
        "Cohort",
        "make_tracks",
        "write_tracks",
        "read_tracks",
        "load_skeleton",
        "preprocess",
    ),
    *(
        "check_cohort",
        "extract",
        "loso",
        "table",
        "judge",
        "evaluate",
        "report",
        "audit",
        "explain",
        "probe",
    ),
    *("reproduce", "predict", "predict_timeline", "find_events", "score_events"),
    *("kinematics", "hands", "find_jerks", "myoclonus", "weakness", "features", "agreement"),
    "tracking_error",
]


def test_examples_of_the_public_api_print_what_they_say(folder, monkeypatch):
    """In one folder, one after the other: what an example assigns, the next ones have."""
    monkeypatch.chdir(folder)
    assert {*ORDER} == {*semiology.__all__}
    names = {"semiology": semiology}
    finder, flags = doctest.DocTestFinder(recurse=False), doctest.ELLIPSIS
    for name in ORDER:
        example = finder.find(getattr(semiology, name), name, globs=names)[0]
        runner = doctest.DocTestRunner(optionflags=flags | doctest.IGNORE_EXCEPTION_DETAIL)
        report = []
        result = runner.run(example, out=report.append, clear_globs=False)
        assert result.attempted and not result.failed, "".join(report)
        names |= example.globs


def test_every_public_name_has_a_docstring_with_parameters_and_an_example():
    for name in semiology.__all__:
        documented = getattr(semiology, name).__doc__
        assert len(documented.split()) >= 5, name
        assert ">>> " in documented, name
        if not isinstance(getattr(semiology, name), type):
            for section in ("Parameters", "Returns", "Raises", "Examples"):
                assert f"    {section}\n    {'-' * len(section)}\n" in documented, (name, section)


def test_options_of_public_functions_are_keyword_only():
    """What has a default is given by name."""
    for name in set(semiology.__all__) - {"Cohort", "Result", "UserError"}:
        kinds = inspect.signature(getattr(semiology, name)).parameters.values()
        for parameter in kinds:
            if parameter.default is not parameter.empty:
                assert parameter.kind is parameter.KEYWORD_ONLY, (name, parameter.name)


def test_a_result_has_fields_by_name_and_prints_them():
    table = pd.DataFrame({"joint": [f"joint_{n}" for n in range(20)], "speed": 0.5})
    result = semiology.Result(
        "Kinematics",
        unit="torso",
        cutoff=1 / 3,
        table=table,
        failed={"clip_1": "no face", "clip_2": {"body": 0.5}},
        notes=[],
    )
    assert result.unit == result["unit"] == "torso" and list(result)[:2] == ["unit", "cutoff"]
    assert "table" in dir(result) and copy.copy(result).table is table
    assert copy.deepcopy(result).failed == result.failed
    with pytest.raises(AttributeError, match="no field 'speed'; fields are unit, cutoff, table"):
        _ = result.speed
    printed = repr(result).splitlines()
    assert printed[:3] == ["Kinematics", "  unit    torso", "  cutoff  0.3333"]
    assert "joint_11" in printed[15] and printed[16].strip() == "... 20 rows"
    assert printed[17:] == [
        "  failed  clip_1: no face",
        "          clip_2:",
        "            body: 0.5",
        "  notes   none",
    ]


def test_a_result_in_a_notebook_is_html_with_everything_escaped():
    table = pd.DataFrame({"clip": ["<b>1</b>"]})
    result = semiology.Result("A & B", table=table, text="1 < 2\n<script>")
    page = result._repr_html_()
    assert "<strong>A &amp; B</strong>" in page and "1 &lt; 2\n&lt;script&gt;</pre>" in page
    assert "&lt;b&gt;1&lt;/b&gt;" in page and "<script>" not in page and "<b>" not in page
    assert page.count("<table") == page.count("</table>") == 2


def test_a_run_is_a_path_or_a_result_with_a_folder(tmp_path):
    assert (
        run_folder(str(tmp_path)) == run_folder(semiology.Result("", folder=tmp_path)) == tmp_path
    )
    for wrong in (None, 3, semiology.Result("Timeline", signs={})):
        with pytest.raises(semiology.UserError, match="expected a run's folder"):
            run_folder(wrong)


MISTAKES = {
    "ragged positions": lambda: semiology.make_tracks([[1.0], [2.0, 3.0]], ["wrist"], 25.0),
    "words for positions": lambda: semiology.make_tracks([[["a", "b"]]], ["wrist"], 25.0),
    "two names for one keypoint": lambda: semiology.make_tracks([[[1, 2]]], ["a", "b"], 25.0),
    "no such tracks": lambda: semiology.read_tracks("none.nc"),
    "an unknown format": lambda: semiology.write_tracks(tracks(), "a.x", format="x"),
    "no such skeleton": lambda: semiology.load_skeleton("octopus_8"),
    "an array for tracks": lambda: semiology.preprocess(np.zeros((2, 1, 2))),
    "body units without a body": lambda: semiology.preprocess(tracks(), normalise=True),
    "keypoints that are missing": lambda: semiology.preprocess(tracks(), skeleton="face_23"),
    "no such cohort": lambda: semiology.check_cohort("nowhere"),
    "no such cohort to extract": lambda: semiology.extract("nowhere", store="store"),
    "neither store nor out": lambda: semiology.extract("a.mp4"),
    "both store and out": lambda: semiology.extract("a", store="store", out="out"),
    "an option of extract": lambda: semiology.extract("a.mp4", out="out", speed=2),
    "a value of extract": lambda: semiology.extract("a.mp4", out="out", fps="fast"),
    "no such labels": lambda: semiology.tracking_error(tracks(), "none.json"),
    "no such predictions": lambda: semiology.evaluate("none.csv"),
    "no table of predictions": lambda: semiology.evaluate(pd.DataFrame({"truth": [1]})),
    "no such run to report": lambda: semiology.report("nowhere"),
    "no such run to audit": lambda: semiology.audit("nowhere"),
    "no such run to explain": lambda: semiology.explain("nowhere"),
    "no such run to probe": lambda: semiology.probe("nowhere", "dystonia"),
    "no such scores": lambda: semiology.agreement("none.tsv", machine="a", raters=["b"]),
    "no such settings": lambda: semiology.loso("none.yaml"),
    "an option of loso": lambda: semiology.loso(CONFIG, sedes=[1]),
    "a value of loso": lambda: semiology.loso(CONFIG, seeds="one"),
    "a setting deep in loso": lambda: semiology.loso({**CONFIG, "split": {"by": "folds", "k": 3}}),
    "no such table": lambda: semiology.table("none.csv", participant="a", target="b", out="c"),
    "no option of table": lambda: semiology.table("x", participant="a", target="b", out="c", k=1),
    "a missing setting": lambda: semiology.loso({"cohort": "my_cohort"}),
    "a paper's option": lambda: semiology.reproduce("hou2022", out="a", cohort="b", sedes=1),
    "a paper's cohort": lambda: semiology.reproduce("hou2022", out="a"),
    "a paper's features": lambda: semiology.reproduce("gestures", out="a"),
    "no such video": lambda: semiology.predict("none.mp4", model="nowhere"),
    "no such model": lambda: semiology.predict_timeline("none.mp4", model="nowhere"),
    "an option of the timeline": lambda: semiology.predict_timeline("a.mp4", model="b", sped=1),
    "an option of the tracker": lambda: semiology.predict(
        "a.mp4", model="b", keypoint_rcnn={"x": 1}
    ),
    "no such timeline": lambda: semiology.find_events("none.csv", out="events"),
    "no such events": lambda: semiology.score_events("none.tsv", "none.tsv"),
    "no such joint": lambda: semiology.kinematics(tracks(), unit="px", joints=["tail"]),
    "no such condition": lambda: semiology.hands(tracks(), condition="asleep"),
    "no hand in the tracks": lambda: semiology.hands(tracks()),
    "no such unit": lambda: semiology.kinematics(tracks(), unit="inch"),
    "an option of the jerks": lambda: semiology.find_jerks(tracks(), treshold=3.0),
    "no such cohort to score": lambda: semiology.myoclonus("nowhere", out="out"),
    "an option of the score": lambda: semiology.myoclonus("nowhere", out="out", jerks={"x": 1}),
    "no such cohort to measure": lambda: semiology.weakness("nowhere", out="out"),
}


def tracks():
    return semiology.make_tracks(np.zeros((50, 1, 2)), ["left_wrist"], fps=25.0)


@pytest.mark.parametrize("mistake", MISTAKES.values(), ids=MISTAKES)
def test_a_users_mistake_is_a_user_error_in_one_line(mistake, tmp_path, monkeypatch, capfd):
    """Never a SystemExit of a parser, and nothing is left behind."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(semiology.UserError) as raised:
        mistake()
    assert isinstance(raised.value, ValueError) and len(str(raised.value).split()) >= 3
    assert "usage:" not in capfd.readouterr().err


def test_a_video_that_is_missing_is_listed_as_failed(tmp_path):
    extracted = semiology.extract([tmp_path / "none.mp4"], out=tmp_path / "out", progress=False)
    assert extracted.done == [] and list(extracted.failed) == ["none"]
    assert "no such file" in extracted.failed["none"]


def test_a_user_error_is_not_lost_in_another(tmp_path):
    """It is a ValueError, and what reads files turns those into its own message."""
    file = tmp_path / "points.json"
    content = {
        "images": [{"id": 1, "file_name": "clip/0.png", "width": 10, "height": 10}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "keypoints": [1, 2]}],
        "categories": [{"id": 1, "name": "person", "keypoints": ["left_wrist"]}],
    }
    file.write_text(json.dumps(content))
    with pytest.raises(semiology.UserError) as raised:
        semiology.read_tracks(file, format="coco", fps=25.0)
    assert raised.value.__cause__ is None and "annotation 0" in str(raised.value)


def test_importing_semiology_loads_no_library():
    code = "import sys, semiology; print(sorted({'torch', 'numpy', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


POSITION = np.zeros((5, 1, 2))


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        (lambda s: s.make_tracks(POSITION, ["a"], "25"), "fps must be a number, got '25'"),
        (lambda s: s.make_tracks(POSITION, "a", 25), "keypoints must be a list of names"),
        (
            lambda s: s.make_tracks(POSITION, ["a"], 25, source_time=[0, 1]),
            r"source_time has shape \(2,\), expected \(5,\)",
        ),
        (
            lambda s: s.preprocess(s.make_tracks(POSITION, ["a"], 25), min_confidence=50),
            "min_confidence must be a number from 0 to 1, got 50",
        ),
        (
            lambda s: s.preprocess(s.make_tracks(POSITION, ["a"], 25), longest_gap=-1),
            r"longest_gap \(s\) must be a number of 0 or more, got -1",
        ),
        (
            lambda s: s.tracking_error(s.make_tracks(POSITION, ["a"], 25), "x.nc", cutoff=80),
            "cutoff must be a number from 0 to 1, got 80",
        ),
        (lambda s: s.tracking_error({}, "x.nc"), "no tracks were given"),
        (lambda s: s.read_tracks(None), "expected a path, got NoneType"),
        (lambda s: s.write_tracks(POSITION, "x.nc"), "expected a file or what `make_tracks`"),
        (lambda s: s.kinematics(xr.Dataset()), "this Dataset has no attribute fps"),
        (
            lambda s: s.kinematics(s.make_tracks(POSITION, ["left_wrist"], 25)),
            "the tracks lack left_shoulder and right_shoulder",
        ),
        (
            lambda s: s.find_jerks(s.make_tracks(POSITION, ["left_shoulder"], 25)),
            "the tracks lack right_shoulder",
        ),
        (lambda s: s.extract([], out="x"), "no video was given"),
        (lambda s: s.loso("."), "cannot be read"),
        (lambda s: s.evaluate("."), "name the file predictions.csv"),
        (lambda s: s.evaluate(None), "got NoneType"),
        (lambda s: s.agreement("x.tsv", machine="m", raters="r"), r"write \['r'\]"),
        (lambda s: s.agreement("x.tsv", machine="m", raters=[]), "at least one column"),
        (lambda s: s.score_events("a", "b", names="c"), "names must be a dict"),
        (lambda s: s.read_tracks(""), "read_tracks: the path is empty"),
        (lambda s: s.extract("a.mp4", out="x", fps=-1), "fps=-1 Hz"),
        (lambda s: s.extract("a.mp4", out="x", fps=float("nan")), "fps=nan Hz"),
        (lambda s: s.extract("a.mp4", out="x", face_every=0), "face_every=0"),
        (lambda s: s.extract("a.mp4", out="x", lift="none.safetensors"), "lift: expected bool"),
        (lambda s: s.extract("a.mp4", out="x", keypoint_rcnn=5), "keypoint_rcnn: .* got 5"),
        (lambda s: s.predict("a.mp4", model="m", keypoint_rcnn=5), "predict: .* got 5"),
    ],
)
def test_a_mistake_in_an_argument_is_a_user_error(mistake, message):
    with pytest.raises(semiology.UserError, match=message):
        mistake(semiology)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("joints", 5, "write a list of names"),
        ("joints", {"x": "left_ear", "y": None}, "keypoints as a list"),
        ("edges", [["x"]], "list of pairs"),
        ("root", ["x"], "name of one joint"),
        ("origin", "x", "list of one or more joints"),
        ("scale", ["x"], "list of two joints"),
    ],
)
def test_a_skeleton_of_another_form_names_the_key(tmp_path, key, value, message):
    parts = {"name": "a", "part": "body", "joints": ["x", "y"], "edges": [["x", "y"]]}
    parts |= {"root": "y", "origin": ["y"], "scale": ["x", "y"]}
    path = tmp_path / "s.yaml"
    path.write_text(yaml.safe_dump(parts))
    assert semiology.load_skeleton(path).names == ["x", "y"]
    path.write_text(yaml.safe_dump(parts | {key: value}))
    with pytest.raises(semiology.UserError, match=f"s.yaml: {key}: .*{message}"):
        semiology.load_skeleton(path)
