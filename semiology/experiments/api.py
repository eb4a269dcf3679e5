"""Public functions on cross-validated models: `loso`, `table`, `explain`, `probe`, `reproduce`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from inspect import signature
from pathlib import Path
from typing import Any, Literal

from semiology.data.api import as_path
from semiology.data.result import Result, allowing, from_options, run_folder
from semiology.errors import UserError
from semiology.evaluation.api import run_result


def loso(
    config: str | Path | Mapping[str, Any], *, allow: Sequence[str] = (), **options: Any
) -> Result:
    """Cross-validate every model of every task, leaving one subject out unless the configuration
    has another split. A run that was stopped continues where it was.

    Parameters
    ----------
    config : path or mapping
        A run's settings (configs/hou2022.yaml is an example), as a YAML file or a dict.
    allow : sequence of str
        Modules of your own whose classes the configuration may name; their code then runs.
    **options
        Settings that replace those of the configuration: cohort, store, out, tasks, models, seeds,
        split, permutations, calibration, keep, final, jobs, ... (docs/evaluation.md).

    Returns
    -------
    Result
        folder : path; predictions : DataFrame, a row a clip, seed and model; metrics : DataFrame, a
        row a task, model and metric, with 95 % intervals by participant; audit : "passed",
        "failed" or "incomplete"; report : path; not_evaluated : {task: why}.

    Raises
    ------
    UserError
        A setting that does not exist or has a wrong value, a cohort that cannot be read, no task
        that can be evaluated.

    References
    ----------
    Hou, McGonigal, Bartolomei, Thonnat 2022: the protocol [P]. Intervals, permutation test and
    audit are our choice (docs/evaluation.md).

    Examples
    --------
    >>> run = semiology.loso("my_run.yaml")
    >>> run.audit
    'passed'
    """
    from semiology.evaluation.run.files import places_of
    from semiology.evaluation.run.settings import Protocol
    from semiology.experiments.clips import check_tasks
    from semiology.files import read_yaml

    named = "loso" if isinstance(config, Mapping) else str(config)
    settings: Mapping[str, Any]
    if isinstance(config, Mapping):
        settings = config
    else:
        settings = places_of(read_yaml(as_path("loso", config)), config)
    with allowing(allow):
        protocol = from_options({**settings, **options}, Protocol, named)
        check_tasks(protocol)  # before the seconds that the import of torch takes
        from semiology.experiments.loso import run_loso

        result = run_loso(protocol)
    return run_result(
        "Cross-validation",
        result.run,
        audit=result.audit,
        report=result.report,
        not_evaluated={**result.refused, **result.failed},
    )


def table(
    table: str | Path,
    *,
    participant: str,
    target: str | Sequence[str],
    out: str | Path,
    allow: Sequence[str] = (),
    **options: Any,
) -> Result:
    """Cross-validate simple models of a table of features by participant: classes, several labels
    at once, an ordered rating or a number.

    Parameters
    ----------
    table : path
        .csv, .tsv, .xlsx or .parquet; one row a clip, visit or person.
    participant : str
        Column of the participants; nobody is in training and held-out rows at once.
    target : str or sequence of str
        Column that is predicted; several of classes are predicted in the same folds.
    out : path
        Folder of the run.
    allow : sequence of str
        Modules of your own whose classes `models` may name; their code then runs.
    **options
        features, without, categories, task, levels, scale, raters, covariates, by, folds, column,
        set, test, models, inner, permutations, others, budget, calibration, coverage, importance,
        groups, jobs, ... (docs/table.md).

    Returns
    -------
    Result
        folder : path; predictions : DataFrame, a row a row and model of classes (scores.tsv of
        ratings and numbers); metrics : DataFrame, a row a task, model and metric, with 95 %
        intervals by participant; audit : "passed", "failed" or "incomplete"; report : path; notes :
        list of str.

    Raises
    ------
    UserError
        A table, column or option that cannot be used; the line names it.

    References
    ----------
    docs/table.md; McCullagh 1980 (ordinal), Breiman 2001 (permutation importance), Friedman 2001
    (partial dependence).

    Examples
    --------
    >>> names = {"participant": "person", "target": "diagnosis", "models": ["linear"]}
    >>> found = semiology.table("units.csv", **names, permutations=99, out="units")
    >>> found.audit
    'passed'
    """
    from semiology.experiments.table.run import run_table
    from semiology.experiments.table.settings import Table

    first, *also = [target] if isinstance(target, str) else list(target) or [""]
    given = {
        "table": str(as_path("table", table)),
        "participant": participant,
        "target": first,
        "also": also or None,
        "out": str(out),
    }
    with allowing(allow):
        found = run_table(from_options({**given, **options}, Table, "table"))
    return run_result(
        "Models of a table", found.run, audit=found.audit, report=found.report, notes=found.notes
    )


def judge(table: str | Path, *, out: str | Path, **options: Any) -> Result:
    """Evaluate predictions of outside models, from a table: answers in words, or scores.

    Parameters
    ----------
    table : path
        .csv, .tsv, .xlsx or .parquet with clip, participant, truth, and answer or score.
    out : path
        Folder of the run.
    **options
        participant, clip, truth, answer, score, model, sign, recording, models, covariates, levels,
        answers, threshold, unanswered, permutations, draws, seed (docs/judge.md).

    Returns
    -------
    Result
        folder : path; predictions : DataFrame, a row a sign, model and clip; metrics : DataFrame, a
        row a sign, model and metric, with 95 % intervals by participant; audit : "incomplete" or
        "failed", as a table cannot show everything; report : path; notes : list of str.

    Raises
    ------
    UserError
        A table, column or option that cannot be used; the line names it.

    Examples
    --------
    >>> judged = semiology.judge("answers.csv", draws=100, permutations=19, out="judged")
    >>> judged.audit
    'incomplete'
    """
    from semiology.experiments.judge.reading import Judge
    from semiology.experiments.judge.run import judge as judge_table

    given = {"table": str(as_path("judge", table)), "out": str(out)}
    found = judge_table(from_options({**given, **options}, Judge, "judge"))
    return run_result(
        "Outside models", found.run, audit=found.audit, report=found.report, notes=found.notes
    )


def explain(
    run: str | Path | Result,
    *,
    task: str | None = None,
    model: str | None = None,
    clips: Sequence[str] | str | None = None,
    method: str = "integrated_gradients",
    allow: Sequence[str] = (),
) -> Result:
    """Which joints, bones and times a run's models rely on, with checks of the explanation itself.

    Parameters
    ----------
    run : path or Result
        A run's folder, or what `loso` returned; its models are on disk if it had keep: true or
        final: true.
    task : str, optional
        By name, or that of its folder; by default every task with a model that reads keypoints.
    model : str, optional
        By default the distilled AGCN, else the AGCN, else the first.
    clips : sequence of str, or str, optional
        clip_ids, or one; by default all. Explanations of single clips do not enter the report.
    method : str
        integrated_gradients or occlusion.
    allow : sequence of str
        Modules of your own whose classes the run's models may name; their code then runs.

    Returns
    -------
    Result
        folder : path; files : one JSON a task, which the report draws.

    Raises
    ------
    UserError
        No such run, task, model, clip or method; models that were not saved or read no keypoints.

    References
    ----------
    Sundararajan, Taly, Yan 2017 (integrated gradients); Adebayo et al. 2018 (sanity check by random
    weights).

    Examples
    --------
    >>> [path.suffix for path in semiology.explain(run, model="agcn").files]
    ['.json']
    """
    from semiology.experiments.explain import explain as explain_run

    with allowing(allow):
        files = explain_run(run_folder(run), task, model, clips, method)
    return Result("Explanation", folder=run_folder(run), files=files)


def probe(
    run: str | Path | Result,
    target: str,
    *,
    task: str | None = None,
    model: str | None = None,
    layers: Sequence[str] | str | None = None,
    out: str | Path | None = None,
    classifier: Literal["ridge", "logistic"] = "ridge",
    kind: Literal["auto", "categorical", "numeric"] = "auto",
    final: bool = False,
    permutations: int = 200,
    seed: int = 0,
    allow: Sequence[str] = (),
) -> Result:
    """What each layer of a run's model represents: linear probes of a column of the cohort, with
    controls (random labels, identity of the participant) and a permutation test.

    Parameters
    ----------
    run : path or Result
        A run's folder, or what `loso` returned, made with keep: true.
    target : str
        A label, or any other column of participants.tsv or clips.tsv.
    task : str, optional
        By name; may be left out where the run has one.
    model : str, optional
        By name; may be left out where the run has one.
    layers : sequence of str, or str, optional
        One name or several; by default the input, each block, the features before the head and the
        logits.
    out : path, optional
        Folder of the tables; by default RUN/probe.
    classifier : str
        ridge, or logistic (slower).
    kind : str
        Whether the column is categorical or numeric; auto decides by its cells.
    final : bool
        Probe the model that was trained on all participants instead of the folds'.
    permutations : int
        Of the permutation test.
    seed : int
        Of permutations and resampling.
    allow : sequence of str
        Modules of your own whose classes the run's models may name; their code then runs.

    Returns
    -------
    Result
        table : DataFrame, a row a layer; similarity : CKA between the layers, or None; left_out :
        {clip: why}.

    Raises
    ------
    UserError
        No such run, column, task, model or layer; models that were not saved; too few participants
        with a class.

    References
    ----------
    Alain and Bengio 2017; Hewitt and Liang 2019 (control tasks); Kornblith et al. 2019 (CKA).

    Examples
    --------
    >>> probed = semiology.probe(run, "dystonia", layers=["logits"], permutations=19)
    >>> probed.table["layer"].tolist()
    ['logits']
    """
    from semiology.experiments.probe import probe_run

    with allowing(allow):
        probing = probe_run(
            run_folder(run),
            target,
            task,
            model,
            layers,
            out=None if out is None else Path(out),
            probe=classifier,
            kind=kind,
            final=final,
            permutations=permutations,
            seed=seed,
        )
    return Result(
        f"Probe of {target}",
        table=probing.table(),
        similarity=probing.alike,
        left_out=probing.left_out,
    )


def reproduce(paper: str, *, out: str | Path, allow: Sequence[str] = (), **options: Any) -> Result:
    """Run a paper's protocol on your data: published and obtained values, and whether they agree.

    Parameters
    ----------
    paper : str
        hou2022, gestures or myasthenia.
    out : path
        Folder of the run.
    allow : sequence of str
        Modules of your own whose classes the settings may name; their code then runs.
    **options
        cohort, store (hou2022, myasthenia) or features (gestures), and the paper's own settings
        (docs/reproduce.md).

    Returns
    -------
    Result
        folder : path; text : str, the table, assumptions and deviations; rows : DataFrame, a row a
        published value; not_run : list of what could not be run, and why.

    Raises
    ------
    UserError
        No such paper or option, or what its protocol needs is missing.

    References
    ----------
    Hou et al. 2022; Pérez-García et al., MICCAI 2021 (GESTURES); the study of facial weakness in
    myasthenia gravis (docs/citation.md).

    Examples
    --------
    >>> semiology.reproduce("somebody2020", out="there")
    Traceback (most recent call last):
    semiology.errors.UserError: reproduce: no paper 'somebody2020'; ...
    """
    import pandas as pd

    with allowing(allow):
        result = _reproduce(paper, Path(out), options)
    return Result(
        f"Reproduction of {result.paper}",
        folder=Path(out),
        text=str(result),
        rows=pd.DataFrame([row.to_dict() for row in result.rows]),
        not_run=result.not_run,
    )


def _reproduce(paper: str, out: Path, options: Mapping[str, Any]) -> Any:
    if paper == "gestures":
        from semiology.experiments.reproduce.gestures import GesturesProtocol, reproduce_gestures

        return reproduce_gestures(
            from_options({**options, "out": out}, GesturesProtocol, "reproduce")
        )
    if paper == "hou2022":
        from semiology.experiments.reproduce.hou2022 import reproduce_hou2022

        return reproduce_hou2022(out=out, **_arguments(reproduce_hou2022, options))
    if paper == "myasthenia":
        from semiology.experiments.reproduce.myasthenia import reproduce_myasthenia

        return reproduce_myasthenia(out=out, **_arguments(reproduce_myasthenia, options))
    raise UserError(f"reproduce: no paper {paper!r}; papers are hou2022, gestures, myasthenia")


def _arguments(function: Callable[..., Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Options as the arguments of a function: paths as Path, none that it does not take."""
    known = signature(function).parameters
    if unknown := [name for name in options if name not in known]:
        raise UserError(f"reproduce: no option {unknown[0]!r}; options are {', '.join(known)}")
    if "cohort" not in options:
        raise UserError("reproduce: cohort is missing: the folder of the cohort")
    places = ("cohort", "store", "settings")
    return {
        name: Path(value) if name in places and value is not None else value
        for name, value in options.items()
    }
