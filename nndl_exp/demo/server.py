"""The server of the page: Starlette and uvicorn, on loopback unless told otherwise."""

import errno
import ipaddress
import mimetypes
import os
import socket
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from nndl_exp.demo.guard import HOSTS, Guard
from nndl_exp.demo.subject import SIDE, Subject
from nndl_exp.errors import UserError
from nndl_exp.fast.blas import blas_threads

LOOPBACK = "127.0.0.1"
PORT = 8008
"""Where the page is, unless something else is there already."""

_ANY = "0.0.0.0"
_HOST = "--host must be one address of this machine, or a name of it"
_PAGE = Path(__file__).parent / "page"
_PATIENCE = 2  # seconds that a connection has left when the server ends


def make_app(subject: Subject, hosts: Sequence[str]) -> Starlette:
    """The application: the page, and what it asks for. What can't be answered is one line.

    ``hosts`` are the names that browsers may have for the server.
    """

    async def drawing(request: Request) -> Response:
        return JSONResponse(subject.drawing(await request.body()))

    mimetypes.add_type("text/javascript", ".js")  # Windows' registry may say otherwise
    api = [
        Route("/network", _answering(subject.facts)),
        Route("/drawing", drawing, methods=["POST"]),
        Route("/neurons/{layer:int}/{index:int}", _answering(subject.neuron)),
        Route("/examples/{number:int}", _answering(subject.example)),
        Route("/mistakes/{number:int}", _answering(subject.mistake)),
    ]
    page = StaticFiles(directory=_PAGE, html=True)
    return Starlette(
        routes=[Mount("/api", routes=api), Mount("/", page)],
        middleware=[
            Middleware(Guard),
            Middleware(TrustedHostMiddleware, allowed_hosts=hosts, www_redirect=False),
            Middleware(RequestBodyLimitMiddleware, max_body_size=SIDE * SIDE),
        ],
        exception_handlers={UserError: _refuse, ClientDisconnect: _refuse},
    )


def _answering(question: Callable[..., object]) -> Callable[[Request], Awaitable[Response]]:
    """An endpoint that asks ``question`` with what stands in the path."""

    async def endpoint(request: Request) -> Response:
        return JSONResponse(question(**request.path_params))

    return endpoint


async def _refuse(request: Request, error: Exception) -> Response:
    return PlainTextResponse(str(error), status_code=400)


def listen(port: int | None, host: str = LOOPBACK) -> socket.socket:
    """A socket that listens at an address of this machine: at ``port`` (0 for any that is free), by
    default at ``PORT`` or, where that is taken, at any.

    Raises:
        UserError: the port or the address that was asked for can't be had.
    """
    try:
        address = socket.gethostbyname(host)
        if address == _ANY:  # by which names it is asked could not be checked
            raise UserError(f"{_HOST}: got {host or _ANY}, which is all of them")
        return _listen(address, PORT if port is None else port)
    except UnicodeError:
        raise UserError(f"{_HOST}: got {host}") from None
    except OSError as e:
        if e.errno not in (errno.EADDRINUSE, errno.EACCES):
            raise UserError(f"{_HOST}: got {host} ({e.strerror})") from None
        if port is None:
            return _listen(address, 0)
        raise UserError(f"--port must be a free one: got {port} ({e.strerror})") from None


def _listen(address: str, port: int) -> socket.socket:
    listening = socket.socket()
    try:
        if os.name == "posix":  # after a restart; on Windows this would share the port
            listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((address, port))
        listening.listen()
    except OSError:
        listening.close()
        raise
    return listening


def hosts_of(host: str, listening: socket.socket) -> tuple[str, ...]:
    """The names by which a browser may ask: of loopback both, of another address only what was
    typed and its number."""
    address = listening.getsockname()[0]
    return HOSTS if address == LOOPBACK else (host, address)


def is_shared(listening: socket.socket) -> bool:
    """Whether other machines can ask."""
    return not ipaddress.ip_address(listening.getsockname()[0]).is_loopback


def serve(subject: Subject, listening: socket.socket, hosts: Sequence[str]) -> None:
    """Answer until Ctrl-C or SIGTERM."""
    config = uvicorn.Config(
        make_app(subject, hosts),
        log_config=None,  # defects go to standard error, requests nowhere
        access_log=False,
        lifespan="off",
        ws="none",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=_PATIENCE,
    )
    with blas_threads(1):  # more of them are slower on one example
        uvicorn.Server(config).run(sockets=[listening])
