"""predictions.csv, row by row: what is named has to be what the scores say, and a seed a whole
number.
"""

from pathlib import Path

import pandas as pd
import pytest
from report_run import write_predictions

from semiology.errors import UserError
from semiology.evaluation.run.predictions import read_predictions


def changed(folder: Path, **cells: str) -> Path:
    """Eight clips by one model; the second row (P2: absent, named absent at 0.9) changed."""
    write_predictions(folder, models=("tcn",))
    table = pd.read_csv(folder / "predictions.csv", dtype=str, keep_default_na=False)
    table.loc[1, list(cells)] = list(cells.values())
    table.to_csv(folder / "predictions.csv", index=False)
    return folder / "predictions.csv"


def test_the_level_that_is_named_is_the_most_probable_one(tmp_path):
    with pytest.raises(
        UserError,
        match=(
            r"row 3, column predicted: 'present', but scores give 'absent' 0\.9 and 'present' only"
            r" 0\.1"
        ),
    ):
        read_predictions(changed(tmp_path, predicted="present"))


def test_of_levels_that_are_equal_but_for_rounding_either_may_be_named(tmp_path):
    for named in ("absent", "present"):
        path = changed(
            tmp_path,
            predicted=named,
            score="0.49996",
            scores='{"absent": 0.50004, "present": 0.49996}',
        )
        assert read_predictions(path).loc[1, "predicted"] == named


def test_a_seed_is_a_whole_number(tmp_path):
    with pytest.raises(UserError, match=r"row 3, column seed: '0\.7' is not a whole number"):
        read_predictions(changed(tmp_path, seed="0.7"))
    assert read_predictions(changed(tmp_path, seed="0.0"))["seed"].tolist() == [0] * 8
