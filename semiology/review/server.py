"""The server of the review: routes over the other parts of this package, for one browser on this
machine. It listens on 127.0.0.1 only; see `guard` for who is answered.

Clips, parts of tracks and files of the page are found by lookup: no path is made of what a request
says. Routes are plain functions, which run in threads, so that none waits for another.
"""

import secrets
import socket
import webbrowser
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import Body, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException as StarletteHTTPException

from semiology.errors import UserError
from semiology.review.guard import Guard, refused
from semiology.review.retrack import Tracking
from semiology.review.sheet import Sheet, curves, next_frames, run_probabilities, worst_frames

HOST = "127.0.0.1"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}  # of the page's files
CLOSING = 3  # s that requests have to end when the server does [our choice]


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
    extract: tuple[str, ...] | list[str] = ()


def make_app(
    session: Any, frames: Any, sheet: Sheet, tracking: Tracking, *, port: int, token: str
) -> FastAPI:
    """The app: routes over a rater's session, the clips' frames, the contact sheet and the queue of
    clips to be tracked again.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        tracking.close()

    app = FastAPI(
        docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False, lifespan=lifespan
    )
    app.add_middleware(Guard, port=port, token=token)
    _add_page(app)
    _add_clips(app, session, sheet)
    _add_frames(app, session, frames)
    _add_tracks(app, session)
    _add_work(app, session, tracking)

    @app.exception_handler(UserError)
    def of_user(_: Request, error: UserError) -> Response:
        return refused(400, str(error))

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


def _add_clips(app: FastAPI, session: Any, sheet: Sheet) -> None:
    """What is known: the study, the sheet, one clip, its curves and places to look at."""

    @app.get("/api/study")
    def study() -> dict[str, Any]:
        return {**session.study(), "has_run": bool(sheet.probabilities)}

    @app.get("/api/clips")
    def clips() -> dict[str, Any]:
        decided = session.decided()
        rows = sheet.rows(session.cohort)
        if session.blind_to_model:
            rows = [{**row, "probabilities": None} for row in rows]
        return {"clips": [{**row, "decided": decided[row["clip_id"]]} for row in rows]}


def _add_frames(app: FastAPI, session: Any, frames: Any) -> None:
    pass


def _add_tracks(app: FastAPI, session: Any) -> None:
    pass


def _add_work(app: FastAPI, session: Any, tracking: Tracking) -> None:
    """What a person does, and the queue of clips to be tracked again."""

    @app.get("/api/jobs")
    def jobs() -> dict[str, Any]:
        return {"jobs": tracking.list()}

    @app.delete("/api/jobs/{job}")
    def stop(job: str) -> dict[str, Any]:
        return {"job": tracking.stop(job)}


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
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        listening.listen()
    except (OSError, OverflowError) as error:
        listening.close()
        raise UserError(
            f"--port {port}: cannot be used ({error}); give another, or 0 for a free one"
        ) from error
    return listening
