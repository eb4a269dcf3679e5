"""Verbs that evaluate what is there, without torch: report, audit, agreement."""

from pathlib import Path

from semiology.cli import parser, say_size
from semiology.errors import UserError
from semiology.files import read_json


def run_report(arguments: list[str]) -> int:
    """Rebuild metrics.json, report.html and the model cards of a run from its predictions.csv
    or scores.tsv, or write its tables as CSV.
    """
    report_parser = parser("report", run_report)
    report_parser.add_argument("run", type=Path, help="folder of the run")
    report_parser.add_argument(
        "--unanswered",
        choices=["wrong", "out"],
        default="wrong",
        help="how clips without an answer are scored: as wrong, or left out for all models of their"
        " task",
    )
    report_parser.add_argument(
        "--format",
        choices=["html", "csv"],
        default="html",
        help="html: report.html; csv: metrics.csv and participants.csv",
    )
    parsed = report_parser.parse_args(arguments)
    say_size(parsed.run)
    from semiology.evaluation.report import write_cards, write_report, write_tables
    from semiology.evaluation.report.scored import run_text

    if parsed.format == "csv":
        for path in write_tables(parsed.run, parsed.unanswered):
            print(f"table: {path}")
        return 0
    path = write_report(parsed.run, parsed.unanswered)
    write_cards(parsed.run)
    print(run_text(read_json(parsed.run / "metrics.json")))
    print(f"\nreport: {path}")
    return 0


def run_audit(arguments: list[str]) -> int:
    """Check a run's own records for leakage from held-out participants into training. Each check is
    passed, failed, or not possible where the records that it needs are missing. Reads the run's
    folder alone, and trains nothing.
    """
    audit_parser = parser("audit", run_audit)
    audit_parser.add_argument("run", type=Path, help="folder of the run")
    audit_parser.add_argument(
        "--elsewhere",
        type=list[str] | str | None,
        default=None,
        help="first digits (eight or more) of the SHA-256 of weights, or a list of them, that, as"
        " you state, were not trained on participants of this cohort; the answer says that you"
        " stated it",
    )
    parsed = audit_parser.parse_args(arguments)
    say_size(parsed.run)
    from semiology.evaluation.audit import audit
    from semiology.evaluation.audit.check import text, verdict

    checks = audit(parsed.run, elsewhere=parsed.elsewhere or ())
    print(text(checks))
    return 0 if verdict(checks) == "passed" else 1


def run_agreement(arguments: list[str]) -> int:
    """Measure how a machine's and raters' scores agree: correlation, ICC, kappa, Bland-Altman,
    smallest detectable change and responsiveness. Intervals are by participant.
    """
    from semiology.evaluation.agreement.readings import read_review
    from semiology.evaluation.agreement.run import text, write_agreement
    from semiology.evaluation.agreement.scores import read_scores

    agreement_parser = parser("agreement", run_agreement)
    agreement_parser.add_argument(
        "table",
        type=Path,
        help="scores, .tsv or .csv: one row a participant (and visit), n/a where there is none; or"
        " the folder of raters of semiology review",
    )
    agreement_parser.add_argument(
        "--machine",
        type=str | None,
        default=None,
        help="column of the machine's scores; with a folder of raters, which may do without, a"
        " table with clip_id and the item, or a column of clips.tsv",
    )
    agreement_parser.add_argument(
        "--raters",
        nargs="+",
        type=str,
        default=[],
        help="columns of the raters' scores; of a folder some of its raters, by default all",
    )
    agreement_parser.add_argument(
        "--item",
        type=str | None,
        default=None,
        help="of a folder of raters: what they rated, or ITEM=LEVEL for one level against the rest",
    )
    agreement_parser.add_argument(
        "--participant", default="participant_id", help="column of the participants"
    )
    agreement_parser.add_argument(
        "--visit", type=str | None, default=None, help="column of the visits"
    )
    agreement_parser.add_argument(
        "--retest",
        nargs="+",
        type=str,
        default=[],
        help="visits between which no change is expected",
    )
    agreement_parser.add_argument(
        "--change", nargs=2, type=str, default=[], help="two visits: before and after"
    )
    agreement_parser.add_argument("--draws", type=int, default=2000, help="bootstrap resamples")
    agreement_parser.add_argument("--seed", type=int, default=0, help="of the bootstrap")
    agreement_parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder of agreement.tsv, agreement.json, the figures and report.html",
    )
    parsed = agreement_parser.parse_args(arguments)
    if parsed.table.is_dir():
        if parsed.item is None:
            raise UserError(f"{parsed.table}: a folder of raters needs --item ITEM")
        scores = read_review(parsed.table, parsed.item, parsed.machine, parsed.raters)
    else:
        if parsed.machine is None or not parsed.raters:
            raise UserError(f"{parsed.table}: a table needs --machine COLUMN and --raters COLUMN")
        scores = read_scores(
            parsed.table, parsed.machine, parsed.raters, parsed.participant, parsed.visit
        )
    results, document = write_agreement(
        scores, parsed.out, parsed.retest, parsed.change, draws=parsed.draws, seed=parsed.seed
    )
    print(text(results, document["notes"]))
    print(f"{parsed.out / 'report.html'}: every result, with figures")
    return 0
