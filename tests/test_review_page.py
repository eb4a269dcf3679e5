"""The page of the review in a real browser, with a small cohort. Skipped where there is no
Chromium. The handles of the page are in `browsing`.
"""

import re

import pytest
from browsing import (
    FRAMES,
    GREY,
    MARKUP,
    NARROW,
    drag,
    go,
    on_screen,
    open_clip,
    opened,
    saved,
    serving,
    shown,
    write_cohort,
)

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return write_cohort(tmp_path_factory.mktemp("cohort"))


@pytest.fixture(scope="module")
def entered(chromium, cohort):
    with serving(chromium, cohort, cohort / "store", "ann") as entered:
        yield entered


@pytest.fixture
def page(chromium, entered):
    with opened(chromium, entered) as page:
        yield page


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
        go(page, number)
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
    page.locator("#correct-where", has_text="160.0").wait_for()
    drag(page, on_screen(page, 230, 180), on_screen(page, 250, 150))
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
    ("player.js", "m.wishes(1, 1, 1, 4, [3, 5])", [1, 3, 2, 0]),
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
