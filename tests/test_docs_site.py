"""The documentation as a site: it builds without a warning, its reference has every setting, and a
browser that looks at it asks no other server for anything."""

import html
import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import yaml
from chromium import chromium
from docs_blocks import ROOT
from pydantic import TypeAdapter
from selenium import webdriver
from selenium.webdriver.common.by import By

from nndl_exp.__main__ import nndl
from nndl_exp.cli.conf import CONF
from nndl_exp.cli.hydra_config import compose
from nndl_exp.config import SweepConfig, flatten
from nndl_exp.study.stages.chapter3 import STAGES

if not (ROOT / "mkdocs.yml").is_file():
    pytest.skip("a source distribution has no docs", allow_module_level=True)

DATA_GROUPS = ("search_space", "sampler", "pruner")
"""Groups whose keys are those of Optuna or of the settings; their files are shown whole."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built as CONTRIBUTING.md says."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


class Cells(HTMLParser):
    """The rows of all tables of a page, as lists of texts."""

    def __init__(self, page: Path) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self._inside = False
        self.feed(page.read_text())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self._inside = True
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        if tag in ("td", "th"):
            self._inside = False

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.rows[-1][-1] += data


@pytest.fixture(scope="module")
def described(site: Path) -> dict[str, list[str]]:
    """The rows of the settings by their names."""
    rows = Cells(site / "reference" / "settings.html").rows
    return {row[0]: row for row in rows if row and row[0] != "setting"}


def test_every_setting_of_a_dataclass_has_its_default_and_a_meaning(described):
    schema = TypeAdapter(SweepConfig).json_schema()
    definitions = schema["$defs"]

    def walk(properties: dict, prefix: str = "") -> Iterator[str]:
        for key, entry in properties.items():
            if "$ref" in entry:
                inner = definitions[entry["$ref"].rpartition("/")[2]]["properties"]
                yield from walk(inner, "" if key == "run" else f"{prefix}{key}.")
            else:
                yield f"{prefix}{key}"

    names = list(walk(schema["properties"]))
    assert len(names) > 80
    for name in names:
        assert name in described, f"{name} is not in the reference"
        _, default, accepted, meaning = described[name]
        assert default, name
        assert accepted, name
        assert len(meaning) > 3, f"{name} has no docstring below it in config.py"


@pytest.mark.parametrize("name", ["train", "sweep"])
def test_every_key_that_a_command_composes_is_in_the_reference(described, name):
    for key, _ in flatten(compose(name).settings):
        if key.split(".")[0] not in DATA_GROUPS and not key.startswith("strategy.shares."):
            assert any(key == n or key.startswith(f"{n}.") for n in described), key


def test_the_options_of_each_stage_are_in_the_reference(described):
    for stage, module in STAGES.items():
        for key in TypeAdapter(module.Options).json_schema()["properties"]:
            assert f"strategy.options.{stage}.{key}" in described


def test_every_option_of_every_group_is_in_the_reference(site):
    text = (site / "reference" / "groups.html").read_text()
    for path in CONF.glob("*/*.yaml"):
        assert f"{path.parent.name}={path.stem}" in text


def test_every_command_is_in_the_reference(site):
    text = html.unescape((site / "reference" / "commands.html").read_text())
    for name in nndl.list_commands(None):
        assert f'id="{name}"' in text
    assert "Train RUN again from its recorded config" in text


def test_every_page_of_the_repository_is_in_the_site(site):
    nav = yaml.safe_load(re.sub(r"!!python\S*", "", (ROOT / "mkdocs.yml").read_text()))["nav"]
    listed = set(re.findall(r"[\w/-]+\.md", str(nav)))
    for path in (ROOT / "docs").rglob("*.md"):
        assert str(path.relative_to(ROOT / "docs")) in listed
    for name in listed:
        assert (site / name).with_suffix(".html").is_file()


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[webdriver.Chrome]:
    profile = tmp_path_factory.mktemp("browser")
    with chromium(profile, "--allow-file-access-from-files") as driver:
        yield driver


class Quiet(SimpleHTTPRequestHandler):
    """Serves files without a word."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def address(site: Path) -> Iterator[str]:
    """The site as a server on loopback shows it, where its search works."""
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site))) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_a_browser_asks_no_other_server_for_anything(site, address, browser):
    """Every page: no error in the console, no address but those of the site and data in it."""
    pages = [path.relative_to(site).as_posix() for path in sorted(site.rglob("*.html"))]
    for page in pages:
        browser.get(address + page)
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    sent = [m["params"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    # Chromium's own first page asks for its parts, too.
    asked = {m["request"]["url"] for m in sent if m["documentURL"].startswith(address)}
    assert len(asked) > len(pages)
    assert not [url for url in asked if not url.startswith((address, "data:", "blob:"))]
    assert browser.get_log("browser") == []


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)], ids=["desk", "phone"])
def test_a_page_fits_its_screen(site, browser, width, height):
    """Nothing but tables and code, which scroll by themselves, is wider than the screen."""
    browser.set_window_size(width, height)
    for name in ("index", "tutorial", "tour", "reference/settings", "explanation/strategy"):
        browser.get((site / f"{name}.html").as_uri())
        wide = browser.execute_script("return document.documentElement.scrollWidth - innerWidth")
        assert wide <= 0, name
        for image in browser.find_elements(By.CSS_SELECTOR, "article img"):
            assert image.get_attribute("alt")
            assert browser.execute_script("return arguments[0].naturalWidth", image) > 0
        if folder := os.environ.get("NNDL_SCREENSHOTS"):
            path = Path(folder, f"site-{name.replace('/', '-')}-{width}.png")
            assert browser.save_screenshot(str(path))
