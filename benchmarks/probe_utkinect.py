"""Linear probes by layer of an AGCN trained leave-one-subject-out on UTKinect-Action3D (ten people,
ten actions), with both controls.

Every layer of a person's clips comes from the model of the fold that never saw this person; the
models are trained here if they are not there. Beside the action stand the same probe on random
labels and the probe of who the person is, among the nine whom the model of the fold was trained on:
the person held out from it would stand out for not having been met.
"""

import sys
from dataclasses import replace
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from record import TESTDATA, record
from utkinect_cohort import make_cohort

from semiology.cli.experiments import read_protocol
from semiology.evaluation.run.settings import Protocol, Task
from semiology.experiments.loso import run_loso
from semiology.experiments.probe import Probing, probe_run
from semiology.files import atomic_path

DATA = TESTDATA / "skeletons" / "utkinect"
RUN = Path("runs/probe-utkinect")
FIGURE = Path("docs/images/probe_utkinect.png")
TASK, MODEL = "action (pose)", "agcn_joint"
TARGET = 0.90  # accuracy of the features layer [our choice, fixed before the first run]


def protocol() -> Protocol:
    """The joint stream of configs/utkinect.yaml alone, its fold models kept."""
    whole = read_protocol(["--config", "configs/utkinect.yaml"])
    task = Task(whole.tasks[TASK].reading, (MODEL,))
    alone = {
        "tasks": {TASK: task},
        "models": {MODEL: whole.models[MODEL]},
        "fusions": [],
        "selections": {},
    }
    return replace(
        whole,
        **alone,
        cohort=str(RUN / "cohort"),
        out=str(RUN),
        keep=True,
        final=False,
        permutations=0,
        jobs=1,
    )


def draw(probing: Probing) -> None:
    """By layer: the action, the same probe on random labels, and who it is among those trained on,
    with intervals over people.
    """
    table = probing.table()
    place = range(len(table))
    figure, axes = plt.subplots(figsize=(7, 3.6), layout="constrained")
    for results, label, colour in (
        (probing.results, "action", "#1b6ca8"),
        (probing.identity or {}, "who, of nine trained on", "#c8553d"),
    ):
        scores = [results[layer].scores["accuracy"] for layer in table["layer"]]
        values = [score.value for score in scores]
        below = [score.value - score.interval.low for score in scores]
        above = [score.interval.high - score.value for score in scores]
        axes.errorbar(
            place, values, yerr=[below, above], marker="o", capsize=3, label=label, color=colour
        )
    axes.plot(
        place,
        table["random_labels"],
        marker="s",
        linestyle=":",
        color="#777777",
        label="random labels",
    )
    axes.axhline(1 / 9, color="#bbbbbb", linewidth=1, zorder=0, label="one in nine")
    axes.set_xticks(list(place), table["layer"])
    axes.set(
        ylim=(0, 1.02),
        ylabel="accuracy of a linear probe",
        xlabel="layer of the AGCN; the action in people its fold did not train on",
    )
    axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1, 0.5))
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    with atomic_path(FIGURE) as temporary:
        figure.savefig(temporary, dpi=150)


def evaluate(probing: Probing) -> int:
    """Print, draw and record what was found; exit status."""
    print(probing.text())
    draw(probing)
    assert (
        probing.identity is not None and probing.unmet is not None
    )  # every person has several clips
    accuracy = {layer: found.scores["accuracy"].value for layer, found in probing.results.items()}
    who, unmet = (
        {layer: found.scores["accuracy"].value for layer, found in probes.items()}
        for probes in (probing.identity, probing.unmet)
    )
    above = all(
        found.score > probing.random[layer].values.max() for layer, found in probing.results.items()
    )
    return record(
        "probe-utkinect",
        probing.to_dict(),
        f"accuracy of the features layer at least {TARGET}, and every layer above all of its"
        " random-label controls",
        accuracy["features"] >= TARGET and above,
        headline=(
            f"accuracy {by_layer(accuracy)}; who it is, among those it trained on (one in nine by"
            f" chance) {by_layer(who)}; the person never met, among all (one in ten, includes"
            f" whether the model had met the person) {by_layer(unmet)}"
        ),
        seed=0,
    )


def by_layer(values: dict[str, float]) -> str:
    return ", ".join(f"{layer} {value:.2f}" for layer, value in values.items())


def main() -> int:
    if not DATA.is_dir():
        print(f"probe-utkinect: no data at {DATA}; set SEMIOLOGY_TESTDATA", file=sys.stderr)
        return 2
    print("\n".join(make_cohort(DATA, RUN / "cohort")))
    result = run_loso(protocol())
    if result.refused or result.failed:
        print(f"probe-utkinect: {result.refused | result.failed}", file=sys.stderr)
        return 1
    return evaluate(probe_run(RUN, "action", TASK, MODEL))


if __name__ == "__main__":
    sys.exit(main())
