"""The words a clinician may not know, each in one line; only those that a page uses."""

from collections.abc import Collection

WORDS = {
    "accuracy": ("accuracy", "share of clips named rightly."),
    "f1": (
        "F1",
        "balance of finding the sign where it is and not seeing it where it is not; blind to rightly named clips without the sign.",
    ),
    "macro": ("F1 of several levels", "the plain mean over levels."),
    "auc": ("AUC", "chance that a clip with the sign scores higher than a clip without it."),
    "balanced_accuracy": ("balanced accuracy", "share named rightly, averaged over levels, so that a common level does not decide."),
    "sensitivity": ("sensitivity", "of the clips with the sign, the share in which it was seen."),
    "specificity": ("specificity", "of the clips without the sign, the share that was left alone."),
    "ppv": ("PPV, NPV", "of the clips called positive (negative), the share that is."),
    "mcc": ("MCC", "correlation of what was said with what is so: 1 faultless, 0 no better than guessing."),
    "average_precision": ("average precision", "how purely the highest scores belong to clips with the sign, over all thresholds."),
    "interval": ("95 % interval", "where the value of other people of this kind would lie, as far as these people can tell."),
    "p": ("p", "how often chance alone does as well; small is good, and few repeats cannot make it small."),
    "brier": ("Brier score", "mean squared distance between probability and truth; 0 is faultless."),
    "ece": ("calibration error", "how far, on average, probabilities lie from how often the sign was there."),
    "mcnemar_p": ("McNemar’s test", "compares two models by the clips that only one of them names rightly."),
    "attribution": ("attribution", "how much a part of the input weighed in the model’s answer."),
    "agcn": ("AGCN", "network over joints and the links between them, which it partly learns."),
    "tcn": ("TCN", "network over time alone, without the graph of joints."),
    "gat": ("GAT", "network over joints that weighs each neighbour by attention."),
    "linear": ("linear", "no network: a weighted sum of each joint’s mean place, spread and speed; the yardstick for the networks."),
    "agcn_kd": ("distillation", "the AGCN learns to agree with a trained TCN as well as with the labels."),
    "leak": ("leak check", "whether a model could have known the answer: the same person, stretch of video or setting on both sides."),
    "fold": ("fold", "one round: some clips are held out, models are trained on the others and judge the held-out ones."),
    "seed": ("seed", "start of the random numbers; several seeds show how far training itself varies."),
}


def glossary(used: Collection[str]) -> list[tuple[str, str]]:
    """(word, meaning) of the words used, by their keys in `WORDS`, in its order."""
    return [entry for key, entry in WORDS.items() if key in used]
