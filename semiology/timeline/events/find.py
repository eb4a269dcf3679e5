"""Events and a figure from an existing timeline: other thresholds do not need the video again."""

from collections.abc import Mapping
from pathlib import Path

from semiology.data.events import Event, EventTable, write_events
from semiology.errors import UserError
from semiology.timeline.events.hysteresis import Hysteresis, find_events
from semiology.timeline.events.pairing import true_events
from semiology.timeline.events.plot import draw_timeline
from semiology.timeline.events.timeline import Timeline


def find_in_timeline(
    timeline: Timeline,
    out: str | Path,
    thresholds: Mapping[str, Mapping[str, Hysteresis]] | None = None,
    truth: EventTable | None = None,
    names: Mapping[str, str] | None = None,
) -> list[Event]:
    """Detect the events of one timeline; writes OUT/events.tsv, events.json and timeline.png.

    Args:
        timeline: the probabilities.
        out: folder.
        thresholds: task -> level -> thresholds, of `read_thresholds`; signs without thresholds are
            drawn without events. None: the untuned defaults for all signs.
        truth: annotated events, which are drawn too.
        names: task -> sign in the annotations.

    Raises:
        UserError: thresholds that name no sign of the timeline, as `find_events`.
    """
    if thresholds is None:
        used = dict.fromkeys(timeline.windows, Hysteresis())
    else:
        used = {
            (task, level): thresholds[task][level]
            for task, level in timeline.windows
            if level in thresholds.get(task, {})
        }
    if not used:
        raise UserError(
            "the thresholds name none of the timeline's signs,"
            f" {', '.join(' '.join(trace) for trace in timeline.windows)}"
        )
    found = {
        trace: find_events(
            [tuple(row) for row in timeline.windows[trace].tolist()], hysteresis, *trace
        )
        for trace, hysteresis in used.items()
    }
    events = [event for own in found.values() for event in own]
    write_events(Path(out) / "events.tsv", events, timeline.duration)
    true = None
    if truth is not None:
        signs = {event.sign for event in truth.events}
        true = {
            " ".join(trace): true_events(truth.events, trace, names, signs)
            for trace in timeline.windows
        }
    draw_timeline(
        Path(out) / "timeline.png",
        {" ".join(trace): windows for trace, windows in timeline.windows.items()},
        {" ".join(trace): own for trace, own in found.items()},
        timeline.duration,
        true,
        {" ".join(trace): hysteresis for trace, hysteresis in used.items()},
    )
    return events
