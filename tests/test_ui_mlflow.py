"""What a user sees of a study in the MLflow UI: the real server, looked at with a real browser.

Where NNDL_SCREENSHOTS names a folder, the pictures for the documentation are saved there.
"""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml
from selenium import webdriver
from selenium.common import exceptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
PATIENCE = 60  # seconds until what doesn't appear counts as missing
SWEEP = (
    "strategy=joint study.n_trials=6 training.epochs=4 study.name=ui pruner=none "
    "training.stopping.name=none"
)
QUIET = "MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false MLFLOW_DISABLE_TELEMETRY=true DO_NOT_TRACK=true"
# The blink settings are a mouse: without one, charts always show their tools.
FLAGS = """--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --lang=en-US
    --disable-background-networking --disable-component-update --disable-sync --no-proxy-server
    --disable-dev-shm-usage --window-size=1500,950
    --blink-settings=primaryHoverType=2,availableHoverTypes=2"""
ONLY_LOOPBACK = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
# What the UI would know from an earlier visit: "Model training" not "GenAI", no assistant panel.
VISITED = {
    "mlflow.workflowType_v1": '"machine_learning"',
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",
    "mlflow.assistant.panelOpen_v1": "false",
}
ACCURACY = "metrics.`best_validation_accuracy`"
SEARCHED = ("training.eta", "training.lmbda", "training.mini_batch_size", "network.hidden")
WIDTHS = {ACCURACY: 170} | dict.fromkeys((f"params.`{name}`" for name in SEARCHED), 110)
WIDTHS["params.`training.mini_batch_size`"] = 160
CURVES = ["training_accuracy", "training_cost", "validation_accuracy", "validation_cost"]
IN_FLUX = (  # React has replaced an element, or something still lies above it: look again
    exceptions.StaleElementReferenceException,
    exceptions.ElementNotInteractableException,
    exceptions.ElementClickInterceptedException,
)


class Study(NamedTuple):
    folder: Path
    ui_command: list[str]
    best: dict[str, Any]


class Page:
    """The UI in a browser. Nothing is there at once in it: every look waits."""

    def __init__(self, driver: webdriver.Chrome, address: str) -> None:
        self.driver, self.address = driver, address

    def remember(self, items: dict[str, str]) -> None:
        """Set what the UI keeps in the browser, from /health, where its code doesn't run."""
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
            shown = "\n".join(self.texts("body"))
            pytest.fail(f"{self.driver.current_url} does not show {wanted} but\n{shown}")

    def see(self, css: str, *words: str) -> None:
        """Wait for an element with just these words as its text."""
        wanted = list(words)
        self.wait(lambda: wanted in [text.split() for text in self.texts(css)], f"{css} {words}")

    def click(self, css: str, text: str = "") -> None:
        def click() -> bool:
            elements = self.driver.find_elements(By.CSS_SELECTOR, css)
            wanted = [e for e in elements if e.is_displayed() and e.text.strip() == text]
            if wanted:
                wanted[0].click()
            return bool(wanted)

        self.wait(click, f"{css} {text} to click on")

    def picture(self, name: str, height: int = 950) -> None:
        if folder := os.environ.get("NNDL_SCREENSHOTS"):
            Path(folder).mkdir(parents=True, exist_ok=True)
            self.driver.set_window_size(1500, height)
            assert self.driver.save_screenshot(str(Path(folder, name)))
            self.driver.set_window_size(1500, 950)


@pytest.fixture
def study(tmp_path: Path) -> Study:
    output = tmp_path / "nndl-output"
    command = [sys.executable, "-m", "nndl_exp.sweep", *SWEEP.split(), f"output={output}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    printed = re.search(r"^look +mlflow (ui .+)$", done.stdout, re.MULTILINE)
    assert printed, done.stdout
    best = yaml.safe_load((output / "studies" / "ui" / "best.yaml").read_text())
    return Study(tmp_path, shlex.split(printed[1]), best)


@pytest.fixture
def server(study: Study) -> Iterator[str]:
    """The address of the UI, started with what the sweep told the user to type."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", *study.ui_command, "--port", str(port)]
    env = os.environ | dict(setting.split("=") for setting in QUIET.split())
    log = study.folder / "ui.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            command, cwd=study.folder, env=env, stdout=out, stderr=out, start_new_session=True
        )
    try:
        await_health(process, f"http://127.0.0.1:{port}", log)
        yield f"http://127.0.0.1:{port}"
    finally:
        end_group(process)


def await_health(process: subprocess.Popen[bytes], address: str, log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + PATIENCE
    while process.poll() is None and time.monotonic() < end:
        try:
            opener.open(f"{address}/health", timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"mlflow ui did not come up:\n{log.read_text()}")


def end_group(process: subprocess.Popen[bytes]) -> None:
    """End our server and what it has started, which is the process group of its own."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, sign)
            process.wait(20)


@pytest.fixture
def page(server: str, tmp_path: Path) -> Iterator[Page]:
    options = webdriver.ChromeOptions()
    options.binary_location = CHROMIUM
    for flag in (*FLAGS.split(), ONLY_LOOPBACK, f"--user-data-dir={tmp_path / 'browser'}"):
        options.add_argument(flag)
    driver = webdriver.Chrome(options, Service(DRIVER))
    try:
        yield Page(driver, server)
    finally:
        driver.quit()


@pytest.mark.timeout(600)
@pytest.mark.skipif(not (CHROMIUM and DRIVER), reason="chromium or chromedriver is not installed")
def test_a_study_from_the_list_of_experiments_to_a_picture(page: Page, study: Study) -> None:
    winner = f"ui/{study.best['origin']['trial']}"
    page.remember(VISITED)
    page.driver.get(f"{page.address}/#/experiments")
    page.click("a", "mnist_5k")
    page.see(".ag-row a", "ui")
    check_runs(page, winner, study.best)
    page.click(".ag-row a", winner)
    check_overview(page, winner, study.best)
    page.click("[role=tab]", "Model metrics")
    check_charts(page)
    page.click("[role=tab]", "Artifacts")
    check_artifacts(page)


def check_runs(page: Page, winner: str, best: dict[str, Any]) -> None:
    """The study is one row; expanded, it shows its trials with what was searched and found."""
    show_columns(page)
    page.see(".ag-row a", "ui")
    assert page.texts(".ag-row a") == ["ui"]  # its trials are below it, not beside it
    page.click(".ag-row button")
    rows = ["ui", *(f"ui/{number}" for number in range(6))]
    page.wait(lambda: sorted(page.texts(".ag-row a")) == rows, f"the rows {rows}")
    link = page.driver.find_element(By.LINK_TEXT, winner).get_attribute("href")
    row = str(link).rpartition("/")[2]
    page.see(f"[row-id='{row}'] [col-id='{ACCURACY}']", str(best["origin"]["validation_accuracy"]))
    for name in SEARCHED:
        group, key = name.split(".")
        page.see(f"[row-id='{row}'] [col-id='params.`{name}`']", *str(best[group][key]).split())
    page.picture("mlflow-study.png")


def show_columns(page: Page) -> None:
    """Choose columns, as the UI remembers them, and load the page again."""
    address = page.driver.current_url
    number = re.search(r"/experiments/(\d+)", address)
    assert number, address
    key = f'MLflowLocalStorage-1.1-ExperimentPage-["{number[1]}"]-ReactComponentState'
    columns = {"selectedColumns": [*WIDTHS], "columnOrder": [*WIDTHS], "columnWidths": WIDTHS}
    page.remember({key: json.dumps(columns)})
    page.driver.get(address)


def check_overview(page: Page, winner: str, best: dict[str, Any]) -> None:
    page.see("h1, h2, h3", winner)
    page.see("[role=row]", "training.eta", str(best["training"]["eta"]))
    page.see("[role=row] a", "validation_accuracy")
    page.see("[role=row] a", "training_cost")


def check_charts(page: Page) -> None:
    """A line through the epochs is drawn for each learning curve."""
    page.click("input[placeholder='Search metric charts']")
    page.driver.switch_to.active_element.send_keys("^(training|validation)_")
    page.wait(lambda: sorted(page.texts("h4")) == CURVES, f"charts of just {CURVES}")
    lines = """return [...document.querySelectorAll('.js-plotly-plot')].filter(chart =>
        /L/.test(chart.querySelector('svg path.js-line')?.getAttribute('d'))).length"""
    page.wait(lambda: page.driver.execute_script(lines) == len(CURVES), "a line in every chart")
    page.picture("mlflow-trial.png", height=1160)


def check_artifacts(page: Page) -> None:
    for name in ("config.yaml", "weights.npz", "learning_curves.png"):
        page.see(f"[artifact-name='{name}']", name)
    page.click("[artifact-name='learning_curves.png']", "learning_curves.png")
    loaded = """return [...document.querySelectorAll("img[alt='learning_curves.png']")].some(
        image => image.complete && image.naturalWidth > 0)"""
    page.wait(lambda: page.driver.execute_script(loaded), "the learning curves")
    page.picture("mlflow-artifacts.png")
