"""semiology phantom OUT [--subjects 19 --seed 0 ...], and semiology phantom seizures|actions|myoclonus|weakness OUT"""

from semiology.phantom import make_actions, make_face_stills, make_myoclonus, make_phantom, make_seizures, make_stills, make_weakness
from semiology.verbs import options, parser


def run(arguments: list[str]) -> int:
    actions = {"seizures": _seizures, "actions": _actions, "myoclonus": _myoclonus, "weakness": _weakness}
    if arguments and arguments[0] in actions:
        return actions[arguments[0]](arguments[1:])
    made = parser("phantom", make_phantom)
    made.epilog = (
        "semiology phantom seizures OUT: seizures of two types, any length; semiology phantom actions OUT: clips to pretrain on; "
        "semiology phantom myoclonus OUT: jerks of known time, joint and amplitude; "
        "semiology phantom weakness OUT: faces of known weakness and side"
    )
    made.add_function_arguments(make_phantom, as_positional=True, skip={"null"})
    made.add_argument("--null", action="store_true", help="labels are drawn without regard to what is rendered")
    made.add_argument(
        "--stills", type=int, default=0, help="also this many stills a class, in OUT_stills, of people who are not in the cohort"
    )
    parsed = made.parse_args(arguments)
    folder = make_phantom(**options(parsed, "stills"))
    print(f"{folder}: a synthetic cohort, {parsed.subjects} subjects; its truth is in {folder / 'truth'}")
    if parsed.stills:
        stills = make_stills(f"{folder}_stills", per_class=parsed.stills, seed=parsed.seed, progress=parsed.progress)
        print(f"{stills}: {parsed.stills} stills a class of other people")
    return 0


def _seizures(arguments: list[str]) -> int:
    made = parser("phantom seizures", make_seizures)
    made.add_function_arguments(make_seizures, as_positional=True)
    parsed = made.parse_args(arguments)
    folder = make_seizures(**options(parsed))
    print(f"{folder}: seizures of {parsed.subjects} synthetic subjects; truth in {folder / 'truth'}, phases in {folder / 'events'}")
    return 0


def _actions(arguments: list[str]) -> int:
    made = parser("phantom actions", make_actions)
    made.add_function_arguments(make_actions, as_positional=True)
    folder = make_actions(**options(made.parse_args(arguments)))
    print(f"{folder}: labelled clips of synthetic people who are in no cohort, to pretrain on")
    return 0


def _myoclonus(arguments: list[str]) -> int:
    made = parser("phantom myoclonus", make_myoclonus)
    made.add_function_arguments(make_myoclonus, as_positional=True)
    parsed = made.parse_args(arguments)
    folder = make_myoclonus(**options(parsed))
    print(f"{folder}: myoclonus of {parsed.subjects} synthetic participants; every jerk is in {folder / 'truth'}")
    return 0


def _weakness(arguments: list[str]) -> int:
    made = parser("phantom weakness", make_weakness)
    made.add_function_arguments(make_weakness, as_positional=True)
    made.add_argument("--stills", type=int, default=0, help="also this many stills a class, in OUT_stills, of healthy people of no cohort")
    parsed = made.parse_args(arguments)
    folder = make_weakness(**options(parsed, "stills"))
    who = f"{parsed.patients} synthetic patients and {parsed.controls} controls"
    print(f"{folder}: faces of {who}, panel by panel; truth of landmarks and of either side in {folder / 'truth'}")
    if parsed.stills:
        shown = {"per_class": parsed.stills, "size": parsed.size, "seed": parsed.seed, "progress": parsed.progress}
        print(f"{make_face_stills(f'{folder}_stills', **shown)}: {parsed.stills} stills a class of other people")
    return 0
