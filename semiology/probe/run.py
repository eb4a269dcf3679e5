"""A run probed layer by layer, its controls beside each score: what `semiology probe` does."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from semiology.files import atomic_path, slug, write_text
from semiology.probe.controls import RandomLabels, identity_probe, random_labels
from semiology.probe.features import SEEN, Features
from semiology.probe.kept import find_stream, run_cohort, stream_features
from semiology.probe.linear import ModelName, linear_probe
from semiology.probe.result import ProbeResult
from semiology.probe.similarity import similarity
from semiology.probe.targets import Kind, cohort_target


@dataclass(frozen=True)
class Probing:
    """What was found in each layer.

    Attributes:
        target: the column.
        task, model: slugs of the stream.
        results: layer -> the probe of the column.
        random: layer -> the same probe on random labels.
        identity: layer -> the probe of who the participant is; None where it cannot be had, and `no_identity` says why.
        alike: debiased CKA between the layers.
    """

    target: str
    task: str
    model: str
    results: dict[str, ProbeResult]
    random: dict[str, RandomLabels]
    identity: dict[str, ProbeResult] | None
    no_identity: str
    alike: pd.DataFrame

    def table(self) -> pd.DataFrame:
        """A row a layer: the score with its interval, null and p, then the controls."""
        rows = []
        for layer, result in self.results.items():
            low, high = result.interval
            row: dict[str, Any] = {"layer": layer, "metric": result.metric, "score": result.score, "low": low, "high": high}
            row |= {name: score.value for name, score in result.scores.items() if name != result.metric}
            row |= {"null_median": result.scores[result.metric].chance, "p": result.p}
            row |= {"random_labels": self.random[layer].mean, "selectivity": self.random[layer].selectivity(result)}
            if self.identity is not None:
                who = self.identity[layer].scores["accuracy"]
                row |= {"identity_accuracy": who.value, "identity_chance": 1 / len(self.identity[layer].levels), "identity_p": who.p}
            rows.append(row)
        return pd.DataFrame(rows)

    def text(self) -> str:
        """For a terminal."""
        first = next(iter(self.results.values()))
        names = {"null_median": "null", "random_labels": "random labels", "identity_accuracy": "who is it", "identity_chance": "chance"}
        shown = self.table().drop(columns=["metric", "identity_p"], errors="ignore").rename(columns=names)
        shown = shown.rename(columns={"score": first.metric})
        for column in shown.columns.drop("layer"):
            shown[column] = shown[column].map(lambda number, digits=3 if column == "p" else 2: f"{number:.{digits}f}")
        shown.columns = [column.replace("_", " ") for column in shown.columns]
        trained = next((result for layer, result in self.results.items() if layer != "input"), first)
        lines = [
            f"{self.target} from {self.task} / {self.model}: {len(first.predictions)} clips of {first.participants} people, {first.model}",
            shown.to_string(index=False),
            f"layers: {SEEN[trained.seen]}",
            f"null: {first.permutations} permutations of participants' labels; random labels: the same probe on labels dealt to clips",
        ]
        if self.identity is None:
            lines.append(f"who is it: not asked: {self.no_identity}")
        else:
            among = next(iter(self.identity.values())).participants
            lines.append(f"who is it: accuracy of naming the participant of a clip, among the {among} with two clips or more")
        return "\n".join(lines)

    def told(self) -> dict[str, Any]:
        """For JSON."""
        layers = {}
        for layer, result in self.results.items():
            control = self.random[layer]
            layers[layer] = {
                **result.told(),
                "random_labels": {
                    "dealt_to": control.to,
                    "metric": control.metric,
                    "values": control.values.tolist(),
                    "mean": control.mean,
                },
                "selectivity": control.selectivity(result),
                "identity": self.identity[layer].told() if self.identity else None,
            }
        alike = [[None if pd.isna(value) else float(value) for value in row] for row in self.alike.to_numpy()]
        return {
            "target": self.target,
            "task": self.task,
            "model": self.model,
            "layers": layers,
            "identity": self.no_identity or "probed",
            "cka": {"form": "linear, debiased", "layers": list(self.alike.index), "values": alike},
        }


def probe_run(
    run: Path,
    target: str,
    task: str | None = None,
    model: str | None = None,
    layers: Sequence[str] | None = None,
    out: Path | None = None,
    probe: ModelName = "ridge",
    kind: Kind = "auto",
    final: bool = False,
    permutations: int = 200,
    seed: int = 0,
) -> Probing:
    """Probe the layers of a run's stream for a column of its cohort, with controls: how well can it be read off in people never seen?

    Reads the models of each fold (`keep: true` in the run's config). Writes OUT/<task>-<model>-<target>.csv (the table) and .json.

    Args:
        run: folder of the run.
        target: a label, or any other column of clips.tsv or participants.tsv (sex and age too).
        task: by name; may be left out where there is one.
        model: by name; may be left out where there is one.
        layers: by name; by default the input, each block, the features before the head and the logits.
        out: folder of the tables; by default RUN/probe.
        probe: "ridge", or "logistic" (slower).
        kind: whether the column holds levels or numbers: "auto", "categorical", "numeric".
        final: probe the model that was trained on everybody instead of the folds'.
        permutations: of the null.
        seed: of permutations and resampling.

    Raises:
        UserError: no models kept, an unknown column or layer (those that there are are listed), too few participants with a level.
    """
    stream = find_stream(run, task, model, final=final)
    wanted = cohort_target(run_cohort(stream.run)[0], target, kind)
    features = stream_features(stream, layers)
    results = {layer: linear_probe(found, wanted, probe, permutations=permutations, seed=seed) for layer, found in features.items()}
    random = {layer: random_labels(found, wanted, model=probe, seed=seed) for layer, found in features.items()}
    identity, why = _identity(features, wanted, permutations, seed)
    probing = Probing(target, stream.task, stream.model, results, random, identity, why, similarity(list(features.values())))
    folder = Path(out) if out is not None else stream.run / "probe"
    name = f"{stream.task}-{stream.model}-{slug(target)}"
    with atomic_path(folder / f"{name}.csv") as temporary:
        probing.table().to_csv(temporary, index=False)
    write_text(folder / f"{name}.json", json.dumps(probing.told(), indent=1) + "\n")
    return probing


def _identity(features: dict[str, Features], target: pd.Series, permutations: int, seed: int) -> tuple[dict[str, ProbeResult] | None, str]:
    """The control of every layer, among the participants with several clips, or why there is none: the main result does not hang on it."""
    owned = next(iter(features.values())).table.drop_duplicates("clip_id")
    several = owned[owned.groupby("participant_id")["clip_id"].transform("count") > 1]
    if several["participant_id"].nunique() < 2:
        return None, "it needs two participants with two clips or more"
    clips = several["clip_id"].tolist()
    balance = target if isinstance(target.dtype, pd.CategoricalDtype) else None
    return {layer: identity_probe(found, clips, balance, permutations=permutations, seed=seed) for layer, found in features.items()}, ""
