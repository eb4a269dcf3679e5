import json
import os
import shutil
from collections import Counter
from contextlib import ExitStack
from pathlib import Path

os.environ.setdefault(
    "OMP_NUM_THREADS", "1"
)  # before torch: test processes that each use every core wait for each other

import numpy as np
import pandas as pd
import pytest
from browsing import browser

from semiology import load_skeleton, make_tracks
from semiology.data.tracks import save_tracks

JOINTS = load_skeleton("upper_body_11").names
REST = np.random.default_rng(7).normal(0, 1, (11, 2)) * 40 + 200  # px


@pytest.fixture(scope="session")
def testdata() -> Path:
    """Folder of real public data; tests that use it carry the mark `realdata` and skip where the
    folder is absent.
    """
    default = Path(__file__).resolve().parents[1].parent / "shared" / "data"
    folder = Path(os.environ.get("SEMIOLOGY_TESTDATA", default))
    if not folder.is_dir():
        pytest.skip(f"no real test data at {folder}; set SEMIOLOGY_TESTDATA")
    return folder


@pytest.fixture(scope="session")
def chromium():
    """The browser, started once; tests that use it carry the mark `browser` and skip where there is
    none.
    """
    with ExitStack() as stack:
        try:
            started = stack.enter_context(browser())
        except (ModuleNotFoundError, FileNotFoundError) as error:
            pytest.skip(str(error))
        yield started


def pytest_terminal_summary(terminalreporter):
    """Say at the end that the page was not tested, and why; otherwise skipped tests are a letter
    each.
    """
    skipped = [
        one for one in terminalreporter.stats.get("skipped", []) if "browser" in one.keywords
    ]
    for reason, count in Counter(one.longrepr[2] for one in skipped).items():
        terminalreporter.write_line(
            f"the page of the review was NOT tested in a browser, {count} tests. {reason}"
        )


@pytest.fixture
def cohort(shared_cohort, tmp_path):
    """A copy of the cohort, in the test's own folder."""
    return shutil.copytree(shared_cohort, tmp_path, dirs_exist_ok=True)


@pytest.fixture(scope="session")
def shared_cohort(tmp_path_factory):
    """The cohort, made once, for tests that only read it."""
    return write_cohort(tmp_path_factory.mktemp("cohort"))


def write_cohort(folder: Path) -> Path:
    """Six participants, two clips each, of tracks: in "present" clips the left wrist swings. p5's
    second clip is not scored.
    """
    rows = []
    for person in range(6):
        for clip in range(2):
            rng = np.random.default_rng([person, clip])
            position = REST + rng.normal(0, 1, (40, 11, 2))
            if person % 2:
                position[:, JOINTS.index("left_wrist"), 1] += 40 * np.sin(np.arange(40))
            clip_id = f"p{person}_{clip}"
            save_tracks(make_tracks(position, JOINTS, 25.0), folder / f"tracks/{clip_id}.nc")
            level = ("absent", "present")[person % 2]
            side = ("none", "left")[person % 2]
            scored = not (person == 5 and clip == 1)
            rows.append(
                [
                    clip_id,
                    f"p{person}",
                    f"tracks/{clip_id}.nc",
                    "0",
                    "n/a",
                    level if scored else "n/a",
                    side if scored else "n/a",
                ]
            )
    columns = ["clip_id", "participant_id", "tracks", "start", "end", "swing", "side"]
    pd.DataFrame(rows, columns=columns).to_csv(folder / "clips.tsv", sep="\t", index=False)
    (folder / "participants.tsv").write_text(
        "participant_id\n" + "".join(f"p{n}\n" for n in range(6))
    )
    levels = {"absent": "", "present": ""}
    sides = {"none": "", "left": "", "right": ""}
    (folder / "clips.json").write_text(
        json.dumps(
            {
                "swing": {"Role": "label", "Levels": levels},
                "side": {"Role": "label", "Levels": sides},
            }
        )
    )
    return folder
