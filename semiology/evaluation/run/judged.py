"""The entry `judged` of config.yaml: that a run's predictions are not ours but an outsider's, read
from a table by `semiology judge`. What follows from that for metrics, report and audit starts here.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from semiology.evaluation.run.files import File, checked
from semiology.evaluation.statistics.intervals import too_few

# what a model's scores are: a sure answer, a probability, or a number that only ranks the clips
Kind = Literal["answers", "probabilities", "ranks"]
WORDS = {
    "answers": "answers without a score, which are counted as certain",
    "probabilities": "probabilities",
    "ranks": "scores that rank the clips, and are no probabilities",
}
UNKNOWABLE = "whether the model saw these people in training cannot be known from a table"
NO_BRIER = "its scores are no probabilities"


class Absent(File):
    """Clips of a task of which a model has no row, and others have one."""

    task: str
    model: str
    clips: int


class Unmapped(File):
    """An answer that is no class, and how often it was given."""

    answer: str
    count: int


class Judged(File):
    """What `semiology judge` states of the table that it read.

    Attributes:
        table, sha256: name and content of the table.
        predictions: SHA-256 of predictions.csv as it was written.
        kinds: task -> model -> what its scores are.
        unanswered: how clips without an answer were scored.
        permutations, draws, seed: of null.json and of the intervals.
        absent, unmapped: what the table lacks, and the answers that are no class.
        covariates: columns of the table that the audit examines.
    """

    table: str
    sha256: str
    predictions: str
    kinds: dict[str, dict[str, Kind]]
    unanswered: Literal["wrong", "out"] = "wrong"
    permutations: int = 0
    draws: int = 2000
    seed: int = 0
    absent: list[Absent] = Field(default=[])
    unmapped: list[Unmapped] = Field(default=[])
    covariates: list[str] = Field(default=[])

    def drop_unknowable(self, metrics: dict[str, Any]) -> None:
        """Take out of the content of metrics.json what cannot be known of an outsider: whether the
        people were new to the model (`unseen` is None), the calibration and Brier score of what is
        no probability, and intervals of too few participants.
        """
        for task, found in metrics["tasks"].items():
            if why := too_few(found["participants"], self.draws):
                _without_intervals(found, why)
            found["unseen"], found["one_participant_a_fold"] = None, False
            ranked = {*self.of_kind(task, "answers"), *self.of_kind(task, "ranks")}
            for model, result in found["models"].items():
                if model in ranked:
                    result["calibration"] = None
                    by_unit = [unit.get("metrics", {}) for unit in result["by"].values()]
                    for own in (result["metrics"], *by_unit):
                        if "brier" in own:
                            own["brier"] = _undefined(own["brier"])
            found["differences"] = [
                one
                for one in found["differences"]
                if one["metric"] != "brier" or not ranked & {one["a"], one["b"]}
            ]
        metrics["method"]["unit"] = "clip"
        metrics["method"]["chance"] += (
            "; of predictions as they are: truths permuted between participants, no model trained"
            " again"
            if self.permutations
            else ""
        )

    def of_kind(self, task: str, kind: Kind) -> list[str]:
        """The models of a task whose scores are of this kind."""
        return [name for name, own in self.kinds.get(task, {}).items() if own == kind]

    def sentences(self) -> list[str]:
        """The method in words, a fact a sentence."""
        kinds: dict[str, list[str]] = {}
        for of_task in self.kinds.values():
            for model, kind in of_task.items():
                if model not in kinds.setdefault(kind, []):
                    kinds[kind].append(model)
        text = [
            "No model was trained or run here: predictions of outside models were read from a"
            f" table, and {UNKNOWABLE}."
        ]
        text += [f"{', '.join(models)}: {WORDS[kind]}." for kind, models in kinds.items()]
        if self.permutations:
            text.append(
                f"Permutation test: the truths were permuted {self.permutations} times between"
                " participants, and the predictions stayed as they are."
            )
        return text


def _undefined(metric: Mapping[str, Any]) -> dict[str, Any]:
    empty = {"value": None, "low": None, "high": None, "degenerate": 0, "interval": "none"}
    return empty | {"reason": NO_BRIER, "seeds": [None for _ in metric["seeds"]]}


def _without_intervals(found: Any, why: str) -> None:
    """Take the limits out of all estimates in a part of metrics.json."""
    for own in found.values() if isinstance(found, dict) else found:
        if isinstance(own, dict | list):
            _without_intervals(own, why)
    if isinstance(found, dict) and {"low", "high", "interval"} <= found.keys():
        found.update(low=None, high=None, interval="none", reason=found.get("reason") or why)


def judged_of(config: Mapping[str, Any]) -> Judged | None:
    """The entry of config.yaml; None for a run of our own.

    Raises:
        UserError: it is damaged; the line names the first place that is wrong.
    """
    entry = config.get("judged")
    return None if entry is None else checked(Path("config.yaml"), "judge", Judged, entry)
