"""Optuna's dashboard, started as the sweep says: over HTTP and in a browser."""

import importlib.util
import json
import re
import shlex
from collections.abc import Iterator

import pytest
from selenium import webdriver
from ui import TRIALS, Page, Shown, request, serving

from nndl_exp.cli.hydra_config import compose
from nndl_exp.display.commands import dashboard_command
from nndl_exp.sweep import sweep_config

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def address(shown: Shown) -> Iterator[str]:
    with serving(shown.command("dashboard"), shown.folder, "/api/studies") as address:
        yield address


def test_it_has_the_study_with_every_trial(address, shown):
    (study,) = json.loads(request(f"{address}/api/studies"))["study_summaries"]
    assert study["study_name"] == "ui/joint"
    detail = json.loads(request(f"{address}/api/studies/{study['study_id']}?after=0"))
    assert [trial["state"] for trial in detail["trials"]] == ["Complete"] * TRIALS
    values = [trial["values"][0] for trial in detail["trials"]]
    assert max(values) == shown.best["origin"]["validation_accuracy"]
    assert detail["best_trials"][0]["number"] == shown.number
    assert detail["objective_names"] == ["validation_accuracy"]


def test_its_page_draws_the_history_of_the_study(browser: webdriver.Chrome, address):
    page = Page(browser, address)
    page.driver.get(address)
    page.click("h2, h3, h4, h5, h6, p, div", "1. ui/joint")
    page.read("Hyperparameter Importance")
    points = """return [...document.querySelectorAll('.js-plotly-plot')].some(
        chart => chart.querySelectorAll('.points path').length >= arguments[0])"""
    page.wait(lambda: page.driver.execute_script(points, TRIALS), "a point for each trial")
    page.picture("optuna-dashboard.png")
    assert [line for line in page.errors() if "favicon" not in line] == []


def test_a_database_is_named_with_the_schema_and_nothing_without_the_dashboard(monkeypatch):
    words = ["storage=postgresql", "storage.url=postgresql://me@host/db"]
    config = sweep_config(compose("sweep", words))
    command, url, *_, address = shlex.split(str(dashboard_command(config)))
    assert (command, address) == ("optuna-dashboard", "http://127.0.0.1:8080/")
    assert re.fullmatch(r"postgresql\+psycopg://me@host/db\?.*options=-csearch_path%3Doptuna", url)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert dashboard_command(config) is None
