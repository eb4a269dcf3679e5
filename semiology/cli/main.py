"""The command line: one verb a stage, each of which calls one public function. Options and configs
go through jsonargparse.
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module, metadata

from semiology.errors import UserError


@dataclass(frozen=True)
class Verb:
    """A verb of the command line and the module-level function `run(arguments) -> exit status` that
    serves it.
    """

    module: str
    help: str


VERBS = {
    "doctor": Verb(
        "doctor_verb",
        "what is installed, which backends and weights are there, which device will be used",
    ),
    "phantom": Verb(
        "phantom",
        "OUT | seizures OUT | actions OUT | myoclonus OUT | weakness OUT: render a synthetic cohort"
        " whose truth is known",
    ),
    "cohort": Verb(
        "cohort",
        "check DIR | import gestures FOLDER: validate a cohort and print its table, or make one of"
        " public features",
    ),
    "extract": Verb("extract", "videos to tracks and appearance features"),
    "lift": Verb(
        "tracking",
        "train | apply: joints in space from joints in the picture, for trackers without depth",
    ),
    "pretrain": Verb(
        "pretrain",
        "expression | posture | action: train the network that reads faces, bodies or snippets, on"
        " what you labelled",
    ),
    "train": Verb(
        "training",
        "fit | validate | test | predict: one stream on one split, by the Lightning command line",
    ),
    "loso": Verb(
        "loso", "leave-one-subject-out: every fold of every model, to a table with intervals"
    ),
    "localise": Verb(
        "localise",
        "when each sign is there, learned from recordings with marked events, leaving one"
        " participant out",
    ),
    "explain": Verb(
        "experiments",
        "which joints, bones and times a run's models look at, with the checks that say whether to"
        " believe it",
    ),
    "report": Verb("report", "rebuild metrics.json and report.html from a run's predictions.csv"),
    "myoclonus": Verb(
        "severity",
        "jerks in a cohort's tracks, scored by body part, panel and visit, with a report a patient",
    ),
    "reproduce": Verb(
        "reproduce",
        "hou2022 | gestures | myasthenia: a paper's protocol on your data: published, obtained, and"
        " whether they agree",
    ),
    "probe": Verb(
        "probe",
        "what each layer of a run's stream knows: linear probes of any column of the cohort, with"
        " controls and chance",
    ),
    "audit": Verb(
        "audit",
        "leakage checks of a run, from its own records: each passed, failed, or not possible, with"
        " what is missing",
    ),
    "weakness": Verb(
        "weakness",
        "facial weakness of a cohort: expressions, the face by side, a score, patients beside"
        " controls",
    ),
    "predict": Verb(
        "predict",
        "each sign's probability over time for one video, and a copy of it with what was seen"
        " drawn in",
    ),
    "timeline": Verb(
        "timeline_verb",
        "each sign's probability and events through a video of any length, a growing file or a"
        " camera",
    ),
    "events": Verb(
        "timeline",
        "score | tune | find: events against true ones; thresholds and what they give on new"
        " people; events by them",
    ),
    "agreement": Verb(
        "evaluation",
        "scores of a machine and of raters: correlation, ICC, kappa, Bland-Altman, detectable and"
        " real change",
    ),
    "weights": Verb(
        "weights",
        "list | get | add | verify: published weights, fetched or brought by hand, their hashes"
        " checked",
    ),
    "deidentify": Verb(
        "deidentify",
        "copies of videos with every head covered, checked, without sound and metadata",
    ),
    "tracks": Verb(
        "data",
        "import | export: keypoints of OpenPose, DeepLabCut, SLEAP, COCO, OpenFace, Py-Feat,"
        " MediaPipe, movement",
    ),
    "tracking": Verb(
        "tracking_verb",
        "labelled frames, tracking error, fine-tuning: `semiology tracking` lists its actions",
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. Exit status: 0 done, 1 done in part (what failed is listed), 2 the user's input
    is wrong, 130 stopped by the user.
    """
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_help())
        return 0
    if arguments[0] == "--version":
        print(f"semiology {metadata.version('semiology')}")
        return 0
    if arguments[0] not in VERBS:
        print(f"semiology: no verb {arguments[0]!r}; verbs are {', '.join(VERBS)}", file=sys.stderr)
        return 2
    try:
        run: Callable[[list[str]], int] = import_module(
            f"semiology.cli.{VERBS[arguments[0]].module}"
        ).run
        return run(arguments[1:])
    except UserError as error:
        print(f"semiology {arguments[0]}: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(
            f"semiology {arguments[0]}: {error.filename or 'the system'}:"
            f" {error.strerror or error}",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt:
        print(
            f"\nsemiology {arguments[0]}: stopped; what was finished is kept, the same command goes"
            " on from there",
            file=sys.stderr,
        )
        return 130


def _help() -> str:
    width = max(map(len, VERBS)) + 2
    lines = [f"  {name:<{width}}{verb.help}" for name, verb in VERBS.items()]
    return "\n".join(
        [
            (
                "semiology: from clinical video to semiologic signs, with the evidence. Not a"
                " medical device."
            ),
            "",
            "usage: semiology VERB [options]     (semiology VERB --help for its options)",
            "",
            *lines,
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
