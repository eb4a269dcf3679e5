"""semiology agreement TABLE --machine COLUMN --raters COLUMN... --out DIR"""

from pathlib import Path

from semiology.cli import parser
from semiology.evaluation.agreement.run import agree, text, write_agreement
from semiology.evaluation.agreement.scores import read_scores


def run(arguments: list[str]) -> int:
    made = parser("agreement", agree)
    made.add_argument(
        "table",
        type=Path,
        help="scores, .tsv or .csv: one row a participant (and visit), n/a where there is none",
    )
    made.add_argument("--machine", required=True, help="column of the machine's scores")
    made.add_argument(
        "--raters", nargs="+", type=str, required=True, help="columns of the people's scores"
    )
    made.add_argument(
        "--participant", default="participant_id", help="column that says who was scored"
    )
    made.add_argument("--visit", type=str | None, default=None, help="column that says when")
    made.add_argument(
        "--retest",
        nargs="+",
        type=str,
        default=[],
        help="visits between which nothing should have changed",
    )
    made.add_argument(
        "--change", nargs=2, type=str, default=[], help="two visits: before and after"
    )
    made.add_argument("--draws", type=int, default=2000, help="resampled cohorts")
    made.add_argument("--seed", type=int, default=0, help="of the resampling")
    made.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder of agreement.tsv, agreement.json, the pictures and report.html",
    )
    asked = made.parse_args(arguments)
    scores = read_scores(asked.table, asked.machine, asked.raters, asked.participant, asked.visit)
    figures, document = write_agreement(
        scores, asked.out, asked.retest, asked.change, draws=asked.draws, seed=asked.seed
    )
    print(
        f"{text(figures, document['notes'])}\n{asked.out / 'report.html'}: every figure, with"
        " pictures"
    )
    return 0
