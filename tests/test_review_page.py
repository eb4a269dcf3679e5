"""The page of the review in a real browser. Skipped where there is no Chromium.

Handles for tests: rows of the list `tr[data-clip]`; a clip `section.clip[data-clip]`, its image
`#frame`, whose `data-frame` is the number of the frame on screen; panels `#tab-NAME` and
`#panel-NAME` (score, events, correct, patient); what is saved `#save[data-state]` (saved, saving,
unsaved, readonly); errors `#alert`; an item to rate `[data-item]`; an event `[data-event]`, one of
a model's `[data-found]`; an action of the log `[data-seq]`.
"""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from semiology import make_tracks
from semiology.data.store import Store, fingerprint
from semiology.video import write_video

playwright = pytest.importorskip("playwright.sync_api")

pytestmark = pytest.mark.browser
CHROMIUM = shutil.which("chromium")
SWITCHES = [
    *("--no-sandbox", "--disable-gpu", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--no-first-run"),
]
MARKUP = "<img src=x onerror=alert(1)>"
WIDTH, HEIGHT, FRAMES, FPS = 320, 240, 50, 25
KEYPOINTS = ["nose", "left_shoulder", "right_shoulder", "left_wrist", "right_wrist"]
REST = np.array([[160.0, 60], [200, 100], [120, 100], [230, 180], [90, 180]])  # px
GREY = 40, 4  # of the first frame, more for each: 4 n + 40, so that each frame shows its number
WIDE, NARROW = {"width": 1280, "height": 720}, {"width": 420, "height": 800}


@pytest.fixture(scope="session")
def chromium():
    """The browser, started once."""
    if CHROMIUM is None:
        pytest.skip("no chromium on the PATH; apt-get install chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=SWITCHES)
        yield browser
        browser.close()


def write_cohort(folder: Path) -> Path:
    """Two clips of two seconds at 25 Hz, tracked, whose frames show their numbers as grey."""
    store = Store(folder / "store")
    for name in ("c1", "c2"):
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
    rows = [f"{name}\tP1\t{name}.mp4\t0\tn/a\tno\t{MARKUP}\n" for name in ("c1", "c2")]
    (folder / "clips.tsv").write_text(header + "".join(rows))
    (folder / "participants.tsv").write_text("participant_id\nP1\n")
    levels = {"no": "absent", "yes": "present"}
    sign = {"Role": "label", "Description": MARKUP, "Levels": levels}
    (folder / "clips.json").write_text(json.dumps({"sign": sign}))
    return folder


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_cohort(tmp_path_factory.mktemp("cohort"))


@pytest.fixture(scope="module")
def entered(chromium, cohort):
    """The server's address, and the cookie of a browser that brought its token."""
    command = [sys.executable, "-m", "semiology.cli.main", "review", str(cohort)]
    options = ["--store", str(cohort / "store"), "--rater", "ann"]
    server = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)
    try:
        line = next((line for line in server.stdout if line.startswith("http")), "")
        assert line, "the server did not start"
        context = chromium.new_context()
        context.new_page().goto(line.strip())
        yield line.partition("?")[0], context.storage_state()
        context.close()
    finally:
        server.terminate()
        server.wait(timeout=20)


@pytest.fixture
def page(chromium, entered):
    """The list of clips in a tab of its own; at the end the page must have run without a fault."""
    address, state = entered
    context = chromium.new_context(viewport=WIDE, storage_state=state)
    page = context.new_page()
    page.set_default_timeout(15_000)
    faults = []
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


def open_clip(page, clip_id: str = "c1", panel: str = "events") -> None:
    page.locator(f'tr[data-clip="{clip_id}"] .clip-link').click()
    shown(page, 0)
    page.locator(f"#tab-{panel}").click()
    page.locator("#frame").focus()


def saved(page) -> None:
    page.wait_for_selector('#save[data-state="saved"]')


def grey(page) -> float:
    """Brightness in the middle of the picture, as it is on screen."""
    return page.evaluate(
        """() => { const canvas = document.getElementById("frame");
        const middle = [canvas.width / 2, canvas.height / 2, 1, 1];
        const { data } = canvas.getContext("2d").getImageData(...middle);
        return (data[0] + data[1] + data[2]) / 3; }"""
    )


def test_the_list_shows_every_clip_with_images_over_its_length(page):
    rows = page.locator("tr[data-clip]")
    assert [rows.nth(k).get_attribute("data-clip") for k in range(rows.count())] == ["c1", "c2"]
    page.wait_for_function(
        """() => { const images = [...document.querySelectorAll('tr[data-clip="c1"] img')];
        return images.length === 8 && images.every((image) => image.naturalWidth > 0); }"""
    )
    page.locator("#find").fill("c2")
    assert page.locator("tr[data-clip]").count() == 1 and "1 of 2" in page.inner_text("#count")


def test_a_clip_opens_and_each_key_shows_the_frame_of_that_number(page):
    open_clip(page)
    for key, number in (
        ("ArrowRight", 1),
        ("ArrowRight", 2),
        ("Shift+ArrowRight", 27),
        ("ArrowLeft", 26),
        ("End", 49),
        ("Shift+ArrowLeft", 24),
        ("Home", 0),
    ):
        page.keyboard.press(key)
        shown(page, number)
        assert abs(grey(page) - (GREY[0] + GREY[1] * number)) < GREY[1] / 2, (key, number)
    mark = page.evaluate("performance.getEntriesByName('frame').at(-1).detail")
    assert mark == 0  # the frame that was drawn last, for benchmarks


def test_play_goes_through_the_frames_by_their_times_and_stops_at_the_end(page):
    open_clip(page)
    page.keyboard.press("Space")
    assert page.get_attribute("#play", "aria-label") == "pause"
    shown(page, FRAMES - 1)
    page.wait_for_selector('#play[aria-label="play"]')


def test_the_keyboard_alone_reaches_every_control(page):
    """From the list through a clip: each control that can be used takes the focus by Tab, of a
    group of radio buttons or tabs one, the others by arrows.
    """
    page.keyboard.press("Tab")
    page.locator('tr[data-clip="c1"] .clip-link').focus()
    page.keyboard.press("Enter")
    shown(page, 0)
    for panel, key in (("score", "s"), ("events", "e"), ("correct", "k"), ("patient", "p")):
        page.keyboard.press(key)
        assert page.get_attribute(f"#tab-{panel}", "aria-selected") == "true"
        page.evaluate(
            """() => { document.addEventListener("focusin", ({ target }) => {
            const group = target.type === "radio" ? document.getElementsByName(target.name) : [];
            for (const node of [target, ...group]) node.dataset.reached = 1; });
            document.getElementById("skip").focus(); }"""
        )
        for _ in range(120):
            page.keyboard.press("Tab")
        missed = page.evaluate(
            """() => [...document.querySelectorAll("a, button, input, select, summary, canvas")]
            .filter((node) => node.checkVisibility() && !node.matches(":disabled, [tabindex='-1']"))
            .filter((node) => !node.dataset.reached).map((node) => node.outerHTML.slice(0, 120))"""
        )
        assert missed == [], panel
        page.locator("#frame").focus()
    named = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, textarea, canvas")]
        .filter((node) => !(node.ariaLabel || node.labels?.length || node.textContent.trim()))
        .map((node) => node.outerHTML.slice(0, 120))"""
    )
    assert named == []  # each has a name for a screen reader


def test_at_420_px_nothing_is_wider_than_the_screen(page):
    page.set_viewport_size(NARROW)
    wide = "document.documentElement.scrollWidth - innerWidth"
    assert page.evaluate(wide) <= 0
    open_clip(page)
    for panel in ("score", "events", "correct", "patient"):
        page.locator(f"#tab-{panel}").click()
        assert page.evaluate(wide) <= 0, panel
        assert page.locator(f"#panel-{panel}").is_visible()


def test_names_with_markup_are_text(page):
    assert MARKUP in page.inner_text('tr[data-clip="c1"]')
    open_clip(page, panel="score")
    assert MARKUP in page.inner_text("#panel-score")
    assert page.locator('img[src="x"]').count() == 0


def test_an_event_is_marked_by_keys_and_is_there_after_a_reload(page, cohort):
    open_clip(page)
    for number in (10, 15):  # an event is marked in the frame that is on screen
        page.locator("#position").fill(str(number))
        shown(page, number)
        page.keyboard.press("1")
    page.locator("#event-comment").fill("elbow\tbent")
    page.locator("#event-side").select_option("left")
    page.wait_for_function("() => !sessionStorage.getItem('semiology.draft.events.c1')")
    saved(page)
    page.reload()
    text = page.locator("#own-events li").inner_text()
    assert "sign, left 0:00.40 – 0:00.60" in text and "elbow bent" in re.sub(r"\s+", " ", text)
    lines = (cohort / "review/ann/events/c1_events.tsv").read_text().splitlines()
    row = dict(zip(lines[0].split("\t"), lines[1].split("\t")))
    assert float(row["onset"]) == 0.4 and float(row["duration"]) == pytest.approx(0.2)


def test_what_could_not_be_saved_is_sent_again_after_a_reload(page, cohort):
    open_clip(page, panel="score")
    page.route("**/actions", lambda route: route.abort())
    page.locator('[data-item="sign"] label', has_text="yes").click()
    page.wait_for_selector('#save[data-state="unsaved"]')
    assert not (cohort / "review/ann/ratings.tsv").exists()
    page.unroute("**/actions")
    page.reload()
    saved(page)
    page.wait_for_selector('[data-item="sign"] input[value="yes"]:checked')
    assert "\tyes\t" in (cohort / "review/ann/ratings.tsv").read_text()


def test_a_wrist_is_dragged_to_where_it_is_dropped(page):
    open_clip(page, panel="correct")
    box = page.locator("#frame").bounding_box()
    scale = min(box["width"] / WIDTH, box["height"] / HEIGHT)
    left = box["x"] + (box["width"] - WIDTH * scale) / 2
    top = box["y"] + (box["height"] - HEIGHT * scale) / 2
    page.locator("#correct-where", has_text="160.0").wait_for()
    page.mouse.move(left + 230 * scale, top + 180 * scale)
    page.mouse.down()
    page.mouse.move(left + 250 * scale, top + 150 * scale, steps=4)
    page.mouse.up()
    saved(page)
    page.reload()
    page.locator("#correct-keypoint").select_option("left_wrist")
    page.locator("#correct-where", has_text="px, confidence 1.00; corrected").wait_for()
    x, y = re.findall(r"[\d.]+", page.inner_text("#correct-where"))[:2]
    assert abs(float(x) - 250) < 1.5 and abs(float(y) - 150) < 1.5


def test_an_event_changed_in_two_tabs_is_shown_in_both_states(page):
    """The one that comes second is not written over the first: a person chooses."""
    open_clip(page, "c2")
    page.keyboard.press("1")
    saved(page)
    other = page.context.new_page()
    other.goto(page.url)
    other.locator("#own-events .pick").click()
    other.locator("#event-side").select_option("right")
    saved(other)
    page.locator("#event-side").select_option("left")
    conflict = page.locator("#conflict")
    assert "sign, right" in conflict.inner_text() and "sign, left" in conflict.inner_text()
    conflict.get_by_text("Take the other").click()
    assert "sign, right" in page.locator("#own-events li").inner_text()
    page.locator("#own-events", has_text="Delete").get_by_text("Delete").focus()
    page.keyboard.press("Enter")
    page.locator("#panel-events", has_text="My events (0)").wait_for()


def test_a_clip_that_cannot_be_assessed_has_a_reason_and_is_no_longer_to_do(page):
    row = page.locator('tr[data-clip="c2"]')
    row.locator(".assess").click()
    page.locator("#assess-why").select_option("too dark or blurred")
    page.locator("#assess-save").click()
    row.locator(".decided", has_text="too dark or blurred").wait_for()
    page.locator("#filter").select_option("todo")
    assert row.count() == 0
    page.locator("#filter").select_option("out")
    assert page.locator("tr[data-clip]").count() == 1 and row.count() == 1


CALCULATIONS = [  # module, expression over its exports `m`, value by hand
    ("dom.js", "m.clock(83.48)", "1:23.48"),
    ("dom.js", "m.clock(3683, 0)", "1:01:23"),
    ("dom.js", "m.clock(59.999)", "1:00.00"),
    ("player.js", "m.frameAt([0, 0.04, 0.08, 0.5], 0.3)", 2),
    ("player.js", "m.frameAt([0, 0.04, 0.08, 0.5], 0.5)", 3),
    ("player.js", "m.wishes(1, 1, 1, 4)", [1, 2, 3, 0]),
    ("player.js", "m.wishes(2, -1, 1, 4)", [2, 1, 0, 3]),
    (
        "curves.js",
        "m.decimate([0, 1, 2, 3], [5, 1, 7, 2], 0, 4, 2).map((a) => [...a])",
        [[1, 2], [5, 7]],
    ),
    ("curves.js", "m.zoomed([0, 10], 2, 4, 10, 1)", [2, 7]),
    ("curves.js", "m.zoomed([0, 10], 2, 0, 10, 8)", [0, 8]),
    ("correct.js", "m.carried([10, 0, 100], [20, 50, 200], 13)", [15, 130]),
    ("correct.js", "m.around([30, 10, 20], 20)", [10, 20]),
    ("correct.js", "m.around([30, 10], 20)", [10, 30]),
    ("correct.js", "m.around([30, 10], 5)", None),
    ("steer.js", "m.neighbour([3, 1, 2], 2, 1)", 3),
    ("steer.js", "m.neighbour([3, 1, 2], 2, -1)", 1),
    (
        "drawing.js",
        "m.confidenceColour(0) + m.confidenceColour(1)",
        "rgb(215,25,28)rgb(44,123,182)",
    ),
    ("drawing.js", "m.sideOf('left_wrist') + m.sideOf('nose')", "left"),
]


def test_calculations_of_the_page(page):
    for module, expression, value in CALCULATIONS:
        found = page.evaluate(f"import('/page/{module}').then((m) => {expression})")
        assert found == value, (module, expression)


def test_clips_are_ordered_and_filtered_with_ties_in_the_order_of_the_table(page):
    order = page.evaluate(
        """async () => { const { chosen } = await import("/page/sheet.js");
        const clip = (clip_id, body, rated, to_rate, assessable = null) => ({ clip_id,
          participant_id: "p", found: { body }, decided: { rated, to_rate, assessable } });
        const clips = [clip("b", 0.5, 0, 2), clip("a", 0.1, 2, 0), clip("d", 0.5, 1, 1, false),
          clip("c", 0.9, 1, 1)];
        const ids = (how) => chosen(clips, how).map((one) => one.clip_id).join("");
        return [ids({}), ids({ order: "body" }), ids({ order: "clip" }), ids({ filter: "done" }),
          ids({ filter: "todo", order: "clip" }), ids({ text: " B " })]; }"""
    )
    assert order == ["badc", "abdc", "abcd", "ad", "bc", "b"]


def test_who_tracks_a_clip_again_is_told_of_corrections_of_the_former_tracks(page):
    """The tracking itself is played by the test: it is done at once."""
    open_clip(page, "c2", "correct")
    page.locator("#correct-middle").click()
    saved(page)
    job = {"job": "1", "clip_id": "c2", "state": "done", "share": 1, "fault": None}
    page.route("**/api/clips/c2/track", lambda route: route.fulfill(json=job))
    page.route("**/api/jobs", lambda route: route.fulfill(json={"jobs": [job]}))
    page.locator("#tab-patient").click()
    page.locator("#track").click()
    page.wait_for_selector("#track-state:has-text('Corrections (1) were made on the former')")
