"""What the reproduced papers print: the values, the cohorts they were measured on, and where each
was found.

Tags of sources: [P] the published paper or its abstract, [T] the author's thesis, [C] the authors'
code, [R] a third-party reimplementation, [I] inferred, [choice] ours. Nothing is imported here that
is heavy: the report reads this table too.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Source = Literal["P", "T", "C", "R", "I", "choice"]


@dataclass(frozen=True)
class PublishedCohort:
    """Whom a paper's figures speak of.

    Attributes:
        paper: how it is cited.
        participants, clips: numbers of patients and of their seizures; the source is `source`.
        clips_each: (participant,) how many clips each patient gave. No paper prints it: an example
            that fits what it does print [choice].
        source: of `participants` and `clips`.
        stated: what is printed about `clips_each`.
    """

    paper: str
    participants: int
    clips: int
    clips_each: tuple[int, ...]
    source: Source
    stated: str

    def __post_init__(self) -> None:
        assert len(self.clips_each) == self.participants and sum(self.clips_each) == self.clips, (
            self.paper
        )


@dataclass(frozen=True)
class Published:
    """One model's figures as a paper prints them.

    Attributes:
        f1, accuracy: 0 to 1; None where not printed.
        source: where they were found.
        confusion: TP, TN, FP, FN where printed.
        remark: what a reader of the figure should know.
    """

    f1: float | None
    accuracy: float | None
    source: Source
    confusion: tuple[int, int, int, int] | None = None
    remark: str = ""

    def get(self, metric: str) -> float | None:
        """The value of a metric, "f1" or "accuracy"; None where it is not printed."""
        return {"f1": self.f1, "accuracy": self.accuracy}[metric]


@dataclass(frozen=True)
class PublishedArea:
    """One model's area under the ROC curve with its interval, and what it has at one threshold, as
    a study prints them; all [P].

    Attributes:
        auc, low, high: the interval's method is not stated.
        sensitivity, specificity, accuracy: at a threshold that is not stated.
        positive, negative: participants of either level; None where not printed.
    """

    auc: float
    low: float
    high: float
    sensitivity: float
    specificity: float
    accuracy: float
    positive: int | None = None
    negative: int | None = None


HOU_2022 = PublishedCohort(
    paper="Hou et al. 2022 (dystonia and emotion in hyperkinetic seizures)",
    participants=19,
    clips=38,
    clips_each=(1,) * 10 + (2,) * 3 + (3,) * 4 + (4, 6),
    source="P",
    stated="1 to 6 seizures a patient, median 1 [P]",
)

# [P] Hou et al. 2022, Table 1: leave-one-subject-out, (label, stream) -> model -> F1, accuracy
HOU_2022_TABLE_1: Mapping[tuple[str, str], Mapping[str, Published]] = {
    ("dystonia", "pose"): {
        "agcn": Published(0.78, 0.76, "P"),
        "tcn": Published(0.76, 0.73, "P"),
        "agcn_kd": Published(
            0.83, 0.81, "P", remark="the text says F1 0.80 once; table and abstract say 0.83"
        ),
    },
    ("emotion", "face"): {
        "agcn": Published(0.74, 0.71, "P"),
        "tcn": Published(0.84, 0.80, "P"),
        "agcn_kd": Published(0.80, 0.78, "P"),
    },
}

HOU_2022_PATIENTS_WITH = {"dystonia": 9, "emotion": 9}  # [P]; two patients show both

# [P] Hou et al., AVSS 2021, epileptic against psychogenic seizures: folds -> F1, accuracy. Another
# question: quoted, not compared
AVSS_2021: Mapping[str, Published] = {
    "folds by seizure": Published(0.89, 0.87, "P"),
    "leave-one-subject-out": Published(0.75, 0.72, "P"),
}

GESTURES = PublishedCohort(
    paper="GESTURES, Pérez-García et al., MICCAI 2021 (focal or bilateral tonic-clonic seizures)",
    participants=68,
    clips=183,
    clips_each=(3,) * 47 + (2,) * 21,
    source="T",
    stated=(
        "106 focal onset and 77 focal to bilateral tonic-clonic seizures of 68 patients [T];"
        " nothing about each patient"
    ),
)

GESTURES_SEIZURES = {"FOS": 106, "TCS": 77}  # [T]

# [P] accuracy by (aggregator, segments) at gamma 4, folds by seizure [T, C]; F1 and counts
# are printed for the best only
GESTURES_ACCURACY: Mapping[tuple[str, int], Published] = {
    ("mean", 2): Published(None, 0.880, "P"),
    ("mean", 4): Published(None, 0.913, "P"),
    ("mean", 8): Published(None, 0.951, "P"),
    ("mean", 16): Published(None, 0.923, "P"),
    ("lstm", 2): Published(None, 0.945, "P"),
    ("lstm", 4): Published(None, 0.962, "P"),
    ("lstm", 8): Published(None, 0.967, "P"),
    ("lstm", 16): Published(None, 0.967, "P"),
    ("blstm", 2): Published(None, 0.934, "P"),
    ("blstm", 4): Published(None, 0.956, "P"),
    ("blstm", 8): Published(None, 0.967, "P"),
    ("blstm", 16): Published(0.987, 0.989, "P", confusion=(77, 104, 2, 0)),
}

MYASTHENIA_PAPER = "Facial weakness in myasthenia gravis by a deep model (70 patients, 69 controls)"

# [P] (label, set) -> figures. The numbers of mild and severe patients are not printed
MYASTHENIA: Mapping[tuple[str, str], PublishedArea] = {
    ("diagnosis", "development"): PublishedArea(
        0.75, 0.65, 0.85, 0.76, 0.76, 0.76, positive=50, negative=50
    ),
    ("diagnosis", "unseen"): PublishedArea(
        0.82, 0.67, 0.97, 1.0, 0.74, 0.87, positive=20, negative=19
    ),
    ("severity", "development"): PublishedArea(0.75, 0.60, 0.90, 0.93, 0.63, 0.80),
    ("severity", "unseen"): PublishedArea(0.88, 0.67, 1.0, 1.0, 0.86, 0.94),
}
