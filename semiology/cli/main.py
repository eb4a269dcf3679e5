"""`semiology VERB [options]`: finds a verb's function and calls it; the list of verbs, by task."""

import os
import sys
import textwrap
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import NamedTuple

from semiology.cli import Command, summary
from semiology.data.result import allowing
from semiology.errors import UserError


class Verb(NamedTuple):
    """Where a verb is defined: a module of `semiology.cli`, its function, and the name of the
    mapping whose keys are the verb's actions, if it has any.
    """

    module: str
    function: str
    actions: str | None = None

    def load(self) -> tuple[Command, Mapping[str, object]]:
        """The function, and the actions by name."""
        module = import_module(f"semiology.cli.{self.module}")
        actions = getattr(module, self.actions) if self.actions else {}
        return getattr(module, self.function), actions


TASKS = {
    "Start and check": {
        "doctor": Verb("doctor", "run_doctor"),
        "demo": Verb("demo", "run_demo"),
        "phantom": Verb("data", "run_phantom", "PHANTOM_ACTIONS"),
        "weights": Verb("data", "run_weights", "WEIGHTS_ACTIONS"),
    },
    "Data": {
        "cohort": Verb("data", "run_cohort", "COHORT_ACTIONS"),
        "tracks": Verb("data", "run_tracks", "TRACKS_ACTIONS"),
        "deidentify": Verb("tracking", "run_deidentify"),
    },
    "Tracking": {
        "extract": Verb("tracking", "run_extract"),
        "lift": Verb("tracking", "run_lift", "LIFT_ACTIONS"),
        "tracking": Verb("labels", "run_tracking", "TRACKING_ACTIONS"),
    },
    "Review": {"review": Verb("review", "run_review")},
    "Training and cross-validation": {
        "pretrain": Verb("experiments", "run_pretrain", "PRETRAIN_ACTIONS"),
        "train": Verb("experiments", "run_train", "TRAIN_ACTIONS"),
        "loso": Verb("experiments", "run_loso"),
        "table": Verb("table", "run_table"),
        "reproduce": Verb("experiments", "run_reproduce", "REPRODUCE_ACTIONS"),
    },
    "Evaluation": {
        "report": Verb("evaluation", "run_report"),
        "audit": Verb("evaluation", "run_audit"),
        "judge": Verb("table", "run_judge"),
        "explain": Verb("experiments", "run_explain"),
        "probe": Verb("experiments", "run_probe"),
        "agreement": Verb("evaluation", "run_agreement"),
    },
    "Over time": {
        "predict": Verb("timeline", "run_predict"),
        "timeline": Verb("timeline", "run_timeline"),
        "events": Verb("events", "run_events", "EVENTS_ACTIONS"),
        "clock": Verb("timeline", "run_clock", "CLOCK_ACTIONS"),
        "localise": Verb("timeline", "run_localise"),
    },
    "Severity": {
        "hands": Verb("severity", "run_hands"),
        "myoclonus": Verb("severity", "run_myoclonus"),
        "weakness": Verb("severity", "run_weakness"),
        "flow": Verb("severity", "run_flow"),
        "features": Verb("severity", "run_features"),
    },
}
VERBS = {name: verb for verbs in TASKS.values() for name, verb in verbs.items()}
WIDTH = 100  # columns of the list of verbs


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one verb. Exit status: 0 done, 1 done in part (what failed is listed), 2 the user's input
    is wrong, 130 stopped by the user, 141 whoever read what it prints has closed it, as `head`
    does.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started this
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
    try:
        status = _run(list(sys.argv[1:] if arguments is None else arguments))
        sys.stdout.flush()
        return status
    except OSError as error:  # of the standard output
        with open(os.devnull, "w") as nowhere:  # for what Python itself flushes at its end
            os.dup2(nowhere.fileno(), sys.stdout.fileno())
        if isinstance(error, BrokenPipeError):
            return 141
        print(f"semiology: the standard output: {error.strerror}", file=sys.stderr)
        return 2


def _run(arguments: list[str]) -> int:
    """Run one verb; every error but a closed output is reported, and becomes an exit status."""
    for name, text in _bars().items():
        os.environ.setdefault(name, text)
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_help())
        return 0
    if arguments[0] == "--version":
        from importlib import metadata  # a third of the time of `--help`

        print(f"semiology {metadata.version('semiology')}")
        return 0
    if arguments[0] not in VERBS:
        print(f"semiology: no verb {arguments[0]!r}; verbs are {', '.join(VERBS)}", file=sys.stderr)
        return 2
    try:
        run, _ = VERBS[arguments[0]].load()
        own, rest = _allowed(arguments[1:])
        if not own:
            return run(rest)
        print(
            f"semiology {arguments[0]}: --allow: classes of {', '.join(own)} may be named by a"
            " config or a model, and their code runs",
            file=sys.stderr,
        )
        with allowing(own):
            return run(rest)
    except UserError as error:
        print(f"semiology {arguments[0]}: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        raise
    except OSError as error:
        print(
            f"semiology {arguments[0]}: {error.filename or 'the system'}:"
            f" {error.strerror or error}",
            file=sys.stderr,
        )
        return 2
    except UnicodeDecodeError as error:
        print(
            f"semiology {arguments[0]}: a file among the inputs is not text in UTF-8 ({error});"
            " check the path, or save it again as UTF-8",
            file=sys.stderr,
        )
        return 2
    except KeyboardInterrupt as stopped:
        kept = str(stopped) or "finished work is saved"
        print(
            f"\nsemiology {arguments[0]}: stopped; {kept}, and the same command continues from"
            " there",
            file=sys.stderr,
        )
        return 130


def _bars() -> dict[str, str]:
    """tqdm's settings where its own do not fit: into a log file bars write a line a minute; on a
    terminal that states no size, as a container or a batch system may give, they would print
    nothing.
    """
    if not sys.stderr.isatty():
        return {"TQDM_MININTERVAL": "60", "TQDM_MAXINTERVAL": "60"}
    if not all(os.get_terminal_size(sys.stderr.fileno())):
        return {"TQDM_NCOLS": str(WIDTH), "TQDM_NROWS": "24"}
    return {}


def _allowed(arguments: list[str]) -> tuple[list[str], list[str]]:
    """The modules after --allow, and the other arguments. It is taken here, so that no config can
    set it.
    """
    modules, others, rest = [], [], iter(arguments)
    for argument in rest:
        name, given, value = argument.partition("=")
        if name != "--allow":
            others.append(argument)
        elif module := value if given else next(rest, ""):
            modules.append(module)
        else:
            raise UserError("--allow: name the module of your own classes, such as my_networks")
    return modules, others


def _help() -> str:
    blocks = [
        "semiology: from clinical video to semiologic signs, with the evidence. Not a medical"
        " device.",
        "usage: semiology VERB [options]     (semiology VERB --help for its options)",
    ]
    for task, verbs in TASKS.items():
        blocks.append("\n".join([f"{task}:", *(_line(*item) for item in verbs.items())]))
    blocks.append(
        "With any verb, --allow MODULE: configs and models may name classes in this module of"
        " yours,\nwhose code then runs; without it they build our own only."
    )
    return "\n\n".join(blocks)


def _line(name: str, verb: Verb) -> str:
    """A verb, its actions and its summary, wrapped."""
    command, actions = verb.load()
    column = max(map(len, VERBS)) + 4
    text = (f"{' | '.join(actions)}: " if actions else "") + summary(command)
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=f"  {name}".ljust(column),
        subsequent_indent=" " * column,
        break_on_hyphens=False,
    )


if __name__ == "__main__":
    sys.exit(main())
