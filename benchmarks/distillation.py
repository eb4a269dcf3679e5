"""Does distillation lift the AGCN where its teacher is clearly better?

Emotion on the face stream of a phantom. The student reads landmark positions, in which whose face
it is hides the expression; the teacher reads VGG features from which the clip's median was taken.
Three seeds, leave-one-subject-out; the difference AGCN + distillation minus AGCN with its paired
bootstrap interval over participants.
"""

import sys
from pathlib import Path

from phantom_run import extracted_cohort, metrics, step, trained_vgg
from record import record

RUN = Path("runs/distillation")


def main() -> int:
    face = trained_vgg(RUN / "weights", "face", Path("configs/demo_face_vgg.yaml"), stills=200)
    extracted_cohort(RUN, Path("configs/distillation_phantom.yaml"), {"face": face})
    step("loso", "--config", "configs/distillation.yaml")
    found = metrics(RUN)["tasks"]["emotion (face)"]
    models = {
        name: {metric: result["metrics"][metric] for metric in ("f1", "accuracy", "auc")}
        for name, result in found["models"].items()
    }
    for name, result in models.items():
        for metric, value in result.items():
            seeds = ", ".join(f"{seed:.3f}" for seed in value["seeds"])
            print(
                f"{name:<10}{metric:<10}{value['value']:.3f} ({value['low']:.3f} to"
                f" {value['high']:.3f}); by seed {seeds}"
            )
    lift = {entry["metric"]: entry for entry in found["differences"] if entry["a"] == "agcn_kd"}
    teacher = models["tcn"]["auc"]["value"] - models["agcn"]["auc"]["value"]
    gain = lift["auc"]
    return record(
        "distillation",
        {"models": models, "lift": lift, "teacher_minus_student_auc": teacher},
        "teacher at least 0.05 AUC above the student, and the distilled student above the plain one"
        " in the mean of three seeds",
        teacher >= 0.05 and gain["value"] > 0,
        headline=(
            f"AUC: teacher {models['tcn']['auc']['value']:.3f}, student"
            f" {models['agcn']['auc']['value']:.3f}, distilled"
            f" {models['agcn_kd']['auc']['value']:.3f} (lift {gain['value']:+.3f},"
            f" {gain['low']:+.3f} to {gain['high']:+.3f}, by seed"
            f" {', '.join(f'{seed:+.3f}' for seed in gain['seeds'])})"
        ),
        seed=0,
    )


if __name__ == "__main__":
    sys.exit(main())
