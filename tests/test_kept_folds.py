"""Which kept models belong to a run's predictions: records and folders written by hand."""

import json

import pandas as pd
import pytest

from semiology import UserError
from semiology.evaluation.run.kept import kept_folds
from semiology.files import write_text

CLIPS = {"a_1": "a", "a_2": "a", "b_1": "b", "c_1": "c", "t_1": "t"}


@pytest.fixture
def run(tmp_path):
    """Folds a, b and c with a model each, an unseen test set t, and what an earlier protocol left:
    folds 01 and 02.
    """
    rows = []
    for fold, clips in {"a": ["a_1", "a_2"], "b": ["b_1"], "c": ["c_1"], "test": ["t_1"]}.items():
        task = "sign (pose)" + (" in the unseen test set" if fold == "test" else "")
        for clip in clips:
            row = {
                "task": task,
                "label": "sign",
                "stream": "pose",
                "model": "agcn",
                "seed": 0,
                "fold": fold,
                "clip_id": clip,
            }
            scores = json.dumps({"absent": 0.4, "present": 0.6})
            rows.append(
                {
                    **row,
                    "participant_id": CLIPS[clip],
                    "truth": "absent",
                    "predicted": "present",
                    "score": 0.6,
                    "scores": scores,
                }
            )
    pd.DataFrame(rows).to_csv(tmp_path / "predictions.csv", index=False)
    for fold, held_out in {"a": "a", "b": "b", "c": "c", "test": "t", "01": "a", "02": "b"}.items():
        clips = [clip for clip, owner in CLIPS.items() if owner == held_out]
        record = {
            "key": f"key of {fold}",
            "split": "test" if fold == "test" else "participant",
            "clips": CLIPS,
            "held_out_clips": clips,
        }
        write_text(tmp_path / f"folds/sign-pose/seed-0/{fold}.json", json.dumps(record))
        write_text(
            tmp_path / f"kept/sign-pose/seed-0/{fold}/agcn/model.json",
            json.dumps({"about": {"key": f"key of {fold}"}}),
        )
    return tmp_path


def test_folds_of_the_predictions_are_taken_and_those_of_an_earlier_protocol_passed_over(run):
    for task in ("sign (pose)", "sign-pose"):
        found = kept_folds(run, task, "agcn", 0)
        assert (
            [fold.name for fold in found.folds] == ["a", "b", "c", "test"]
            and not found.missing
            and not found.left_out
        )
    a, test = found.folds[0], found.folds[-1]
    assert a.folder == run / "kept/sign-pose/seed-0/a/agcn" and a.clips == CLIPS
    assert (a.held_out, a.held_out_clips, a.unused, a.test) == (
        {"a"},
        {"a_1", "a_2"},
        {"t_1"},
        False,
    )
    assert (test.held_out, test.held_out_clips, test.unused, test.test) == (
        {"t"},
        {"t_1"},
        set(),
        True,
    )
    assert found.scored == set(CLIPS)
    assert (
        not kept_folds(run, "sign (pose)", "agcn", 1).folds
        and not kept_folds(run, "sign (pose)", "tcn", 0).scored
    )


def test_a_model_made_with_another_key_or_not_kept_is_missing_with_its_clips(run):
    write_text(
        run / "kept/sign-pose/seed-0/a/agcn/model.json",
        json.dumps({"about": {"key": "of another protocol"}}),
    )
    (run / "kept/sign-pose/seed-0/b").rename(run / "elsewhere")
    found = kept_folds(run, "sign (pose)", "agcn", 0)
    assert [fold.name for fold in found.folds] == ["c", "test"]
    assert found.missing == {"a": {"a_1", "a_2"}, "b": {"b_1"}} and found.left_out == [
        "a_1",
        "a_2",
        "b_1",
    ]


def test_damage_is_reported_in_one_line(run):
    write_text(run / "kept/sign-pose/seed-0/a/agcn/model.json", "{")
    with pytest.raises(UserError, match=r"model\.json: the model's description"):
        kept_folds(run, "sign-pose", "agcn", 0)
    write_text(run / "folds/sign-pose/seed-0/a.json", "[]")
    with pytest.raises(UserError, match=r"a\.json: the fold's record"):
        kept_folds(run, "sign-pose", "agcn", 0)
    (run / "predictions.csv").unlink()
    with pytest.raises(UserError, match=r"predictions\.csv: not found"):
        kept_folds(run, "sign-pose", "agcn", 0)
