"""The paper's detectors, fine-tuned, through `extract` and `loso`, beside the default backend on
the same clips.

Detectors are trained from random weights on labelled frames of thirty phantom people; both backends
then track the demo's cohort, other people, and the error against its truth is compared; the AGCN
reads each backend's tracks, leave-one-subject-out.
"""

import sys
from dataclasses import replace
from pathlib import Path

from phantom_labels import phantom_labels
from phantom_run import metrics, step
from record import record

from semiology.cli.experiments import read_protocol
from semiology.experiments.loso import run_loso
from semiology.tracking.finetune.finetune import finetune
from semiology.tracking.finetune.training import FinetuneOptions
from semiology.tracking.tracking_error import tracking_truth

RUN = Path("runs/keypoint-rcnn")
FOUND, RATIO = (
    0.95,
    2.0,
)  # share of joints in view that are tracked; median error in that of the default backend
TASK = "dystonia (pose)"


def main() -> int:
    labels = phantom_labels(
        RUN / "labelled", subjects=30, frames=12, seconds=(6.0, 8.0), difficulty=0.3, seed=101
    )
    how = FinetuneOptions(
        start="scratch", size=192, batch=8, joint_steps=1500, region_steps=600, held_out=0.15
    )
    detectors = finetune(labels, RUN / "detectors", how)
    held_out = detectors.about["held out"]["error"]["overall"]["mean_px"]["value"]
    regions = detectors.about["held out"]["regions"]
    print(f"people held out of the labels: mean error {held_out:.1f} px; regions {regions}")
    step("phantom", str(RUN / "cohort"), "--config", "configs/demo_phantom.yaml", "--stills", "0")
    figures = {}
    for backend, options in {
        "blazepose": [],
        "keypoint-rcnn": ["--keypoint_rcnn.weights", str(RUN / "detectors")],
    }.items():
        out = RUN / backend
        step(
            "extract",
            str(RUN / "cohort"),
            "--store",
            str(out / "store"),
            "--jobs",
            "-1",
            "--pose",
            backend,
            *options,
        )
        body = tracking_truth(RUN / "cohort", out / "store")["body"]
        figures[backend] = {"body": body, "loso": evaluated(out)}
        print(
            f"{backend}: found {body['found']:.3f}, median error {body['median error']:.3f}, 95 %"
            f" below {body['95th percentile']:.3f}"
        )
        print(
            f"  torso lengths; {TASK}, AGCN: F1 {figures[backend]['loso']['f1']:.2f}, accuracy"
            f" {figures[backend]['loso']['accuracy']:.2f}"
        )
    theirs, ours = figures["blazepose"]["body"], figures["keypoint-rcnn"]["body"]
    accuracy = {backend: figure["loso"]["accuracy"] for backend, figure in figures.items()}
    ratio = ours["median error"] / theirs["median error"]
    return record(
        "keypoint-rcnn",
        {**figures, "held_out_px": held_out, "regions": regions, "ratio": ratio},
        f"found in at least {FOUND:.0%} of what is in view, median error at most {RATIO:g} times"
        " the default backend's (our choice)",
        ours["found"] >= FOUND and ratio <= RATIO,
        headline=(
            f"found {ours['found']:.1%}, median error {ours['median error']:.3f} torso lengths, the"
            f" default's {theirs['median error']:.3f}; LOSO accuracy"
            f" {accuracy['keypoint-rcnn']:.2f}, the default's {accuracy['blazepose']:.2f}"
        ),
        seed=101,
    )


def evaluated(out: Path) -> dict[str, float]:
    """F1 and accuracy of the demo's pose AGCN on the tracks of a store, leave-one-subject-out."""
    demo = read_protocol(["--config", "configs/demo.yaml"])
    reading = replace(demo.tasks[TASK].reading, appearance=None)
    run_loso(
        replace(
            demo,
            cohort=str(RUN / "cohort"),
            store=str(out / "store"),
            out=str(out),
            tasks={TASK: replace(demo.tasks[TASK], reading=reading)},
            models={"agcn": demo.models["agcn"]},
            final=False,
        )
    )
    found = metrics(out)["tasks"][TASK]["models"]["agcn"]["metrics"]
    return {name: found[name]["value"] for name in ("f1", "accuracy", "auc")}


if __name__ == "__main__":
    sys.exit(main())
