"""semiology weights list | get NAME... | add FILE NAME | verify"""

from pathlib import Path

from semiology.cli import parser
from semiology.errors import UserError
from semiology.weights import REGISTRY, add, get, known_weights, published, verify, weights_folder


def run(arguments: list[str]) -> int:
    made = parser("weights", known_weights)
    made.add_argument(
        "action", choices=["list", "get", "add", "verify"], help="get NAME..., add FILE NAME"
    )
    made.add_argument(
        "inputs", nargs="*", help="names from the list; for add: the file, and the name it goes by"
    )
    made.add_argument(
        "--folder",
        type=Path | None,
        default=None,
        help=f"where they are kept; by default {weights_folder()}",
    )
    made.add_argument(
        "--registry",
        type=Path,
        default=REGISTRY,
        help="another list of the same form, e.g. with a mirror's addresses",
    )
    parsed = made.parse_args(arguments)
    folder = parsed.folder or weights_folder()
    if parsed.action == "get":
        if not parsed.inputs:
            raise UserError(f"get: which weights? {', '.join(known_weights(parsed.registry))}")
        for name in parsed.inputs:
            print(get(name, folder, parsed.registry))
        return 0
    if parsed.action == "add":
        if len(parsed.inputs) != 2:
            raise UserError(
                f"add needs FILE NAME; names are {', '.join(known_weights(parsed.registry))}"
            )
        file, name = parsed.inputs
        print(add(file, name, folder, parsed.registry))
        return 0
    states = verify(folder, parsed.registry)
    for entry in [
        published(name, parsed.registry) for name in parsed.inputs or known_weights(parsed.registry)
    ]:
        name = entry.name
        print(f"{name:<36}{states[name]:<9}{entry.file}")
        if parsed.action == "list":
            print(
                f"    for {entry.task}: {entry.purpose}\n    {entry.url}\n    SHA-256"
                f" {entry.sha256}\n    {entry.licence}"
            )
    changed = [name for name in parsed.inputs or states if states[name] == "changed"]
    if changed:
        print(
            f"{folder}: changed since they were published: {', '.join(changed)}; remove them and"
            " get or add them again"
        )
    return 1 if changed and parsed.action == "verify" else 0
