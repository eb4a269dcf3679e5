"""Verbs that run and examine experiments, and that train one network: loso, reproduce, explain,
probe, pretrain, train.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from semiology.cli import Command, act, description, options, parser, say, say_size, with_our_words
from semiology.errors import UserError
from semiology.files import read_json, read_yaml

if TYPE_CHECKING:
    from jsonargparse import Namespace

    from semiology.evaluation.run.settings import Protocol


def run_loso(arguments: list[str]) -> int:
    """Cross-validate leaving one subject out: every fold of every model, to a table with
    confidence intervals. Resumable; the run is audited at the end. With --estimate nothing is run:
    it says how many trainings are left and how long they will take on this machine.
    """
    parsed = _loso_options(arguments)
    protocol = _protocol_of(parsed)
    from semiology.experiments.clips import check_tasks, cohort_size

    check_tasks(protocol)  # before the seconds that the import of torch takes
    say(cohort_size(protocol.cohort))
    if parsed.estimate:
        from semiology.experiments.estimate import estimate

        print(estimate(protocol).text())
        return 0
    from semiology.evaluation.statistics.results import table_text
    from semiology.experiments.loso import run_loso as cross_validate

    result = cross_validate(protocol)
    if result.report:
        print(table_text(read_json(result.run / "metrics.json")))
        print(
            f"\naudit: {result.audit} (semiology audit {result.run} says why)\nreport:"
            f" {result.report}"
        )
    for task, why in {**result.refused, **result.failed}.items():
        print(f"not evaluated: {task}: {why}")
    return 1 if result.refused or result.failed else 0


def read_protocol(arguments: list[str]) -> "Protocol":
    """The protocol of `semiology loso` from options and `--config FILE`."""
    return _protocol_of(_loso_options(arguments))


def _loso_options(arguments: list[str]) -> "Namespace":
    from semiology.evaluation.run.settings import Protocol

    loso_parser = parser("loso", run_loso)
    loso_parser.add_class_arguments(Protocol, None)
    loso_parser.add_argument(
        "--estimate",
        action="store_true",
        help="say what the run will cost, from some epochs measured here, and run nothing",
    )
    return loso_parser.instantiate_classes(loso_parser.parse_args(arguments))


def _protocol_of(parsed: "Namespace") -> "Protocol":
    from semiology.evaluation.run.files import places_of
    from semiology.evaluation.run.settings import Protocol

    settings = {name: getattr(parsed, name) for name in Protocol.__dataclass_fields__}
    for config in parsed.config or ():
        if config is not None and config.absolute.endswith("config.yaml"):
            own = read_yaml(config.absolute)
            placed = places_of(own, config.absolute)
            for name, place in placed.items():
                if place != own[name] == settings.get(name):  # not one of the command line
                    settings[name] = place
            for name, model in (own.get("models") or {}).items():
                found = settings["models"].get(name)
                if found and found.encoder and found.encoder == model.get("encoder"):
                    encoder = placed["models"][name]["encoder"]
                    settings["models"][name] = replace(found, encoder=encoder)
    return Protocol(**settings)


def run_reproduce(arguments: list[str]) -> int:
    """Run a paper's protocol on your data and compare the result with the published figures."""
    return act("reproduce", run_reproduce, REPRODUCE_ACTIONS, arguments)


def run_reproduce_hou2022(arguments: list[str]) -> int:
    """Run the protocol of Hou et al. 2022, Table 1, on a cohort."""
    from semiology.experiments.reproduce.hou2022 import reproduce_hou2022 as reproduce

    return _reproduce_on_cohort("hou2022", run_reproduce_hou2022, reproduce, arguments)


def run_reproduce_gestures(arguments: list[str]) -> int:
    """Run the protocol of GESTURES (MICCAI 2021) on its public features."""
    from semiology.experiments.reproduce import gestures
    from semiology.experiments.reproduce.comparison import CORRELATION

    gestures_parser = parser("reproduce gestures", run_reproduce_gestures)
    gestures_parser.add_class_arguments(gestures.GesturesProtocol, None)
    gestures_parser.add_argument(
        "--correlation",
        type=float,
        default=CORRELATION,
        help="between correct predictions of two seizures of one patient [choice]",
    )
    parsed = gestures_parser.instantiate_classes(gestures_parser.parse_args(arguments))
    protocol = gestures.GesturesProtocol(
        **{name: getattr(parsed, name) for name in gestures.GesturesProtocol.__dataclass_fields__}
    )
    print(gestures.reproduce_gestures(protocol, parsed.correlation))
    print(f"\nreproduction: {protocol.out}/reproduction.json, report: {protocol.out}/report.html")
    return 0


def run_reproduce_myasthenia(arguments: list[str]) -> int:
    """Run the protocol of the myasthenia study on a cohort: diagnosis and severity from the face,
    then unseen participants.
    """
    from semiology.experiments.reproduce.myasthenia import reproduce_myasthenia as reproduce

    return _reproduce_on_cohort("myasthenia", run_reproduce_myasthenia, reproduce, arguments)


def run_reproduce_s3(arguments: list[str]) -> int:
    """Judge every model's answers in your copy of the Seizure-Semiology-Suite's tables, by patient,
    beside answers that need no video.
    """
    from semiology.experiments.reproduce.s3 import reproduce_s3

    s3_parser = parser("reproduce s3", run_reproduce_s3)
    s3_parser.add_argument(
        "folder", type=Path, help="with result/ground_truth, result/vlm_inference"
    )
    s3_parser.add_function_arguments(reproduce_s3, skip={"folder"})
    parsed = s3_parser.parse_args(arguments)
    result = reproduce_s3(**options(parsed))
    print(result)
    print(f"\nreproduction: {parsed.out / 'reproduction.json'}")
    return 1 if result.not_run else 0


REPRODUCE_ACTIONS = {
    "hou2022": run_reproduce_hou2022,
    "gestures": run_reproduce_gestures,
    "myasthenia": run_reproduce_myasthenia,
    "s3": run_reproduce_s3,
}


def _reproduce_on_cohort(
    paper: str, command: Command, reproduce: Callable, arguments: list[str]
) -> int:
    cohort_parser = parser(f"reproduce {paper}", command)
    cohort_parser.add_function_arguments(reproduce)
    parsed = cohort_parser.parse_args(arguments)
    result = reproduce(**options(parsed))
    print(result)
    print(f"\nreproduction: {parsed.out / 'reproduction.json'}")
    return 1 if result.not_run else 0


def run_probe(arguments: list[str]) -> int:
    """Probe the layers of a run's stream for any column of the cohort, with controls and the chance
    level. The probes are linear and scored on held-out participants.
    """
    from semiology.experiments import api

    probe_parser = parser("probe", run_probe)
    probe_parser.add_argument("run", type=Path, help="folder of the run")
    probe_parser.add_function_arguments(api.probe, skip={"run", "classifier", "allow"})
    probe_parser.add_argument(
        "--probe",
        choices=["ridge", "logistic"],
        default="ridge",
        help="the classifier; logistic is slower",
    )
    parsed = probe_parser.parse_args(arguments)
    say_size(parsed.run)
    from semiology.experiments.probe import probe_run

    probing = probe_run(**options(parsed))
    print(probing.text())
    tables = Path(parsed.out or parsed.run / "probe") / probing.name
    print(f"\n{tables}: the table (.csv) and everything else (.json)")
    return 0


def run_explain(arguments: list[str]) -> int:
    """Attribute a run's predictions to joints, bones, times and regions of the face, with checks of
    whether the attribution can be believed.
    """
    from semiology.experiments import api

    explain_parser = parser("explain", run_explain)
    explain_parser.add_argument("run", type=Path, help="folder of the run")
    explain_parser.add_function_arguments(api.explain, skip={"run", "allow"})
    parsed = explain_parser.parse_args(arguments)
    say_size(parsed.run)
    from semiology.experiments.explain import explain

    for path in explain(**options(parsed)):
        print(explanation_text(read_json(path)))
        print(f"{path}\n")
    return 0


SCORED_BY = {  # which model scored each clip, by how it relates to the clip's participant
    "never seen": "each clip by a model that was not trained on its participant",
    "known": "each clip by a model trained on other clips of its participant, not on it",
    "some known": "each clip by a model trained on other clips of some participants, not on it",
    "trained on": "by a model that was TRAINED ON THESE CLIPS (no fold's model is saved)",
}


def explanation_text(explanation: dict[str, Any]) -> str:
    """The main figures of one explanation, to read in a terminal."""
    ranked = sorted(explanation["joints"].items(), key=lambda item: -item[1])
    shown, sanity = explanation["shown"], explanation["sanity"]
    deletion, truth = explanation["deletion"], explanation["truth"]
    lines = [
        f"{explanation['task']}, {explanation['model']}: evidence for {explanation['level']},"
        f" {explanation['method'].replace('_', ' ')}; {SCORED_BY[shown['people']]}"
    ]
    if explanation["left_out"]:
        lines.append(
            f"  {shown['left_out']} of {shown['scored']} scored clips are left out:"
            f" {', '.join(explanation['left_out'])} (their fold's model is not saved, or they are"
            " no longer in the cohort)"
        )
    lines += [
        f"  {shown['clips']} clips: {shown['which']}",
        "  joints: " + ", ".join(f"{name} {fraction:.0%}" for name, fraction in ranked[:5]),
    ]
    if shown["without_evidence"]:
        lines.append(
            f"  {shown['without_evidence']} of these clips have no evidence for the class and are"
            " not counted in these fractions"
        )
    if explanation["regions"]:
        regions = explanation["regions"].items()
        lines.append("  face: " + ", ".join(f"{name} {fraction:.0%}" for name, fraction in regions))
    if explanation["completeness"]:
        gap = explanation["completeness"]["relative_gap"]
        lines.append(f"  sums to the score within {gap:.1%}")
    verdict = (
        "passed"
        if sanity["passed"]
        else "NOT passed: the map hardly depends on the trained weights"
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
        for name, chance, label in (
            ("joint_share", "joint_chance", "evidence on the true joints"),
            ("hit", "hit_chance", "top joint is a true one"),
            ("time_share", "time_chance", "evidence in the true time"),
        ):
            lines.append(
                f"  truth: {label} {truth[name]:.0%} {_interval(truth[f'{name}_interval'])}, by"
                f" chance {truth[chance]:.0%}"
            )
    return "\n".join(lines)


def _interval(bounds: list[float | None]) -> str:
    low, high = bounds
    return "(no interval)" if low is None or high is None else f"({low:.2f} to {high:.2f})"


def run_pretrain(arguments: list[str]) -> int:
    """Train the network that reads faces, bodies or snippets, on images or clips that you
    labelled, or keypoints, on tracks without labels.
    """
    return act("pretrain", run_pretrain, PRETRAIN_ACTIONS, arguments)


def run_pretrain_expression(arguments: list[str]) -> int:
    """Train a VGG-19 on face crops at 48 px, in the form of FER networks."""
    return _pretrain_images("expression", run_pretrain_expression, arguments)


def run_pretrain_posture(arguments: list[str]) -> int:
    """Train a VGG-19 on body crops, in torchvision's form."""
    return _pretrain_images("posture", run_pretrain_posture, arguments)


def run_pretrain_action(arguments: list[str]) -> int:
    """Train a small R(2+1)D on snippets of video."""
    from semiology.models.pretraining import pretrain_action as pretrain

    action_parser = parser("pretrain action", run_pretrain_action)
    action_parser.add_argument(
        "clips",
        type=Path,
        help="a folder of class folders of videos, or of train/ and test/ with class folders",
    )
    action_parser.add_function_arguments(pretrain, skip={"clips"})
    result = pretrain(**options(action_parser.parse_args(arguments)))
    print(result.text())
    return 1 if result.failed else 0


def run_pretrain_skeleton(arguments: list[str]) -> int:
    """Train an encoder of keypoints on tracks without labels, of any skeleton; models of `loso`
    start from it. Hidden joints and frames are reconstructed. A stopped training continues.
    """
    from semiology.models.networks import Network
    from semiology.models.pretraining import pretrain_skeleton as pretrain
    from semiology.models.pretraining.masked import Recipe
    from semiology.models.training.reading import Reading

    skeleton_parser = parser("pretrain skeleton", run_pretrain_skeleton)
    skeleton_parser.add_argument(
        "inputs",
        nargs="+",
        type=Path,
        help="cohorts, stores, folders of .nc or .csv tracks, such files",
    )
    skeleton_parser.add_function_arguments(
        pretrain, skip={"inputs", "reading", "network", "recipe"}
    )
    skeleton_parser.add_class_arguments(Reading, "reading", skip={"label"}, instantiate=False)
    skeleton_parser.add_argument("--network.stream", default="agcn", help="see loso")
    skeleton_parser.add_argument("--network.options", type=dict[str, Any], default={})
    skeleton_parser.add_class_arguments(Recipe, "recipe")
    parsed = skeleton_parser.instantiate_classes(skeleton_parser.parse_args(arguments))
    given = options(parsed, "reading", "network")
    reading = Reading("", **vars(parsed.reading))
    result = pretrain(reading=reading, network=Network(**vars(parsed.network)), **given)
    print(result.text())
    return 1 if result.failed else 0


PRETRAIN_ACTIONS = {
    "expression": run_pretrain_expression,
    "posture": run_pretrain_posture,
    "action": run_pretrain_action,
    "skeleton": run_pretrain_skeleton,
}


@contextmanager
def _tensors_only() -> Iterator[None]:
    """While it lasts, torch reads tensors and plain values from a checkpoint, whoever asks for
    more.
    """
    name = "TORCH_FORCE_WEIGHTS_ONLY_LOAD"
    before, os.environ[name] = os.environ.get(name), "1"
    try:
        yield
    finally:
        if before is None:
            del os.environ[name]
        else:
            os.environ[name] = before


def run_train(arguments: list[str]) -> int:
    """Train one stream on one split by the Lightning command line. The model is StreamModule or
    DistillationModule; the trainer's options are Lightning's own. `fit` also saves the trained
    network as a model folder, which a teacher and `semiology predict` read; `predict` prints the
    held-out clips' probabilities.
    """
    from importlib.metadata import version
    from pickle import UnpicklingError  # noqa: TID251 (torch raises it; nothing is unpickled)

    from lightning.pytorch.cli import LightningArgumentParser, LightningCLI

    from semiology.data.result import guard_parsing
    from semiology.models.training.datamodule import ClipDataModule
    from semiology.models.training.modules import StreamModule
    from semiology.models.training.saved import SavedModel
    from semiology.models.training.trainer import precision_of, score, settle_norms

    mode = guard_parsing()

    class Line(LightningCLI):
        """Lightning's command line, which a config cannot make build or unpickle what it likes."""

        def init_parser(self, **kwargs: Any) -> LightningArgumentParser:
            return with_our_words(super().init_parser(**kwargs, parser_mode=mode))

        @staticmethod
        def subcommands() -> dict[str, set[str]]:
            return {
                name: {*skipped, "weights_only"}
                for name, skipped in LightningCLI.subcommands().items()
            }

    sys.argv = ["semiology train"]  # LightningCLI reads it, too
    try:
        with _tensors_only():
            line = Line(
                StreamModule,
                ClipDataModule,
                args=arguments or ["--help"],
                subclass_mode_model=True,
                seed_everything_default=0,
                parser_kwargs={"description": description(run_train)},
                save_config_kwargs={"overwrite": True},
            )
    except UnpicklingError as error:
        raise UserError(
            "ckpt_path: holds more than tensors and plain values, and reading it would run code;"
            " give a checkpoint that `semiology train fit` wrote"
        ) from error
    except ValueError as error:  # jsonargparse's, about a UserError while a class was built
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, UserError):
            cause = cause.__cause__ or cause.__context__
        raise cause or error from None
    module, data = line.model, line.datamodule
    module.precision = precision_of(line.trainer)
    if line.subcommand == "fit":
        settle_norms(module, data)
        folder = Path(line.trainer.log_dir or line.trainer.default_root_dir) / "model"
        labels = data.source.reading.labels
        for label in labels:  # of several a model each, in a folder of its name
            single, own = module.of_label(data, label)
            about = {
                "label": label,
                "training": sorted({clip.participant_id for clip in data.training}),
                "validation": sorted({clip.participant_id for clip in data.validation}),
                "seconds": own.source.window_seconds,
                "software": f"semiology {version('semiology')}",
            }
            SavedModel(
                single.network,
                module.make_network,
                own.source.reading,
                own.source.levels,
                own.shape,
                about,
            ).save(folder if len(labels) == 1 else folder / label)
        print(f"model: {folder}")
    if line.subcommand == "predict":
        source = data.source
        clip_ids, probabilities = score(module, data, data.held_out or source.clips)
        columns = [
            level if len(source.labels) == 1 else f"{label.name}: {level}"
            for label in source.labels
            for level in label.levels
        ]
        print("\t".join(["clip_id", *columns]))
        for clip_id, row in zip(clip_ids, probabilities):
            print("\t".join([clip_id, *(f"{value:.4f}" for value in row)]))
    return 0


TRAIN_ACTIONS = ("fit", "validate", "test", "predict")  # the subcommands of LightningCLI


def _pretrain_images(kind: str, command: Command, arguments: list[str]) -> int:
    from semiology.models.pretraining import pretrain

    images_parser = parser(f"pretrain {kind}", command)
    images_parser.add_argument(
        "images", type=Path, help="a folder of class folders, or a CSV in FER-2013's form"
    )
    images_parser.add_function_arguments(pretrain, skip={"kind", "images"})
    result = pretrain(kind, **options(images_parser.parse_args(arguments)))
    print(result.text())
    return 1 if result.failed else 0
