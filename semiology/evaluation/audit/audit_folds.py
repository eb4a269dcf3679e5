"""Who is on which side of a fold, and whether every clip was predicted once, by the fold that held it out."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from semiology.evaluation.audit.check import Check, answer
from semiology.evaluation.audit.records import TEST, Record, Run, place
from semiology.evaluation.run.files import tested_people


def taught(record: Record) -> set[str]:
    """Clips that anything in the fold was fitted on, by any model."""
    return {clip_id for model in record["models"].values() for clips in model.get("seen", {}).values() for clip_id in clips}


def people(record: Record, clip_ids: Iterable[str]) -> set[str]:
    return {record["clips"][clip_id] for clip_id in clip_ids if clip_id in record["clips"]}


def check_sides(run: Run) -> Check:
    """No participant whose clips teach is held out in the same fold; nobody of the unseen test set teaches at all."""
    faults, missing = [], list(run.missing)
    for record in run.records:
        test = tested_people(run.config, record["task"])
        held, teaching = people(record, record["held_out_clips"]), people(record, taught(record))
        if not teaching:
            missing.append(f"{place(record)}: nothing says who taught its models")
        if both := sorted(held & teaching):
            other = " (it answers another question: seizures of known patients)" if record["split"] == "recording" else ""
            faults.append(f"{place(record)}: {_some(both)} on both sides{other}")
        if held != set(record["held_out"]):
            faults.append(f"{place(record)}: its clips are of {_some(sorted(held))}, but it names {_some(record['held_out'])} as held out")
        if record["split"] != TEST and (leaked := sorted(test & teaching)):
            faults.append(f"{place(record)}: {_some(leaked)} of the unseen test set taught")
    faults += _two_names(run)
    if not run.records:
        missing.append("no record of any fold is there; run `semiology loso` again")
    return answer(
        "participants",
        "Is any participant on both sides of a fold?",
        faults,
        missing,
        f"nobody is on both sides, in {len(run.records)} folds",
        _known_patients(run) or "a participant is on both sides",
    )


def check_once(run: Run) -> Check:
    """Every clip of a task predicted once a model and seed, by the fold that held it out."""
    faults, missing = [], list(run.missing)
    runs: dict[tuple, list[Record]] = defaultdict(list)
    for record in run.records:
        runs[record["task"], record["seed"], record["permutation"], record["split"] == TEST].append(record)
    for (task, seed, permutation, unseen), records in runs.items():
        what = f"{task}, seed {seed}" + ("" if permutation is None else f", permutation {permutation}") + (", test set" if unseen else "")
        test = tested_people(run.config, task)
        names = {name for record in records for name in [*run.models_of(record), *record.get("selected", {})]}
        clips = {clip_id: participant for record in records for clip_id, participant in record["clips"].items()}
        expected = {clip_id for clip_id, participant in clips.items() if (participant in test) == unseen}
        count: Counter[tuple[str, str]] = Counter()
        for record in records:
            for row in record["predictions"]:
                count[row["model"], row["clip_id"]] += 1
                if row["clip_id"] not in record["held_out_clips"]:
                    faults.append(f"{place(record)}: {row['model']} predicted {row['clip_id']}, which this fold did not hold out")
        for name in sorted(names):
            for clip_id in sorted(expected):
                if count[name, clip_id] > 1:
                    faults.append(f"{what}: {name} predicted {clip_id} {count[name, clip_id]} times")
                elif not count[name, clip_id]:
                    missing.append(f"{what}: no record holds {name}'s prediction of {clip_id}")
    if not run.judged:
        missing.append("no record of any fold is there; run `semiology loso` again")
    return answer(
        "predicted once",
        "Was every clip predicted once a model and seed, by the fold that held it out?",
        faults,
        missing,
        "every clip was predicted once a model and seed, by the fold that held it out",
        "a clip was predicted twice, or by a fold that knew it",
    )


def _known_patients(run: Run) -> str:
    """Which tasks were dealt by recording, and what that means for them alone; empty where none was."""
    tasks = {task: [record for record in run.records if record["task"] == task] for task in {record["task"] for record in run.records}}
    known = sorted(task for task, records in tasks.items() if any(record["split"] == "recording" for record in records))
    apart = sorted(
        task
        for task in tasks.keys() - set(known)
        if not any(people(record, record["held_out_clips"]) & people(record, taught(record)) for record in tasks[task])
    )
    if not known:
        return ""
    others = f" (nobody is on both sides in {', '.join(apart)})" if apart else ""
    return f"{', '.join(known)}: seizures of known patients were judged, not new patients{others}"


def _two_names(run: Run) -> list[str]:
    """Clips that records, table and sources give to different participants."""
    owners: dict[str, set[str]] = defaultdict(set)
    for record in run.records:
        for clip_id, participant in record["clips"].items():
            owners[clip_id].add(participant)
    for clip_id, participant in run.table[["clip_id", "participant_id"]].itertuples(index=False, name=None):
        owners[clip_id].add(participant)
    for clip_id, clip in ((run.sources or {}).get("clips") or {}).items():
        owners[clip_id].add(clip["participant_id"])
    return [f"clip {clip_id} is given to {_some(sorted(who))}" for clip_id, who in sorted(owners.items()) if len(who) > 1]


def _some(names: list[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
