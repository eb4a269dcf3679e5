"""A small feature set in the layout of doi 10.5522/04/14781771, made up: seizures.csv and one .pth
a start frame.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import torch

VIEWS = "LS"


def write_view(folder: Path, vectors: np.ndarray) -> None:
    folder.mkdir(parents=True)
    for frame, vector in enumerate(vectors):
        torch.save(
            torch.tensor(vector, dtype=torch.float32), folder / f"{folder.name}_{frame:06d}.pth"
        )


def write_people(
    folder: Path,
    subjects: int = 12,
    seizures: int = 4,
    frames: int = 16,
    *,
    sign: float = 0.0,
    who: float = 1.0,
) -> Path:
    """Subjects that show one type of seizure each, every other one TCS; snippets of 2 frames at 1
    Hz, two views a seizure.

    Args:
        sign: strength of a pattern that all TCS share.
        who: strength of a pattern of each subject's own, which carries no information on other
            subjects.
    """
    rng, rows = np.random.default_rng(0), []
    pattern = rng.normal(size=512)
    for subject in range(subjects):
        own = rng.normal(size=512)
        for seizure in range(1, seizures + 1):
            tcs = subject % 2
            for view in VIEWS:
                mean = who * own + sign * tcs * pattern
                write_view(
                    folder / f"features_fpc_2_fps_1/{subject:03d}_{seizure:02d}_{view}",
                    mean + rng.normal(size=(frames, 512)),
                )
            row = {
                "Subject": f"{subject:03d}",
                "Seizure": f"{seizure:02d}",
                "Discard": "No",
                "Duration": frames + 1,
            }
            rows.append(
                row | {"OnsetClonic": "7" if tcs else "", "RatioGTCS": "0.5" if tcs else ""}
            )
    pd.DataFrame(rows).to_csv(folder / "seizures.csv", index=False)
    return folder
