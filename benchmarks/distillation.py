"""Does distillation lift the AGCN where its teacher is clearly better?

Emotion on the face stream of a phantom whose emotions have an intensity, which moves the landmarks
and shows in skin and eyes beside them. The label is a rater's, who errs about that intensity: hard
labels hold little of it, and a teacher who reads it off the face more. The student reads
landmarks, the teacher VGG features. Three seeds; each splits the participants into two halves of
the paper's size, one trained on and the other scored, and then the other way round; the differences
have paired bootstrap intervals over participants.

Beside them, by the same folds and settings: a student whose teacher is no network but the true
probability that the rater calls the clip emotional. No teacher can tell it more: where this student
stays below the real teacher, what is missing is in the student and its landmarks, not in the
distillation.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from phantom_run import extracted_cohort, metrics, step, trained_vgg
from record import record
from scipy.stats import norm
from sklearn.metrics import roc_auc_score
from torch import Tensor, nn

from semiology.cli.experiments import read_protocol
from semiology.data.cohort import Cohort
from semiology.evaluation.run.predictions import read_predictions
from semiology.evaluation.run.settings import Protocol
from semiology.experiments.clips import task_source
from semiology.files import read_json
from semiology.models.training.clips import ClipData
from semiology.models.training.datamodule import ClipDataModule
from semiology.models.training.modules import DistillationModule
from semiology.models.training.trainer import fit, score
from semiology.phantom.dystonia_emotion.recipe import THRESHOLD

RUN = Path("runs/distillation")
PHANTOM, CONFIG = Path("configs/distillation_phantom.yaml"), Path("configs/distillation.yaml")
TASK = "emotion (face)"
STUDENT, ALONE = "agcn_kd", "agcn_kd_alone"  # [R], and without the labels
AHEAD = 0.05  # AUC that the teacher has to be ahead of the plain student


class Oracle(nn.Module):
    """A teacher that knows each training clip's probabilities (clip, class)."""

    reads = ("clip",)
    features = 2

    def __init__(self, probabilities: np.ndarray):
        super().__init__()
        self.register_buffer("logits", torch.from_numpy(probabilities).float().log())
        self.head = nn.Identity()

    def forward_features(self, clip: Tensor) -> Tensor:
        """Logits (batch, class) of the clips' numbers (batch,)."""
        return self.logits[clip]


def main() -> int:
    vgg = trained_vgg(
        RUN / "weights", "face", Path("configs/distillation_face_vgg.yaml"), 100, "--looks", "1"
    )
    extracted_cohort(RUN, PHANTOM, {"face": vgg})
    step("loso", "--config", str(CONFIG))
    intensity = true_intensities()
    predictions = read_predictions(RUN / "predictions.csv")
    found = metrics(RUN)["tasks"][TASK]
    models = {
        name: {metric: result["metrics"][metric] for metric in ("f1", "accuracy", "auc")}
        for name, result in found["models"].items()
    }
    show(models)
    lifts = {
        (entry["a"], entry["b"]): entry
        for entry in found["differences"]
        if entry["metric"] == "auc"
    }
    lift, lead = lifts[STUDENT, "agcn"], models["tcn"]["auc"]["value"]
    student, distilled = (models[name]["auc"]["value"] for name in ("agcn", STUDENT))
    oracle = {name: oracle_students(predictions, intensity, name) for name in (STUDENT, ALONE)}
    truth = against_truth(predictions, intensity)
    first = predictions[(predictions.model == "tcn") & (predictions.seed == 0)]
    ceiling = auc(first, first.clip_id.map(intensity))
    print(f"AUC of the true intensity itself, the most that any model can have: {ceiling:.3f}")
    for name, values in oracle.items():
        print(f"{name} of the oracle: AUC {np.mean(values):.3f}; by seed {seeds(values)}")
    print("AUC against the sign without the rater's error:", truth)
    return record(
        "distillation",
        {
            "models": models,
            "lift": lift,
            "oracle_student_auc": oracle,
            "true_intensity_auc": ceiling,
            "auc_against_the_true_sign": truth,
        },
        f"teacher at least {AHEAD} AUC above the plain student, and the distilled student above"
        " both in the mean of three seeds",
        lead - student >= AHEAD and distilled > max(lead, student),
        headline=(
            f"AUC: teacher {lead:.3f}, student {student:.3f}, distilled {distilled:.3f} (lift"
            f" {lift['value']:+.3f}, {lift['low']:+.3f} to {lift['high']:+.3f}, by seed"
            f" {', '.join(f'{each:+.3f}' for each in lift['seeds'])}); without labels"
            f" {models[ALONE]['auc']['value']:.3f}; taught by the true probabilities"
            f" {np.mean(oracle[STUDENT]):.3f}, without labels {np.mean(oracle[ALONE]):.3f}"
        ),
        seed=1,
    )


def show(models: dict) -> None:
    """Print each model's metrics."""
    for name, result in models.items():
        for metric, value in result.items():
            print(
                f"{name:<14}{metric:<10}{value['value']:.3f} ({value['low']:.3f} to"
                f" {value['high']:.3f}); by seed {seeds(value['seeds'])}"
            )


def seeds(values: list[float]) -> str:
    return ", ".join(f"{value:.3f}" for value in values)


def true_intensities() -> dict[str, float]:
    """clip_id -> the intensity that was rendered."""
    clips = Cohort.read(RUN / "cohort").clips
    return {clip.clip_id: clip.scores["emotion_intensity"] for clip in clips}


def auc(rows: pd.DataFrame, scores: pd.Series) -> float:
    return float(roc_auc_score(rows.truth == "present", scores))


def against_truth(predictions: pd.DataFrame, intensity: dict[str, float]) -> dict[str, float]:
    """Model -> mean AUC over seeds against "an intensity above 0.5"."""
    return {
        str(name): round(
            float(
                np.mean(
                    [
                        roc_auc_score(own.clip_id.map(intensity) > THRESHOLD, own.score)
                        for _, own in rows.groupby("seed")
                    ]
                )
            ),
            3,
        )
        for name, rows in predictions.groupby("model")
    }


def oracle_students(
    predictions: pd.DataFrame, intensity: dict[str, float], name: str
) -> list[float]:
    """AUC of each seed's students of the oracle, trained as model `name`, over the run's folds."""
    protocol = read_protocol(["--config", str(CONFIG)])
    found = []
    for _, rows in predictions[predictions.model == name].groupby("seed"):
        scores: dict[str, float] = {}
        for _, fold in rows.groupby("fold"):
            seed = int(fold.seed.iloc[0])
            scores |= oracle_student(protocol, name, list(fold.clip_id), seed, intensity)
        found.append(auc(rows, rows.clip_id.map(scores)))
    return found


def oracle_student(
    protocol: Protocol, name: str, held_out: list[str], seed: int, intensity: dict[str, float]
) -> dict[str, float]:
    """clip_id -> score of the held-out clips by a student of the oracle, trained on the others."""
    model, how = protocol.models[name], protocol.models[name].distillation
    data = ClipDataModule(
        task_source(protocol, TASK),
        validation=protocol.validation,
        batch_size=protocol.batch_size,
        augmentation=protocol.augmentation,
        seed=seed,
        held_out_clips=held_out,
    )
    module = DistillationModule(
        model.network,
        Oracle(probabilities(data.training, intensity)),
        how.temperature,
        how.label_weight,
        how.teacher_weight,
        learning_rate=model.learning_rate,
    )
    clip_ids, scored = score(fit(module, data, model.schedule, seed), data)
    return dict(zip(clip_ids, scored[:, 1]))


def probabilities(clips: list[ClipData], intensity: dict[str, float]) -> np.ndarray:
    """(clip, class) that the rater scores each as absent, as present."""
    seen = np.array([intensity[clip.clip_id] for clip in clips])
    recipe = read_json(RUN / "cohort" / "dataset_description.json")["Recipe"]
    present = norm.cdf((seen - THRESHOLD) / recipe["rater_error"]).clip(1e-4, 1 - 1e-4)
    return np.stack([1 - present, present], -1)


if __name__ == "__main__":
    sys.exit(main())
