"""Ten folds of a made-up cohort, trained one after the other or at once: what `benchmarks/folds.py`
times, in this process or in others.

Ten people, four clips each, half of them swing a wrist; the TCN reads noise beside it. The networks
are the demo's.
"""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from semiology import load_skeleton, make_tracks, save_tracks
from semiology.experiments.clips import with_clips
from semiology.files import write_text
from semiology.models.networks import Network
from semiology.models.training.batched_folds import fit_together
from semiology.models.training.clips import ClipSource
from semiology.models.training.datamodule import ClipDataModule
from semiology.models.training.modules import StreamModule
from semiology.models.training.reading import Reading, Schedule
from semiology.models.training.trainer import fit, score

COHORT = Path("runs/folds/cohort")
PEOPLE, CLIPS, EPOCHS = 10, 4, 5
NETWORKS = {
    "agcn": Network("semiology.models.networks.AGCN", {"widths": [16, 32, 32], "dropout": 0.2}),
    "tcn": Network("semiology.models.networks.TCN", {"width": 32, "blocks": 4, "dropout": 0.3}),
}


def make_cohort() -> None:
    if (COHORT / "clips.json").exists():
        return
    names, rows = load_skeleton("upper_body_11").names, []
    rest = np.random.default_rng(7).normal(0, 1, (len(names), 2)) * 40 + 200  # px
    for person in range(PEOPLE):
        for clip in range(CLIPS):
            position = rest + np.random.default_rng([person, clip]).normal(
                0, 2, (100, len(names), 2)
            )
            if person % 2:
                position[:, names.index("left_wrist"), 1] += 20 * np.sin(np.arange(100))
            save_tracks(make_tracks(position, names, 12.5), COHORT / f"tracks/p{person}_{clip}.nc")
            rows.append(
                [
                    f"p{person}_{clip}",
                    f"p{person}",
                    f"tracks/p{person}_{clip}.nc",
                    "0",
                    "n/a",
                    ("absent", "present")[person % 2],
                ]
            )
    columns = ["clip_id", "participant_id", "tracks", "start", "end", "swing"]
    pd.DataFrame(rows, columns=columns).to_csv(COHORT / "clips.tsv", sep="\t", index=False)
    write_text(
        COHORT / "participants.tsv",
        "participant_id\n" + "".join(f"p{person}\n" for person in range(PEOPLE)),
    )
    write_text(
        COHORT / "clips.json",
        '{"swing": {"Role": "label", "Levels": {"absent": "", "present": ""}}}',
    )


@cache
def source() -> ClipSource:
    """The cohort, with made-up appearance features of 128 channels."""
    read = ClipSource(
        str(COHORT),
        Reading("swing", rate=12.5, window=64, whole=True, channels=("joint", "motion")),
    )
    rng = np.random.default_rng(0)
    clips = [
        replace(clip, appearance=rng.normal(size=(len(clip.joints), 128)).astype(np.float32))
        for clip in read.clips
    ]
    return with_clips(read, clips, replace(read.reading, appearance="body_vgg"))


def train(
    name: str, folds: list[int], accelerator: str, *, together: bool, threads: int
) -> list[np.ndarray]:
    """Probabilities of each fold's held-out clips."""
    torch.set_num_threads(threads)
    schedule = Schedule(EPOCHS, None, accelerator=accelerator)
    datas = [
        ClipDataModule(source(), [f"p{person}"], 0.0, batch_size=8, seed=person) for person in folds
    ]
    modules = [StreamModule(NETWORKS[name], 0.003) for _ in folds]
    if together:
        modules = fit_together(modules, datas, schedule, folds)
    else:
        modules = [
            fit(module, data, schedule, person)
            for module, data, person in zip(modules, datas, folds)
        ]
    return [score(module, data)[1] for module, data in zip(modules, datas)]
