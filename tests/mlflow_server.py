"""A real MLflow server of the tests' own, and a door before it that can be made to fail."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

import mlflow

SECRET = "s3cret-passw0rd"


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


@contextmanager
def server(folder: Path, port: int) -> Iterator[str]:
    """An MLflow server of our own on loopback, ended by its process group."""
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
        "--workers", "1", "--backend-store-uri", f"sqlite:///{folder}/server.db",
        "--artifacts-destination", str(folder / "served"),
    ]  # fmt: skip
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
                   "MLFLOW_DISABLE_TELEMETRY": "true"}  # fmt: skip
    with (folder / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, env=environment, stdout=log, stderr=log, start_new_session=True
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/health")
        yield f"http://nndl:{SECRET}@127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=60)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


def wait_for(url: str) -> None:
    deadline = time.monotonic() + 90
    while True:
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


class Gate:
    """Passes requests on to a server, unless it is told to fail."""

    def __init__(self, uri: str) -> None:
        host, port = urlsplit(uri).hostname, urlsplit(uri).port
        assert host is not None
        self._behind = (host, port)
        self._mode = "open"
        self._closing = threading.Event()
        gate = self

        class Handler(BaseHTTPRequestHandler):
            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if self.raw_requestline and self.parse_request():
                    gate.answer(self)

            def log_message(self, *arguments: object) -> None:
                pass

        self._handler = Handler
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self.open()

    @property
    def uri(self) -> str:
        return f"http://nndl:{SECRET}@127.0.0.1:{self._port}"

    def __enter__(self) -> "Gate":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self._closing.set()
        self._close()

    def _close(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def open(self) -> None:
        """Answer as the server does."""
        self._mode = "open"
        if self._server is None:
            self._server = ThreadingHTTPServer(("127.0.0.1", self._port), self._handler)
            self._server.daemon_threads = True
            self._port = int(self._server.server_address[1])
            threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def fail(self, how: str) -> None:
        """From now on: "answers 500", "hangs", or "down, and back": refuses connections."""
        assert how in ("answers 500", "hangs", "down, and back")
        self._mode = how
        if how == "down, and back":
            self._close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        body = _body(request)
        if self._mode == "hangs":
            self._closing.wait(60)
        elif self._mode == "answers 500":
            request.send_response(500)
            request.end_headers()
        else:
            self._pass_on(request, body)
        request.close_connection = True

    def _pass_on(self, request: BaseHTTPRequestHandler, body: bytes) -> None:
        connection = http.client.HTTPConnection(*self._behind, timeout=240)
        own = ("host", "transfer-encoding", "content-length")
        headers = {k: v for k, v in request.headers.items() if k.lower() not in own}
        connection.request(request.command, request.path, body, headers)
        response = connection.getresponse()
        content = response.read()
        request.send_response(response.status)
        for key, value in response.getheaders():
            if key.lower() not in ("transfer-encoding", "connection", "content-length"):
                request.send_header(key, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)
        connection.close()

    def shown(self, experiment: str) -> list[str]:
        """The names of the runs that the server has."""
        client = mlflow.MlflowClient("http://{}:{}".format(*self._behind))
        found = client.get_experiment_by_name(experiment)
        runs = client.search_runs([found.experiment_id])
        assert "RUNNING" not in {run.info.status for run in runs}
        return sorted(run.data.tags["nndl.run"] for run in runs)


def _body(request: BaseHTTPRequestHandler) -> bytes:
    if request.headers.get("Expect", "").lower() == "100-continue":
        request.send_response_only(100)
        request.end_headers()
    if request.headers.get("Transfer-Encoding", "").lower() != "chunked":
        return request.rfile.read(int(request.headers.get("Content-Length", 0)))
    body = b""
    while size := int(request.rfile.readline().partition(b";")[0], 16):
        body += request.rfile.read(size)
        request.rfile.readline()
    request.rfile.readline()
    return body
