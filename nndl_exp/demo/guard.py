"""Who may ask: pages of this server only, by its own name, and what they may load."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

HOSTS = ("127.0.0.1", "localhost")
"""The names that a browser on this machine has for the server, unless ``--host`` gives another.

A page elsewhere could make its own name point here (DNS rebinding); Starlette's
TrustedHostMiddleware answers any other name with 400.
"""

_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",  # the next run may be shown at the same address
}


class Guard:
    """Refuses what a page of another origin asks with 403; says what ours may load."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request, as ASGI hands it on."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

        headers, app = Headers(scope=scope), self.app
        origin = headers.get("origin")
        if origin is not None and origin != f"http://{headers.get('host')}":
            app = PlainTextResponse("pages of another origin may not ask", status_code=403)
        await app(scope, receive, send_with_headers)
