"""What tests of the review's page in a real browser share: a small cohort, `semiology review` in a
process of its own, a tab of the browser.

Handles of the page: rows of the list `tr[data-clip]`; a clip `section.clip[data-clip]`, its image
`#frame`, whose `data-frame` is the number of the frame on screen; panels `#tab-NAME` and
`#panel-NAME` (score, events, correct, patient); what is saved `#save[data-state]` (saved, saving,
unsaved, readonly); errors `#alert`; an item to rate `[data-item]`; an event `[data-event]`, one of
a model's `[data-found]`; an action of the log `[data-seq]`.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from semiology import make_tracks
from semiology.data.store import Store, fingerprint
from semiology.video import write_video

MARKUP = "<img src=x onerror=alert(1)>"
WIDTH, HEIGHT, FRAMES, FPS = 320, 240, 50, 25
KEYPOINTS = ["nose", "left_shoulder", "right_shoulder", "left_wrist", "right_wrist"]
REST = np.array([[160.0, 60], [200, 100], [120, 100], [230, 180], [90, 180]])  # px
GREY = 40, 4  # of the first frame, more for each: 4 n + 40, so that each frame shows its number
SWITCHES = [  # of Chromium: it runs as root in a container, and fetches nothing
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
]
WIDE, NARROW = {"width": 1280, "height": 720}, {"width": 420, "height": 800}


def write_cohort(folder: Path, names: Sequence[str] = ("c1", "c2")) -> Path:
    """Clips of two seconds at 25 Hz, tracked, whose frames show their numbers as grey."""
    store = Store(folder / "store")
    for name in names:
        images = (
            np.full((HEIGHT, WIDTH, 3), GREY[0] + GREY[1] * number, np.uint8)
            for number in range(FRAMES)
        )
        write_video(folder / f"{name}.mp4", images, FPS)
        place = REST + np.linspace(0, 10, FRAMES)[:, None, None]
        numbers = np.arange(FRAMES)
        body = make_tracks(place, KEYPOINTS, FPS, width=WIDTH, height=HEIGHT, source_index=numbers)
        store.write(name, "body", "b" * 16, body)
        entry = {"body": {"key": "b" * 16, "found": 1.0}}
        store.note(name, fingerprint(folder / f"{name}.mp4", {}), entry)
    header = "clip_id\tparticipant_id\tvideo\tstart\tend\tsign\tvisit\n"
    rows = [f"{name}\tP1\t{name}.mp4\t0\tn/a\tno\t{MARKUP}\n" for name in names]
    (folder / "clips.tsv").write_text(header + "".join(rows))
    (folder / "participants.tsv").write_text("participant_id\nP1\n")
    levels = {"no": "absent", "yes": "present"}
    sign = {"Role": "label", "Description": MARKUP, "Levels": levels}
    (folder / "clips.json").write_text(json.dumps({"sign": sign}))
    return folder


@contextmanager
def browser() -> Iterator:
    """Chromium, started.

    Raises:
        ModuleNotFoundError: playwright, which drives it, is not installed.
        FileNotFoundError: there is no Chromium.
    """
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium")
    if path is None:
        raise FileNotFoundError("no chromium on the PATH; apt-get install chromium")
    with sync_playwright() as driver:
        started = driver.chromium.launch(executable_path=path, args=SWITCHES)
        yield started
        started.close()


@contextmanager
def review(cohort: Path, store: Path, rater: str, *options: str) -> Iterator[str]:
    """`semiology review` in a process of its own; the address that it prints."""
    command = [sys.executable, "-m", "semiology.cli.main", "review", str(cohort)]
    command += ["--store", str(store), "--rater", rater, *options]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        line = next((line for line in server.stdout if line.startswith("http")), "")
        assert line, "the server did not start"
        yield line.strip()
    finally:
        server.terminate()
        server.wait(timeout=20)
        server.stdout.close()


@contextmanager
def serving(chromium, cohort: Path, store: Path, rater: str, *options: str) -> Iterator[tuple]:
    """The address of `review`, and the cookie of a browser that brought its token."""
    with review(cohort, store, rater, *options) as address:
        context = chromium.new_context()
        context.new_page().goto(address)
        yield address.partition("?")[0], context.storage_state()
        context.close()


@contextmanager
def opened(chromium, entered: tuple, viewport: dict = WIDE, **more) -> Iterator:
    """The list of clips in a tab of its own; at the end the page must have run without a fault."""
    address, state = entered
    context = chromium.new_context(viewport=viewport, storage_state=state, **more)
    page = context.new_page()
    page.set_default_timeout(15_000)
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda line: faults.append(line.text) if "Policy" in line.text else None)
    page.on("dialog", lambda box: box.accept())
    page.goto(address)
    page.wait_for_selector("tr[data-clip]")
    yield page
    assert not faults
    context.close()


def shown(page, number: int) -> None:
    """Wait until the frame of this number is on screen."""
    page.wait_for_selector(f'#frame[data-frame="{number}"]')


def go(page, number: int, first: int = 0) -> None:
    """Show the frame of this number in a clip whose first frame has the number `first`."""
    page.locator("#position").fill(str(number - first))
    shown(page, number)


def open_clip(page, clip_id: str = "c1", panel: str = "events", first: int = 0) -> None:
    page.locator(f'tr[data-clip="{clip_id}"] .clip-link').click()
    shown(page, first)
    page.locator(f"#tab-{panel}").click()
    page.locator("#frame").focus()


def saved(page) -> None:
    page.wait_for_selector('#save[data-state="saved"]')


def on_screen(page, x: float, y: float, width: int = WIDTH, height: int = HEIGHT) -> tuple:
    """Where a place of the frame (px of the video) is on screen."""
    box = page.locator("#frame").bounding_box()
    scale = min(box["width"] / width, box["height"] / height)
    left = box["x"] + (box["width"] - width * scale) / 2
    top = box["y"] + (box["height"] - height * scale) / 2
    return float(left + x * scale), float(top + y * scale)  # a number of numpy is refused


def drag(page, start: tuple, end: tuple) -> None:
    """The mouse from one place on screen to another, with the button held."""
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move(*end, steps=4)
    page.mouse.up()
