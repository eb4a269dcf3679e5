"""The phantom's cohort: labels, determinism, what a simple model can see, and the files."""

import json
from fractions import Fraction
from io import StringIO

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from semiology.data.cohort import Cohort
from semiology.data.keypoint_names import BODY
from semiology.data.skeleton import load_skeleton
from semiology.data.tracks import read_tracks
from semiology.errors import UserError
from semiology.phantom import make_phantom, make_stills
from semiology.phantom.drawing.clip import film, perform
from semiology.phantom.drawing.episodes import draw_episodes
from semiology.phantom.drawing.face import LOOKS, LOOKS_ACTIONS
from semiology.phantom.dystonia_emotion.recipe import DystoniaEmotionRecipe, plan_clip
from semiology.phantom.shared.design import labels, random_signs, traits
from semiology.phantom.shared.truth import body_truth, face_truth
from semiology.tracking.blazepose.detectors import PEOPLE, Detector
from semiology.tracking.blazepose.landmarks import BodyLandmarks, body_region
from semiology.video import probe, read_frames

SHORT = DystoniaEmotionRecipe(seconds=(6, 8))


def test_nineteen_participants_have_the_papers_counts():
    for seed in range(5):
        shown = [traits(seed, subject, 9 / 19, 9 / 19) for subject in range(19)]
        assert sum(s.dystonia for s in shown) == 9
        assert sum(s.emotion for s in shown) == 9
        assert sum(s.dystonia and s.emotion for s in shown) == 2


@pytest.mark.parametrize(("dystonia", "emotion"), [(0.0, 1.0), (0.5, 0.25), (1.0, 1.0), (0.9, 0.3)])
def test_prevalence_is_what_was_requested(dystonia, emotion):
    shown = [traits(7, subject, dystonia, emotion) for subject in range(190)]
    assert np.mean([s.dystonia for s in shown]) == pytest.approx(dystonia, abs=0.03)
    assert np.mean([s.emotion for s in shown]) == pytest.approx(emotion, abs=0.03)


def test_a_positive_participant_has_a_positive_clip_and_a_negative_one_none():
    for subject in range(38):
        trait = traits(0, subject, 9 / 19, 9 / 19)
        clips = labels(0, subject, 3, 9 / 19, 9 / 19)
        assert any(c.dystonia for c in clips) == trait.dystonia
        assert any(c.emotion for c in clips) == trait.emotion


def test_twenty_subjects_bring_every_resolution_and_container_of_the_paper():
    views = [plan_clip(SHORT, subject, 0)[0].subject.view for subject in range(20)]
    sizes = [view.stored for view in views]
    assert {size: sizes.count(size) for size in sizes} == {
        (352, 576): 4,
        (352, 288): 4,
        (704, 576): 4,
        (720, 576): 4,
        (1280, 720): 4,
    }
    assert {(view.stored, view.pixel_aspect, (view.width, view.height)) for view in views} == {
        ((352, 576), Fraction(24, 11), (768, 576)),
        ((352, 288), Fraction(12, 11), (384, 288)),
        ((704, 576), Fraction(12, 11), (768, 576)),
        ((720, 576), Fraction(16, 15), (768, 576)),
        ((1280, 720), Fraction(1), (1280, 720)),
    }
    containers = [view.container for view in views]
    assert {name: containers.count(name) for name in containers} == {
        ".mpg": 5,
        ".mp4": 5,
        ".avi": 5,
        ".asf": 5,
    }


def test_labels_say_what_is_rendered_and_those_of_a_null_cohort_do_not():
    for subject in range(8):
        plan, scored = plan_clip(SHORT, subject, 1)
        assert (plan.sign_of_arm is not None) == scored.dystonia
        assert (plan.sign_of_face is not None) == scored.emotion
    scored_null = np.array([labels(0, s, 1, 0.5, 0.5)[0].dystonia for s in range(1000)])
    shown_null = np.array([random_signs(0, s, 0, 0.5, 0.5).dystonia for s in range(1000)])
    assert (
        abs(np.corrcoef(scored_null, shown_null)[0, 1]) < 0.08
    )  # 2.5 standard errors of 1000 pairs


def test_same_seed_same_truth_whatever_else_is_made():
    def truth(recipe, subject):
        plan, _ = plan_clip(recipe, subject, 0)
        performance = perform(plan)
        return (
            body_truth(plan, performance).position.to_numpy().tobytes()
            + face_truth(plan, performance).position.to_numpy().tobytes()
        )

    first = truth(SHORT, 2)
    truth(SHORT, 0)
    again = truth(SHORT, 2)
    assert again == first
    assert truth(SHORT, 3) != first
    assert truth(DystoniaEmotionRecipe(seconds=(6, 8), seed=1), 2) != first


def test_a_sign_is_held_and_visits_are_short():
    rng = np.random.default_rng(0)
    for _ in range(30):
        episodes = draw_episodes(rng, 7.0, kind="across", side="left", present=True, difficulty=0.5)
        held = [e for e in episodes if e.sign]
        assert len(held) == 1 and held[0].kind == "across" and held[0].side == "left"
        assert held[0].start >= 0 and held[0].stop <= 7.0
        visits = [e.stop - e.start for e in episodes if not e.sign]
        assert held[0].stop - held[0].start > 2 * max(visits, default=0)
        none = draw_episodes(rng, 7.0, kind="across", side="left", present=False, difficulty=0.5)
        assert none and not any(e.sign for e in none)


def mean_positions(tracks, skeleton):
    """One row of features: mean positions of the joints, in the skeleton's unit of length."""
    skeleton = load_skeleton(skeleton)
    position = tracks.position.transpose("time", "keypoint", "space")
    origin = position.sel(keypoint=list(skeleton.origin)).mean("keypoint")
    length = np.linalg.norm(
        position.sel(keypoint=skeleton.scale[0]) - position.sel(keypoint=skeleton.scale[1]), axis=-1
    )
    return ((position - origin) / np.median(length)).mean("time").to_numpy().ravel()


def test_mean_positions_do_not_give_the_labels_away():
    bodies, faces, dystonia, emotion, groups = [], [], [], [], []
    for subject in range(80):
        for clip in range(2):
            plan, scored = plan_clip(SHORT, subject, clip)
            performance = perform(plan)
            bodies.append(mean_positions(body_truth(plan, performance), "upper_body_11"))
            faces.append(mean_positions(face_truth(plan, performance), "face_23"))
            dystonia.append(scored.dystonia)
            emotion.append(scored.emotion)
            groups.append(subject)
    for features, truth in ((bodies, dystonia), (faces, emotion)):
        for strength in (0.01, 1.0):
            model = make_pipeline(
                StandardScaler(),
                LogisticRegression(C=strength, class_weight="balanced", max_iter=2000),
            )
            predicted = cross_val_predict(
                model, np.array(features), np.array(truth), groups=groups, cv=GroupKFold(10)
            )
            assert balanced_accuracy_score(truth, predicted) < 0.70


def test_a_graded_cohort_holds_an_intensity_and_a_rater_errs_near_the_threshold():
    exact = DystoniaEmotionRecipe(seconds=(2, 2), graded=True)
    rated = DystoniaEmotionRecipe(seconds=(2, 2), graded=True, rater_error=0.2)
    near, far = [], []
    for subject in range(150):
        design = labels(0, subject, 2, 9 / 19, 9 / 19)[0].emotion
        plan, scored = plan_clip(exact, subject, 0)
        intensity = plan.sign_of_face.strength
        assert scored.emotion == design == (intensity > 0.5) and 0 <= intensity <= 1
        same, seen = plan_clip(rated, subject, 0)
        assert same.sign_of_face == plan.sign_of_face and seen.dystonia == scored.dystonia
        (near if abs(intensity - 0.5) < 0.2 else far).append(seen.emotion != scored.emotion)
    # the normal tail beyond (0 to 0.2) / 0.2: 0.5 to 0.16, 0.31 in the mean; beyond 0.2: 0.05
    assert np.mean(near) == pytest.approx(0.31, abs=0.15) and np.mean(far) < 0.15


def test_looks_are_in_the_truth(tmp_path):
    recipe = DystoniaEmotionRecipe(seconds=(2, 2), graded=True, looks=1.0, appearance=0.0)
    clip = recipe.draw((0, 0))
    plan, _ = plan_clip(recipe, 0, 0)
    shown = pd.read_csv(StringIO(clip.render().truth["_looks.tsv"]), sep="\t")
    assert list(shown.columns[:2]) == ["time", "flush"] and len(shown) == 50
    held = plan.sign_of_face
    middle = shown.iloc[round((held.start + held.stop) / 2 * 25)]
    assert list(shown.columns[1:-2]) == list(LOOKS_ACTIONS)
    for name, amount in LOOKS[held.kind].items():
        assert middle[name] == pytest.approx(amount * held.strength, abs=1e-4)
    assert clip.row["emotion_intensity"] == f"{held.strength:.4f}"
    assert "emotion_intensity" not in SHORT.draw((0, 0)).row


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("phantom")
    make_phantom(
        out, subjects=2, clips_per_subject=1, seconds=(2, 2), seed=4, dystonia=1.0, progress=False
    )
    return out


def test_the_folder_is_a_cohort_and_states_that_it_is_synthetic(folder):
    cohort = Cohort.read(folder)
    assert [clip.clip_id for clip in cohort.clips] == ["sub-01_sz-01", "sub-02_sz-01"]
    assert list(cohort.labels) == ["dystonia", "dystonia_side", "emotion", "expression"]
    assert cohort.labels["dystonia"].positive == "present"
    assert cohort.labels["dystonia"].hed == "Semiology-dystonic"
    assert cohort.labels["dystonia_side"].mirror == {"left": "right", "right": "left"}
    assert all(clip.labels["dystonia"] == "present" for clip in cohort.clips)
    assert all(
        "SYNTHETIC" in text
        for text in ((folder / "README.md").read_text(), (folder / "clips.json").read_text())
    )
    content = json.loads((folder / "truth" / "sub-01_sz-01.json").read_text())
    assert content["synthetic"] is True
    assert content["rendered"]["dystonia"]["side"] == cohort.clips[0].labels["dystonia_side"]


def test_truth_and_video_have_the_same_frames(folder):
    for clip in Cohort.read(folder).clips:
        truth = read_tracks(folder / "truth" / f"{clip.clip_id}.nc")
        frames = list(read_frames(folder / clip.video, clip.start, clip.end, 25.0))
        assert len(frames) == truth.sizes["time"] == 50
        assert [frame.source_index for frame in frames] == truth.source_index.to_numpy().tolist()
        assert frames[0].image.shape == (truth.attrs["height"], truth.attrs["width"], 3)
        assert read_tracks(folder / "truth" / f"{clip.clip_id}_face.nc").sizes["keypoint"] == 23


def test_the_file_is_squeezed_and_states_its_ratio(folder):
    """The truth is in square pixels: as wide as the file's pixels are."""
    for clip in Cohort.read(folder).clips:
        stored = json.loads((folder / "truth" / f"{clip.clip_id}.json").read_text())["stored"]
        truth = read_tracks(folder / "truth" / f"{clip.clip_id}.nc")
        ratio = Fraction(stored["pixel_aspect"])
        assert probe(folder / clip.video).pixel_aspect == pytest.approx(float(ratio))
        assert truth.attrs["width"] == stored["width"] * ratio
        assert truth.attrs["height"] == stored["height"]


def test_a_second_call_makes_nothing_again_and_mends_what_is_missing(folder):
    before = {path: path.stat().st_mtime_ns for path in (folder / "videos").iterdir()}
    lost = sorted(before)[0]
    lost.unlink()
    make_phantom(
        folder,
        subjects=2,
        clips_per_subject=1,
        seconds=(2, 2),
        seed=4,
        dystonia=1.0,
        progress=False,
    )
    after = {path: path.stat().st_mtime_ns for path in (folder / "videos").iterdir()}
    assert after.keys() == before.keys()
    assert [path for path in after if after[path] != before[path]] == [lost]


def test_another_cohort_is_not_written_over(tmp_path):
    (tmp_path / "clips.tsv").write_text("clip_id\n")
    with pytest.raises(UserError, match="no phantom"):
        make_phantom(tmp_path, subjects=1, progress=False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"difficulty": 2},
        {"dystonia": -0.1},
        {"seconds": (5, 3)},
        {"subjects": 0},
        {"clips_per_subject": 0},
        {"looks": 1.5},
        {"rater_error": 0.2},
        {"graded": True, "rater_error": -0.1},
        {"graded": True, "null": True},
    ],
)
def test_parameters_that_make_no_sense_are_refused(tmp_path, wrong):
    with pytest.raises(UserError, match="phantom"):
        make_phantom(tmp_path, **{"progress": False, **wrong})
    assert list(tmp_path.iterdir()) == []


def test_stills_fill_every_class(tmp_path):
    from PIL import Image

    make_stills(tmp_path, subjects=2, per_class=2, progress=False)
    found = sorted(
        f"{path.parent.parent.name}/{path.parent.name}" for path in tmp_path.rglob("*.png")
    )
    classes = [f"expression/{name}" for name in ("anger", "fear", "neutral", "smile")] + [
        f"posture/{n}" for n in ("dystonic", "reach", "rest")
    ]
    assert found == sorted(2 * classes)
    sides = {size for path in tmp_path.rglob("*.png") for size in Image.open(path).size}
    assert min(sides) >= 64 and max(sides) == 224  # bodies are larger in the frame


def test_the_default_backend_finds_the_figure():
    people, landmarks = Detector(PEOPLE), BodyLandmarks()
    plan, _ = plan_clip(DystoniaEmotionRecipe(seconds=(2, 2)), 1, 0)
    performance = perform(plan)
    camera = performance.camera
    errors = []
    for t, image in zip(range(0, 40, 4), film(plan, performance, range(0, 40, 4))):
        detected = people(image)
        assert len(detected), f"nobody found in frame {t}"
        found = landmarks(image, body_region(*detected.keypoints[0, :2])).position
        true = {
            name: camera.to_camera(points[t]) for name, points in performance.figure.joints.items()
        }
        length = np.linalg.norm(
            camera.to_pixels(true["neck"]) - camera.to_pixels(true["spine_base"])
        )
        for joint in (
            "left_shoulder",
            "right_shoulder",
            "left_elbow",
            "right_elbow",
            "left_wrist",
            "right_wrist",
        ):
            away = found[BODY.index(joint)] - camera.to_pixels(true[joint])
            errors.append(np.linalg.norm(away) / length)
    assert np.median(errors) < 0.12  # torso lengths
