"""What 10,000 patients would take, worked out from the figures of other benchmarks, and at how many
clips each step breaks.

    python benchmarks/scale.py

Prices are read from benchmarks/results/; nothing is measured here. Every line names where its price
comes from. docs/scale.md says what the lines mean; nobody has run this software on so many
patients.
"""

import json
import sys
from typing import Any

from record import RESULTS, record

RATE, FEATURES = 25, 5  # Hz, of tracks and of a VGG's features
CORES = 2  # that the prices of extraction and folds were measured on
PATIENTS = 10_000
CLIPS, CLIP_MINUTES = 5, 2.0  # of a patient, the first case
MONITORED = 24.0  # h of each patient, the second case
FOLDS, EPOCHS, SHOWN = 10, 40, 6  # SHOWN: steps that break first
GROWN = "500"  # clips of the larger cohort of growth
MEMORY, DAY = 16e9, 86400.0  # bytes and s at which a step is called broken [our choice]
CHANNELS, JOINTS = 4096, 11  # of a VGG's features; of the body, two coordinates each


def main() -> int:
    rates, hour = extraction_rates(), figures("store")["mb_an_hour"]
    lines = {"price of an hour of video": hour_of_video(rates, hour)}
    for case, hours in {
        "five clips of two minutes": CLIPS * CLIP_MINUTES / 60,
        "24 h of monitoring": MONITORED,
    }.items():
        lines[f"{PATIENTS:,} patients, {case}"] = of_patients(hours, rates, hour)
    lines[f"training on {PATIENTS * CLIPS:,} clips"] = of_training()
    lines["clips at which a step breaks, the first to break first"] = breaks()
    for title, text in lines.items():
        print(f"\n{title}")
        for line in text:
            print(f"  {line}")
    first = lines["clips at which a step breaks, the first to break first"][0]
    return record(
        "scale",
        {"lines": lines},
        "worked out, no target",
        True,
        headline=f"first to break: {first}",
    )


def figures(name: str) -> dict[str, Any]:
    """What a benchmark measured."""
    path = RESULTS / f"{name}.json"
    if not path.is_file():
        raise SystemExit(f"{path.name} is not there: make bench NAME={name}")
    return json.loads(path.read_text(encoding="utf-8"))["figures"]


def extraction_rates() -> dict[str, float]:
    """What is extracted -> frames a second on two cores: tracks of two clips at once, and tracks
    with face features of one.
    """
    found = figures("extract")
    return {
        "tracks": found["two_at_once"],
        "tracks and features of the face": found["with_face_vgg"],
    }


def hour_of_video(rates: dict[str, float], hour: dict[str, float]) -> list[str]:
    frames = 3600 * RATE
    text = [
        f"{what}: {frames:,} frames / {rate:.1f} frames/s x {CORES} cores ="
        f" {core_hours(1, rate):.2f} core-hours (extract)"
        for what, rate in rates.items()
    ]
    return [*text, *(f"{stage}: {size:.0f} MB on disk (store)" for stage, size in hour.items())]


def core_hours(hours: float, rate: float) -> float:
    return hours * RATE / rate * CORES


def of_patients(each: float, rates: dict[str, float], hour: dict[str, float]) -> list[str]:
    hours = PATIENTS * each
    text = [f"{PATIENTS:,} x {each:.3g} h = {hours:,.0f} h of video"]
    for what, rate in rates.items():
        text.append(
            f"{what}: {hours:,.0f} h x {core_hours(1, rate):.2f} = {core_hours(hours, rate):,.0f}"
            " core-hours"
        )
    tracks, features = hour["body"] + hour["face"], hour["face_vgg"]
    text.append(
        f"tracks on disk: {hours:,.0f} h x {tracks:.0f} MB = {hours * tracks / 1e6:,.1f} TB"
    )
    text.append(
        f"features of one VGG on disk: {hours:,.0f} h x {features:.0f} MB ="
        f" {hours * features / 1e6:,.1f} TB"
    )
    read = 3600 * in_memory() / 1e9
    text.append(
        f"body and one VGG in memory while training: {hours:,.0f} h x {read:.2f} GB ="
        f" {hours * read:,.0f} GB"
    )
    return text


def in_memory() -> float:
    """Bytes that a second of clip takes while models train: joints at the tracks' rate, float32,
    and features at their own, in half precision.
    """
    return RATE * 2 * JOINTS * 4 + FEATURES * CHANNELS * 2


def of_training() -> list[str]:
    """The published AGCN on windows of 128 frames, one a clip and epoch: leaving groups out, and
    leaving every participant out.
    """
    clips, text = PATIENTS * CLIPS, []
    step = figures("step")["cpu"]["figures"]["AGCN, bf16"]["training_ms_a_clip"]
    size = figures("growth")["sizes"][GROWN]["bytes"]["record of a fold"] / int(GROWN)
    for folds in (FOLDS, PATIENTS):
        work, hours = (
            f"{folds:,} folds x {clips:,} clips",
            folds * clips * EPOCHS * step / 3.6e6 * CORES,
        )
        text.append(
            f"{work} x {EPOCHS} epochs x {step:.1f} ms x {CORES} cores = {hours:,.0f} core-hours"
            " (step)"
        )
        text.append(
            f"{work} x {size:.0f} bytes of records a model = {folds * clips * size / 1e9:,.1f} GB"
            " (growth)"
        )
    return text


def breaks() -> list[str]:
    """Clips at which a step takes a day, or more memory than there is."""
    found = figures("growth")
    at = {}
    for name, power in found["powers"]["seconds"].items():
        seconds = found["sizes"][GROWN]["seconds"][name]
        at[
            f"{name}: {seconds:.1f} s for {GROWN} clips, power {power:.1f}, takes a day (growth)"
        ] = int(GROWN) * (DAY / seconds) ** (1 / max(power, 1))
    second = in_memory()
    at[
        f"body and VGG features in memory: {second * 60 / 1e6:.1f} MB a clip of a minute, fill"
        f" {MEMORY / 1e9:.0f} GB"
    ] = MEMORY / second / 60
    at[f"body alone in memory: {RATE * 2 * JOINTS * 4 * 60 / 1e6:.2f} MB a clip of a minute"] = (
        MEMORY / (RATE * 2 * JOINTS * 4 * 60)
    )
    return [
        f"{clips:,.0f} clips: {what}"
        for what, clips in sorted(at.items(), key=lambda item: item[1])[:SHOWN]
    ]


if __name__ == "__main__":
    sys.exit(main())
