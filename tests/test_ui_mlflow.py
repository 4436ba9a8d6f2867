"""What a user sees of a study in the MLflow UI: the real server, looked at with a real browser."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from needs import needs
from selenium import webdriver
from selenium.webdriver.common.by import By
from ui import TRIALS, Page, Shown, serving

from nndl_exp.config import value_text as plain

pytestmark = [needs("chromium"), pytest.mark.timeout(600)]
# What the UI would know from an earlier visit: no assistant panel.
VISITED = {
    "mlflow.assistant.fab.autoOpenedOnFirstLoad_v1": "true",
    "mlflow.assistant.panelOpen_v1": "false",
}
ACCURACY = "metrics.`best/validation_accuracy`"
SEARCHED = ("training.eta", "training.lmbda", "training.mini_batch_size", "network.hidden")
GROUPS = {
    "best": ["validation_accuracy", "validation_cost"],
    "training": ["accuracy", "cost", "eta", "seconds"],
    "validation": ["accuracy", "cost"],
}
UPSTREAM = ("/favicon.ico", "/users/current", "ResizeObserver loop completed")
"""What the UI itself asks for in vain, and what browsers say of any page with moving parts."""


@pytest.fixture(scope="module")
def address(shown: Shown) -> Iterator[str]:
    """The UI, started with what the sweep told the user to type."""
    with serving(shown.command("look"), shown.folder, "/health") as address:
        yield address


@pytest.fixture
def page(browser: webdriver.Chrome, address: str) -> Iterator[Page]:
    page = Page(browser, address)
    page.remember(VISITED)
    yield page
    complaints = [line for line in page.errors() if not any(text in line for text in UPSTREAM)]
    assert complaints == []


def name_of_winner(shown: Shown) -> str:
    t, hidden = shown.best["training"], shown.best["network"]["hidden"]
    eta, lmbda, m = (plain(t[key]) for key in ("eta", "lmbda", "mini_batch_size"))
    return (
        f"trial {shown.number}: eta {eta}, lmbda {lmbda}, mini_batch_size {m}, "
        f"hidden {plain(hidden)}"
    )


def open_study(page: Page, shown: Shown) -> None:
    """Open the address that the sweep printed, which has the view with the best first."""
    printed = re.search(r"then open http://127\.0\.0\.1:5000/(\S+)", shown.printed)
    assert printed, shown.printed
    page.driver.get(f"{page.address}/{printed[1]}")


def test_the_printed_address_shows_the_best_trial_first(page, shown):
    open_study(page, shown)
    page.read(f"{TRIALS + 2} matching runs")  # the study, its stage and the trials
    check_runs(page, shown)
    page.picture("mlflow-study.png")


def check_runs(page: Page, shown: Shown) -> None:
    """The trials come first, the best one on top, then the study and its stage."""
    page.see("[role=columnheader]", "best/validation_accuracy")
    best = shown.best["origin"]["validation_accuracy"]
    cells = f".ag-row [col-id='{ACCURACY}']"
    values = page.wait(lambda: all(page.texts(cells)) and page.texts(cells), "accuracies")
    assert values[TRIALS:] == ["-", "-"], "of the study and its stage"
    numbers = [float(value) for value in values[:TRIALS]]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[0] == best
    check_row(page, shown)


def check_row(page: Page, shown: Shown) -> None:
    """The best trial's row has what was searched and found, and how it ended."""
    link = page.driver.find_element(By.LINK_TEXT, name_of_winner(shown)).get_attribute("href")
    row = f"[row-id='{str(link).rpartition('/')[2]}']"
    for name in SEARCHED:
        group, key = name.split(".")
        page.see(f"{row} [col-id='params.`{name}`']", *str(shown.best[group][key]).split())
    page.see(f"{row} [col-id='tags.`champion`']", "ui")
    page.see(f"{row} [col-id='tags.`state`']", "complete")
    page.see(f"{row} [col-id='tags.`ended_by`']", "all", "4", "epochs")


def test_who_opens_the_experiment_finds_the_best_runs_above_what_the_ui_shows(page, shown):
    """A browser that was never here opens every experiment as one for language models."""
    page.driver.execute_script("localStorage.removeItem('mlflow.workflowType_v1')")
    page.driver.get(f"{page.address}/#/experiments")
    page.read("Networks trained on mnist_5k")
    page.click("a", "mnist_5k")
    text = "all runs, best first"  # opens another tab
    (link,) = page.wait(lambda: page.driver.find_elements(By.LINK_TEXT, text), text)
    page.driver.get(link.get_attribute("href"))
    check_runs(page, shown)


@pytest.mark.long
def test_from_the_list_of_experiments_to_the_pictures_of_the_best_trial(page, shown):
    page.remember({"mlflow.workflowType_v1": '"machine_learning"'})
    page.driver.get(f"{page.address}/#/experiments")
    page.click("a", "mnist_5k")
    page.click(".ag-row a", "ui")  # its trials are below it, not beside it
    page.see("h1, h2, h3", "ui")
    page.read("It ended with ui/joint/")
    page.wait(lambda: len(page.texts("table tr")) >= TRIALS, "the table of the best trials")
    open_study(page, shown)
    name = name_of_winner(shown)
    page.click(".ag-row a", name)
    page.see("h1, h2, h3", *name.split())
    page.read(f"python -m nndl_exp.reproduce {shown.winner}")
    page.see("[role=row]", "training.eta", str(shown.best["training"]["eta"]))
    page.read("champion: ui")
    page.click("[role=tab]", "Model metrics")
    check_charts(page)
    page.click("[role=tab]", "Artifacts")
    check_artifacts(page)


def check_charts(page: Page) -> None:
    """Charts come up in a group for each set, with a line through the epochs in each curve."""
    groups = [f"{name} ({len(charts)})" for name, charts in GROUPS.items()]
    page.wait(lambda: groups == [h for h in headings(page) if h in groups], f"groups {groups}")
    page.click("input[placeholder='Search metric charts']")
    page.driver.switch_to.active_element.send_keys("^(training|validation)/[ac]")
    curves = ["accuracy", "accuracy", "cost", "cost"]
    page.wait(lambda: sorted(page.texts("h4")) == curves, f"charts of just {curves}")
    lines = """return [...document.querySelectorAll('.js-plotly-plot')].filter(chart =>
        /L/.test(chart.querySelector('svg path.js-line')?.getAttribute('d'))).length"""
    page.wait(lambda: page.driver.execute_script(lines) == len(curves), "a line in every chart")
    page.picture("mlflow-trial.png", height=1160)


def headings(page: Page) -> list[str]:
    texts = [" ".join(text.split()) for text in page.texts("div")]
    return [text for text in texts if re.fullmatch(r"\w+ \(\d+\)", text)]


def check_artifacts(page: Page) -> None:
    for name in ("config.yaml", "weights.npz"):
        page.see(f"[artifact-name='{name}']", name)
    for name in ("learning_curves.png", "first_layer_weights.png"):
        page.click(f"[artifact-name='{name}']", name)
        seen = f"""return [...document.querySelectorAll("img[alt='{name}']")].some(image =>
            image.naturalWidth > 0 && image.getBoundingClientRect().height > 100)"""
        page.wait(lambda seen=seen: page.driver.execute_script(seen), name)
    page.picture("mlflow-artifacts.png")


def test_the_registered_model_says_who_the_champion_is(page, shown):
    page.driver.get(f"{page.address}/#/models/ui")
    page.read(f"The winner of the study ui, {shown.winner}")
    page.read("--model-uri models:/ui@champion")

    def aliases() -> Any:
        return [row.split() for row in page.texts("[role=row]") if "champion" in row]

    (row,) = page.wait(aliases, "a version with the alias champion")
    assert row[:2] == ["Version", "1"]
    page.picture("mlflow-model.png")
