"""The options of `semiology table`."""

from dataclasses import dataclass, replace
from typing import Literal

from semiology.errors import UserError
from semiology.parallel import Workers

# participants from which grouped folds are the default: each fold costs a fit [our choice]
MANY = 60
STREAM = "table"  # in predictions.csv
LINEAR = "linear"  # the model whose null is exact and fast
MEDIAN = "median"  # the guess that uses no feature: the median of the training rows

By = Literal["participant", "grouped", "column", "none"]


@dataclass(frozen=True)
class Table(Workers):
    """A table, what is predicted of it, and how.

    Attributes:
        table: .csv, .tsv, .xlsx or .parquet; one row a clip, visit or person.
        participant: column of the participants. Nobody is in training and held-out rows at once.
        target: column that is predicted.
        out: folder of the run.
        also: further columns of classes, each predicted as `target` is, in the same folds: several
            labels at once. None of them is a feature.
        features: columns, or patterns such as "au*"; by default every column of numbers that no
            other option names.
        without: columns or patterns to leave out of these.
        categories: columns, or patterns, whose values are names: one column a value, made in each
            fold of its training rows.
        task: "classes", "rating" (an ordered scale) or "number"; by default from the target's
            values: text or two values are classes, up to 10 whole or half points a rating.
        levels: classes in their order; of two the second is the positive one. By default sorted.
        scale: lowest and highest value of a rating; predictions are kept within it. By default the
            training rows' own.
        id: column that names the rows.
        visit: column of the visits, which is no feature.
        raters: columns of further ratings of the same rows, for the agreement that is possible.
        covariates: columns that are no features, centre or camera for example; the audit examines
            whether they alone predict a class.
        by: "participant" leaves one participant out at a time; "grouped" splits participants into
            `folds` folds; "column" leaves one value of `column` out at a time; "none" has no folds,
            for a `set` that is scored once. By default "participant", and "grouped" from 60
            participants.
        folds: of "grouped".
        column: of "column".
        set: column that names the sets; rows whose value is in `test` are scored once, by models
            trained on all others.
        test: values of `set` that are the unseen set.
        models: names, or import paths of scikit-learn estimators such as my_models:MyModel (with
            --allow my_models). By default all that the task has.
        inner: folds, by participant, in which parameters are chosen within each training set.
        permutations: of the labels between participants, for the linear model; exact and fast.
        others: the same for the other models, which are trained again for each.
        budget: seconds for these: as many permutations as fit, up to `others`, or to `permutations`
            where that is 0; their number is stated, and the next call goes on from there.
        calibration: of classes: "temperature" or "isotonic", fitted on inner folds.
        coverage: fraction of rows whose class should be in its set of plausible classes; where that
            is not one class, the model abstains.
        importance: times that each held-out row gets a group's values of another participant, for
            the importance of groups of features and their partial dependence; 0 for none.
        groups: NAME=PATTERN,PATTERN ... or patterns alone; or one of "prefix" (letters at the start
            of a name) and "correlation" (columns that rise or fall together). By default each
            feature is a group, and from 21 features "correlation".
        seed: of folds, forests, permutations and intervals.
    """

    table: str
    participant: str
    target: str
    out: str
    also: list[str] | None = None
    features: list[str] | None = None
    without: list[str] | None = None
    categories: list[str] | None = None
    task: Literal["classes", "rating", "number"] | None = None
    levels: list[str] | None = None
    scale: tuple[float, float] | None = None
    id: str | None = None
    visit: str | None = None
    raters: list[str] | None = None
    covariates: list[str] | None = None
    by: By | None = None
    folds: int = 10
    column: str | None = None
    set: str | None = None
    test: list[str] | None = None
    models: list[str] | None = None
    inner: int = 3
    permutations: int = 1000
    others: int = 0
    budget: float | None = None
    calibration: Literal["none", "temperature", "isotonic"] = "none"
    coverage: float | None = None
    importance: int = 5
    groups: list[str] | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        least = {"folds": 2, "inner": 2, "permutations": 0, "others": 0, "importance": 0}
        for name, fewest in least.items():
            if getattr(self, name) < fewest:
                raise UserError(f"{name}: {getattr(self, name)}; {fewest} or more")
        if self.budget is not None and not self.budget > 0:
            raise UserError(f"budget: {self.budget:g}; seconds, above 0")
        if self.coverage is not None and not 0 < self.coverage < 1:
            raise UserError(f"coverage: {self.coverage:g}; between 0 and 1, 0.9 for example")
        if (self.by == "column") != (self.column is not None):
            raise UserError('column: name it, together with by "column"')
        if self.by == "none" and self.set is None:
            raise UserError('by "none": without folds, name the column of the sets by --set')
        if self.scale is not None and not self.scale[0] < self.scale[1]:
            raise UserError(f"scale: {self.scale[0]:g} {self.scale[1]:g}; the lowest value first")

    def each(self) -> list["Table"]:
        """The same for one target at a time, with its part of the budget."""
        names = [self.target, *(self.also or ())]
        if len(set(names)) < len(names):
            raise UserError(f"target: {', '.join(names)}; name each once")
        if len(names) == 1:
            return [self]
        budget = None if self.budget is None else self.budget / len(names)
        return [
            replace(self, target=name, also=[one for one in names if one != name], budget=budget)
            for name in names
        ]

    @property
    def most_others(self) -> int:
        """Permutations for which the other models are trained, at most."""
        return self.others or (0 if self.budget is None else self.permutations)

    @property
    def calibrates(self) -> bool:
        """Whether anything is fitted on inner predictions."""
        return self.calibration != "none" or self.coverage is not None

    def split_by(self, participants: int) -> By:
        """How rows are split into folds, for this number of participants."""
        return self.by or ("grouped" if participants >= MANY else "participant")
