"""What `semiology review` does in a real Chromium, for the benchmark `review`: from a key press to
the new frame on screen, and a cohort of 500 clips until every row stands. As a program it makes the
pictures of docs/review.md, docs/images/review_*.png, of a phantom:

    python benchmarks/in_browser.py
"""

import os
import sys
import tempfile
import time
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
from PIL import Image

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from browsing import WIDE, browser, go, open_clip, opened, review, saved, serving

from semiology import load_skeleton, make_tracks
from semiology.cli.main import main as semiology
from semiology.data.store import Store, fingerprint
from semiology.phantom import make_phantom
from semiology.video import write_video

CLIPS = 500
STEPS, SECONDS = 200, 50  # key presses of a frame, and of a second
SIZE = {"width": 1600, "height": 1000}  # of the window: the frame is shown as large as it is
IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
ARRIVED = """
window.pressed = (number) => new Promise((resolve) => {
  let start = null;
  addEventListener("keydown", (event) => { start = event.timeStamp; },
    { capture: true, once: true });
  const seen = new PerformanceObserver((list) => {
    const wanted = ({ name, detail }) => name === "frame" && detail === number;
    if (start === null || !list.getEntries().some(wanted)) return; // one on the way to it, perhaps
    seen.disconnect();
    requestAnimationFrame(() => {
      const { dataset } = document.getElementById("frame");
      resolve([performance.now() - start, Number(dataset.frame)]);
    });
  });
  seen.observe({ type: "mark" });
});
window.listed = null;
addEventListener("DOMContentLoaded", () => {
  const all = () => document.querySelectorAll("tr[data-clip]").length === CLIPS;
  const seen = new MutationObserver(() => {
    if (!all()) return;
    seen.disconnect();
    requestAnimationFrame(() => setTimeout(() => { window.listed = performance.now(); }));
  });
  seen.observe(document.body, { childList: true, subtree: true });
});
""".replace("CLIPS", str(CLIPS))


def write_tables(cohort: Path, rows: list[tuple[str, str]]) -> None:
    """A cohort's tables; rows of clip and video."""
    lines = ["clip_id\tparticipant_id\tvideo\tstart\tend\tsign"]
    lines += [f"{name}\tP{k // 5}\t{video}\t0\tn/a\tno" for k, (name, video) in enumerate(rows)]
    (cohort / "clips.tsv").write_text("\n".join(lines) + "\n")
    people = [f"P{k}" for k in range((len(rows) - 1) // 5 + 1)]
    (cohort / "participants.tsv").write_text("\n".join(["participant_id", *people]) + "\n")
    levels = '{"no": "absent", "yes": "present"}'
    (cohort / "clips.json").write_text(f'{{"sign": {{"Role": "label", "Levels": {levels}}}}}\n')


def note_tracks(store: Store, clip_id: str, video: dict, frames: int, size: tuple) -> None:
    """Body tracks of 15 points for a clip in the store."""
    names = load_skeleton("full_body_15").names
    rng = np.random.default_rng(0)
    place = rng.uniform(0.2, 0.8, (1, len(names), 2)) * size
    moved = place + 10 * np.sin(np.arange(frames) / 10)[:, None, None]
    body = make_tracks(
        *(moved, names, 25.0), width=size[0], height=size[1], source_index=np.arange(frames)
    )
    store.write(clip_id, "body", "b" * 16, body)
    store.note(clip_id, video, {"body": {"key": "b" * 16, "found": 1.0}})


def keys(chromium, minute: Path) -> dict[str, list[float]]:
    """From a key press to the new frame on screen, s: forward, backward, by second; `minute` is a
    video of 60 s at 25 Hz, 720x576 px.
    """
    with tempfile.TemporaryDirectory() as folder:
        cohort, store = Path(folder), Store(Path(folder) / "store")
        (cohort / "minute.mp4").write_bytes(minute.read_bytes())
        write_tables(cohort, [("minute", "minute.mp4")])
        video = fingerprint(cohort / "minute.mp4", {})
        note_tracks(store, "minute", video, 1500, (720, 576))
        with (
            serving(chromium, cohort, store.folder, "bench") as entered,
            opened(chromium, entered, SIZE) as page,
        ):
            page.evaluate(ARRIVED)
            open_clip(page, "minute")
            go(page, 100)
            page.locator("#frame").focus()
            time.sleep(1)
            found = {
                "forward": pressed(page, "ArrowRight", range(101, 101 + STEPS)),
                "backward": pressed(page, "ArrowLeft", range(99 + STEPS, 99, -1)),
            }
            seconds = range(125, 125 + 25 * SECONDS, 25)
            found["a second forward"] = pressed(page, "Shift+ArrowRight", seconds)
            found["a second backward"] = pressed(page, "Shift+ArrowLeft", seconds[-2::-1])
    return found


def pressed(page, key: str, numbers: range) -> list[float]:
    """What each of key presses takes, s, at most 25 a second, until the frame of its number is on
    screen.

    Raises:
        SystemExit: another frame is on screen after it.
    """
    taken = []
    for number in numbers:
        due = time.perf_counter() + 0.04
        page.evaluate("(number) => { window.arrived = window.pressed(number); }", number)
        page.keyboard.press(key)
        passed, shown = page.evaluate("window.arrived")
        if shown != number:
            raise SystemExit(f"{key}: frame {shown} is on screen, not {number}")
        taken.append(passed / 1000)
        time.sleep(max(due - time.perf_counter(), 0))
    return taken


def listing(chromium) -> dict[str, float]:
    """How long 500 clips take, s: the server's first answer, its second one, and in the browser
    from the printed address, of a server that was just started, until every row stands.
    """
    with tempfile.TemporaryDirectory() as folder:
        cohort, store = Path(folder), Store(Path(folder) / "store")
        images = (np.full((96, 128, 3), 60 + number, np.uint8) for number in range(50))
        write_video(cohort / "clip.mp4", images, 25)
        names = [f"clip{number:03d}" for number in range(CLIPS)]
        for name in names:
            os.link(cohort / "clip.mp4", cohort / f"{name}.mp4")
            note_tracks(store, name, fingerprint(cohort / f"{name}.mp4", {}), 50, (128, 96))
        write_tables(cohort, [(name, f"{name}.mp4") for name in names])
        taken = {}
        with review(cohort, store.folder, "bench") as address, httpx.Client() as client:
            client.get(address, follow_redirects=True)
            for which in ("server, first", "server, again"):
                start = time.perf_counter()
                answer = client.get(f"{address.partition('?')[0]}api/clips", timeout=60)
                taken[which] = time.perf_counter() - start
                assert len(answer.json()["clips"]) == CLIPS
        with review(cohort, store.folder, "bench") as address:
            page = chromium.new_context(viewport=SIZE).new_page()
            page.add_init_script(ARRIVED)
            page.goto(address)
            page.wait_for_function("() => window.listed !== null", timeout=60_000)
            taken["browser"] = page.evaluate("window.listed") / 1000
            page.context.close()
    return taken


def pictures() -> None:
    """The list and a clip of a phantom cohort, as docs/review.md shows them."""
    with tempfile.TemporaryDirectory() as folder, browser() as chromium:
        cohort, store = Path(folder) / "cohort", Path(folder) / "store"
        recipe = {"clips_per_subject": 1, "seconds": (2.0, 2.1)}
        make_phantom(cohort, subjects=3, progress=False, **recipe)
        semiology(["extract", str(cohort), "--store", str(store), "--people", "true"])
        with (
            serving(chromium, cohort, store, "ann") as entered,
            opened(chromium, entered, WIDE) as page,
        ):
            clip_id = page.locator("tr[data-clip]", has_text="2 people").first.get_attribute(
                "data-clip"
            )
            first = page.request.get(f"{entered[0]}api/clips/{clip_id}").json()["first"]
            open_clip(page, clip_id, "events", first)
            for number in (first + 10, first + 35):
                go(page, number, first)
                page.keyboard.press("1")
            page.locator("#event-level").select_option("present")
            page.locator("#event-side").select_option("left")
            saved(page)
            go(page, first + 30, first)
            page.locator("#frame").focus()
            page.wait_for_load_state("networkidle")
            keep(page, "review_clip.png")
            page.locator("#to-clips").click()
            page.wait_for_function(
                "() => [...document.querySelectorAll('tr img')].every((one) => one.naturalWidth)"
            )
            page.evaluate("scrollTo(0, 0)")
            keep(page, "review_clips.png")


def keep(page, name: str) -> None:
    """The page as a small file: in 128 colours."""
    image = Image.open(BytesIO(page.screenshot())).convert("RGB")
    image.quantize(128).save(IMAGES / name, optimize=True)


if __name__ == "__main__":
    pictures()
