"""One question of the audit with its answer, and the verdict over all answers."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

Result = Literal["passed", "failed", "not possible"]
# findings of one kind that are listed one by one; of more the first stands for all in the terminal,
# and as many in audit.json
SHOWN = 12


@dataclass(frozen=True)
class Finding:
    """One fact behind an answer.

    Attributes:
        code: short name of the kind of fact, the same in every audit: "both-sides".
        text: the fact in one line, for a reader.
        about: names of the folds, clips, participants, models, columns concerned.
    """

    code: str
    text: str
    about: tuple[str, ...] = ()


@dataclass(frozen=True)
class Check:
    """A question with its answer.

    Attributes:
        name: short, the same in every audit.
        question: in words.
        result: "not possible" where the run does not hold what the answer needs.
        found: the answer in one sentence.
        findings: the facts behind it.
    """

    name: str
    question: str
    result: Result
    found: str
    findings: list[Finding] = field(default_factory=list)

    @property
    def details(self) -> list[str]:
        """The facts behind the answer, one line each."""
        return [finding.text for finding in self.findings]

    def as_json(self) -> dict[str, Any]:
        """The check as an entry of audit.json."""
        return {
            "name": self.name,
            "question": self.question,
            "result": self.result,
            "found": self.found,
            "details": lines(self.findings, SHOWN),
        }


def lines(findings: Sequence[Finding], first: int) -> list[str]:
    """Findings for a reader, a line each; of more than SHOWN of one kind the `first`, and how many
    there are.
    """
    kinds: dict[str, list[str]] = {}
    for finding in findings:
        kinds.setdefault(finding.code, []).append(finding.text)
    shown = []
    for texts in kinds.values():
        some = texts if len(texts) <= SHOWN else texts[:first]
        more = len(texts) - len(some)
        shown += some[:-1]
        shown.append(some[-1] + (f" (and {more:,} more like this)" if more else ""))
    return shown


def answer(
    name: str,
    question: str,
    faults: Sequence[Finding],
    missing: Sequence[Finding],
    good: str,
    bad: str,
    lacking: str = "cannot be determined",
) -> Check:
    """The check that follows from its findings.

    Failed where there is a fault, not possible where there is none but something is missing, else
    passed.

    Args:
        name: of the check.
        question: in words.
        faults: findings that fail the check.
        missing: what the run lacks for an answer.
        good: the answer if the check passed.
        bad: beginning of the answer if it failed; the first fault follows.
        lacking: the same if something is missing.
    """
    if faults:
        return Check(name, question, "failed", f"{bad}: {_first_of(faults)}", list(faults))
    if missing:
        found = f"{lacking}: {_first_of(missing)}"
        return Check(name, question, "not possible", found, list(missing))
    return Check(name, question, "passed", good)


def _first_of(findings: Sequence[Finding]) -> str:
    return findings[0].text + (f" ({len(findings):,} in total)" if len(findings) > 1 else "")


def verdict(checks: Sequence[Check]) -> Literal["passed", "failed", "incomplete"]:
    """The verdict of all checks: failed if one failed, else incomplete if one was not possible."""
    results = {check.result for check in checks}
    return (
        "failed" if "failed" in results else "incomplete" if "not possible" in results else "passed"
    )


def text(checks: Sequence[Check]) -> str:
    """The checks for a terminal: a line each, findings of those that did not pass, the verdict."""
    width = max(len(check.name) for check in checks) + 2
    printed = []
    for check in checks:
        printed.append(f"{check.result:<14}{check.name:<{width}}{check.found}")
        if check.result != "passed":
            listed = lines(check.findings, 1)
            # the first is in `found` already, unless it stands for others
            printed += [f"{'':<16}{line}" for line in listed[check.details[:1] == listed[:1] :]]
    names = {
        result: ", ".join(check.name for check in checks if check.result == result)
        for result in ("failed", "not possible")
    }
    conclusion = {
        "passed": "passed: no leak from held-out participants into training was found",
        "failed": f"FAILED: {names['failed']}",
        "incomplete": f"INCOMPLETE: not possible from the records: {names['not possible']}",
    }
    return "\n".join([*printed, "", f"leakage audit: {conclusion[verdict(checks)]}"])
