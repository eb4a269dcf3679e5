"""The files of what a rater marked and rated:

events/<clip_id>_events.tsv, .json   closed events; open ones are in the journal alone
ratings.tsv, ratings.json            see `semiology.data.ratings`
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from semiology.data.cohort import Clip
from semiology.data.events import ENDING, write_events
from semiology.data.ratings import Rating, write_ratings
from semiology.review.marks import NO_VALUE, Marks
from semiology.review.study import Sign


def write_marked(marks: Marks, folder: Path, clip_id: str, length: float | None) -> None:
    """Write the closed events of a clip into a rater's folder."""
    events = [one.event(marks.rater) for one in marks.events(clip_id) if one.duration is not None]
    signs = [marks.signs[event.sign] for event in events if event.sign in marks.signs]
    path = folder / "events" / f"{clip_id}{ENDING}"
    write_events(path, events, length, described_by(signs))


def write_rated(marks: Marks, folder: Path, clips: Mapping[str, Clip]) -> None:
    """Write all ratings into a rater's folder."""
    ratings = []
    for clip_id, clip in clips.items():
        given = {
            key[1:]: found
            for key, found in marks.values(clip_id, "rating").items()
            if found is not None
        }
        places = {name: place for place, name in enumerate(marks.items)}
        for reading, name in sorted(
            given, key=lambda key: (key[0], places.get(key[1], len(places)), key[1])
        ):
            value, when = given[reading, name]
            text = f"{value:.15g}" if isinstance(value, float) else value
            visit = clip.covariates.get("visit", "")
            ratings.append(
                Rating(
                    *(clip_id, clip.participant_id, visit, reading, name),
                    *("" if text == NO_VALUE else text, when),
                )
            )
    items: dict[str, dict[str, Any]] = {
        item.name: {"Title": item.title, "Levels": list(item.levels)}
        if item.levels
        else {"Title": item.title, "Minimum": item.minimum, "Maximum": item.maximum}
        for item in marks.items.values()
    }
    write_ratings(folder, ratings, items)


def described_by(signs: Sequence[Sign]) -> dict[str, dict[str, Any]]:
    """What the sidecar of a table of events says of its signs and levels: BIDS' "Levels" and, where
    they are known, "HED" tags.

    A level that two signs have with different meanings is described as both. HED has a tag for a
    value of a column: of a level with the tags of several signs it holds none.
    """
    described: dict[str, dict[str, Any]] = {}
    meanings: dict[str, list[str]] = {}
    tags: dict[str, set[str]] = {}
    for sign in {sign.name: sign for sign in signs}.values():
        about = described.setdefault("trial_type", {"Levels": {}})
        about["Levels"][sign.name] = sign.description or sign.name
        if isinstance(sign.hed, str) and sign.hed:
            about.setdefault("HED", {})[sign.name] = sign.hed
        for level, meaning in sign.levels.items():
            meanings.setdefault(level, []).append(meaning or level)
        for level, tag in (sign.hed if isinstance(sign.hed, dict) else {}).items():
            tags.setdefault(level, set()).add(tag)
    if meanings:
        levels = {level: "; ".join(dict.fromkeys(texts)) for level, texts in meanings.items()}
        described["level"] = {"Levels": levels}
        if one := {level: next(iter(tag)) for level, tag in tags.items() if len(tag) == 1}:
            described["level"]["HED"] = one
    return described
