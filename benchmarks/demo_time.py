"""How long the demo takes, stage by stage, beside the build before speed was worked on; and whether
its F1 and AUC lie within that build's intervals.

Both builds run the whole demo in turns, each in a fresh folder, as often as `--rounds` says (5).
A round of the earlier build takes ten minutes and more: each is kept in runs/demo_time/ as soon as
it is done, and the next call goes on with the rounds that are missing.
"""

import argparse
import json
import shutil
import statistics
import sys
from pathlib import Path
from typing import Any

from earlier_build import SEMIOLOGY, THIS_BUILD, earlier_build, run_in
from record import record

from semiology.files import write_json

TARGET = 0.35  # of the earlier build's time
KEPT = Path("runs/demo_time").resolve()
RUN = "runs/demo"
TABLE = ("agcn", "tcn", "agcn_kd")  # the models of Table 1
FIGURES = ("f1", "auc")
STAGES = {  # of the earlier build, whose stages were commands of its own: ours -> its arguments
    "rendering": f"phantom {RUN}/cohort --config configs/demo_phantom.yaml",
    "cohort": f"cohort check {RUN}/cohort",
    "face network": f"pretrain expression {RUN}/cohort_stills/expression"
    f" --config configs/demo_face_vgg.yaml --out {RUN}/face_vgg.safetensors",
    "body network": f"pretrain posture {RUN}/cohort_stills/posture"
    f" --config configs/demo_body_vgg.yaml --out {RUN}/body_vgg.safetensors",
    "tracking": f"extract {RUN}/cohort --store {RUN}/store --jobs -1"
    f" --face_weights {RUN}/face_vgg.safetensors --body_weights {RUN}/body_vgg.safetensors",
    "tracking error": f"tracking truth {RUN}/cohort --store {RUN}/store --out {RUN}/tracking.json",
    "folds, null and audit": "loso --config configs/demo.yaml",
    "explanation": f"explain {RUN} --model agcn",
    "report": f"report {RUN}",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="of both builds, in turns")
    rounds = parser.parse_args().rounds
    KEPT.mkdir(parents=True, exist_ok=True)
    with earlier_build() as earlier:
        for number in range(rounds):
            for name, build in (("old", earlier), ("new", THIS_BUILD)):
                kept = KEPT / f"{name}-{number}.json"
                if not kept.is_file():
                    write_json(kept, demo(name, build))
                print(f"round {number + 1} of {rounds}, {name}: {total(read(kept)):.0f} s")
    old, new = ([read(KEPT / f"{name}-{n}.json") for n in range(rounds)] for name in ("old", "new"))
    print(table(medians(old), medians(new)))
    outside = figures(old[0]["metrics"], new[0]["metrics"])
    both = [statistics.median(map(total, each)) for each in (old, new)]
    ratio = both[1] / both[0]
    print(f"processor: {processor()}")
    return record(
        "demo-time",
        {
            "seconds_old": medians(old),
            "seconds_new": medians(new),
            "totals_old": [total(each) for each in old],
            "totals_new": [total(each) for each in new],
            "cpu_old": [each["cpu"] for each in old],
            "cpu_new": [each["cpu"] for each in new],
            "metrics_old": old[0]["metrics"],
            "metrics_new": new[0]["metrics"],
            "outside": outside,
            "flags": processor(),
        },
        f"at most {TARGET}, F1 and AUC within the earlier build's intervals",
        ratio <= TARGET and not outside,
        headline=f"{both[1]:.0f} s beside {both[0]:.0f} s, ratio {ratio:.2f} (medians of {rounds});"
        f" {len(outside)} figures outside",
        seed=0,
    )


def demo(name: str, build: Path) -> dict[str, Any]:
    """Run the demo of a build in a fresh folder: seconds by stage, seconds of processor, and the
    figures of its table.
    """
    folder = KEPT / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    shutil.copytree(build / "configs", folder / "configs")
    stages, cpu = {}, 0.0
    if name == "old":
        for stage, arguments in STAGES.items():
            ran = run_in(build, *SEMIOLOGY, *arguments.split(), cwd=folder)
            stages[stage], cpu = ran.wall, cpu + ran.cpu
            print(f"  {stage}: {ran.wall:.0f} s", flush=True)
    else:
        ran = run_in(build, *SEMIOLOGY, "demo", cwd=folder)
        rows = (folder / RUN / "stages.tsv").read_text(encoding="utf-8").splitlines()[1:-1]
        stages = {row.split("\t")[0]: float(row.split("\t")[1]) for row in rows}
        # what no stage counts: the start of Python
        stages["start"], cpu = max(ran.wall - sum(stages.values()), 0.0), ran.cpu
    tasks = read(folder / RUN / "metrics.json")["tasks"]
    metrics = {
        f"{task} / {model} / {figure}": tasks[task]["models"][model]["metrics"][figure]
        for task in tasks
        for model in TABLE
        for figure in FIGURES
    }
    return {"stages": stages, "cpu": cpu, "metrics": metrics}


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text(encoding="utf-8"))


def total(done: dict[str, Any]) -> float:
    return sum(done["stages"].values())


def medians(rounds: list[dict[str, Any]]) -> dict[str, float]:
    """Stage -> median of its seconds; the earlier build's two networks count as one stage, which
    trains both.
    """
    found = {
        stage: statistics.median(each["stages"][stage] for each in rounds)
        for stage in rounds[0]["stages"]
    }
    apart = [found.pop(stage) for stage in ("face network", "body network") if stage in found]
    return found | ({"appearance networks": sum(apart)} if apart else {})


def table(old: dict[str, float], new: dict[str, float]) -> str:
    """Seconds of each stage, old and new, and their ratio."""
    lines = [f"{'stage':<24}{'old, s':>9}{'new, s':>9}{'ratio':>8}"]
    for stage in [*new, *(stage for stage in old if stage not in new)]:
        before, now = old.get(stage), new.get(stage, 0.0)
        ratio = f"{now / before:>8.2f}" if before else f"{'':>8}"
        lines.append(f"{stage:<24}{before or 0:>9.1f}{now:>9.1f}{ratio}")
    return "\n".join(lines)


def figures(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Print F1 and AUC of every cell of the table, old with its interval and new; the names of
    those outside.
    """
    outside = []
    for name, before in old.items():
        low, high = before["low"], before["high"]
        now = new[name]["value"]
        if low is not None and not low <= now <= high:
            outside.append(name)
        print(f"{name:<40}{before['value']:.3f} ({low:.3f} to {high:.3f})  now {now:.3f}")
    return outside


def processor() -> str:
    """Its name and which of AVX2, AVX-512 and bf16 it has."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return "unknown"
    lines = dict(line.split(":", 1) for line in text.splitlines() if ":" in line)
    named = {name.strip(): value.strip() for name, value in lines.items()}
    flags = set(named.get("flags", "").split())
    has = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if flag in flags]
    return f"{named.get('model name', 'unknown')}: {', '.join(has) or 'none of avx2, avx512, bf16'}"


if __name__ == "__main__":
    sys.exit(main())
