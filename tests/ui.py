"""What users look at, looked at by tests: one study, servers on loopback, a real browser.

Where NNDL_SCREENSHOTS names a folder, the pictures for the documentation are saved there.
"""

import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from chromium import chromium
from conftest import CommandLine
from mlflow_server import free_port
from selenium import webdriver
from selenium.common import exceptions
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE = 60  # seconds until what doesn't appear counts as missing
TRIALS = 6
SWEEP = (
    "strategy=joint", f"study.n_trials={TRIALS}", "training.epochs=4", "study.name=ui",
    "pruner=none", "training.stopping.name=none", "executor=serial",
)  # fmt: skip
QUIET = "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true"
MOUSE = "--blink-settings=primaryHoverType=2,availableHoverTypes=2"
"""Without one, charts always show their tools."""
IN_FLUX = (  # React has replaced an element, or something still lies above it: look again
    exceptions.StaleElementReferenceException,
    exceptions.ElementNotInteractableException,
    exceptions.ElementClickInterceptedException,
)


class Shown(NamedTuple):
    """A study that was swept, in nndl-output below ``folder``: what it printed and ended with."""

    folder: Path
    printed: str
    best: dict[str, Any]

    @property
    def winner(self) -> str:
        """The name of the trial that the study ended with: ui/joint/3."""
        return str(self.best["origin"]["run"])

    @property
    def number(self) -> int:
        """The number of that trial."""
        return int(self.winner.rpartition("/")[2])

    def command(self, heading: str) -> list[str]:
        """The words of a command that the sweep printed beside a heading."""
        line = re.search(rf"^{heading} +(.+)$", self.printed, re.MULTILINE)
        assert line, self.printed
        return shlex.split(line[1], comments=True)


def sweep(folder: Path) -> Shown:
    """Run the study, as a user does."""
    cli = CommandLine(folder)
    printed = cli.ok("nndl_exp.sweep", *SWEEP)
    best = (cli.folder / "nndl-output/studies/ui/best.yaml").read_text()
    return Shown(cli.folder, printed, yaml.safe_load(best))


@contextmanager
def serving(words: list[str], folder: Path, path: str, **env: str) -> Iterator[str]:
    """A server of our own on loopback, ended by its process group, once ``path`` answers.

    ``words`` are what a user types; the port is added.
    """
    port, programs = free_port(), Path(sys.executable).parent
    log = folder / f"server-{port}.log"
    path_variable = f"{programs}{os.pathsep}{os.environ.get('PATH', '')}"
    quiet = dict(setting.split("=") for setting in QUIET.split())
    settings = {**os.environ, **quiet, "PATH": path_variable, **env}
    command = [str(programs / words[0]), *words[1:], "--port", str(port)]
    with log.open("w") as out:
        process = subprocess.Popen(
            command, cwd=folder, env=settings, stdout=out, stderr=out, start_new_session=True
        )
    try:
        _await(process, f"http://127.0.0.1:{port}{path}", log)
        yield f"http://127.0.0.1:{port}"
    finally:
        _end_group(process)


def _await(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    end = time.monotonic() + 2 * PATIENCE
    while process.poll() is None and time.monotonic() < end:
        try:
            request(address)
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"{address} does not answer:\n{log.read_text()}")


def request(address: str, body: object = None) -> bytes:
    """What a server on loopback answers, past any proxy; with a body it is sent JSON."""
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} if data else {}
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    asked = urllib.request.Request(address, data, headers)
    with opener.open(asked, timeout=PATIENCE) as answer:
        return bytes(answer.read())


def _end_group(process: subprocess.Popen[bytes]) -> None:
    """End a server and what it has started, which is the process group of its own."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, sign)
            process.wait(20)


class Page:
    """A page in a browser. Nothing is there at once in it: every look waits."""

    def __init__(self, driver: webdriver.Chrome, address: str) -> None:
        self.driver, self.address = driver, address
        # The page before may ask for its server, which has ended since, until it is left.
        driver.get("about:blank")
        driver.get_log("browser")

    def remember(self, items: dict[str, str]) -> None:
        """Set what a page keeps in the browser, from /health, where its code doesn't run."""
        self.driver.get(f"{self.address}/health")
        for item in items.items():
            self.driver.execute_script("localStorage.setItem(...arguments)", *item)

    def texts(self, css: str) -> list[str]:
        return [e.text for e in self.driver.find_elements(By.CSS_SELECTOR, css)]

    def wait(self, condition: Callable[[], Any], wanted: str) -> Any:
        waiting = WebDriverWait(self.driver, PATIENCE, ignored_exceptions=IN_FLUX)
        try:
            return waiting.until(lambda _: condition())
        except exceptions.TimeoutException:
            there = "\n".join(self.texts("body"))
            pytest.fail(f"{self.driver.current_url} does not show {wanted} but\n{there}")

    def see(self, css: str, *words: str) -> None:
        """Wait for an element with just these words as its text."""
        wanted = list(words)
        self.wait(lambda: wanted in [text.split() for text in self.texts(css)], f"{css} {words}")

    def read(self, text: str) -> None:
        """Wait for a text somewhere on the page, wherever its lines break."""
        wanted = "".join(text.split())
        self.wait(lambda: wanted in "".join("".join(self.texts("body")).split()), text)

    def click(self, css: str, text: str = "") -> None:
        def click() -> bool:
            elements = self.driver.find_elements(By.CSS_SELECTOR, css)
            wanted = [e for e in elements if e.is_displayed() and e.text.strip() == text]
            if wanted:
                wanted[0].click()
            return bool(wanted)

        self.wait(click, f"{css} {text} to click on")

    def errors(self) -> list[str]:
        """What the console has complained of since it was asked last."""
        entries = self.driver.get_log("browser")
        return [entry["message"] for entry in entries if entry["level"] == "SEVERE"]

    def picture(self, name: str, height: int = 950) -> None:
        if folder := os.environ.get("NNDL_SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.driver.set_window_size(1500, height)
            time.sleep(1)  # charts follow the size of the window, slowly
            assert self.driver.save_screenshot(str(Path(folder, name)))
            self.driver.set_window_size(1500, 950)


def browsing(profile: Path) -> AbstractContextManager[webdriver.Chrome]:
    """A browser with a mouse, whose console keeps errors."""
    return chromium(profile, MOUSE, console="SEVERE")
