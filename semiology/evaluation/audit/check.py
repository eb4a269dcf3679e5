"""One question that the audit asks, its answer, and the verdict over all answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

Result = Literal["passed", "failed", "not possible"]
SHOWN = 12  # details that a person reads; the number of the others is told


@dataclass(frozen=True)
class Check:
    """A question with its answer.

    Attributes:
        name: short, the same in every audit.
        question: in words.
        result: "not possible" where the run does not hold what the answer needs.
        found: the answer in one sentence.
        details: one line each: fold, model, clips or participants concerned.
    """

    name: str
    question: str
    result: Result
    found: str
    details: list[str] = field(default_factory=list)


def answer(
    name: str, question: str, faults: Sequence[str], missing: Sequence[str], good: str, bad: str
) -> Check:
    """Failed where there is a fault, not possible where only something is missing, else passed;
    `bad` is a sentence with the count.
    """
    if faults:
        return Check(
            name,
            question,
            "failed",
            f"{bad}: {faults[0]}" + (f" ({len(faults)} such)" if len(faults) > 1 else ""),
            list(faults),
        )
    if missing:
        more = f" ({len(missing)} such)" if len(missing) > 1 else ""
        return Check(
            name, question, "not possible", f"cannot be shown: {missing[0]}{more}", list(missing)
        )
    return Check(name, question, "passed", good)


def verdict(checks: Sequence[Check]) -> Literal["passed", "failed", "incomplete"]:
    """Failed as soon as one check failed; else incomplete where one was not possible."""
    results = {check.result for check in checks}
    return (
        "failed" if "failed" in results else "incomplete" if "not possible" in results else "passed"
    )


def text(checks: Sequence[Check]) -> str:
    """One line a check, its details below where it did not pass, the verdict last."""
    width = max(len(check.name) for check in checks) + 2
    lines = []
    for check in checks:
        lines.append(f"{check.result:<14}{check.name:<{width}}{check.found}")
        if check.result != "passed":
            lines += [f"{'':<16}{detail}" for detail in check.details[1:SHOWN]]
            lines += (
                [f"{'':<16}and {len(check.details) - SHOWN} more, in audit.json"]
                if len(check.details) > SHOWN
                else []
            )
    said = {
        "passed": "passed: nothing of those held out was found among what taught the models",
        "failed": "FAILED: "
        + ", ".join(check.name for check in checks if check.result == "failed"),
        "incomplete": "INCOMPLETE: the records do not show "
        + ", ".join(check.name for check in checks if check.result == "not possible"),
    }
    return "\n".join([*lines, "", f"leakage audit: {said[verdict(checks)]}"])
