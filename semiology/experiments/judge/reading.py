"""Reads an outsider's table of predictions: a row a clip and model (long), or a row a clip and a
column a model (wide), for one sign or several.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import pandas as pd

from semiology.errors import UserError
from semiology.evaluation.agreement.scores import MISSING, as_score
from semiology.experiments.judge.answers import NO_ANSWER, one_spelling, plain
from semiology.experiments.table.reading import count_numbers, read_cells

Unanswered = Literal["wrong", "out"]
WHOLE = re.compile(r"[-+]?[0-9]+([.]0*)?")
# names of columns that are taken where none is stated
CLIP, PARTICIPANT = ("clip_id", "clip", "file_name"), ("participant_id", "participant", "patient")
TRUTH = "truth"
WHY = (
    "; without participants the clips of one person would count as independent, and every interval"
    " and p would be too good. If every clip is another person, name the column of the clips"
)


@dataclass(frozen=True)
class Judge:
    """An outsider's table, and how its predictions are scored.

    Attributes:
        table: .csv, .tsv, .xlsx or .parquet; a row a clip and model, or a row a clip with a column
            for each model.
        out: folder of the run.
        participant: column of the participants; by default participant_id, participant or patient.
        clip: column of the clips; by default clip_id, clip or file_name.
        truth: column of the true classes. A row without one is left out.
        answer: column of the models' answers, in words.
        score: column of the models' scores for the second class.
        model: column of the models' names; one model without it.
        sign: column of the signs' names; one sign without it, called as the column of the truths.
        recording: column of what several clips or views of one seizure share.
        models: columns of the models in a wide table of one sign. In a wide table of several signs
            the columns are named SIGN:truth and SIGN:MODEL.
        covariates: columns of centre, camera or age, which the audit examines.
        levels: classes in their order, of two the second is the sign; by default from the truths.
        answers: YAML file, class -> list of answers, for those that are not the classes' own names.
        threshold: score above which the sign is present; then scores only rank the clips. Without
            it scores are probabilities, and above one half it is.
        unanswered: clips without an answer count as "wrong", or are left "out" for all models.
        permutations: of the truths between participants.
        draws: resampled cohorts behind each interval.
        seed: of permutations and intervals.
    """

    table: str
    out: str
    participant: str | None = None
    clip: str | None = None
    truth: str = TRUTH
    answer: str = "answer"
    score: str = "score"
    model: str = "model"
    sign: str = "sign"
    recording: str | None = None
    models: list[str] | None = None
    covariates: list[str] | None = None
    levels: list[str] | None = None
    answers: str | None = None
    threshold: float | None = None
    unanswered: Unanswered = "wrong"
    permutations: int = 1000
    draws: int = 2000
    seed: int = 0

    def __post_init__(self) -> None:
        for name, fewest in {"permutations": 0, "draws": 100}.items():
            if getattr(self, name) < fewest:
                raise UserError(f"{name}: {getattr(self, name)}; {fewest} or more")
        if self.levels is not None and len(set(self.levels)) < max(2, len(self.levels)):
            raise UserError(f"levels: {', '.join(self.levels)}; two or more, each once")


@dataclass(frozen=True)
class Outside:
    """The predictions of an outsider's table, as text.

    Attributes:
        rows: a row a sign, clip and model that has a truth: columns sign, model, clip,
            participant, recording, truth, answer, score (number, NaN without), place (row of the
            table).
        covariates: clip -> column -> text.
        notes: what a reader has to know.
        levels: sign -> classes in their order, where the truths do not say it.
    """

    rows: pd.DataFrame
    covariates: dict[str, dict[str, str]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    levels: dict[str, tuple[str, ...]] = field(default_factory=dict)


def read_outside(settings: Judge) -> Outside:
    """Read the table.

    Raises:
        UserError: as `read_cells`; a column is missing; a row has no clip or no participant; two
            rows of one clip, model and sign; a clip with two participants or two truths; a score is
            no number; no row has a truth.
    """
    path = Path(settings.table)
    notes: list[str] = []
    cells = read_cells(path, notes)
    clip = _column(cells, settings.clip, CLIP, "clip", path)
    participant = _column(cells, settings.participant, PARTICIPANT, "participant", path, WHY)
    for name in (settings.recording, *(settings.models or ()), *(settings.covariates or ())):
        _named(cells, name, path)
    for name in (clip, participant):
        if lost := cells.index[cells[name] == ""].tolist():
            raise UserError(
                f'{path}: row {lost[0]}, column "{name}": is empty; every row needs one'
            )
    about = pd.DataFrame(
        {
            "clip": cells[clip],
            "participant": cells[participant],
            "recording": cells[settings.recording or clip],
            "place": cells.index,
        }
    )
    rows = pd.concat(
        [
            about.assign(sign=sign, model=model, truth=truth, answer=answer, score=score)
            for sign, model, truth, answer, score in _predictions(settings, cells, path)
        ],
        ignore_index=True,
    )
    if "" in set(rows["model"]) | set(rows["sign"]):
        place = rows.loc[(rows["model"] == "") | (rows["sign"] == ""), "place"].iloc[0]
        raise UserError(f"{path}: row {place}: has no model or no sign; name it")
    given = ~rows["truth"].str.lower().isin(MISSING)
    if not given.any():
        raise UserError(f"{path}: no row has a truth; there is nothing to compare with")
    if count := int((~given).sum()):
        notes.append(f"{count} predictions without a truth are left out")
    rows = rows[given].reset_index(drop=True)
    for sign, own in rows.groupby("sign", sort=False)["truth"]:
        spelt = one_spelling(own)
        rows.loc[own.index, "truth"] = own.map(spelt)
        if words := [name for name in spelt if name.lower() != spelt[name].lower()]:
            notes.append(
                f"{sign}: truths {', '.join(sorted(words))} are taken for"
                f" {', '.join(sorted({spelt[name] for name in words}))}"
            )
    _check_twice(rows, path)
    covariates = {
        str(name): own for name, own in _covariates(cells, clip, settings.covariates or ())
    }
    return Outside(rows, covariates, tuple(notes))


def _column(
    cells: pd.DataFrame,
    stated: str | None,
    usual: Sequence[str],
    what: str,
    path: Path,
    why: str = "",
) -> str:
    if stated is not None:
        return _named(cells, stated, path, why)
    found = next((name for name in usual if name in cells), None)
    if found is None:
        raise UserError(
            f"{path}: no column {' or '.join(usual)}; name that of the {what}s by --{what}{why}"
        )
    return found


def _named(cells: pd.DataFrame, name: str | None, path: Path, why: str = "") -> str:
    if name is not None and name not in cells:
        shown = ", ".join(cells.columns[:20]) + (" ..." if len(cells.columns) > 20 else "")
        raise UserError(f'{path}: no column "{name}"; there are {shown}{why}')
    return str(name)


Prediction = tuple[str | pd.Series, str | pd.Series, pd.Series, pd.Series | str, pd.Series | float]


def _predictions(settings: Judge, cells: pd.DataFrame, path: Path) -> Iterator[Prediction]:
    """(sign, model, truths, answers, scores) of each part of the table."""
    ends = f":{TRUTH}"
    signs = [str(name).removesuffix(ends) for name in cells if str(name).endswith(ends)]
    alone = settings.truth if settings.truth != TRUTH else "sign"
    if signs:
        for sign in signs:
            models = [
                str(name)
                for name in cells
                if str(name).startswith(f"{sign}:") and name != sign + ends
            ]
            if not models:
                raise UserError(
                    f'{path}: column "{sign}{ends}" has no prediction beside it; name those of each'
                    f" model {sign}:MODEL"
                )
            for name in models:
                own = _answers_or_scores(settings, cells[name], cells[sign + ends], path)
                yield sign, name.removeprefix(f"{sign}:"), cells[sign + ends], *own
        return
    truths = cells[_named(cells, settings.truth, path)]
    if settings.models:
        for name in settings.models:
            yield alone, name, truths, *_answers_or_scores(settings, cells[name], truths, path)
        return
    there = [name for name in (settings.answer, settings.score) if name in cells]
    if there == [settings.answer] and settings.threshold is not None:
        raise UserError(
            f'{path}: a threshold is of scores, and there is no column "{settings.score}"; name'
            " that of the scores by --score"
        )
    if not there:
        raise UserError(
            f'{path}: no column "{settings.answer}" or "{settings.score}"; name them by --answer'
            " and --score, or the columns of a wide table by --models"
        )
    answers = cells.get(settings.answer, "")
    scores = _numbers(cells[settings.score], path) if settings.score in there else float("nan")
    called = cells.get(settings.model, "model")
    yield cells.get(settings.sign, alone), called, truths, answers, scores


def _answers_or_scores(
    settings: Judge, texts: pd.Series, truths: pd.Series, path: Path
) -> tuple[pd.Series | str, pd.Series | float]:
    """A model's column in a wide table. It is of scores where most of its cells are numbers, but
    for those that say there is no answer, and one is not a whole number; with a threshold where
    most are numbers and one is none of the truths. Else it is of answers.
    """
    filled = [text for text in texts if plain(text) not in NO_ANSWER]
    numbers, _ = count_numbers(filled)
    if not 2 * numbers > len(filled):
        return texts, float("nan")
    if settings.threshold is not None:
        answers = {*filled} <= {*truths}
    else:
        answers = all(WHOLE.fullmatch(text) for text in filled if count_numbers([text])[0])
    if answers:
        return texts, float("nan")
    return "", _numbers(texts, path)


def _numbers(texts: pd.Series, path: Path) -> pd.Series:
    """Scores; NaN where a cell says that there is no answer."""
    return pd.Series(
        [
            as_score(
                "" if plain(text) in NO_ANSWER else text,
                f'{path}: row {number}, column "{texts.name}"',
            )
            for number, text in texts.items()
        ],
        index=texts.index,
    )


def _check_twice(rows: pd.DataFrame, path: Path) -> None:
    again = rows[rows.duplicated(["sign", "model", "clip"])]
    if len(again):
        row = again.iloc[0]
        raise UserError(
            f"{path}: row {row['place']}: a second prediction of clip {row['clip']} by"
            f" {row['model']}, {row['sign']}{_more(len(again))}; keep one"
        )
    for column, keys, what in (
        ("participant", ["clip"], "participant"),
        ("recording", ["clip"], "recording"),
        ("truth", ["sign", "clip"], "truth"),
    ):
        first = rows.groupby(keys, sort=False)[column].transform("first")
        wrong = rows[rows[column] != first]
        if len(wrong):
            row = wrong.iloc[0]
            raise UserError(
                f"{path}: row {row['place']}: {what} {row[column]!r} of clip {row['clip']}, but an"
                f" earlier row has {first[wrong.index[0]]!r}{_more(len(wrong))}; keep one"
            )


def _more(count: int) -> str:
    return f" ({count:,} rows like this)" if count > 1 else ""


def _covariates(
    cells: pd.DataFrame, clip: str, columns: Sequence[str]
) -> Iterator[tuple[str, dict[str, str]]]:
    for name, own in cells.drop_duplicates(clip).set_index(clip)[list(columns)].iterrows():
        yield str(name), {str(column): text for column, text in own.items() if text}
