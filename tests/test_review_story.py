"""What a clinician does with the page, from the list of clips to the files: in a real browser,
against `semiology review` in a process of its own. Skipped where there is no Chromium.

The ward is a phantom: two rendered clips, in one of which a caregiver stands by the bed; the small
cohort has grey frames and made tracks, and is quick.
"""

import csv
import re

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from browsing import (
    FPS,
    FRAMES,
    KEYPOINTS,
    NARROW,
    REST,
    WIDE,
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
from timescoring.annotations import Annotation
from timescoring.scoring import EventScoring

from semiology.cli.main import main
from semiology.data.cohort import Cohort
from semiology.data.cohort.row import Click
from semiology.data.corrections import read_corrections
from semiology.data.events import Event, read_events, read_folder, write_events
from semiology.data.ratings import read_ratings
from semiology.data.store import Store
from semiology.data.tracks import read_tracks
from semiology.phantom import make_phantom

pytestmark = pytest.mark.browser
CLIP = "sub-02_sz-01"  # of the ward, with the caregiver: 1280x720 px, its first frame is number 58
FIRST, WIDTH, HEIGHT = 58, 1280, 720
TRACKED = 90_000  # ms that tracking two seconds of video may take


@pytest.fixture(scope="module")
def ward(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ward")
    make_phantom(
        folder / "cohort", subjects=2, clips_per_subject=1, seconds=(2.0, 2.1), progress=False
    )
    clips = pd.read_csv(folder / "cohort/clips.tsv", sep="\t")
    assert clips[clips.caregiver == "yes"].clip_id.tolist() == [CLIP]
    call = ["extract", str(folder / "cohort"), "--store", str(folder / "store")]
    assert main([*call, "--people", "true", "--clips", CLIP]) == 0
    return folder


@pytest.fixture(scope="module")
def ann(chromium, ward):
    """The first rater's browser."""
    options = ("--extract.people", "true")
    with serving(chromium, ward / "cohort", ward / "store", "ann", *options) as entered:
        yield entered


def test_from_the_list_of_clips_to_the_files(chromium, ward, ann):
    """The whole story: a clinician finds the clip with the caregiver, points at the patient, has
    it tracked again, corrects a wrist, marks an event, scores, and finds all of it again.
    """
    truth = read_tracks(ward / f"cohort/truth/{CLIP}.nc")
    before = Store(ward / "store").tracks(CLIP, "body")
    assert before.attrs["patient_people"] == 2 and before.attrs["patient_by"] == "presence"
    with opened(chromium, ann) as page:
        row = page.locator("tr[data-clip]", has_text="2 people")
        assert row.count() == 1 and row.get_attribute("data-clip") == CLIP
        assert "not tracked" in page.inner_text('tr[data-clip="sub-01_sz-01"]')

        # who the patient is
        open_clip(page, CLIP, "patient", FIRST)
        go(page, FIRST + 20, FIRST)
        x, y = truth.position.sel(keypoint="neck").values[20]
        page.mouse.click(*on_screen(page, x, y, WIDTH, HEIGHT))
        page.locator("#patient-known", has_text="pointed at 0:00.80").wait_for()
        for number, button in ((FIRST + 45, "from"), (FIRST + 50, "to")):
            go(page, number, FIRST)
            page.locator(f"#away-{button}").click()
        page.locator("#away-list", has_text="0:01.80 – 0:02.00").wait_for()
        page.locator("#track").click()
        state = page.locator("#panel-patient", has_text="the new tracks are shown")
        state.wait_for(timeout=TRACKED)
        assert not page.locator("#alert").inner_text()
        predicted = Store(ward / "store").tracks(CLIP, "body")
        assert predicted.attrs["patient_by"] == "click"
        assert np.isnan(predicted.position[45:50]).all()
        found = np.isfinite(predicted.position[:45]).any(("space", "keypoint"))
        assert found.mean() > 0.9  # the caregiver stands before the patient now and then

        # a wrist, in one frame
        frame = FIRST + 30
        page.locator("#tab-correct").click()
        go(page, frame, FIRST)
        wrist = predicted.position.sel(keypoint="right_wrist").values[30]
        assert np.isfinite(wrist).all()
        page.locator("#correct-keypoint").select_option("right_wrist")
        page.locator("#correct-where", has_text=f"{wrist[0]:.1f}, {wrist[1]:.1f} px").wait_for()
        target = wrist + np.array([60, -40])
        places = [on_screen(page, *place, WIDTH, HEIGHT) for place in (wrist, target)]
        drag(page, *places)
        page.locator("#correct-where", has_text="corrected by hand").wait_for()

        # a point that is missing, because the patient was said to be out of view
        missing = FIRST + 47
        go(page, missing, FIRST)
        page.locator("#correct-keypoint").select_option("left_wrist")
        page.locator("#correct-where", has_text="left wrist: missing in this frame").wait_for()
        page.locator("#correct-put").click()
        put = truth.position.sel(keypoint="left_wrist").values[47]
        page.mouse.click(*on_screen(page, *put, WIDTH, HEIGHT))
        page.locator("#correct-where", has_text="corrected by hand").wait_for()

        # an event, by keys
        page.locator("#frame").focus()
        page.keyboard.press("e")
        for number in (FIRST + 10, FIRST + 35):
            go(page, number, FIRST)
            page.keyboard.press("1")
        page.locator("#event-level").select_option("present")
        page.locator("#event-side").select_option("left")
        page.locator("#event-body-part").select_option("arm")

        # scores
        page.locator("#tab-score").click()
        for item, level in (("dystonia", "present"), ("dystonia_side", "left")):
            page.locator(f'[data-item="{item}"] label', has_text=level).click()
        page.locator("#rate-head", has_text="2 of 4").wait_for()
        saved(page)

        page.reload()
        shown(page, FIRST)
        page.locator('[data-item="dystonia"] input[value="present"]:checked').wait_for()
        page.locator("#tab-events").click()
        text = page.locator("#own-events li").inner_text()
        assert "dystonia, present, left, arm 0:00.40 – 0:01.40" in text
        page.locator("#tab-patient").click()
        page.locator("#patient-known", has_text="pointed at 0:00.80").wait_for()
        page.locator("#tab-correct").click()
        go(page, frame, FIRST)
        page.locator("#correct-keypoint").select_option("right_wrist")
        page.locator("#correct-where", has_text="corrected by hand").wait_for()
        there = re.findall(r"[\d.]+", page.inner_text("#correct-where"))[:2]
        page.locator("#to-clips").click()
        decided = page.locator(f'tr[data-clip="{CLIP}"] .decided')
        for text in (
            "patient pointed at",
            "rated 2 of 4",
            "1 event",
            "2 corrections",
            "1 out of view",
        ):
            decided.filter(has_text=text).wait_for()

    # the same in the files
    clips = {clip.clip_id: clip for clip in Cohort.read(ward / "cohort").clips}
    click = Click.parse(clips[CLIP].patient)
    assert click.time == 0.8
    assert np.hypot(click.x - x, click.y - y) < 2
    found, placed = read_corrections(ward / f"store/{CLIP}/body.corrections.csv")
    assert (placed.source_index, placed.keypoint) == (missing, "left_wrist")
    assert np.hypot(*(np.array([placed.x, placed.y]) - put)) < 3
    assert (found.source_index, found.keypoint) == (frame, "right_wrist")
    assert np.hypot(*(np.array([found.x, found.y]) - target)) < 3
    assert [f"{found.x:.1f}", f"{found.y:.1f}"] == there
    assert {(one.who, one.visibility) for one in (placed, found)} == {("ann", 2)}
    (event,) = read_events(ward / f"cohort/review/ann/events/{CLIP}_events.tsv").events
    assert (event.onset, event.duration, event.sign, event.level) == (
        0.4,
        1.0,
        "dystonia",
        "present",
    )
    assert (event.side, event.body_part, event.rater, event.source) == (
        "left",
        "arm",
        "ann",
        "person",
    )
    ratings, _ = read_ratings(ward / "cohort/review/ann/ratings.tsv")
    assert {one.item: one.value for one in ratings} == {
        "dystonia": "present",
        "dystonia_side": "left",
    }

    # what `loso` reads differs from what was tracked in these points of these frames alone
    tracks = Store(ward / "store").tracks(CLIP, "body")
    other = ~np.isclose(tracks.position, predicted.position, equal_nan=True).all(axis=1)
    names = tracks.keypoint.values.tolist()
    for row, one in zip(np.argwhere(other).tolist(), (found, placed), strict=True):
        assert row == [one.source_index - FIRST, names.index(one.keypoint)]
        np.testing.assert_allclose(tracks.position.values[row[0], :, row[1]], [one.x, one.y])
    xr.testing.assert_equal(Store(ward / "store").predicted(CLIP, "body"), predicted)

    # and the table of events holds for the seizure community's own scoring
    table = read_folder(ward / "cohort/review/ann/events")[CLIP]
    spans = [(one.onset, one.onset + one.duration) for one in table.events]
    marked = Annotation(spans, 100, round(100 * table.duration))
    score = EventScoring(marked, Annotation([(0.5, 1.5)], 100, marked.mask.size))
    assert (score.tp, score.fp, score.refTrue) == (1, 0, 1)


def test_another_rater_sees_nothing_of_the_first(chromium, ward):
    """What all share, the patient and the tracks, is there; events and ratings are one's own."""
    with (
        serving(chromium, ward / "cohort", ward / "store", "ben") as entered,
        opened(chromium, entered) as page,
    ):
        decided = page.inner_text(f'tr[data-clip="{CLIP}"] .decided')
        assert "patient pointed at" in decided and "2 corrections" in decided
        assert "event" not in decided and "rated 0 of 4" in decided
        open_clip(page, CLIP, "events", FIRST)
        page.locator("#panel-events", has_text="My events (0)").wait_for()
        assert page.locator("[data-event]").count() == 0
        page.locator("#tab-score").click()
        page.locator("#rate-head", has_text="0 of 4").wait_for()
        assert page.locator("#panel-score input:checked").count() == 0
        assert page.locator("[data-seq]").count() == 0
        page.locator('[data-item="dystonia"] label', has_text="absent").click()
        saved(page)
        for path in (f"clips/{CLIP}/events", f"clips/{CLIP}/ratings", "log", "queue"):
            assert '"ann"' not in page.request.get(f"{entered[0]}api/{path}").text()
    ratings, _ = read_ratings(ward / "cohort/review/ben/ratings.tsv")
    assert [(one.item, one.value) for one in ratings] == [("dystonia", "absent")]
    ratings, _ = read_ratings(ward / "cohort/review/ann/ratings.tsv")
    assert len(ratings) == 2  # untouched


def test_at_420_px_the_ward_is_no_wider_than_the_screen(chromium, ann):
    """With images, reasons, events, corrections and a stretch out of view there."""
    wide = "document.documentElement.scrollWidth - innerWidth"
    with opened(chromium, ann, NARROW, has_touch=True) as page:
        assert page.evaluate(wide) <= 0
        open_clip(page, CLIP, "events", FIRST)
        page.locator("#own-events .pick").click()
        for panel in ("score", "events", "correct", "patient"):
            page.locator(f"#tab-{panel}").click()
            assert page.evaluate(wide) <= 0, panel
        page.locator("#tab-correct").click()
        x, y = on_screen(page, 640, 360, WIDTH, HEIGHT)
        page.locator("#correct-put").tap()
        page.locator("#frame").scroll_into_view_if_needed()
        x, y = on_screen(page, 640, 360, WIDTH, HEIGHT)
        page.touchscreen.tap(x, y)
        page.locator("#correct-where", has_text="corrected by hand").wait_for()
        where = re.findall(r"[\d.]+", page.inner_text("#correct-where"))[:2]
        assert np.hypot(float(where[0]) - 640, float(where[1]) - 360) < 4
        page.locator("#log summary").tap()
        page.locator("#log-list").get_by_text("Take back").first.tap()
        page.locator("#correct-where", has_text="corrected by hand").wait_for(state="detached")


def reached(page, selector: str) -> None:
    """Press Tab until this control has the focus."""
    for _ in range(80):
        if page.evaluate("(one) => document.activeElement.matches(one)", selector):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"Tab does not reach {selector}")


def test_all_of_it_by_keyboard_alone(chromium, ward, ann):
    """A clip that is not tracked yet: tracked, pointed at, corrected, marked, scored."""
    clip_id = "sub-01_sz-01"
    with opened(chromium, ann) as page:
        press = page.keyboard.press
        press(".")
        assert page.evaluate("document.activeElement.textContent") == clip_id
        press("Enter")
        shown(page, 0)
        press("p")
        reached(page, "#track")
        press("Enter")
        page.locator("#panel-patient", has_text="the new tracks are shown").wait_for(
            timeout=TRACKED
        )
        reached(page, "#aim")
        press("Enter")
        for _ in range(3):
            press("Alt+Shift+ArrowUp")
        reached(page, "#aim-done")
        press("Enter")
        page.locator("#patient-known", has_text="pointed at 0:00.00").wait_for()

        press("k")
        reached(page, "#correct-keypoint")
        page.keyboard.type("left sh")
        page.locator("#correct-where", has_text="left shoulder").wait_for()
        tracked = Store(ward / "store").tracks(clip_id, "body").sel(keypoint="left_shoulder")
        x, y = tracked.position.values[0]
        page.locator("#correct-where", has_text=f"{x:.1f}, {y:.1f} px").wait_for()
        press("Alt+ArrowRight")
        press("Alt+Shift+ArrowDown")
        page.locator("#correct-where", has_text="corrected by hand").wait_for()

        press("Escape")  # out of the list, where letters choose, to the image
        press("e")
        press("1")
        press("Shift+ArrowRight")
        shown(page, 25)
        press("1")
        page.locator("#own-events", has_text="0:00.00 – 0:01.00").wait_for()
        reached(page, "#event-side")
        page.keyboard.type("le")
        page.locator("#own-events", has_text="dystonia, left").wait_for()

        press("Escape")
        press("s")
        reached(page, '[data-item="dystonia"] input')
        press("Space")
        page.locator("#rate-head", has_text="1 of 4").wait_for()
        saved(page)
        press("l")
        decided = page.locator(f'tr[data-clip="{clip_id}"] .decided')
        for text in ("patient pointed at", "rated 1 of 4", "1 event", "1 correction"):
            decided.filter(has_text=text).wait_for()
    corrected = Store(ward / "store").tracks(clip_id, "body").sel(keypoint="left_shoulder")
    np.testing.assert_allclose(corrected.position.values[0], [x + 1, y + 10], atol=0.01)


# ---- the small cohort


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Clips of grey frames, each rated twice, and a model that found three events in c4."""
    folder = write_cohort(tmp_path_factory.mktemp("small"), ["c1", "c2", "c3", "c4"])
    (folder / "review.yaml").write_text("second_reading: 1.0\n")
    events = [
        Event(onset, 0.2, "sign", "yes", confidence)
        for onset, confidence in ((0.2, 0.9), (0.8, 0.7), (1.4, 0.6))
    ]
    write_events(folder / "found/c4_events.tsv", events, FRAMES / FPS)
    return folder


@pytest.fixture(scope="module")
def entered(chromium, small):
    options = ("--events", str(small / "found"))
    with serving(chromium, small, small / "store", "ann", *options) as entered:
        yield entered


@pytest.fixture
def page(chromium, entered):
    with opened(chromium, entered, WIDE) as page:
        yield page


def keypoint_at(page, name: str) -> list[float]:
    """Where the page says that a keypoint is in the frame on screen, px; empty where missing."""
    page.locator("#correct-keypoint").select_option(name)
    where = page.locator("#correct-where", has_text=name.replace("_", " ")).filter(has_not_text="…")
    where.wait_for()
    return [float(text) for text in re.findall(r"[\d.]+", where.inner_text())[:2]]


def positions(small, clip_id: str) -> tuple[np.ndarray, np.ndarray]:
    """(frame, keypoint, space), as `loso` reads them, and as they were tracked."""
    store = Store(small / "store")
    both = store.tracks(clip_id, "body"), store.predicted(clip_id, "body")
    return tuple(tracks.position.transpose("time", "keypoint", "space").values for tracks in both)


def changed(now: np.ndarray, before: np.ndarray) -> list[tuple[int, str]]:
    """Frames and keypoints at which tracks differ."""
    places = np.argwhere(~np.isclose(now, before, atol=1e-4, equal_nan=True).all(axis=2))
    return [(frame, KEYPOINTS[column]) for frame, column in places.tolist()]


def test_a_point_is_taken_out_and_put_in_again(page, small):
    open_clip(page, "c1", "correct")
    go(page, 5)
    assert keypoint_at(page, "right_wrist") == pytest.approx([91.0, 181.0], abs=0.05)
    page.locator("#frame").focus()
    page.keyboard.press("Delete")
    page.locator("#correct-where", has_text="missing in this frame; corrected by hand").wait_for()
    saved(page)
    now, before = positions(small, "c1")
    assert np.isnan(now[5, KEYPOINTS.index("right_wrist")]).all()
    assert changed(now, before) == [(5, "right_wrist")]
    page.locator("#correct-put").click()
    page.mouse.click(*on_screen(page, 60, 200))
    page.locator("#correct-where", has_text="px, confidence 1.00; corrected by hand").wait_for()
    saved(page)
    now, _ = positions(small, "c1")
    assert np.hypot(*(now[5, KEYPOINTS.index("right_wrist")] - [60, 200])) < 1
    assert changed(now, before) == [(5, "right_wrist")]
    page.locator("#frame").focus()
    page.keyboard.press("u")
    page.locator("#correct-where", has_text="missing in this frame; corrected by hand").wait_for()
    page.keyboard.press("u")
    page.locator("#correct-where", has_text="91.0, 181.0").wait_for()
    assert changed(*positions(small, "c1")) == []


def test_left_and_right_are_exchanged_over_a_stretch(page, small):
    open_clip(page, "c2", "correct")
    for number, end in ((10, "from"), (19, "to")):
        go(page, number)
        page.locator(f"#swap-{end}").click()
    page.locator("#swap-pairs").select_option(label="left wrist and right wrist")
    page.locator("#swap").click()
    saved(page)
    go(page, 15)
    shift = 10 * 15 / 49
    place = REST[KEYPOINTS.index("right_wrist")] + shift
    page.locator("#correct-keypoint").select_option("left_wrist")
    page.locator(
        "#correct-where", has_text=f"left wrist: {place[0]:.1f}, {place[1]:.1f}"
    ).wait_for()
    now, before = positions(small, "c2")
    wrists = ("left_wrist", "right_wrist")
    assert changed(now, before) == [(frame, name) for frame in range(10, 20) for name in wrists]
    left, right = (KEYPOINTS.index(name) for name in wrists)
    np.testing.assert_array_equal(now[10:20, left], before[10:20, right])
    page.reload()
    go(page, 15)
    assert keypoint_at(page, "left_wrist") == pytest.approx(list(place), abs=0.06)
    page.locator("#frame").focus()
    page.keyboard.press("u")
    place = REST[left] + shift
    page.locator(
        "#correct-where", has_text=f"left wrist: {place[0]:.1f}, {place[1]:.1f}"
    ).wait_for()
    assert changed(*positions(small, "c2")) == []


def test_a_correction_is_carried_between_two_frames(page, small):
    open_clip(page, "c3", "correct")
    for number, to in ((10, (200, 140)), (20, (240, 180))):
        go(page, number)
        x, y = keypoint_at(page, "left_wrist")
        drag(page, on_screen(page, x, y), on_screen(page, *to))
        page.locator("#correct-where", has_text="corrected by hand").wait_for()
    saved(page)
    now, before = positions(small, "c3")
    assert changed(now, before) == [(10, "left_wrist"), (20, "left_wrist")]
    go(page, 15)
    page.locator("#carry-span", has_text="frames 10 to 20").wait_for()
    page.locator("#carry").click()
    page.locator("#correct-where", has_text="corrected by hand").wait_for()
    saved(page)
    now, before = positions(small, "c3")
    column = KEYPOINTS.index("left_wrist")
    assert changed(now, before) == [(frame, "left_wrist") for frame in range(10, 21)]
    assert np.hypot(*(now[15, column] - [220, 160])) < 1
    line = np.linspace(now[10, column], now[20, column], 11)
    np.testing.assert_allclose(now[10:21, column], line, atol=1e-3)
    page.reload()
    go(page, 15)
    assert keypoint_at(page, "left_wrist") == pytest.approx(list(line[5]), abs=0.06)
    page.locator("#tab-correct").click()
    assert page.locator("#next-frames li").count() >= 1


def test_a_stretch_out_of_view_is_marked_and_taken_out(page, small):
    open_clip(page, "c1", "patient")
    for number, end in ((10, "from"), (20, "to")):
        go(page, number)
        page.locator(f"#away-{end}").click()
    page.locator("#away-list", has_text="0:00.40 – 0:00.80").wait_for()
    saved(page)
    with (small / "out_of_view.tsv").open() as file:
        (row,) = csv.DictReader(file, delimiter="\t")
    assert (row["clip_id"], float(row["onset"]), float(row["duration"])) == ("c1", 0.4, 0.4)
    assert row["rater"] == "ann"
    page.reload()
    page.locator("#away-list", has_text="0:00.40 – 0:00.80").get_by_text("Take out").click()
    page.locator("#away-list", has_text="none").wait_for()
    saved(page)
    with (small / "out_of_view.tsv").open() as file:
        assert list(csv.DictReader(file, delimiter="\t")) == []


def test_nobody_at_the_click_is_said_and_the_tracks_stay(page, small):
    open_clip(page, "c4", "patient")
    page.mouse.click(*on_screen(page, 160, 60))
    page.locator("#patient-known", has_text="pointed at 0:00.00").wait_for()
    page.locator("#track").click()
    page.locator("#alert", has_text="nobody was found there").wait_for(timeout=TRACKED)
    assert page.locator("#track").is_enabled() and not page.locator("#track-stop").is_visible()
    assert changed(*positions(small, "c4")) == []


def test_events_of_a_model_are_accepted_moved_and_rejected(page, small):
    open_clip(page, "c4")
    found = page.locator("[data-found]")
    found.nth(2).wait_for()
    assert "sign, yes 0:00.20 – 0:00.40" in found.nth(0).inner_text()
    assert "confidence 0.90" in found.nth(0).inner_text()
    found.nth(0).get_by_role("button", name="Accept").click()
    page.locator('[data-found][data-decision="accepted"]').wait_for()
    found.nth(1).get_by_role("button", name="Move").click()
    go(page, 24)
    found.nth(1).get_by_role("button", name="Onset").click()
    go(page, 30)
    found.nth(1).get_by_role("button", name="Offset").click()
    found.nth(1).get_by_role("button", name="Save").click()
    page.locator('[data-found][data-decision="moved"]').wait_for()
    found.nth(2).get_by_role("button", name="Reject").click()
    page.locator('[data-found][data-decision="rejected"]').wait_for()
    page.locator("#panel-events", has_text="My events (2)").wait_for()
    saved(page)
    page.reload()
    found.nth(2).wait_for()
    decisions = [found.nth(k).get_attribute("data-decision") for k in range(3)]
    assert decisions == ["accepted", "moved", "rejected"]
    events = read_events(small / "review/ann/events/c4_events.tsv").events
    assert [(one.onset, round(one.duration, 3), one.source, one.rater) for one in events] == [
        (0.2, 0.2, "model", "ann"),
        (0.96, 0.24, "model", "ann"),
    ]
    # minds change: what was accepted is rejected, what was rejected is accepted
    found.nth(0).get_by_role("button", name="Reject").click()
    page.locator("#panel-events", has_text="My events (1)").wait_for()
    found.nth(2).get_by_role("button", name="Accept").click()
    page.locator("#panel-events", has_text="My events (2)").wait_for()
    saved(page)
    events = read_events(small / "review/ann/events/c4_events.tsv").events
    assert [one.onset for one in events] == [0.96, 1.4]


def test_all_clips_are_scored_in_the_queue_and_then_again(page, small):
    """The second reading begins when all first ones are done, and does not show their values."""
    seen = []
    page.locator("#to-next").click()
    for turn in range(8):
        reading = "Second reading" if turn >= 4 else "First reading"
        page.locator("#rate-head", has_text=f"{reading}: 0 of 1 given").wait_for()
        seen.append((page.locator("section.clip").get_attribute("data-clip"), turn >= 4))
        assert page.locator("#panel-score input:checked").count() == 0
        level = "no" if turn == 5 else "yes"
        page.locator(f'[data-item="sign"] label:has(input[value="{level}"])').click()
        page.locator("#rate-head", has_text="complete").wait_for()
        saved(page)
        page.locator("#rate-next").click()
    page.locator("#view", has_text="Everything is scored").wait_for()
    for second in (False, True):
        clips = sorted(clip for clip, again in seen if again == second)
        assert clips == ["c1", "c2", "c3", "c4"]
    ratings, _ = read_ratings(small / "review/ann/ratings.tsv")
    other = seen[5][0]
    assert {(one.clip_id, one.reading): one.value for one in ratings} == {
        (clip, reading): "no" if (clip, reading) == (other, 2) else "yes"
        for clip in ("c1", "c2", "c3", "c4")
        for reading in (1, 2)
    }
    out = small / "agreement"
    call = ["agreement", str(small / "review"), "--item", "sign", "--out", str(out)]
    assert main(call) == 0
