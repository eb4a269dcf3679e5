"""The server of the review: routes over the other parts of this package, for one browser on this
machine. It listens on 127.0.0.1 only; see `guard` for who is answered.

Clips, parts of tracks and files of the page are found by lookup: no path is made of what a request
says. Routes are plain functions, which run in threads, so that none waits for another.
"""

import os
import secrets
import socket
import webbrowser
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import uvicorn
import xarray as xr
from fastapi import Body, FastAPI, HTTPException, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException as StarletteHTTPException

from semiology.data.corrections import Correction, with_corrections
from semiology.data.store import TRACKS
from semiology.errors import UserError
from semiology.review.actions import Conflict
from semiology.review.clips import standing
from semiology.review.guard import Guard, refused
from semiology.review.retrack import Tracking
from semiology.review.session import ReadOnly, ReviewSession
from semiology.review.sheet import (
    Sheet,
    curves,
    next_frames,
    other_people,
    run_probabilities,
    worst_frames,
)
from semiology.review.videos import Videos, plain_text
from semiology.timeline.events.timeline import find_timelines, read_timeline
from semiology.video import Reading
from semiology.video.decode import AS_STATED

HOST = "127.0.0.1"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}  # of the page's files
BYTES, JPEG = "application/octet-stream", "image/jpeg"
CORRECTS = {"points", "first", "last"}  # fields of actions that hold numbers of frames
MOST_FRAMES = 5000  # whose tracks are sent at once [our choice]
CLOSING = 3  # s that requests have to end when the server does [our choice]

Number = Annotated[int, Query(ge=0, lt=1 << 31)]
Count = Annotated[int, Query(ge=1, le=MOST_FRAMES)]
Toward = Annotated[int, Query(ge=-1, le=1)]
Height = Annotated[int, Query(ge=16, le=4320)]


@dataclass(frozen=True)
class Options:
    """What is shown, to whom, and where the work goes.

    Attributes:
        cohort: folder of the cohort.
        store: folder of its tracks and features.
        rater: name or initials of who marks and rates.
        run: of `semiology loso`, whose probabilities are shown.
        timelines: folder of the clips' timelines.
        events: folder of a model's events, to accept, move or reject.
        review: folder of the raters' work; by default COHORT/review.
        port: of the server; 0 takes a free one.
        open: open the address in this machine's browser.
        read_only: every action is refused.
        extract: options of `semiology extract` for clips that are tracked again, as on its command
            line.
        reading: of videos, by the same options.
    """

    cohort: Path
    store: Path
    rater: str
    run: Path | None = None
    timelines: Path | None = None
    events: Path | None = None
    review: Path | None = None
    port: int = 0
    open: bool = False
    read_only: bool = False
    extract: Sequence[str] = ()
    reading: Reading = AS_STATED


def make_app(
    session: ReviewSession,
    videos: Videos,
    sheet: Sheet,
    tracking: Tracking,
    *,
    timelines: Mapping[str, Path],
    port: int,
    token: str,
) -> FastAPI:
    """The app: routes over a rater's session, the clips' frames, the contact sheet and the queue of
    clips to be tracked again.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        tracking.close()
        videos.frames.close()

    app = FastAPI(
        docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False, lifespan=lifespan
    )
    app.add_middleware(Guard, port=port, token=token)
    _add_page(app)
    _add_clips(app, session, sheet)
    _add_clip(app, session, videos, timelines)
    _add_frames(app, session, videos)
    _add_work(app, session, videos, tracking)

    @app.exception_handler(UserError)
    def of_user(_: Request, error: UserError) -> Response:
        if isinstance(error, Conflict):
            return JSONResponse({"error": str(error), "current": error.current}, 409)
        return refused(403 if isinstance(error, ReadOnly) else 400, plain_text(error))

    @app.exception_handler(RequestValidationError)
    def of_request(_: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return refused(422, f"{where}: {first['msg']}")

    @app.exception_handler(StarletteHTTPException)
    def of_route(_: Request, error: StarletteHTTPException) -> Response:
        return refused(error.status_code, str(error.detail))

    return app


def _add_page(app: FastAPI) -> None:
    """The page: files of the folder `page`, read once and served by their names."""
    page = {
        entry.name: entry.read_bytes()
        for entry in files("semiology.review").joinpath("page").iterdir()
        if entry.is_file() and Path(entry.name).suffix in TYPES
    }

    @app.get("/")
    def index() -> Response:
        return module("index.html")

    @app.get("/page/{name}")
    def module(name: str) -> Response:
        if name not in page:
            raise HTTPException(404, "the page has no such file")
        return Response(page[name], media_type=TYPES[Path(name).suffix])


def _add_clips(app: FastAPI, session: ReviewSession, sheet: Sheet) -> None:
    """What is known of the study and of all clips."""

    @app.get("/api/study")
    def study() -> dict[str, Any]:
        return session.study_facts()

    @app.get("/api/clips")
    def clips() -> dict[str, Any]:
        rows = sheet.rows(session.cohort)
        return {"clips": [{**row, "decided": session.decided(row["clip_id"])} for row in rows]}

    @app.get("/api/queue")
    def queue() -> dict[str, Any]:
        return {"queue": session.queue()}


def _add_clip(
    app: FastAPI, session: ReviewSession, videos: Videos, timelines: Mapping[str, Path]
) -> None:
    """What is known of one clip, and where to look in it."""

    def body_of(clip_id: str) -> xr.Dataset:
        tracks = session.files.tracks(_known(session, clip_id), "body")
        if tracks is None:
            raise HTTPException(404, f"clip {clip_id}: has no tracks of the body yet; track it")
        return tracks

    def on_page(clip_id: str, places: list[dict[str, Any]]) -> list[dict[str, Any]]:
        numbers = videos.on_page(clip_id, [place["frame"] for place in places])
        return [{**place, "frame": number} for place, number in zip(places, numbers)]

    @app.get("/api/clips/{clip_id}")
    def clip(clip_id: str) -> dict[str, Any]:
        known, facts = session.clip(_known(session, clip_id)), videos.facts(clip_id)
        if facts["count"]:
            for part, stated in known["parts"].items():
                known["parts"][part] = videos.facts_on_page(clip_id, stated)
        return {**known, **facts}

    @app.get("/api/clips/{clip_id}/curves")
    def over_time(clip_id: str) -> dict[str, Any]:
        _known(session, clip_id)
        body, face = (session.files.tracks(clip_id, part) for part in ("body", "face"))
        path = None if session.study.blind_to_model else timelines.get(clip_id)
        return curves(body, face, None if path is None else read_timeline(path))

    @app.get("/api/clips/{clip_id}/worst")
    def worst(clip_id: str) -> list[dict[str, Any]]:
        return on_page(clip_id, worst_frames(body_of(clip_id)))

    @app.get("/api/clips/{clip_id}/next_frames")
    def next_ones(clip_id: str) -> list[dict[str, Any]]:
        tracks = body_of(clip_id)
        corrected = session.clip(clip_id)["parts"]["body"]["corrected"]
        return on_page(clip_id, next_frames(tracks, {frame for frame, _ in corrected}))

    @app.get("/api/clips/{clip_id}/events")
    def events(clip_id: str) -> dict[str, Any]:
        return session.events(_known(session, clip_id))

    @app.get("/api/clips/{clip_id}/ratings")
    def ratings(clip_id: str, reading: int | None = None) -> dict[str, Any]:
        return session.ratings(_known(session, clip_id), reading)


def _add_frames(app: FastAPI, session: ReviewSession, videos: Videos) -> None:
    """Images and times of a clip's frames, and what was tracked in them."""

    @app.get("/api/clips/{clip_id}/times")
    def times(clip_id: str) -> Response:
        seconds = videos.frames.times(videos.of(_known(session, clip_id)))
        return Response(seconds.astype("<f8").tobytes(), media_type=BYTES)

    @app.get("/api/clips/{clip_id}/frames/{number}")
    def frame(
        clip_id: str, number: int, toward: Toward = 0, height: Height | None = None
    ) -> Response:
        video = videos.of(_known(session, clip_id))
        own = videos.number(clip_id, number)
        shown = videos.frames.jpeg(video, own, toward=toward, height=height)
        return Response(shown.jpeg, media_type=JPEG)

    @app.get("/api/clips/{clip_id}/thumbnails/{place}")
    def thumbnail(clip_id: str, place: int) -> Response:
        video = videos.of(_known(session, clip_id))
        return Response(videos.frames.thumbnail(video, place), media_type=JPEG)

    @app.get("/api/clips/{clip_id}/tracks/{part}")
    def tracks(clip_id: str, part: str, first: Number, count: Count) -> Response:
        _known(session, clip_id)
        found = session.files.uncorrected(clip_id, part) if part in TRACKS else None
        if found is None:
            raise HTTPException(404, f"clip {clip_id}: this part is not tracked")
        rows = by_frame(found[0], videos.numbers(clip_id, first, count), found[1])
        return Response(rows.tobytes(), media_type=BYTES)

    @app.get("/api/clips/{clip_id}/people")
    def people(clip_id: str, first: Number, count: Count) -> list[list[float]]:
        video = videos.of(_known(session, clip_id))
        start, times = videos.facts(clip_id)["first"], videos.frames.times(video)
        shown = np.arange(max(first, start), min(first + count, start + len(times)))
        return other_people(session.store, clip_id, shown, times[shown - start])


def _add_work(app: FastAPI, session: ReviewSession, videos: Videos, tracking: Tracking) -> None:
    """What a person does, and the queue of clips to be tracked again."""

    @app.post("/api/clips/{clip_id}/actions")
    def act(
        clip_id: str, id: Annotated[str, Body()], action: Annotated[dict[str, Any], Body()]
    ) -> dict[str, Any]:
        _known(session, clip_id)
        if CORRECTS & action.keys():
            action = videos.action_in_video(clip_id, action)
        answer = session.act(clip_id, id, action)
        return videos.facts_on_page(clip_id, answer)

    @app.get("/api/log")
    def log(clip_id: str | None = None) -> list[dict[str, Any]]:
        return session.log(clip_id if clip_id is None else _known(session, clip_id))

    @app.post("/api/clips/{clip_id}/track")
    def track(clip_id: str) -> dict[str, Any]:
        clip = session.clips[_known(session, clip_id)]
        if session.read_only is not None:
            raise ReadOnly(f"{session.read_only}; nothing is tracked")
        if clip.tracks or not (clip.video or clip.recording):
            raise UserError(f"clip {clip_id}: has no video to track, but its own tracks")
        return tracking.add(clip_id)

    @app.get("/api/jobs")
    def jobs() -> dict[str, Any]:
        return {"jobs": tracking.list()}

    @app.delete("/api/jobs/{job}")
    def stop(job: str) -> dict[str, Any]:
        return tracking.stop(job)


def _known(session: ReviewSession, clip_id: str) -> str:
    """The id of a clip of the cohort; all that is opened is named by these ids."""
    if clip_id not in session.clips:
        raise HTTPException(404, "the cohort has no such clip")
    return clip_id


def by_frame(
    tracks: xr.Dataset, wanted: np.ndarray, corrections: Sequence[Correction] = ()
) -> np.ndarray:
    """Tracks of some frames of the video, by their numbers (frame,): (frame, keypoint, 3) float32
    of x, y (px) and confidence; NaN where nothing was found.

    A frame between two that were tracked shows the one before, see `standing`; of several rows of
    one frame (tracks at a higher rate than the video) the first is taken.

    Args:
        tracks: of the clip.
        wanted: numbers of frames.
        corrections: that the tracks lack; they are applied to these frames alone.
    """
    numbers = tracks["source_index"].values
    shown, rows = np.unique(numbers, return_index=True)
    shown, rows = shown[shown >= 0], rows[shown >= 0]
    place = standing(shown, wanted)
    held = place >= 0
    taken = rows[place[held]]
    read = np.unique([0, *taken])  # one row at least, which tells the keypoints
    tracks = with_corrections(tracks.isel(time=read), corrections)
    values = np.full((len(wanted), tracks.sizes["keypoint"], 3), np.nan, "<f4")
    taken = np.searchsorted(read, taken)
    position = tracks["position"].transpose("time", "keypoint", "space").values
    values[held, :, :2] = position[taken]
    values[held, :, 2] = tracks["confidence"].transpose("time", "keypoint").values[taken]
    values[np.isnan(values[..., 0]), 2] = np.nan
    return values


def open_app(options: Options, port: int, token: str) -> FastAPI:
    """The app over everything that the options name.

    Raises:
        UserError: no such cohort, a run or a timeline that cannot be read, folders that cannot be
            written.
    """
    try:
        session = ReviewSession(
            *(options.cohort, options.store, options.rater),
            review=options.review,
            read_only=options.read_only,
            run=options.run,
            events=options.events,
        )
    except UserError as error:
        if isinstance(error.__cause__, OSError) and not options.read_only:
            raise UserError(f"{error}; --read_only true shows it all the same") from error
        raise
    run = None if session.study.blind_to_model else options.run
    sheet = Sheet(session.store, {} if run is None else run_probabilities(run))
    return make_app(
        session,
        Videos(session, sheet, options.reading),
        sheet,
        Tracking(options.cohort, options.store, options.extract),
        timelines=find_timelines(options.timelines) if options.timelines else {},
        port=port,
        token=token,
    )


def serve(options: Options) -> None:
    """Serve until Ctrl-C; prints the address first.

    Raises:
        UserError: no such cohort, folders that cannot be written, a port that is taken.
    """
    with _listening(options.port) as listening:
        port, token = listening.getsockname()[1], secrets.token_urlsafe(24)
        app = open_app(options, port, token)
        address = f"http://{HOST}:{port}/?token={token}"
        print(address, flush=True)
        if options.open:
            webbrowser.open(address)
        config = uvicorn.Config(
            app,
            access_log=False,
            log_level="warning",
            server_header=False,
            ws="none",
            timeout_graceful_shutdown=CLOSING,
        )
        uvicorn.Server(config).run(sockets=[listening])


def _listening(port: int) -> socket.socket:
    """A socket of this machine alone."""
    listening = socket.socket()
    try:
        if os.name == "posix":  # under Windows it would let others take the same port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        listening.listen()
    except (OSError, OverflowError) as error:
        listening.close()
        raise UserError(
            f"--port {port}: cannot be used ({error}); give another, or 0 for a free one"
        ) from error
    return listening
