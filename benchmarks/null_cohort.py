"""On a phantom whose labels mean nothing, no model may differ from chance.

Chance is estimated by a permutation null of the whole pipeline: participants exchange their labels,
every fold of every model is trained again. Over all tasks and models together (Westfall and Young's
maximum): each AUC is measured in spreads of its model's values, the largest of them is compared
with the largest of each permuted run, p = (1 + b) / (1 + n).
"""

import json
import sys
from pathlib import Path

import numpy as np
from phantom_run import extracted_cohort, metrics, step, trained_vgg
from record import record

from semiology.evaluation.statistics.permutation import westfall_young

RUN = Path("runs/null")


def main() -> int:
    weights = {
        part: trained_vgg(RUN / "weights", part, Path(f"configs/demo_{part}_vgg.yaml"), stills=200)
        for part in ("face", "body")
    }
    extracted_cohort(RUN, Path("configs/null_phantom.yaml"), weights)
    step("loso", "--config", "configs/null.yaml")
    null = json.loads((RUN / "null.json").read_text(encoding="utf-8"))
    observed, permuted, shown = {}, {}, {}
    for task, found in metrics(RUN)["tasks"].items():
        for model, result in found["models"].items():
            name, value, chance = (
                f"{task} {model}",
                result["metrics"]["auc"]["value"],
                np.array(null[task][model]["auc"], dtype=float),
            )
            observed[name], permuted[name] = value, chance.tolist()
            p = result["metrics"]["auc"]["null"]["p"]
            shown[name] = {
                "auc": value,
                "null_mean": chance.mean(),
                "null_sd": chance.std(ddof=1),
                "p": p,
            }
            print(
                f"{task:<18}{model:<10}AUC {value:.3f}, null {chance.mean():.3f} +-"
                f" {chance.std(ddof=1):.3f}, p = {p:.3f} by itself"
            )
    overall = westfall_young(observed, permuted)
    p, permutations = overall["p"], overall["n"]
    return record(
        "null-cohort",
        {"p": p, "permutations": permutations, "models": shown},
        "p of the largest AUC above 0.05",
        p > 0.05,
        headline=(
            f"p = {p:.3f} over {len(observed)} models together, {permutations} permutations"
            f" (resolution {overall['resolution']:.3f})"
        ),
        seed=0,
    )


if __name__ == "__main__":
    sys.exit(main())
