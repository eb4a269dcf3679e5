"""What was trained outside the folds: detectors, trackers and feature networks that made the tracks
and features which all folds read.
"""

from collections.abc import Sequence

from semiology.evaluation.audit.check import Check, answer
from semiology.evaluation.audit.records import Run

QUESTION = "Were detectors or feature networks trained on participants who are held out?"


def check_outside(run: Run, elsewhere: Sequence[str] = ()) -> Check:
    """Nobody who is held out taught a network that made the tracks or features.

    Args:
        elsewhere: first digits (eight or more) of the SHA-256 of weights of which the user states
            that nobody of this cohort taught them.
    """
    if run.sources is None:
        return answer("outside", QUESTION, [], [run.unsourced], "", "")
    held = {participant for record in run.judged for participant in record["held_out"]}
    faults, missing, stated = [], [], 0
    for digest, weights in run.sources["weights"].items():
        people = weights["participants"]
        name = f"{weights['what']} ({digest[:8]})"
        if people is None and any(
            len(start) >= 8 and digest.startswith(start.lower()) for start in elsewhere
        ):
            stated += 1
        elif people is None:
            missing.append(
                f"{name}: nothing says on whom it was trained; train it with `semiology pretrain"
                f" --participants`, or state --elsewhere {digest[:8]} if nobody of this cohort was"
                " among them"
            )
        elif known := sorted(held & set(people)):
            faults.append(
                f"{name} was trained on {', '.join(known[:5])}{' ...' if len(known) > 5 else ''},"
                " held out here"
            )
        elif unnamed := [person for person in people if " " in person]:
            missing.append(f"{name}: {unnamed[0]}")
    clips = run.sources["clips"].values()
    brought = sum(clip["kind"] in ("tracks", "features") for clip in clips)
    if brought < len(clips) and not run.sources["weights"]:
        missing.append(
            "the store does not say which networks made the tracks; run `semiology extract` again"
        )
    public = sum(weights["participants"] == [] for weights in run.sources["weights"].values())
    good = [
        f"{public} networks are public or of nobody here" if public else "",
        f"{stated} so stated by the user" if stated else "",
    ]
    told = (
        f"tracks or features of {brought} clips were brought along: what made them is not part of"
        " this run, and not judged"
    )
    good.append(told if brought else "")
    others = len(run.sources["weights"]) - public - stated
    good.append(f"{others} trained on other participants" if others else "")
    return answer(
        "outside",
        QUESTION,
        faults,
        missing,
        "; ".join(part for part in good if part),
        "a network knew participants held out",
    )
