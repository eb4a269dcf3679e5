"""semiology phantom OUT [--subjects 19 --seed 0 ...], and with --stills N also pictures of other people to pretrain on."""

from semiology.phantom import make_phantom, make_stills
from semiology.verbs import options, parser


def run(arguments: list[str]) -> int:
    made = parser("phantom", make_phantom)
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
