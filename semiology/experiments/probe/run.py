"""A run probed layer by layer, its controls beside each score: what `semiology probe` does."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from semiology.data.cohort.table import by_cell, to_cell
from semiology.errors import UserError
from semiology.evaluation.run.files import run_data
from semiology.experiments.probe.controls import RandomLabels, identity_probe, random_labels
from semiology.experiments.probe.features import SEEN, Features, Kind, cohort_target
from semiology.experiments.probe.layers import similarity
from semiology.experiments.probe.linear import ModelName, check_permutations, linear_probe
from semiology.experiments.probe.models import find_stream, stream_features
from semiology.experiments.probe.result import ProbeResult
from semiology.files import atomic_path, slug, write_json

# the table's note on each layer, by `Features.seen`; the report warns of the last
SEEN_SHORT = {
    "nobody": "nothing was trained",
    "others": "never saw the participant",
    "everybody": "had seen the participant",
}


@dataclass(frozen=True)
class Probing:
    """What was found in each layer.

    Attributes:
        target: the column.
        task, model: slugs of the stream.
        name: of the files; another for each way of probing the same column.
        results: layer -> the probe of the column.
        random: layer -> the same probe on random labels.
        identity: layer -> the probe of the participant's identity, among those that the model was
            trained on; None where it is not possible, for the reason in `no_identity`.
        unmet: layer -> the same for a participant that the model had never seen, among all:
            includes whether it had met the person.
        alike: debiased CKA between the layers; None where it is not possible, for the reason in
            `no_cka`.
        scored: clips that the run scored.
        left_out: those that could not be tested -> why.
        apart: how many clips of an unseen test set took no part.
    """

    target: str
    task: str
    model: str
    name: str
    results: dict[str, ProbeResult]
    random: dict[str, RandomLabels]
    identity: dict[str, ProbeResult] | None
    unmet: dict[str, ProbeResult] | None
    no_identity: str
    alike: pd.DataFrame | None
    no_cka: str
    scored: int
    left_out: dict[str, str]
    apart: int

    def table(self) -> pd.DataFrame:
        """A row a layer: the score with its interval, null and p, then the controls, then what all
        of this rests on.
        """
        rows = []
        for layer, result in self.results.items():
            low, high = result.interval
            row: dict[str, Any] = {
                "layer": layer,
                "metric": result.metric,
                "score": result.score,
                "low": low,
                "high": high,
            }
            row |= {
                name: score.value for name, score in result.scores.items() if name != result.metric
            }
            row |= {"null_median": result.scores[result.metric].chance, "p": result.p}
            row |= {
                "random_labels": self.random[layer].mean,
                "selectivity": self.random[layer].selectivity(result),
            }
            for name, probes in (
                ("identity_trained", self.identity),
                ("identity_unmet", self.unmet),
            ):
                if probes is not None:
                    who = probes[layer].scores["accuracy"]
                    row |= {
                        f"{name}_accuracy": who.value,
                        f"{name}_chance": probes[layer].guessing,
                        f"{name}_p": who.p,
                    }
            row |= {
                "seen": SEEN_SHORT[result.seen],
                "clips": len(result.predictions),
                "participants": result.participants,
            }
            rows.append({**row, "probe": result.model, "permutations": result.permutations})
        return pd.DataFrame(rows)

    def text(self) -> str:
        """The result as a table for a terminal."""
        first = next(iter(self.results.values()))
        names = {"null_median": "null", "random_labels": "random labels"}
        names |= {
            "identity_trained_accuracy": "who, of trained",
            "identity_trained_chance": "chance",
        }
        names |= {"identity_unmet_accuracy": "who, unmet", "identity_unmet_chance": "chance, unmet"}
        hidden = [
            "metric",
            "identity_trained_p",
            "identity_unmet_p",
            "seen",
            "clips",
            "participants",
            "probe",
            "permutations",
        ]
        shown = (
            self.table()
            .drop(columns=hidden, errors="ignore")
            .rename(columns={**names, "score": first.metric})
        )
        for column in shown.columns.drop("layer"):
            digits = 3 if column == "p" else 2
            shown[column] = [
                "–" if pd.isna(number) else f"{number:.{digits}f}" for number in shown[column]
            ]
        shown.columns = [column.replace("_", " ") for column in shown.columns]
        trained = next(
            (result for layer, result in self.results.items() if layer != "input"), first
        )
        null = (
            f"{first.permutations} permutations of participants' labels"
            if first.permutations
            else "no permutations requested"
        )
        lines = [
            (
                f"{self.target} from {self.task} / {self.model}: {len(first.predictions)} clips of"
                f" {first.participants} people, {first.model}"
            ),
            shown.to_string(index=False),
            f"layers: {SEEN[trained.seen]}",
            f"null: {null}; random labels: the same probe on labels assigned to clips at random",
            *self._who(),
        ]
        if self.left_out:
            lines.append(
                f"{len(self.left_out)} of {self.scored} scored clips are left out:"
                f" {_reasons(self.left_out)}"
            )
        if self.apart:
            lines.append(
                f"{self.apart} clips of the unseen test set take no part: the probe neither learns"
                " from them nor is tested on them"
            )
        if self.alike is None:
            lines.append(f"similarity of layers: not computed: {self.no_cka}")
        return "\n".join(lines)

    def _who(self) -> list[str]:
        if self.identity is None:
            return [f"who is it: not computed: {self.no_identity}"]
        among = next(iter(self.identity.values())).participants
        lines = [
            "who, of trained: accuracy of naming the participant of a clip, among those it trained"
            f" on ({among} with two clips or more)"
        ]
        if self.unmet is not None:
            lines.append(
                "who, unmet: the same for the participant held out, among all; includes whether the"
                " model had met the person"
            )
        return lines

    def to_dict(self) -> dict[str, Any]:
        """Everything but the single predictions, for JSON."""
        layers = {}
        for layer, result in self.results.items():
            control = self.random[layer]
            layers[layer] = {
                **result.to_dict(),
                "random_labels": {
                    "dealt_to": control.to,
                    "metric": control.metric,
                    "values": control.values.tolist(),
                    "mean": control.mean,
                },
                "selectivity": control.selectivity(result),
                "identity_trained": (
                    {**self.identity[layer].to_dict(), "guessing": self.identity[layer].guessing}
                    if self.identity
                    else None
                ),
                "identity_unmet": (
                    {**self.unmet[layer].to_dict(), "guessing": self.unmet[layer].guessing}
                    if self.unmet
                    else None
                ),
            }
        return {
            "target": self.target,
            "task": self.task,
            "model": self.model,
            "layers": layers,
            "identity": self.no_identity or "probed",
            "cka": self.no_cka if self.alike is None else _cka_document(self.alike),
            "scored": self.scored,
            "left_out": self.left_out,
            "unseen_test_set": self.apart,
        }


def _cka_document(alike: pd.DataFrame) -> dict[str, Any]:
    values = [
        [None if pd.isna(value) else float(value) for value in row] for row in alike.to_numpy()
    ]
    return {"form": "linear, debiased", "layers": list(alike.index), "values": values}


def _reasons(left_out: Mapping[str, str], most: int = 5) -> str:
    """Each reason once, with the clips that it holds for."""
    clips: dict[str, list[str]] = {}
    for clip, why in left_out.items():
        clips.setdefault(why, []).append(clip)
    return "; ".join(
        f"{', '.join(those[:most])}{f' and {len(those) - most} more' if len(those) > most else ''}"
        f" ({why})"
        for why, those in clips.items()
    )


def probe_run(
    run: Path,
    target: str,
    task: str | None = None,
    model: str | None = None,
    layers: Sequence[str] | str | None = None,
    out: Path | None = None,
    probe: ModelName = "ridge",
    kind: Kind = "auto",
    final: bool = False,
    permutations: int = 200,
    seed: int = 0,
) -> Probing:
    """Probe the layers of a run's stream for a column of its cohort, with controls: how well can it
    be read off in people never seen?

    Reads the models of each fold (`keep: true` in the run's config). Writes
    OUT/<task>-<model>-<target>.csv (the table) and .json; a final model, another probe, another
    kind and some layers only are added to that name, so that they replace no other table.

    Args:
        run: folder of the run.
        target: a label, or any other column of clips.tsv or participants.tsv (sex and age too).
        task: by name; may be left out where there is one.
        model: by name; may be left out where there is one.
        layers: one name or several; by default the input, each block, the features before the head
            and the logits.
        out: folder of the tables; by default RUN/probe.
        probe: "ridge", or "logistic" (slower).
        kind: whether the column holds levels or numbers: "auto", "categorical", "numeric".
        final: probe the model that was trained on everybody instead of the folds'.
        permutations: of the null.
        seed: of permutations and resampling.

    Raises:
        UserError: no models kept, an unknown column or layer (those that there are are listed), too
            few participants with a level.
    """
    check_permutations(permutations)
    layers = [layers] if isinstance(layers, str) else list(layers or ())
    stream = find_stream(run, task, model, final=final)
    wanted = cohort_target(run_data(stream.run)[0], target, kind)
    features = stream_features(stream, layers or None)
    results = {
        layer: linear_probe(found, wanted, probe, permutations=permutations, seed=seed)
        for layer, found in features.items()
    }
    random = {
        layer: random_labels(found, wanted, model=probe, seed=seed)
        for layer, found in features.items()
    }
    identity, unmet, no_identity = _identity(features, wanted, permutations, seed)
    alike, no_cka = _alike(features)
    ways = (
        ["final"] * final
        + ["logistic"] * (probe == "logistic")
        + [kind] * (kind != "auto")
        + [_named(layers)] * bool(layers)
    )
    name = "-".join([stream.task, stream.model, slug(target), *ways])
    left_out = stream.left_out(_tested_clips(features))
    scored, apart = len(stream.scored), len(stream.folds[0].unused) if stream.folds else 0
    controls = (results, random, identity, unmet, no_identity, alike, no_cka)
    probing = Probing(target, stream.task, stream.model, name, *controls, scored, left_out, apart)
    folder = Path(out) if out is not None else stream.run / "probe"
    with atomic_path(folder / f"{name}.csv") as temporary:
        by_cell(probing.table(), to_cell).to_csv(temporary, index=False)
    write_json(folder / f"{name}.json", probing.to_dict())
    return probing


def _named(layers: Sequence[str]) -> str:
    """Some layers in a file's name."""
    name = slug("-".join(layers))
    return (
        name if len(name) <= 60 else f"{slug(layers[0])}-to-{slug(layers[-1])}-{len(layers)}-layers"
    )


def _tested_clips(features: Mapping[str, Features]) -> set[str]:
    table = next(iter(features.values())).table
    return set(table.loc[table["held_out"], "clip_id"] if "held_out" in table else table["clip_id"])


def _alike(features: Mapping[str, Features]) -> tuple[pd.DataFrame | None, str]:
    """CKA of the layers, or why there is none: the main result does not hang on it."""
    try:
        return similarity(list(features.values())), ""
    except UserError as why:
        return None, str(why)


def _identity(
    features: dict[str, Features], target: pd.Series, permutations: int, seed: int
) -> tuple[dict[str, ProbeResult] | None, dict[str, ProbeResult] | None, str]:
    """The control of every layer, among the participants with several clips: of those trained on,
    and of those not met (where there are folds). Or why there is none: the main result does not
    hang on it.
    """
    owned = next(iter(features.values())).table.drop_duplicates("clip_id")
    several = owned[owned.groupby("participant_id")["clip_id"].transform("count") > 1]
    clips = several["clip_id"].tolist()
    balance = target if isinstance(target.dtype, pd.CategoricalDtype) else None

    def identified(among: Literal["everybody", "trained on"]) -> dict[str, ProbeResult]:
        return {
            layer: identity_probe(
                found, clips, balance, among, permutations=permutations, seed=seed
            )
            for layer, found in features.items()
        }

    if several["participant_id"].nunique() < 2:
        return None, None, "it needs two participants with two clips or more"
    try:
        trained = identified("trained on")
    except UserError as why:
        return None, None, str(why)
    return (
        trained,
        identified("everybody") if any(found.by_fold for found in features.values()) else None,
        "",
    )
