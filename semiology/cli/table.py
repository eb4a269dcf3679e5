"""The verbs on tables: `table` on one of features, and its second form `table predict`; `judge` on
one of an outsider's predictions.
"""

from semiology.cli import options, parser
from semiology.files import read_json


def run_table(arguments: list[str]) -> int:
    """Predict a column of a table by simple models side by side, cross-validated by participant,
    with intervals and permutation tests. `semiology table predict RUN TABLE --out FILE` applies a
    model of such a run to new rows.
    """
    if arguments[:1] == ["predict"]:
        return _run_predict(arguments[1:])
    from jsonargparse import ArgumentParser

    from semiology.evaluation.report.scored import run_text
    from semiology.experiments.table.run import run_table as cross_validate
    from semiology.experiments.table.settings import Table

    # several values after one option, as people type them; the words are those of the class
    described = ArgumentParser()
    described.add_class_arguments(Table, None)
    words = {action.dest: action.help for action in described._actions}
    table_parser = parser("table", run_table)
    table_parser.add_argument("table", type=str, help=words["table"])
    table_parser.add_class_arguments(Table, None, skip={"table", "target", "also", "scale", *LISTS})
    for name in LISTS:
        table_parser.add_argument(f"--{name}", nargs="+", type=str, help=words[name])
    table_parser.add_argument(
        "--target",
        nargs="+",
        type=str,
        required=True,
        help="column that is predicted; several of classes are predicted in the same folds",
    )
    table_parser.add_argument("--scale", nargs=2, type=float, help=words["scale"])
    given = options(table_parser.parse_args(arguments))
    given["target"], *also = given["target"]
    given["also"] = also or None
    given["scale"] = tuple(given["scale"]) if given["scale"] else None
    result = cross_validate(Table(**given))
    for note in result.notes:
        print(note)
    metrics = read_json(result.run / "metrics.json")
    print(f"\n{run_text(metrics)}\n")
    print(f"audit: {result.audit} (semiology audit {result.run} says why)")
    print(f"report: {result.report}")
    return 0


LISTS = (
    "features",
    "without",
    "categories",
    "levels",
    "raters",
    "covariates",
    "test",
    "models",
    "groups",
)  # options with several values


def _run_predict(arguments: list[str]) -> int:
    from semiology.experiments.table.predict import predict_table

    predict_parser = parser("table predict", run_table)
    predict_parser.add_function_arguments(predict_table, as_positional=True)
    print(f"predictions: {predict_table(**options(predict_parser.parse_args(arguments)))}")
    return 0


def run_judge(arguments: list[str]) -> int:
    """Evaluate the predictions of outside models, from a table with clip, participant, truth, and
    answers or scores: metrics with intervals by participant, chance, comparisons and report as of
    our own runs, and an audit that says what no table can show. Answers in words become classes by
    a strict rule.
    """
    from jsonargparse import ArgumentParser

    from semiology.evaluation.report.scored import run_text
    from semiology.experiments.judge.reading import Judge
    from semiology.experiments.judge.run import judge

    described = ArgumentParser()
    described.add_class_arguments(Judge, None)
    words = {action.dest: action.help for action in described._actions}
    lists = ("models", "covariates", "levels")
    judge_parser = parser("judge", run_judge)
    judge_parser.add_argument("table", type=str, help=words["table"])
    judge_parser.add_class_arguments(Judge, None, skip={"table", *lists})
    for name in lists:
        judge_parser.add_argument(f"--{name}", nargs="+", type=str, help=words[name])
    result = judge(Judge(**options(judge_parser.parse_args(arguments))))
    for note in result.notes:
        print(note)
    metrics = read_json(result.run / "metrics.json")
    for task, found in metrics["tasks"].items():
        levels = ", ".join(f"{name} ({own['clips']})" for name, own in found["prevalence"].items())
        sign = f"; {found['levels'][1]} is the sign" if len(found["levels"]) == 2 else ""
        print(f"{task}: classes {levels}{sign}")
    print(f"\n{run_text(metrics)}\n")
    print(f"audit: {result.audit} (semiology audit {result.run} says why)")
    print(f"report: {result.report}")
    return 0
