"""Expression scores: a network's own classifier on kept features, and the tables of OpenFace and
Py-Feat.
"""

import json

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from semiology.data.formats.face_scores import read_face_scores
from semiology.data.store import Store, make_key
from semiology.errors import UserError
from semiology.files import content_hash
from semiology.models.features.vgg import VGG19, load_vgg
from semiology.severity.weakness.expressions import (
    COLUMNS,
    EMFACS,
    check_weights,
    emotion_name,
    table_expressions,
    vgg_expressions,
)

UNITS = sorted(
    {unit for units in EMFACS.values() for unit in units} - {"AU16"}
)  # OpenFace has no AU16


def a_network(path, seed, classes=("angry", "happy", "smile", "fear")):
    torch.manual_seed(seed)
    vgg = VGG19(classes, width=0.05)
    save_file(vgg.state_dict(), path, metadata={"classes": json.dumps(classes), "width": "0.05"})
    return path


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A store with features of five crops, one of them not found, by the network beside it; and the
    crops.
    """
    folder = tmp_path_factory.mktemp("kept")
    weights = a_network(folder / "vgg.safetensors", 1)
    crops = list(np.random.default_rng(0).integers(0, 256, (5, 60, 60, 3), dtype=np.uint8))
    vgg = load_vgg(weights)
    with torch.inference_mode():
        features = vgg.embed(vgg.prepare(crops)).numpy()
    features[3] = np.nan
    store, depends = Store(folder / "store"), {"vgg": content_hash(weights), "layer": "penultimate"}
    store.write("c1", "face_vgg", make_key(depends), (features, np.arange(5) / 5))
    store.note("c1", {"sha256": "0"}, {"face_vgg": {"key": make_key(depends), "depends": depends}})
    return folder, store, crops


def test_scores_are_those_of_the_network_run_on_the_crops(kept):
    folder, store, crops = kept
    vgg = load_vgg(folder / "vgg.safetensors")
    with torch.inference_mode():
        angry, happy, smile, fear = torch.softmax(vgg(vgg.prepare(crops)), dim=1).numpy().T
    found = vgg_expressions(store, "c1", folder / "vgg.safetensors")
    assert list(found) == COLUMNS and set(found["emotion"]) == {"anger", "happiness", "fear"}
    seen = [0, 1, 2, 4]
    for emotion, expected in (
        ("anger", angry),
        ("happiness", happy + smile),
        ("fear", fear),
    ):  # two classes of one emotion add up
        own = found[found["emotion"] == emotion]
        assert own["score"].to_numpy()[seen] == pytest.approx(expected[seen], abs=1e-6)
        assert own["time"].tolist() == [0, 0.2, 0.4, 0.6, 0.8]
        assert own["found"].tolist() == [True, True, True, False, True] and np.isnan(
            own["score"].iloc[3]
        )
    assert found.groupby("time")["score"].sum().to_numpy()[seen] == pytest.approx(1)


def test_absent_and_other_weights_are_refused_with_the_command_to_get_them(kept):
    folder, store, _ = kept
    for absent in (None, folder / "nothing.safetensors"):
        with pytest.raises(UserError, match="semiology pretrain expression IMAGES --out FILE"):
            check_weights(absent, store, ["c1"])
    other = a_network(folder / "other.safetensors", 2)
    command = f"clip c1: .*semiology extract COHORT --store {store.folder} --face_weights {other}"
    with pytest.raises(UserError, match=command):
        vgg_expressions(store, "c1", other)
    with pytest.raises(UserError, match="--store DIR"):
        check_weights(other, None, ["c1"])
    with pytest.raises(UserError, match="clip c2: no face_vgg"):
        vgg_expressions(store, "c2", other)


def test_one_name_for_each_emotion():
    assert [
        emotion_name(word) for word in ("Happy", " smile", "ANGRY", "rest", "Sad", "upgaze")
    ] == [*("happiness", "happiness", "anger", "neutral", "sadness", "upgaze")]


def openface_table(path, rows):
    """rows: of {"AU12": intensity, ...}, None where the face was not found; half a second apart."""
    lines = [
        ", ".join(
            [
                "frame",
                "face_id",
                "timestamp",
                "confidence",
                "success",
                *(f"{unit}_r" for unit in UNITS),
                "AU12_c",
            ]
        )
    ]
    for number, row in enumerate(rows):
        units = [str((row or {}).get(unit, 0)) for unit in UNITS]
        lines.append(
            ", ".join(
                [
                    str(number + 1),
                    "0",
                    str(number / 2),
                    "0.9",
                    str(int(row is not None)),
                    *units,
                    "1",
                ]
            )
        )
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_action_units_become_emotions_by_emfacs(tmp_path):
    """Happiness is AU6 + AU12, of 5 at most: (5 + 0) / 2 / 5 = 0.5. Fear has seven units: AU1 and
    AU4 at 3.5 each give 7 / 7 / 5 = 0.2.
    """
    rows = [{}, {"AU12": 5}, {"AU12": 5, "AU06": 5}, None, {"AU01": 3.5, "AU04": 3.5}]
    found = table_expressions(openface_table(tmp_path / "t.csv", rows), "c1")
    wide = found.pivot(index="time", columns="emotion", values="score")
    assert set(wide) == set(EMFACS)
    assert wide["happiness"].tolist() == pytest.approx([0, 0.5, 1, np.nan, 0], nan_ok=True)
    assert wide["fear"].tolist() == pytest.approx([0, 0, 0, np.nan, 0.2], nan_ok=True)
    assert wide["sadness"].iloc[4] == pytest.approx(7 / 3 / 5)
    assert wide["surprise"].iloc[4] == pytest.approx(3.5 / 4 / 5)


def test_a_clip_takes_its_part_of_the_videos_table(tmp_path):
    table = openface_table(
        tmp_path / "t.csv", [{"AU12": number} for number in range(5)]
    )  # at 0, 0.5, 1, 1.5, 2 s
    found = table_expressions(table, "c1", start=0.5, end=2.0)
    own = found[found["emotion"] == "happiness"]
    assert own["time"].tolist() == [0, 0.5, 1] and own["score"].tolist() == pytest.approx(
        [0.1, 0.2, 0.3]
    )
    with pytest.raises(UserError, match=r"t\.csv: .* 9 s .*clip c1"):
        table_expressions(table, "c1", start=9.0)


def test_tables_that_cannot_be_read_say_what_and_where(tmp_path):
    table = openface_table(tmp_path / "t.csv", [{}, {}])
    whole = table.read_text(encoding="utf-8")
    faults = {
        "row 3, column \"AU0._r\": 'wide' is not a number": whole.replace(
            "0.5, 0.9, 1, 0", "0.5, 0.9, 1, wide"
        ),
        "neither OpenFace's table": "frame,timestamp,success\n1,0,1\n",
        "holds 2 individuals": whole.replace("2, 0, 0.5", "2, 1, 0.5"),
        "row 3: a second row for the same frame": whole.replace("2, 0, 0.5", "2, 0, 0.0"),
        "holds no frames": whole.splitlines()[0] + "\n",
        "count frames|counts frames": "frame,FaceScore,Happy\n0,0.9,0.5\n",
    }
    for message, text in faults.items():
        table.write_text(text, encoding="utf-8")
        with pytest.raises(UserError, match=message):
            read_face_scores(table)


def test_one_of_several_faces_is_read(tmp_path):
    """Person_1 is somebody else; frame 2 has no face, in a row of its own."""
    rows = ["frame,FaceScore,happiness,Identity", "0,0.9,0.5,Person_0", "0,0.9,0.1,Person_1"]
    rows += ["1,0.9,0.1,Person_1", "2,0,0.7,", "3,0.9,0.6,Person_0"]
    table = tmp_path / "t.csv"
    table.write_text("\n".join(rows), encoding="utf-8")
    with pytest.raises(UserError, match=r"2 individuals.*Person_0, Person_1"):
        read_face_scores(table, 10.0)
    found = table_expressions(table, "c1", fps=10.0, individual="Person_0")
    assert found["time"].tolist() == pytest.approx([0, 0.1, 0.2, 0.3])
    assert found["score"].tolist() == pytest.approx([0.5, np.nan, np.nan, 0.6], nan_ok=True)
    assert found["found"].tolist() == [True, False, False, True]
    two = openface_table(tmp_path / "o.csv", [{"AU12": 1}, {"AU12": 2}, {"AU12": 3}])
    two.write_text(two.read_text().replace("2, 0, 0.5", "1, 7, 0.0"), encoding="utf-8")
    scores = read_face_scores(two, individual="0")
    assert scores.time.tolist() == [0, 1] and scores.scores["AU12"].tolist() == [1, 3]
    assert read_face_scores(two, individual="7").scores["AU12"].tolist() == [
        2,
        pytest.approx(np.nan, nan_ok=True),
    ]


def test_py_feats_emotions_of_either_naming(tmp_path):
    for name, header in (
        ("old", "frame,FaceScore,happiness,sadness"),
        ("new", "FaceScore,Sad,Happy,frame"),
    ):
        cells = {
            "frame": "10",
            "FaceScore": "0.9",
            "happiness": "0.75",
            "Happy": "0.75",
            "sadness": "0.25",
            "Sad": "0.25",
        }
        table = tmp_path / f"{name}.csv"
        table.write_text(
            header + "\n" + ",".join(cells[column] for column in header.split(",")) + "\n",
            encoding="utf-8",
        )
        found = table_expressions(table, "c1", fps=20.0).set_index("emotion")
        assert (
            found.loc["happiness", ["time", "score"]].tolist() == [0.5, 0.75]
            and found.loc["sadness", "score"] == 0.25
        )


@pytest.mark.realdata
def test_real_tables_are_read(testdata):
    real = table_expressions(testdata / "faces/OpenFace_Test.csv", "c1")
    raw = pd.read_csv(testdata / "faces/OpenFace_Test.csv", skipinitialspace=True)
    happiness = real[real["emotion"] == "happiness"]["score"].to_numpy()
    assert (
        happiness == pytest.approx((raw["AU06_r"] + raw["AU12_r"]).to_numpy() / 10)
        and len(happiness) == 100
    )
    assert real["score"].between(0, 1).all()
    for table in sorted((testdata / "keypoints/news").glob("[0-9]*.csv")):
        found = table_expressions(table, table.stem, fps=30.0)
        wide = found.pivot(index="time", columns="emotion", values="score")
        assert set(wide) == {
            "anger",
            "disgust",
            "fear",
            "happiness",
            "neutral",
            "sadness",
            "surprise",
        }
        assert wide.sum(axis=1).to_numpy() == pytest.approx(
            1, abs=0.02
        )  # probabilities, kept in half precision
