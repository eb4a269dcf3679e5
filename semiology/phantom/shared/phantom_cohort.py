"""What every phantom cohort on disk has in common: clips made once from a named recipe, their truth, its tables."""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from joblib import Parallel, delayed
from tqdm import tqdm

from semiology.errors import UserError
from semiology.files import write_text
from semiology.phantom.shared.cohort import DESCRIPTION


def recipe_name(recipe: Any, version: int, *kind: str) -> str:
    """A digest that names the recipe (a dataclass) in each clip's truth; `kind` tells one kind of cohort from another."""
    return hashlib.sha256(json.dumps([*kind, version, asdict(recipe)], sort_keys=True).encode()).hexdigest()[:16]


def make_clips(
    make_clip: Callable[..., dict[str, str]], out: Path, recipe: Any, places: Sequence[tuple], *, jobs: int, progress: bool, what: str
) -> list[dict[str, str]]:
    """Rows of clips.tsv: `make_clip(out, recipe, *place)` for each place, in so many processes.

    Raises:
        UserError: the folder holds a cohort that is no phantom.
    """
    check_folder(out)
    made = Parallel(n_jobs=jobs, return_as="generator")(delayed(make_clip)(out, recipe, *place) for place in places)
    return list(tqdm(made, total=len(places), desc=what, unit="clip", disable=not progress))


def check_folder(out: Path) -> None:
    """Raises UserError where the folder holds a cohort that is no phantom."""
    sidecar = out / "clips.json"
    if (out / "clips.tsv").exists() and not (sidecar.is_file() and '"synthetic"' in sidecar.read_text(errors="replace")):
        raise UserError(f"{out}: holds a cohort that is no phantom; choose another folder")


def is_made(truth: Path, recipe_name: str, video: Path) -> bool:
    """Whether a clip is whole, and from the recipe of that name."""
    if not (truth.is_file() and video.is_file()):
        return False
    try:
        return json.loads(truth.read_text()).get("recipe_name") == recipe_name
    except ValueError:
        return False


def write_truth(truth: Path, told: dict, recipe: Any, name: str) -> None:
    """A clip's JSON truth, with the recipe and its name: the last file of a clip."""
    write_text(truth, json.dumps({"synthetic": True, **told, "recipe": asdict(recipe), "recipe_name": name}, indent=1))


def write_tables(
    out: Path, rows: list[dict[str, str]], sidecar: dict[str, dict], readme: str, recipe: dict, groups: dict[str, str] | None = None
) -> None:
    """Everything of a phantom cohort but its clips; clips.tsv last. `groups`: participant_id -> control or patient."""
    names = dict.fromkeys(row["participant_id"] for row in rows)
    people = [{"participant_id": name, "synthetic": "yes"} | ({"group": groups[name]} if groups else {}) for name in names]
    write_text(out / "participants.tsv", table(people))
    write_text(out / "clips.json", json.dumps(sidecar, indent=2) + "\n")
    write_text(out / "dataset_description.json", json.dumps({**DESCRIPTION, "Recipe": recipe}, indent=2) + "\n")
    write_text(out / "README.md", readme)
    write_text(out / "clips.tsv", table(rows))


def table(rows: list[dict[str, str]]) -> str:
    return "".join("\t".join(cells) + "\n" for cells in [list(rows[0]), *(list(row.values()) for row in rows)])
