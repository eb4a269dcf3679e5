"""semiology explain RUN [--task ...] [--model ...] [--clips ...] [--method ...]"""

from typing import Any

from semiology.cli import options, parser
from semiology.experiments.explain import explain
from semiology.files import read_json

WHO = {
    "never seen": "each clip by a model that never saw the person",
    "known": "each clip by a model that never saw this clip, but knows this person",
    "some known": "each clip by a model that never saw this clip, but knows some of these people",
    "trained on": "by a model that was TRAINED ON THESE CLIPS (none kept)",
}


def run(arguments: list[str]) -> int:
    made = parser("explain", explain)
    made.add_function_arguments(explain, as_positional=True)
    for path in explain(**options(made.parse_args(arguments))):
        print(text(read_json(path)))
        print(f"{path}\n")
    return 0


def text(told: dict[str, Any]) -> str:
    """The main figures of one explanation, to read in a terminal."""
    ranked = sorted(told["joints"].items(), key=lambda item: -item[1])
    shown, sanity, deletion, truth = told["shown"], told["sanity"], told["deletion"], told["truth"]
    lines = [
        (
            f"{told['task']}, {told['model']}: what speaks for {told['level']},"
            f" {told['method'].replace('_', ' ')}; {WHO[shown['people']]}"
        ),
        f"  {shown['clips']} clips: {shown['which']}",
        "  joints: " + ", ".join(f"{name} {share:.0%}" for name, share in ranked[:5]),
    ]
    if told["left_out"]:
        lines.insert(
            2,
            f"  {shown['left_out']} of {shown['scored']} scored clips are left out:"
            f" {', '.join(told['left_out'])} (their fold's model is not kept, or the cohort has"
            " them no more)",
        )
    if shown["without_evidence"]:
        lines.append(
            f"  {shown['without_evidence']} of these clips have no evidence for the level and are"
            " no part of the shares"
        )
    if told["regions"]:
        lines.append(
            "  face: "
            + ", ".join(f"{region} {share:.0%}" for region, share in told["regions"].items())
        )
    if told["completeness"]:
        lines.append(f"  sums to the score within {told['completeness']['relative_gap']:.1%}")
    verdict = (
        "passed"
        if sanity["passed"]
        else "NOT passed: the map is much the same whatever was learned"
    )
    lines.append(
        f"  random weights: rank correlation {sanity['correlation']:.2f} (must be below"
        f" {sanity['threshold']}), {verdict}"
    )
    for row in sanity["cascade"]:
        lines.append(f"    randomised down to {row['stage']:<12}{row['correlation']:.2f}")
    lines.append(
        f"  deletion: {deletion['area']:+.3f} {_interval(deletion['area_interval'])} of probability"
        " below deletion in random order"
    )
    if truth:
        for name, chance in (
            ("joint_share", "joint_chance"),
            ("hit", "hit_chance"),
            ("time_share", "time_chance"),
        ):
            what = {
                "joint_share": "evidence on the true joints",
                "hit": "top joint is a true one",
                "time_share": "evidence in the true time",
            }
            lines.append(
                f"  truth: {what[name]} {truth[name]:.0%} {_interval(truth[f'{name}_interval'])},"
                f" by chance {truth[chance]:.0%}"
            )
    return "\n".join(lines)


def _interval(bounds: list[float | None]) -> str:
    low, high = bounds
    return "(no interval)" if low is None or high is None else f"({low:.2f} to {high:.2f})"
