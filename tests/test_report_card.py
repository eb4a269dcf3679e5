"""The model card: out-of-fold results of the configuration, participants counted and not named,
nothing claimed that is not known.
"""

import json
import re
from pathlib import Path

import pytest
from report_run import write_predictions

from semiology.errors import UserError
from semiology.evaluation.report import write_card, write_cards, write_report

READING = {
    "label": "dystonia",
    "part": "body",
    "skeleton": "upper_body_11",
    "channels": ["joint", "motion"],
    "rate": 12.5,
    "window": 64,
}
MODEL = {
    "network": {"stream": "agcn", "options": {"widths": [16, 32], "dropout": 0.2}},
    "reading": READING,
    "levels": ["absent", "present"],
    "shape": {},
    "about": {
        "task": "dystonia (pose)",
        "label": "dystonia",
        "key": "0a1b",
        "training": ["P-Anna", "P-Bert"],
        "validation": ["P-Carl"],
        "seed": 3,
    },
}


def write_model(folder: Path, **about) -> Path:
    folder.mkdir(parents=True)
    (folder / "model.json").write_text(json.dumps({**MODEL, "about": {**MODEL["about"], **about}}))
    return folder


def test_card_holds_the_out_of_fold_results_and_states_it(tmp_path):
    write_predictions(tmp_path)
    (tmp_path / "notes.json").write_text(json.dumps(["Synthetic: rendered figures."]))
    write_report(tmp_path)
    model = write_model(tmp_path / "models" / "dystonia-pose" / "agcn", trackers=["blazepose"])
    assert write_cards(tmp_path) == [model / "card.md"]
    text = (model / "card.md").read_text()
    # by hand: of 4 clips with the sign 3 found, one false alarm among 4 without: F1 6 / 8, accuracy
    # 6 / 8
    assert re.search(r"\| F1 \| 0\.75 \(0\.\d\d to \d\.\d\d\) \| not tested \|", text)
    assert "This model itself was not evaluated" in text and "8 clips of 8 participants" in text
    assert "| absent | 4 | 4 |" in text and "3 participants, 1 of them for early stopping" in text
    assert (
        "> **Synthetic: rendered figures.**" in text
        and "| tracker | blazepose |" in text
        and "seed: 3" in text
    )
    assert "| channels of each joint | joint, motion |" in text and "widths 16, 32" in text
    assert not re.search("Anna|Bert|Carl", text)  # participants are counted, not named


def test_card_without_a_run_claims_nothing(tmp_path):
    text = write_card(write_model(tmp_path / "agcn")).read_text()
    assert (
        "Nothing was measured" in text
        and "tracker | not recorded" in text
        and "versions: not recorded" in text
    )
    assert "F1" not in text


def test_card_of_another_model_has_no_results(tmp_path):
    write_predictions(tmp_path)
    write_report(tmp_path)
    assert (
        "Nothing was measured"
        in write_card(write_model(tmp_path / "models/dystonia-pose/gat"), tmp_path).read_text()
    )


def test_faults_of_the_user_are_named(tmp_path):
    with pytest.raises(UserError, match="holds no trained model"):
        write_card(tmp_path)
    model = write_model(tmp_path / "agcn")
    (tmp_path / "metrics.json").write_text("[1]")
    with pytest.raises(UserError, match=r"metrics\.json: not a JSON object.*semiology report"):
        write_card(model, tmp_path)
    (model / "model.json").write_text("{")
    with pytest.raises(UserError, match=r"model\.json: not JSON"):
        write_card(model)


def test_text_of_others_is_text_in_a_card(tmp_path):
    hostile = "<img src=x onerror=alert(1)> ![a](http://b) | `c`"
    text = write_card(write_model(tmp_path / "agcn", task=hostile, label=hostile)).read_text()
    assert "<img" not in text and "![a](" not in text
    shown = r"&lt;img src=x onerror=alert(1)&gt; !\[a\](http://b) \| \`c\`"
    assert text.splitlines()[0] == f"# Model card: agcn, {shown}"
    assert f"sign “{shown}”" in text
