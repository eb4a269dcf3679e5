"""Check of networks trained outside the folds: detectors, trackers and feature networks that
produced the tracks and features of all folds.
"""

from collections.abc import Sequence

from semiology.evaluation.audit.check import Check, Finding, answer
from semiology.evaluation.audit.records import Run

QUESTION = "Were detectors or feature networks trained on participants who are held out?"


def check_outside(run: Run, elsewhere: Sequence[str] = ()) -> Check:
    """No held-out participant was in the training set of a network that made tracks or features.

    Args:
        run: the run.
        elsewhere: first digits (eight or more) of the SHA-256 of weights that, as the user states,
            were not trained on participants of this cohort.
    """
    if run.sources is None:
        return answer("outside", QUESTION, [], run.unsourced, "", "")
    held = {participant for record in run.evaluated for participant in record["held_out"]}
    faults, missing, stated = [], [], 0
    for digest, weights in run.sources["weights"].items():
        trained_on = weights["participants"]
        name = f"{weights['what']} ({digest[:8]})"
        if trained_on is None and any(
            len(start) >= 8 and digest.startswith(start.lower()) for start in elsewhere
        ):
            stated += 1
        elif trained_on is None:
            missing.append(
                Finding(
                    "weights-unknown",
                    f"{name}: its training participants are not recorded; train it with `semiology"
                    f" pretrain --participants`, or state --elsewhere {digest[:8]} if none of this"
                    " cohort was among them",
                    (digest,),
                )
            )
        elif known := sorted(held & set(trained_on)):
            some = f"{', '.join(known[:5])}{' ...' if len(known) > 5 else ''}"
            faults.append(
                Finding(
                    "weights-leak",
                    f"{name} was trained on {some}, held out here",
                    (digest, *known),
                )
            )
        elif unnamed := [entry for entry in trained_on if " " in entry]:
            missing.append(Finding("weights-unnamed", f"{name}: {unnamed[0]}", (digest,)))
    clips = run.sources["clips"].values()
    brought = sum(clip["kind"] in ("tracks", "features") for clip in clips)
    if brought < len(clips) and not run.sources["weights"]:
        missing.append(
            Finding(
                "networks-unknown",
                "the store does not record which networks made the tracks; run `semiology extract`"
                " again",
            )
        )
    public = sum(weights["participants"] == [] for weights in run.sources["weights"].values())
    good = [
        f"{public} networks are public or of nobody here" if public else "",
        f"{stated} stated by the user to be trained elsewhere" if stated else "",
        f"{brought} clips came with their tracks or features: how these were made is not part of"
        " this run, and not audited"
        if brought
        else "",
    ]
    others = len(run.sources["weights"]) - public - stated
    good.append(f"{others} trained on other participants" if others else "")
    return answer(
        "outside",
        QUESTION,
        faults,
        missing,
        "; ".join(part for part in good if part),
        "a network was trained on held-out participants",
    )
