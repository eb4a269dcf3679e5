"""The server of the review: who is answered, by what, and with which headers."""

import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from io import BytesIO
from pathlib import Path

import httpx
import numpy as np
import pytest
import uvicorn
from PIL import Image
from starlette.responses import HTMLResponse
from starlette.types import ASGIApp

from semiology import make_tracks
from semiology.cli.main import main
from semiology.data.corrections import SWAPPED, Correction, with_corrections
from semiology.data.store import Store, fingerprint
from semiology.errors import UserError
from semiology.review.server import Options, by_frame, open_app
from semiology.tracking.extraction.features import PEOPLE
from semiology.video import write_video
from semiology.video.recording import PART_FRAMES

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of starlette, about a successor of httpx
    from starlette.testclient import TestClient

PORT, TOKEN = 8123, "a-token"
HERE = f"http://127.0.0.1:{PORT}"
MARKUP = "<img src=x onerror=alert(1)>"
HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self';"
    " img-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}
WRITES = {"origin": HERE, "content-type": "application/json"}


def write_review_cohort(folder: Path) -> Path:
    """c1: a video of two seconds at 25 Hz, tracked, with a second person; c2: not tracked."""
    for name in ("c1", "c2"):
        images = (np.full((96, 128, 3), 60 + 2 * number, np.uint8) for number in range(50))
        write_video(folder / f"{name}.mp4", images, 25)
    rows = [f"c1\tP1\tc1.mp4\t0\tn/a\tno\t{MARKUP}", "c2\tP1\tc2.mp4\t0\tn/a\tyes\tafter"]
    header = "clip_id\tparticipant_id\tvideo\tstart\tend\tsign\tvisit\n"
    (folder / "clips.tsv").write_text(header + "\n".join(rows) + "\n")
    (folder / "participants.tsv").write_text("participant_id\nP1\n")
    levels = {"no": "absent", "yes": "present"}
    sign = {"Role": "label", "Description": MARKUP, "Levels": levels}
    (folder / "clips.json").write_text(json.dumps({"sign": sign}))
    store = Store(folder / "store")
    place = np.array([[60.0, 40], [80, 60]]) + np.linspace(0, 5, 50)[:, None, None]
    body = make_tracks(
        place, ["nose", "left_wrist"], 25.0, width=128, height=96, source_index=np.arange(50)
    )
    store.write("c1", "body", "b" * 16, body)
    people = np.zeros((2, len(PEOPLE)), np.float32)
    people[1, [PEOPLE.index(name) for name in ("person", "body_x1", "body_y1")]] = 1, 30, 50
    people[0, PEOPLE.index("is_patient")] = 1
    store.write("c1", "people", "e" * 16, (people, np.array([0.0, 0.0])))
    entries = {"body": {"key": "b" * 16, "found": 0.9}, "people": {"key": "e" * 16}}
    store.note("c1", fingerprint(folder / "c1.mp4", {}), entries)
    return folder


@pytest.fixture
def place(tmp_path) -> Path:
    return write_review_cohort(tmp_path)


def client_of(app) -> TestClient:
    return TestClient(app, base_url=HERE, follow_redirects=False, raise_server_exceptions=False)


def app_of(folder: Path, **more):
    return open_app(Options(folder, folder / "store", "ann", **more), PORT, TOKEN)


@pytest.fixture
def entered(place):
    """A browser that opened the printed address."""
    with client_of(app_of(place)) as client:
        assert client.get(f"/?token={TOKEN}").status_code == 303
        yield client


def routes(app) -> list[tuple[str, str]]:
    """Method and path of every route, with clips, parts and numbers filled in."""
    filled = {"clip_id": "c1", "part": "body", "number": "3", "place": "0", "job": "1"}
    filled["name"] = "index.html"
    return [
        (method, re.sub(r"{(\w+)}", lambda found: filled[found[1]], route.path))
        for route in app.routes
        for method in route.methods - {"HEAD"}
    ]


def stated(headers) -> dict[str, str]:
    return {name: headers.get(name) for name in HEADERS}


def test_without_the_token_nothing_is_served(place):
    app = app_of(place)
    asked = routes(app)
    assert len(asked) > 20 and ("GET", "/api/clips/c1/frames/3") in asked
    for path in ("/docs", "/redoc", "/openapi.json", "/nothing", "/page/", "/?token=", "/?token=x"):
        asked.append(("GET", path))
    with client_of(app) as client:
        for method, path in asked:
            for cookie in (None, f"semiology_review_{PORT}=guess", "a=b; =;;"):
                headers = {**WRITES, **({"cookie": cookie} if cookie else {})}
                answer = client.request(method, path, headers=headers)
                assert answer.status_code == 403, (method, path)
                assert list(answer.json()) == ["error"] and stated(answer.headers) == HEADERS
        assert not client.cookies


def test_the_token_is_taken_once_for_a_cookie_that_scripts_and_other_sites_do_not_get(place):
    app = app_of(place)
    with client_of(app) as first, client_of(app) as second:
        answer = first.get(f"/?token={TOKEN}")
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        cookie = answer.headers["set-cookie"]
        assert TOKEN not in cookie
        assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Path=/" in cookie
        assert first.get("/").status_code == 200
        assert first.get(f"/?token={TOKEN}").headers["location"] == "/"  # "back" in the browser
        again = second.get(f"/?token={TOKEN}")
        assert again.status_code == 403 and "set-cookie" not in again.headers
        assert second.get("/").status_code == 403


def test_every_route_answers_with_the_headers_and_errors_are_one_json_text(entered):
    for method, path in routes(entered.app):
        answer = entered.request(method, path, headers=WRITES)
        assert stated(answer.headers) == HEADERS, path
        assert answer.status_code < 500, (path, answer.text)
    wrong = {
        "/api/clips/c9": 404,
        "/api/clips/c9/frames/1": 404,
        "/api/clips/c2/worst": 404,
        "/api/clips/c1/tracks/face?first=0&count=1": 404,
        "/api/clips/c1/tracks/body?first=-1&count=1": 422,
        "/api/clips/c1/tracks/body?first=0&count=1000000000": 422,
        "/api/clips/c1/frames/last": 422,
        "/api/clips/c1/frames/1e9": 422,
        "/api/nothing": 404,
        "/page/nothing.js": 404,
    }
    for path, status in wrong.items():
        answer = entered.get(path)
        assert answer.status_code == status, path
        assert list(answer.json()) == ["error"] and "Traceback" not in answer.text
        assert stated(answer.headers) == HEADERS
    assert entered.put("/api/study", headers=WRITES).json() == {"error": "Method Not Allowed"}


@pytest.mark.parametrize(
    "headers",
    [
        {"host": f"evil.example:{PORT}"},  # a name of theirs that leads to this machine
        {"host": "evil.example"},
        {"host": "127.0.0.1:1"},
        {"host": ""},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": "http://127.0.0.1:1"},  # another server on this machine
        {"origin": f"https://127.0.0.1:{PORT}"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
def test_a_page_of_another_origin_can_neither_read_nor_act(entered, place, headers):
    for path in ("/", "/api/clips", "/api/clips/c1/frames/1", f"/?token={TOKEN}"):
        answer = entered.get(path, headers=headers)
        assert answer.status_code == 403 and stated(answer.headers) == HEADERS
    body = {"id": "1", "action": {"do": "assess", "assessable": False, "reason": "dark"}}
    sent = {"content-type": "application/json", "origin": HERE, **headers}
    assert entered.post("/api/clips/c1/actions", json=body, headers=sent).status_code == 403
    assert entered.post("/api/clips/c1/track", headers=sent).status_code == 403
    assert entered.delete("/api/jobs/1", headers=sent).status_code == 403
    assert entered.get("/api/clips").json()["clips"][0]["decided"]["assessable"] is None
    assert entered.get("/api/jobs").json() == {"jobs": []}


def test_what_changes_something_names_its_origin_and_is_json(entered):
    body = {"id": "1", "action": {"do": "assess", "assessable": True}}
    sent = entered.post("/api/clips/c1/actions", json=body)  # no origin
    assert sent.status_code == 403
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        headers = {"origin": HERE, "content-type": kind}
        answer = entered.post("/api/clips/c1/actions", content=json.dumps(body), headers=headers)
        assert answer.status_code == 415
    assert entered.post("/api/clips/c1/actions", content="{", headers=WRITES).status_code == 422
    deep = "[" * 100_000
    assert entered.post("/api/clips/c1/actions", content=deep, headers=WRITES).status_code == 400
    local = {"host": f"localhost:{PORT}", "origin": f"http://localhost:{PORT}"}
    with client_of(entered.app) as other:
        cookie = "; ".join(f"{name}={value}" for name, value in entered.cookies.items())
        headers = {**WRITES, **local, "cookie": cookie}
        answer = other.post("/api/clips/c1/actions", json=body, headers=headers)
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "path",
    [
        "/page/..%2f..%2fserver.py",
        "/page/%2e%2e/server.py",
        "/page/..%5cserver.py",
        "/page/%2fetc%2fpasswd",
        "/page/../server.py",
        "/page/index.html%00.js",
        "/api/clips/..%2f..",
        "/api/clips/%2e%2e",
        "/api/clips/../../clips.tsv",
        "/api/clips/c1%2f..%2fc2/frames/1",
        "/api/clips/%2e%2e%2fstore%2fc1/tracks/body?first=0&count=1",
        "/api/clips/c1/tracks/..%2f..%2fclips?first=0&count=1",
        "/api/clips/c1/tracks/people?first=0&count=1",
    ],
)
def test_no_path_leads_out_of_the_cohort(entered, path):
    raw = httpx.URL(HERE).copy_with(raw_path=path.encode())  # as it stands, not made tidy
    answer = entered.get(raw)
    assert answer.status_code == 404 and list(answer.json()) == ["error"]


def test_names_with_markup_are_json_texts(entered):
    action = {"do": "assess", "assessable": False, "reason": MARKUP}
    sent = {"id": "1", "action": action}
    assert entered.post("/api/clips/c2/actions", json=sent, headers=WRITES).status_code == 200
    clips = entered.get("/api/clips")
    assert clips.headers["content-type"] == "application/json"
    assert clips.json()["clips"][0]["visit"] == MARKUP
    assert clips.json()["clips"][1]["decided"]["reason"] == MARKUP
    assert entered.get("/api/study").json()["labels"]["sign"]["description"] == MARKUP
    answer = entered.get(f"/api/clips/{MARKUP}")
    assert answer.headers["content-type"] == "application/json" and MARKUP not in answer.text


def test_the_sheet_has_what_was_decided_beside_what_was_found(entered):
    c1, c2 = entered.get("/api/clips").json()["clips"]
    assert (c1["clip_id"], c1["tracked"], c1["found"], c1["duration"]) == (
        *("c1", True, {"body": 0.9}, 2.0),
    )
    assert not c2["tracked"] and c2["duration"] == pytest.approx(2.0)
    assert c1["decided"]["patient"] is False and c1["decided"]["assessable"] is None
    place = {"id": "1", "action": {"do": "patient", "time": 1.0, "x": 60, "y": 50}}
    assert entered.post("/api/clips/c1/actions", json=place, headers=WRITES).status_code == 200
    assert entered.get("/api/clips").json()["clips"][0]["decided"]["patient"] is True


def test_an_action_twice_is_one_and_a_stale_one_is_a_conflict(entered):
    event = {"do": "event", "event_id": "e1", "revision": 0, "onset": 0.5, "duration": 1.0}
    sent = {"id": "1", "action": {**event, "sign": "sign", "level": "yes"}}
    first = entered.post("/api/clips/c1/actions", json=sent, headers=WRITES)
    assert first.status_code == 200, first.text
    assert entered.post("/api/clips/c1/actions", json=sent, headers=WRITES).json() == first.json()
    (own,) = entered.get("/api/clips/c1/events").json()["own"]
    assert (own["event_id"], own["onset"], own["level"]) == ("e1", 0.5, "yes")
    stale = {"id": "2", "action": {**sent["action"], "onset": 0.7}}  # still revision 0
    answer = entered.post("/api/clips/c1/actions", json=stale, headers=WRITES)
    assert answer.status_code == 409 and answer.json()["current"]["onset"] == 0.5
    wrong = {"id": "3", "action": {"do": "fly"}}
    answer = entered.post("/api/clips/c1/actions", json=wrong, headers=WRITES)
    assert answer.status_code == 400 and "fly" in answer.json()["error"]
    assert [entry["seq"] for entry in entered.get("/api/log?clip_id=c1").json()] == [1]


def test_tracks_of_frames_by_their_numbers(entered):
    answer = entered.get("/api/clips/c1/tracks/body?first=48&count=4")
    values = np.frombuffer(answer.content, "<f4").reshape(4, 2, 3)
    np.testing.assert_allclose(values[1, :, 0], [65.0, 85.0], rtol=1e-6)  # the last row
    assert np.isfinite(values[:2]).all() and np.isnan(values[2:]).all()


def test_frames_times_and_thumbnails_are_the_videos(entered, place):
    facts = entered.get("/api/clips/c1").json()
    assert (facts["width"], facts["height"], facts["first"], facts["count"]) == (128, 96, 0, 50)
    assert facts["duration"] == pytest.approx(2.0) and facts["fps"] == pytest.approx(25.0)
    seconds = np.frombuffer(entered.get("/api/clips/c1/times").content, "<f8")
    np.testing.assert_allclose(seconds, np.arange(50) / 25, atol=1e-6)
    for number in (0, 49, 20):
        answer = entered.get(f"/api/clips/c1/frames/{number}?toward=1")
        assert answer.headers["content-type"] == "image/jpeg"
        image = np.asarray(Image.open(BytesIO(answer.content)))
        assert image.shape == (96, 128, 3) and abs(image.mean() - (60 + 2 * number)) < 2
    small = Image.open(BytesIO(entered.get("/api/clips/c1/frames/1?height=48").content))
    assert small.size == (64, 48)
    thumbnail = Image.open(BytesIO(entered.get("/api/clips/c2/thumbnails/7").content))
    assert thumbnail.height == 96
    assert entered.get("/api/clips/c1/frames/50").status_code == 400
    (place / "c2.mp4").write_bytes(b"")
    with client_of(app_of(place)) as client:
        client.get(f"/?token={TOKEN}")
        fault = client.get("/api/clips/c2").json()
        assert "0 bytes" in fault["fault"] and "c2.mp4" not in fault["fault"]
        assert (fault["count"], fault["width"]) == (0, None)
        shown = client.get("/api/clips/c2/frames/0")
        assert shown.status_code == 400 and "c2.mp4" not in shown.text


def test_frames_are_counted_through_where_the_numbers_of_the_video_skip(place):
    """A recording of two files, of which the second one's numbers begin at ten millions."""
    (place / "recordings.tsv").write_text(
        "recording_id\tvideo\tstart\nr1\tc1.mp4\t0\nr1\tc2.mp4\t2\n"
    )
    header, first, *_ = (place / "clips.tsv").read_text().splitlines()
    table = [f"{header}\trecording", f"{first.replace('c1.mp4', 'n/a')}\tr1"]
    (place / "clips.tsv").write_text("\n".join(table) + "\n")
    numbers = np.r_[0:50, PART_FRAMES : PART_FRAMES + 50]
    spot = np.arange(100.0)[:, None, None] * np.ones((1, 2, 2)) / 2
    body = make_tracks(
        spot, ["left_wrist", "right_wrist"], 25.0, width=128, height=96, source_index=numbers
    )
    body["confidence"][:] = 0.9
    body["confidence"][60] = 0.1
    store = Store(place / "store")
    store.write("c1", "body", "d" * 16, body)
    source = {"sha256": "0" * 64}
    store.note("c1", source, {"body": {"key": "d" * 16, "found": 1.0}})
    with client_of(app_of(place)) as client:
        client.get(f"/?token={TOKEN}")
        facts = client.get("/api/clips/c1").json()
        assert (facts["first"], facts["count"]) == (0, 100)
        image = Image.open(BytesIO(client.get("/api/clips/c1/frames/60").content))
        assert abs(np.asarray(image).mean() - (60 + 2 * 10)) < 2  # the second file's tenth
        content = client.get("/api/clips/c1/tracks/body?first=48&count=4").content
        assert np.frombuffer(content, "<f4").reshape(4, 2, 3)[:, 0, 0].tolist() == [
            24,
            24.5,
            25,
            25.5,
        ]
        worst = client.get("/api/clips/c1/worst").json()
        assert [(each["frame"], each["time"]) for each in worst] == [(60, 2.4)]
        point = {"frame": 60, "keypoint": "left_wrist", "x": 1.0, "y": 2.0}
        swap = {"do": "swap", "part": "body", "first": 49, "last": 51}
        correct = {"do": "correct", "part": "body", "points": [point]}
        for number, action in enumerate((correct, swap)):
            sent = {"id": str(number), "action": action}
            answer = client.post("/api/clips/c1/actions", json=sent, headers=WRITES)
            assert answer.status_code == 200, answer.text
        assert answer.json()["corrected"] == [[60, "left_wrist"]]
        part = client.get("/api/clips/c1").json()["parts"]["body"]
        assert part["corrected"] == [[60, "left_wrist"]]
        assert [row[:2] for row in part["swapped"]] == [[49, 51]]
        content = client.get("/api/clips/c1/tracks/body?first=60&count=1").content
        assert np.frombuffer(content, "<f4")[:2].tolist() == [1, 2]
        point["frame"] = 100
        sent = {"id": "3", "action": correct}
        answer = client.post("/api/clips/c1/actions", json=sent, headers=WRITES)
        assert answer.status_code == 400 and "frame 100" in answer.json()["error"]
    stored = (place / "store/c1/body.corrections.csv").read_text()
    assert str(PART_FRAMES + 10) in stored  # where the tracks have it


def test_frames_between_tracked_ones_show_the_one_before_and_repeated_ones_the_first():
    place = np.arange(6.0)[:, None, None].repeat(2, axis=2)
    slow = make_tracks(place, ["nose"], 25.0, source_index=np.array([0, 2, 4, -1, 8, 10]))
    assert by_frame(slow, np.arange(0, 12))[:, 0, 0].tolist()[:6] == [0, 0, 1, 1, 2, 2]
    assert np.isnan(by_frame(slow, np.arange(6, 8))).all()  # the video has a hole there
    assert by_frame(slow, np.arange(8, 12))[:, 0, 0].tolist() == [4, 4, 5, 5]
    fast = make_tracks(place, ["nose"], 50.0, source_index=np.array([7, 7, 8, 8, 9, 9]))
    values = by_frame(fast, np.arange(6, 10))[:, 0]
    assert np.isnan(values[0]).all() and values[1:, 0].tolist() == [0, 2, 4]


def test_tracks_at_25_hz_of_a_phones_30_have_no_holes_and_are_corrected_where_they_show(place):
    """Every sixth frame of the video is not tracked."""
    shown = np.array([frame for frame in range(50) if frame % 6 != 5])
    body = make_tracks(
        np.stack([shown, shown], -1)[:, None].astype(float),
        *(["nose"], 25.0),
        source_index=shown,
        width=128,
        height=96,
    )
    x = by_frame(body, np.arange(50))[:, 0, 0]
    assert x.tolist() == [frame - (frame % 6 == 5) for frame in range(50)]
    store = Store(place / "store")
    store.write("c1", "body", "c" * 16, body)
    store.note("c1", fingerprint(place / "c1.mp4", {}), {"body": {"key": "c" * 16, "found": 1.0}})
    with client_of(app_of(place)) as client:
        client.get(f"/?token={TOKEN}")
        point = {"frame": 11, "keypoint": "nose", "x": 90, "y": 80}
        sent = {"id": "1", "action": {"do": "correct", "part": "body", "points": [point]}}
        answer = client.post("/api/clips/c1/actions", json=sent, headers=WRITES)
        assert answer.json()["corrected"] == [[10, "nose"]]
        content = client.get("/api/clips/c1/tracks/body?first=9&count=4").content
        assert np.frombuffer(content, "<f4")[::3].tolist() == [9, 90, 90, 12]
        sent = {"id": "2", "action": {"do": "correct", "part": ["body"], "points": [point]}}
        assert client.post("/api/clips/c1/actions", json=sent, headers=WRITES).status_code == 400


def test_what_is_too_large_or_of_no_stated_length_is_not_read(entered):
    path = "/api/clips/c1/actions"
    large = entered.post(path, content=b" " * (10 * 2**20 + 1), headers=WRITES)
    assert large.status_code == 413 and "more than 10485760 bytes" in large.json()["error"]
    unknown = entered.post(path, content=iter([b"{}"]), headers=WRITES)
    assert unknown.status_code == 411 and stated(unknown.headers) == HEADERS


def test_numbers_beyond_all_frames_are_refused_in_one_line(entered):
    for number in (10**30, -(10**30), 50):
        answer = entered.get(f"/api/clips/c1/frames/{number}")
        assert (answer.status_code, answer.json()) == (
            400,
            {"error": f"frame {number}: clip c1 does not have it"},
        )
        point = {"frame": number, "keypoint": "nose", "x": 1, "y": 1}
        sent = {"id": "1", "action": {"do": "correct", "part": "body", "points": [point]}}
        answer = entered.post("/api/clips/c1/actions", json=sent, headers=WRITES)
        assert answer.status_code == 400 and f"frame {number}" in answer.json()["error"]


def test_boxes_of_other_people_are_those_of_the_nearest_sample(entered):
    boxes = entered.get("/api/clips/c1/people?first=0&count=2").json()
    assert boxes == [[0, 0, 0, 30, 50, 1], [1, 0, 0, 30, 50, 1]]
    assert entered.get("/api/clips/c2/people?first=0&count=2").json() == []


def test_curves_and_places_to_look_at(entered, place):
    drawn = entered.get("/api/clips/c1/curves").json()
    assert len(drawn["time"]) == 50
    assert {curve["unit"] for curve in drawn["curves"]} == {"px/s", ""}  # no torso is seen
    assert entered.get("/api/clips/c2/curves").json() == {"time": [], "curves": []}
    offered = entered.get("/api/clips/c1/next_frames").json()
    assert set(offered[0]) == {"frame", "time", "reason"}
    frame = offered[0]["frame"]
    point = {"frame": frame, "keypoint": "nose", "x": 30, "y": 30}
    sent = {"id": "1", "action": {"do": "correct", "part": "body", "points": [point]}}
    assert entered.post("/api/clips/c1/actions", json=sent, headers=WRITES).status_code == 200
    again = entered.get("/api/clips/c1/next_frames").json()
    assert frame not in {each["frame"] for each in again}


def test_timelines_and_probabilities_are_hidden_where_the_study_is_blind(place):
    lines = place / "lines/c1"
    lines.mkdir(parents=True)
    (lines / "timeline.csv").write_text("task,level,start,end,probability\nsign,yes,0,2,0.25\n")
    rows = "sign,sign,pose,agcn,0,P1,c1,P1,no,no,0.25,"
    (place / "run").mkdir()
    columns = (
        "task,label,stream,model,seed,fold,clip_id,participant_id,truth,predicted,score,scores"
    )
    scores = '"' + json.dumps({"no": 0.75, "yes": 0.25}).replace('"', '""') + '"'
    (place / "run/predictions.csv").write_text(f"{columns}\n{rows}{scores}\n")
    for blind in (False, True):
        (place / "review.yaml").write_text(f"blind_to_model: {str(blind).lower()}\n")
        app = app_of(place, run=place / "run", timelines=place / "lines")
        with client_of(app) as client:
            client.get(f"/?token={TOKEN}")
            names = [one["name"] for one in client.get("/api/clips/c1/curves").json()["curves"]]
            found = [row["probabilities"] for row in client.get("/api/clips").json()["clips"]]
        assert ("probability, sign: yes" in names) is not blind
        assert found == ([None, None] if blind else [{"sign": {"no": 0.75, "yes": 0.25}}, None])


def test_for_reading_only_every_action_is_refused_with_the_reason(place):
    before = {path: path.read_bytes() for path in place.rglob("*") if path.is_file()}
    with client_of(app_of(place, read_only=True)) as client:
        client.get(f"/?token={TOKEN}")
        assert "reading only" in client.get("/api/study").json()["read_only"]
        sent = {"id": "1", "action": {"do": "assess", "assessable": True}}
        for path, body in (("actions", sent), ("track", None)):
            answer = client.post(f"/api/clips/c1/{path}", json=body, headers=WRITES)
            assert answer.status_code == 403 and "reading only" in answer.json()["error"]
        assert client.get("/api/clips").status_code == 200
    assert {path: path.read_bytes() for path in place.rglob("*") if path.is_file()} == before


def test_a_clip_is_tracked_again_with_the_click_and_keeps_its_tracks_where_that_fails(
    entered, place
):
    click = {"id": "1", "action": {"do": "patient", "time": 1.0, "x": 60, "y": 50}}
    assert entered.post("/api/clips/c1/actions", json=click, headers=WRITES).status_code == 200
    before = entered.get("/api/clips/c1/tracks/body?first=0&count=1").content
    job = entered.post("/api/clips/c1/track", headers=WRITES).json()
    assert entered.delete("/api/jobs/9", headers=WRITES).status_code == 400
    while job["state"] in ("waiting", "running"):
        time.sleep(0.1)
        (job,) = entered.get("/api/jobs").json()["jobs"]
    assert job["state"] == "failed"  # the room is empty
    assert job["fault"].startswith("patient 1,60,50: nobody was found there; click on the patient")
    assert entered.get("/api/clips/c1/tracks/body?first=0&count=1").content == before
    stopped = entered.delete(f"/api/jobs/{job['job']}", headers=WRITES)
    assert stopped.json() == job  # it has ended


def test_what_cannot_be_opened_is_said_before_anything_is_served(place, capsys, monkeypatch):
    there = ["review", str(place), "--store", str(place / "store")]
    assert main([*there, "--rater", "../ann"]) == 2
    assert "rater" in capsys.readouterr().err
    assert main(["review", str(place / "gone"), "--store", str(place), "--rater", "ann"]) == 2
    assert "there is no such folder" in capsys.readouterr().err
    assert main([*there, "--rater", "ann", "--run", str(place)]) == 2
    assert "predictions.csv: not found" in capsys.readouterr().err
    assert main([*there, "--rater", "ann", "--extract.fps", "-1"]) == 2
    assert "give a positive number" in capsys.readouterr().err
    (place / "file").write_text("")
    assert main([*there, "--rater", "ann", "--review", str(place / "file")]) == 2
    assert "--read_only true shows it all the same" in capsys.readouterr().err
    assert main([*there, "--rater", "ann", "--port", "99999"]) == 2
    assert "--port 99999: cannot be used" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "semiology.review.server")
    assert main([*there, "--rater", "ann"]) == 2
    assert "pip install 'semiology[review]'" in capsys.readouterr().err


def test_a_fault_of_the_program_names_no_file_and_leaves_the_server_running(
    entered, capsys, monkeypatch
):
    def fails(*_):
        raise RuntimeError("in /data/jane_doe.mp4")

    monkeypatch.setattr("semiology.review.session.ReviewSession.queue", fails)
    answer = entered.get("/api/queue")
    assert answer.status_code == 500 and "RuntimeError" in answer.json()["error"]
    assert stated(answer.headers) == HEADERS
    assert "jane_doe" not in answer.text + capsys.readouterr().err
    assert entered.get("/api/study").status_code == 200


def test_the_command_serves_until_it_is_stopped_and_its_jobs_end_with_it(place):
    call = [sys.executable, "-m", "semiology.cli.main", "review", str(place)]
    options = ["--store", str(place / "store"), "--rater", "ann", "--extract.fps", "12.5"]
    server = subprocess.Popen(
        [*call, *options], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        address = server.stdout.readline().strip()
        found = re.fullmatch(r"(http://127\.0\.0\.1:\d+)/\?token=[\w-]{32}", address)
        assert found
        with httpx.Client(base_url=found[1], follow_redirects=True) as browser:
            page = browser.get(address)
            assert page.status_code == 200 and page.url.query == b""
            assert "server" not in page.headers and stated(page.headers) == HEADERS
            headers = {**WRITES, "origin": found[1]}
            job = browser.post("/api/clips/c2/track", headers=headers).json()
            assert (job["clip_id"], job["state"]) == ("c2", "waiting")
            while browser.get("/api/jobs").json()["jobs"][0]["state"] == "waiting":
                pass
        tasks = Path(f"/proc/{server.pid}/task").glob("*/children")  # none where it is not Linux
        children = [child for task in tasks for child in task.read_text().split()]
        server.send_signal(signal.SIGINT)
        printed, said = server.communicate(timeout=60)
        assert server.returncode == 130 and printed == ""
        assert said.strip().splitlines() == [
            f"{place}: 2 clips, opening",
            "semiology review: the store holds people; a clip that is tracked again loses it"
            " without --extract.people true",
            "",
            "semiology review: stopped; finished work is saved, and the same command continues"
            " from there",
        ]
        assert not any(Path(f"/proc/{child}").exists() for child in children)
    finally:
        server.kill()


def test_a_run_that_is_none_is_named(place):
    with pytest.raises(UserError, match="holds no timelines"):
        app_of(place, timelines=place / "store")


@contextmanager
def serving(app_on: Callable[[int], ASGIApp]) -> Iterator[str]:
    """A server in a thread, of the app that its port is given to; gives its address."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        config = uvicorn.Config(app_on(port), access_log=False, log_level="warning")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            thread.join()


ATTACK = """<title>working</title><script>
const target = "{target}", found = {};
const image = (path) => new Promise((done) => {
  const tag = new Image();
  tag.onload = () => done("shown");
  tag.onerror = () => done("refused");
  tag.src = target + path;
});
const ask = (path, options) => fetch(target + path, { credentials: "include", ...options })
  .then((answer) => answer.type === "opaque" ? "unreadable" : answer.text(), () => "refused");
const body = JSON.stringify({ id: "x", action: { do: "assess", assessable: false, reason: "x" } });
(async () => {
  found.read = await ask("/api/clips");
  found.opaque = await ask("/api/clips", { mode: "no-cors" });
  found.frame = await image("/api/clips/c1/frames/1?height=96");
  found.icon = await image("/page/icon.svg");
  const json = { "Content-Type": "application/json" };
  found.act = await ask("/api/clips/c1/actions", { method: "POST", body, headers: json });
  found.plain = await ask("/api/clips/c1/actions", { method: "POST", body, mode: "no-cors" });
  const inner = document.createElement("iframe");
  inner.src = target + "/";
  await new Promise((done) => { inner.onload = done; document.body.append(inner); });
  try { found.framed = inner.contentDocument.title; } catch { found.framed = "refused"; }
  document.title = JSON.stringify(found);
})();
</script>"""


@pytest.mark.browser
def test_in_a_real_browser_a_page_of_another_server_gets_nothing_with_the_cookie_there(
    place, chromium
):
    """The other page is on this machine too, so that the browser sends it along (same site)."""
    options = Options(place, place / "store", "ann")
    with ExitStack() as servers:
        review = servers.enter_context(serving(lambda port: open_app(options, port, TOKEN)))
        attack = HTMLResponse(ATTACK.replace("{target}", review))
        other = servers.enter_context(serving(lambda port: attack))
        with chromium.new_context() as browser:
            page = browser.new_page()
            page.goto(f"{review}/?token={TOKEN}")
            assert page.request.get(f"{review}/api/clips").status == 200  # the cookie is there
            sent = []
            page.on("request", lambda request: sent.append(request.url))
            page.goto(other)
            page.wait_for_function("document.title.startsWith('{')")
            found = json.loads(page.title())
            assert any(url.startswith(f"{review}/api/clips") for url in sent)
            state = page.request.get(f"{review}/api/clips").json()["clips"][0]["decided"]
    assert found == {
        **dict.fromkeys(("read", "opaque", "frame", "icon", "act", "plain"), "refused"),
        "framed": "refused",
    }
    assert state["assessable"] is None


def test_corrections_of_some_frames_are_those_of_all():
    """A stretch with a swap, corrections in and beside it, and a place that a swap took along."""
    rng, names = np.random.default_rng(0), ["nose", "left_wrist", "right_wrist"]
    tracks = make_tracks(
        rng.uniform(0, 90, (40, 3, 2)), names, 25.0, source_index=np.arange(100, 140)
    )

    def row(second, frame, keypoint, **more):
        when = f"2026-01-01T00:00:{second:02}Z"
        place = {"x": 1.0 + second, "y": 2.0, "visibility": 2} | more
        return Correction(frame, keypoint, (), **place, who="A", when=when, origin=str(second))

    swap = {"x": np.nan, "y": np.nan, "visibility": 0, "kind": SWAPPED, "other": "right_wrist"}
    rows = [row(0, 110, "left_wrist"), row(1, 105, "left_wrist", **swap, last=120)]
    rows += [row(2, 110, "left_wrist"), row(3, 130, "nose")]
    whole = by_frame(with_corrections(tracks, rows), np.arange(95, 145))
    for first in (95, 100, 108, 119, 129, 139):
        part = by_frame(tracks, np.arange(first, first + 6), rows)
        np.testing.assert_array_equal(part, whole[first - 95 :][:6])
    assert whole[15, 1:, 0].tolist() == [3.0, 1.0] and whole[35, 0, 0] == 4.0
