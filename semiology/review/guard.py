"""Who may ask the server of the review, and what every answer says to the browser.

The address printed at the start holds a token that is taken once, in exchange for a cookie; without
the cookie nothing is served. A request must name this server as its host (else a name of another
site could be made to lead here), and one that comes from another origin is refused, reading or
writing. Nothing that is sent may be kept on disk (`no-store`), and the page may load nothing from
elsewhere.
"""

import secrets
import sys
import traceback
from hmac import compare_digest
from http.cookies import CookieError, SimpleCookie
from pathlib import Path
from urllib.parse import parse_qs

from fastapi import Response
from fastapi.responses import JSONResponse
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS = {
    "cache-control": "no-store",
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:;"
        " connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


# bytes of a request: ten times an action of as many points as may be [our choice]
LARGEST = 10 * 2**20


class Guard:
    """Stands before every route: who may ask, and the headers of every answer.

    Args:
        app: what is guarded.
        port: of the server.
        token: of the printed address.
    """

    def __init__(self, app: ASGIApp, port: int, token: str):
        self.app, self.token = app, token
        self.hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}
        self.cookie = f"semiology_review_{port}"  # cookies of a host are shared by its ports
        self.session = secrets.token_urlsafe(32)
        self.used = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        begun = False

        async def with_headers(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        if scope["type"] != "http":  # a WebSocket: there is none
            await send({"type": "websocket.close", "code": 1008})
            return
        answer = self._answer(scope)
        try:
            await (answer or self.app)(scope, receive, with_headers)
        except Exception as error:  # its text may name a file of a patient: only where it happened
            places = traceback.extract_tb(error.__traceback__)
            own = [place for place in places if "semiology" in Path(place.filename).parts]
            place = (own or places)[-1]
            print(
                f"semiology review: {type(error).__name__} in {Path(place.filename).name}, line"
                f" {place.lineno}",
                file=sys.stderr,
            )
            if not begun:
                fault = f"a fault of the program ({type(error).__name__}), shown in the terminal"
                await refused(500, fault)(scope, receive, with_headers)

    def _answer(self, scope: Scope) -> Response | None:
        """What is answered in place of the route; None where the request may pass."""
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if host not in self.hosts:
            return refused(403, "this server answers to the address that it printed only")
        origin = headers.get("origin")
        reads = scope["method"] in ("GET", "HEAD")
        if (origin is not None or not reads) and origin != f"http://{host}":
            return refused(403, "a page of another origin may neither read nor act here")
        if headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return refused(403, "a page of another origin may neither read nor act here")
        known = self._is_known(headers)
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token")
        if scope["path"] == "/" and reads and given is not None:
            return self._enter(given[0], known)
        if not known:
            fault = "open the address that `semiology review` printed; it holds once"
            return refused(403, fault)
        if not reads and headers.get("content-type", "").split(";")[0] != "application/json":
            return refused(415, "send JSON (Content-Type: application/json)")
        if "transfer-encoding" in headers:
            return refused(411, "state the length of what is sent (Content-Length)")
        if int(headers.get("content-length", 0)) > LARGEST:
            return refused(413, f"more than {LARGEST} bytes are no action; send fewer points")
        return None

    def _is_known(self, headers: Headers) -> bool:
        try:
            cookies = SimpleCookie(headers.get("cookie", ""))
        except CookieError:
            return False
        own = cookies.get(self.cookie)
        return own is not None and compare_digest(own.value.encode(), self.session.encode())

    def _enter(self, token: str, known: bool) -> Response:
        """The cookie for the token, once."""
        fits = not self.used and compare_digest(token.encode(), self.token.encode())
        if not fits and not known:
            return refused(403, "this address was used; start `semiology review` again")
        answer = Response(status_code=303, headers={"location": "/"})
        if fits:
            self.used = True
            answer.set_cookie(self.cookie, self.session, path="/", httponly=True, samesite="strict")
        return answer


def refused(status: int, why: str) -> JSONResponse:
    """An answer that says why not."""
    return JSONResponse({"error": why}, status)
