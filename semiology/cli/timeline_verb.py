"""semiology timeline SOURCE --model RUN [--out DIR]"""

import sys
from typing import Any

from semiology.cli import options, parser
from semiology.timeline.stream import TimelineOptions, timeline


def run(arguments: list[str]) -> int:
    made = parser("timeline", timeline)
    made.add_argument("source", type=str, help="a video, or a camera's address")
    made.add_function_arguments(timeline, skip={"source", "options"})
    made.add_class_arguments(TimelineOptions, None)
    parsed = made.instantiate_classes(made.parse_args(arguments))
    given = options(parsed)
    own = {name: given.pop(name) for name in TimelineOptions.__dataclass_fields__}
    result = timeline(options=TimelineOptions(**own), **given)
    print("\n".join(said(result)))
    if not result["complete"]:
        print(f"semiology timeline: {result['ended']}", file=sys.stderr)
    return 0 if result["complete"] or result["ended"] == "stopped by the user" else 1


def said(result: dict[str, Any]) -> list[str]:
    """What a person reads of the run."""
    lines = []
    for task, sign in result["signs"].items():
        own = [event for event in result["events"] if event["sign"] == task]
        tuned = "" if sign["tuned"] else " (untuned thresholds)"
        lines.append(f"{task}: {len(own)} events{tuned}")
        lines += [
            f"  {event['onset']:.1f} to {event['onset'] + event['duration']:.1f} s:"
            f" {event['level']}"
            for event in own
        ]
    frames = result["frames"]
    lines.append(
        f"{result['duration_s']:.1f} s of video, {frames['grid']} frames, {frames['missing']}"
        f" missing, {frames['dropped']} dropped"
    )
    if result["latency_s"]:
        latency = result["latency_s"]
        lines.append(
            f"latency: median {latency['median']:.2f} s, 95 % {latency['q95']:.2f} s, largest"
            f" {latency['largest']:.2f} s"
        )
    if result["complete"] and result["ended"]:
        lines.append(f"note: {result['ended']}")
    return lines
