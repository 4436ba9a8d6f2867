"""A study's page: its numbers against the records, read in other ways; and what a reader gets."""

import base64
import json
import os
import re
import shutil
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from matplotlib.figure import Figure
from PIL import Image
from report_browser import CONTRASTS, STROKES, Browser, browsing
from report_pages import (
    HOSTILE,
    STAGED,
    made_hostile,
    report,
    sweep_in,
    table_study,
)
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select
from sklearn.metrics import confusion_matrix, mean_squared_error

from nndl_exp.config import run_config
from nndl_exp.datasets import load_dataset
from nndl_exp.display.figures.style import Drawing
from nndl_exp.display.predictions import Predictions, calibration
from nndl_exp.display.report import LARGEST, pictures
from nndl_exp.records import RunDirectory
from nndl_exp.run import data_of
from nndl_exp.study.study import Study
from nndl_exp.study.verdict import mean_interval


class Page(HTMLParser):
    """The parts of a page by a parser of its own: texts, elements, what its script is given."""

    def __init__(self, path: Path) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[tuple[str, str]] = []
        self._open: list[str] = []
        self.source = path.read_text()
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in ("meta", "link", "img", "input", "br"):
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._open and self._open[-1] == tag:
            self._open.pop()

    def handle_data(self, data: str) -> None:
        self.texts.append((self._open[-1] if self._open else "", data))

    @property
    def text(self) -> str:
        """What is read, without scripts and styles."""
        kept = (data for tag, data in self.texts if tag not in ("script", "style"))
        return " ".join(" ".join(kept).replace("\N{NO-BREAK SPACE}", " ").split())

    def rows(self, label: str) -> list[list[str]]:
        """The cells of the table with this label."""
        found = re.search(rf'aria-label="{label}">(.*?)</table>', self.source, re.DOTALL)
        assert found, label
        rows = re.findall(r"<tr[^>]*>(.*?)</tr>", found[1], re.DOTALL)
        return [re.findall(r"<t[dh][^>]*>(.*?)</t[dh]>", row, re.DOTALL) for row in rows[1:]]

    @property
    def charts(self) -> dict:
        found = re.search(r'id="charts">(.*?)</script>', self.source, re.DOTALL)
        assert found
        return json.loads(found[1])


def naive_probabilities(folder: Path, x: np.ndarray) -> np.ndarray:
    """The outputs of a network of sigmoids from its file alone, an example and a layer at a time,
    each divided by the sum over the classes."""
    rows = []
    with np.load(folder / "weights.npz", allow_pickle=False) as file:
        layers = range(1, sum(name.startswith("w") for name in file) + 1)
        arrays = [(file[f"w{i}"].astype(float), file[f"b{i}"].astype(float)) for i in layers]
    for example in x:
        a = example.astype(float)
        for w, b in arrays:
            a = 1 / (1 + np.exp(-(w @ a + b)))
        rows.append(a / a.sum())
    return np.array(rows)


@pytest.fixture(scope="module")
def staged(tmp_path_factory):
    """A study in stages whose page was written."""
    output = tmp_path_factory.mktemp("pages")
    sweep_in(output, *STAGED)
    study = Study.open(output, "pages")
    report(study)
    return study


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A study of a table with names that mean harm, and records changed by a stranger."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("hostile"))
        study = table_study("is", "stranger")
        made_hostile(study)
        report(study)
        yield study


@pytest.fixture(scope="module")
def seen(staged):
    """(page, folder of the study, validation set) of the study in stages."""
    folder = staged.directory
    return Page(folder / "report.html"), folder, staged.dataset.validation


def won(folder: Path) -> Path:
    """The folder of the run that best.yaml names."""
    stage, number = yaml.safe_load((folder / "best.yaml").read_text())["origin"]["run"].split("/")[
        1:
    ]
    return folder / "stages" / stage / "trials" / number


def replicates(folder: Path) -> list[Path]:
    """The runs of the last stage with the settings of the winner."""
    settings = yaml.safe_load((won(folder) / "config.yaml").read_text())
    found = []
    for path in sorted(folder.glob("stages/winner/trials/*/config.yaml")):
        config = yaml.safe_load(path.read_text())
        if {**config, "seed": 0} == {**settings, "seed": 0}:
            found.append(path.parent)
    return found


def test_the_verdict_is_the_mean_over_new_seeds_with_its_interval(seen):
    page, folder, validation = seen
    runs = replicates(folder)
    assert len(runs) >= 2
    right = np.array(
        [naive_probabilities(run, validation.x).argmax(axis=1) == validation.labels for run in runs]
    ).astype(float)
    recorded = [
        json.loads((run / "result.json").read_text())["validation_accuracy"] for run in runs
    ]
    np.testing.assert_allclose(right.mean(axis=1), recorded)
    low, high = mean_interval(right)
    config = run_config(yaml.safe_load((won(folder) / "config.yaml").read_text()))
    commonest = np.bincount(data_of(config).training.labels).argmax()
    baseline = (validation.labels == commonest).mean()
    assert (
        f"classifies {100 * right.mean():.1f} % of the validation images correctly, in the mean of "
        f"{len(runs)} new seeds (95 % interval {100 * low:.1f} to {100 * high:.1f} %); always "
        f"naming the commonest class: {100 * baseline:.1f} %." in page.text
    )
    hidden = yaml.safe_load((won(folder) / "config.yaml").read_text())["network"]["hidden"]
    assert f"one hidden layer of {hidden[0]} neurons" in page.text or len(hidden) != 1


def test_the_story_has_each_stage_with_its_words_and_numbers(seen):
    page, folder, _ = seen
    for path in folder.glob("stages/*/decision.yaml"):
        decision = yaml.safe_load(path.read_text())
        for words in decision["decided"]:
            assert " ".join(words.split()) in page.text
        for name in decision["numbers"]:
            assert name.replace("_", " ") in page.text
    order = re.findall(r'<li id="stage-(\w+)">', page.source)
    assert order == ["learning_rate", "joint", "winner"]


def test_mistakes_and_calibration_are_those_of_the_weights(seen):
    page, folder, validation = seen
    p = naive_probabilities(won(folder), validation.x)
    told, n = p.argmax(axis=1), len(p)
    matrix = confusion_matrix(validation.labels, told, labels=range(10))
    wrong = np.flatnonzero(told != validation.labels)
    assert f"{len(wrong)} of {n} validation examples are misclassified." in page.text
    off = matrix - np.diag(np.diag(matrix))
    row, column = np.unravel_index(off.argmax(), off.shape)
    assert f"to take {row} for {column}: {off.max()} of {matrix[row].sum()}." in page.text
    drawn = re.search(r'<figure id="confusion_matrix">(.*?)</svg>', page.source, re.DOTALL)
    counts = [int(t) for t in re.findall(r"<text[^>]*>(\d+)</text>", drawn[1])]
    assert sorted(counts) == sorted([*matrix[matrix > 0], *range(10), *range(10)])

    error = 0.0
    for m in range(15):
        inside = [i for i in range(n) if m / 15 < p[i].max() <= (m + 1) / 15]
        if inside:
            accuracy = sum(told[i] == validation.labels[i] for i in inside) / len(inside)
            confidence = sum(p[i].max() for i in inside) / len(inside)
            error += len(inside) / n * abs(accuracy - confidence)
    assert f"Expected calibration error {100 * error:.1f} points" in page.text

    surest = sorted(wrong, key=lambda i: (-p[i].max(), i))[:24]
    rows = page.rows("The most confident mistakes")
    assert [int(row[0]) for row in rows] == surest
    for (_, is_, said, sure), i in zip(rows, surest, strict=True):
        assert (is_, said) == (str(validation.labels[i]), str(told[i]))
        assert float(sure.removesuffix(" %")) == pytest.approx(100 * p[i].max(), abs=0.06)


def test_the_test_set_is_never_loaded_and_what_it_said_is_told_once_it_was_asked(
    staged, monkeypatch
):
    path, look = staged.directory / "report.html", staged.directory / "test_set.json"
    before, loaded = path.read_bytes(), []
    assert "Test set locked: nobody has looked at it" in Page(path).text
    monkeypatch.setattr(
        "nndl_exp.run.load_dataset",
        lambda **options: loaded.append(options["test"]) or load_dataset(**options),
    )
    said = {"run": "pages/joint/1", "when": "2026-01-02 03:04 UTC", "accuracy": 0.875, "low": 0.81,
            "high": 0.92, "images": 100}  # fmt: skip
    look.write_text(json.dumps([said]))
    try:
        report(staged)
        assert "87.50 % (95 % interval 81.00 to 92.00 %) of 100 images" in Page(path).text
    finally:
        look.unlink()
    report(staged)
    assert path.read_bytes() == before, "the same records give the same page"
    assert loaded
    assert not any(loaded)


def test_the_charts_are_the_trials(seen, staged):
    page = seen[0]
    joint = next(stage for stage in staged.stages() if stage.key == "joint")
    complete = [t for t in joint.search.trials() if t.result.state == "complete"]
    view = next(v for v in page.charts["slices"]["views"] if v["name"] == "learning rate η")
    drawn = [
        round(100 * (1 - 10**-y), 2)
        for trace in view["data"]
        if trace["name"] in ("complete", "best")
        for y in trace["y"]
    ]
    accuracies = [round(100 * t.result.validation_accuracy, 2) for t in complete]
    assert sorted(drawn) == sorted(accuracies)
    lines = page.charts["parallel_coordinates"]["views"][0]["data"]
    assert len(lines) == len(complete)
    # The star is the best of this search: the study may have ended with another run.
    best = max(complete, key=lambda trial: (trial.goodness, -trial.number))
    (star,) = (trace for trace in view["data"] if trace["name"] == "best")
    assert star["text"][0].startswith(f"trial {best.number}: ")


def test_the_history_has_all_stages_and_marks_the_recommended_run(seen, staged):
    page, folder, _ = seen
    data = page.charts["history"]["views"][0]["data"]
    (dots,) = (trace for trace in data if trace["name"] == "complete")
    ended = [t for stage in staged.stages() for t in stage.search.trials()]
    assert len(dots["x"]) == sum(t.result.state == "complete" for t in ended)
    run = "/".join(won(folder).parts[-3::2])
    (star,) = (trace for trace in data if trace["name"] == "recommended")
    assert dots["text"][dots["x"].index(star["x"][0])].startswith(f"pages/{run}<br>")


def test_the_finalists_have_the_means_of_their_seeds_and_one_is_recommended(seen, staged):
    page, folder, validation = seen
    groups: dict[str, list[Path]] = {}
    for path in sorted(folder.glob("stages/winner/trials/*/config.yaml"),
                       key=lambda p: int(p.parent.name)):  # fmt: skip
        config = {**yaml.safe_load(path.read_text()), "seed": 0}
        groups.setdefault(json.dumps(config, sort_keys=True), []).append(path.parent)
    expected = {}
    for config, runs in groups.items():
        right = np.array([
            naive_probabilities(run, validation.x).argmax(axis=1) == validation.labels
            for run in runs
        ]).astype(float)  # fmt: skip
        low, high = mean_interval(right)
        hidden = json.loads(config)["network"]["hidden"]
        sizes = [validation.x.shape[1], *hidden, 10]
        size = sum((a + 1) * b for a, b in pairwise(sizes))
        interval = f"{100 * low:.1f} to {100 * high:.1f} %"
        expected[config] = (f"{100 * right.mean():.1f} %", interval, f"{size:,}", str(len(runs)))
    rows = page.rows("The finalists")
    said = [tuple(c.replace("\xa0", " ") for c in (row[1], row[2], row[4], row[5])) for row in rows]
    assert sorted(said) == sorted(expected.values())
    means = [float(row[1].partition("\xa0")[0]) for row in rows]
    assert means == sorted(means, reverse=True)
    recommended = [row for row in rows if "recommended" in row[0]]
    settings = yaml.safe_load((won(folder) / "config.yaml").read_text())
    mine = expected[json.dumps({**settings, "seed": 0}, sort_keys=True)]
    assert [row[1].replace("\xa0", " ") for row in recommended] == [mine[0]]
    assert sum("the start" in row[0] for row in rows) == 1


def test_the_table_has_all_trials_of_all_stages(seen, staged):
    page = seen[0]
    rows = page.rows("All trials")
    ended = [(stage, t) for stage in staged.stages() for t in stage.search.trials()]
    assert len(rows) == len(ended)
    for row, (stage, trial) in zip(rows, ended, strict=True):
        assert row[:2] == [stage.key.replace("_", " "), str(trial.number)]
        if trial.result.validation_accuracy is not None:
            assert row[2] == f"{100 * trial.result.validation_accuracy:.2f}"


def test_the_page_is_small_whole_and_its_figures_are_files(seen):
    page, folder, _ = seen
    assert (folder / "report.html").stat().st_size < LARGEST
    for tag, attributes in page.elements:
        for name in ("src", "href", "xlink:href", "action", "data", "poster"):
            if value := attributes.get(name):
                assert value.startswith(("#", "data:")), (tag, name, value[:80])
    names = {"time_to_accuracy", "learning_curves", "weights", "confusion_matrix",
             "confidently_wrong", "calibration"}  # fmt: skip
    assert {path.name for path in folder.glob("figures/*")} == {f"{name}.png" for name in names}
    for key, name in (("learning_rate", "training_costs"), ("winner", "configurations")):
        assert (folder / "stages" / key / "figures" / f"{name}.png").stat().st_size > 2000
    ids = [a["id"] for _, a in page.elements if "id" in a]
    assert len(ids) == len(set(ids))


def test_a_study_that_was_stopped_between_two_stages(staged, tmp_path):
    shutil.copytree(staged.config.output, tmp_path / "stopped")
    study = Study.open(tmp_path / "stopped", "pages")
    for name in ("stages/joint", "stages/winner", "best.yaml"):
        path = study.directory / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    report(study)
    page = Page(study.directory / "report.html")
    assert "The study is not complete: this is what has finished." in page.text
    order = re.findall(r'<li id="stage-(\w+)">', page.source)
    assert order == ["learning_rate", "joint"]
    assert "not decided yet" in page.text
    assert "no trial has ended" in page.text
    assert "pages/learning_rate/" in page.text, "the best so far is shown"


def test_a_page_that_would_be_too_large_does_without_charts(hostile, monkeypatch):
    path = hostile.directory / "report.html"
    whole = path.read_bytes()
    monkeypatch.setattr("nndl_exp.display.report.LARGEST", 1_900_000)
    report(hostile)
    assert path.stat().st_size < 1_900_000
    page = Page(path)
    assert [a.get("type") for tag, a in page.elements if tag == "script"] == [None]
    ids = {a.get("id") for _, a in page.elements}
    assert "slices" not in ids
    assert "time_to_accuracy" in ids
    assert "The charts are left out: with them the report would be larger than 5 MB." in page.text
    assert "needs a browser that runs scripts" not in page.text
    path.write_bytes(whole)


def test_an_svg_of_too_many_marks_stands_there_as_a_png(tmp_path, monkeypatch):
    figure = Figure()
    figure.subplots().plot([1, 2])
    drawing, place = Drawing("a", figure), pictures.Place(tmp_path, ())
    assert str(pictures.image(drawing, place, "a", "A", 'said "so"').image).startswith(
        '<svg role="img" aria-label="A. said &#34;so&#34;"'
    )
    monkeypatch.setattr(pictures, "LARGEST_SVG", 1)
    shown = pictures.image(drawing, place, "a", "A", 'said "so"').image
    data = base64.b64encode(drawing.content("png")).decode()
    assert shown == f'<img alt="A. said &#34;so&#34;" src="data:image/png;base64,{data}">'


@pytest.mark.parametrize("bins", [1, 3, 15])
def test_calibration_of_known_cases(bins):
    sure = np.array([[0.9, 0.1], [0.9, 0.1], [0.2, 0.8], [1.0, 0.0]])
    told = Predictions(np.array([0, 1, 1, 0]), sure)
    found = calibration(told, bins)
    assert found.counts.sum() == 4
    if bins == 1:  # |3/4 - (0.9 + 0.9 + 0.8 + 1) / 4|
        assert found.error == pytest.approx(0.15)
    if bins == 15:  # (0.8, 0.8667] is empty: 0.8 = 12/15 lies in the bin that it ends
        assert found.counts[11] == 1
        assert found.error == pytest.approx((abs(1 - 1.8) + 0.2) / 4)


def test_hostile_names_and_records_are_text(hostile):
    page = Page(hostile.directory / "report.html")
    scripts = [attributes for tag, attributes in page.elements if tag == "script"]
    assert [a.get("type") for a in scripts] == ["application/json", "application/gzip", None]
    allowed = re.search(r"script-src (.*?);", page.source)[1].split()
    assert len(allowed) == 2
    assert all(word.startswith("&#39;sha256-") or word.startswith("'sha256-") for word in allowed)
    assert not [name for _, a in page.elements for name in a if name.startswith("on")]
    assert not any(tag in ("img", "iframe", "object", "base", "form") for tag, _ in page.elements)
    for planted in HOSTILE:
        assert planted in page.text, "it is read as it stands"
        assert planted not in page.source
    assert "s3cret" not in page.source


def test_numbers_to_predict_have_residuals_instead_of_a_confusion_matrix(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = table_study("price", "prices")
    report(study)
    page = Page(study.directory / "report.html")
    assert "Confusion matrix" not in page.text
    assert "What the first layer looks for" not in page.text
    directory = RunDirectory(won(study.directory))
    rows = study.dataset.validation
    target = study.dataset.reading.target
    predicted = target.undo(directory.network().predict(rows.x).astype(float))
    error = mean_squared_error(target.undo(rows.y), predicted) ** 0.5
    assert f"root mean square error is {error:.4g}" in page.text
    assert "R² of one run has no interval here" in page.text
    # The data go: what the records alone can tell is told, and what is missing is said.
    Path("houses.csv").unlink()
    report(study)
    page = Page(study.directory / "report.html")
    assert "The study can't be opened, so less of it is shown: " in page.text
    assert "The network's predictions can't be shown: " in page.text
    assert "houses.csv" in page.text
    assert "No interval: the data can't be had" in page.text
    assert re.search(r'<figure id="recommended_curves">.*?<svg', page.source, re.DOTALL)


def test_r2_is_never_a_percentage(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = table_study("price", "prices")
    report(study)
    page = Page(study.directory / "report.html")
    assert "R² (%)" not in page.source
    best = max(t.result.validation_accuracy for t in next(study.stages()).search.trials())
    history = page.charts["history"]["views"][0]
    assert history["layout"]["yaxis"]["title"]["text"] == "validation R²"
    said = [text for trace in history["data"] for text in trace.get("text") or ()]
    assert any(f"R² {best:.4g}, complete" in text for text in said)
    assert not any("%" in text for text in said)


def test_the_table_of_trials_is_that_of_the_study(hostile):
    page = Page(hostile.directory / "report.html")
    table = pd.read_csv(hostile.directory / "trials.csv")
    rows = page.rows("All trials")
    assert [int(row[1]) for row in rows] == list(table["trial"])
    assert [int(row[-3]) for row in rows] == list(table["epochs"])


# What follows is looked at with a real browser.


@pytest.fixture(scope="module")
def browser():
    with browsing() as opened:
        yield opened


@pytest.fixture
def shown(browser: Browser, staged) -> Browser:
    browser.emulate()
    browser.open(staged.directory / "report.html")
    return browser


def test_it_opens_from_disk_without_a_complaint_or_a_request(shown, staged):
    charts = Page(staged.directory / "report.html").charts
    assert int(shown.run("return document.documentElement.dataset.drawn")) == len(charts)
    lines = "return document.querySelectorAll('.chart .main-svg').length"
    assert shown.run(lines) >= len(charts)
    assert shown.complaints() == []
    asked = shown.requests()
    assert any(url.startswith("file://") for url in asked)
    assert [u for u in asked if not u.startswith(("file://", "data:", "blob:"))] == []


def test_every_interactive_part_is_reached_by_the_keyboard(shown):
    stops = shown.tab_stops()
    assert stops[0]["name"] == "Skip to the verdict"
    charts = {stop["chart"] for stop in stops} - {""}
    assert charts == set(
        shown.run("return [...document.querySelectorAll('[data-chart]')].map(c => c.dataset.chart)")
    )
    tags = [stop["tag"] for stop in stops]
    for selector, tag in (("select", "SELECT"), ("summary", "SUMMARY"), ("nav a", "A")):
        assert tags.count(tag) >= len(shown.driver.find_elements(By.CSS_SELECTOR, selector)) > 0
    assert any(stop["tag"] == "BUTTON" and stop["name"] == "Zoom in" for stop in stops)
    for stop in stops:
        assert stop["seen"] == "true", stop
        assert stop["outline"] != "none", stop
        assert stop["name"], stop


def test_arrow_keys_go_from_trial_to_trial_and_say_what_it_is(shown, staged):
    chart = shown.driver.find_element(By.CSS_SELECTOR, "[data-chart=history]")
    said = chart.find_element(By.XPATH, "following-sibling::p")
    shown.run("arguments[0].focus()", chart)
    shown.press(Keys.END)
    ended = [trial for stage in staged.stages() for trial in stage.search.trials()]
    joint = sum(trial.result.state == "complete" for trial in ended)
    assert re.fullmatch(rf"{joint} of {joint}: pages/\w+/\d+, [\d.]+ %, complete", said.text)
    hover = "return document.querySelector('[data-chart=history] .hoverlayer').textContent"
    assert said.text.split(": ")[1].split(",")[0] in shown.run(hover)
    shown.press(Keys.HOME)
    assert said.text.startswith(f"1 of {joint}: ")
    shown.press(Keys.ARROW_LEFT)
    assert said.text.startswith(f"1 of {joint}: ")


def test_a_choice_changes_the_chart(shown):
    choice = Select(shown.driver.find_element(By.CSS_SELECTOR, "select[data-for=slices]"))
    title = "return document.querySelector('[data-chart=slices] .xtitle').textContent"
    assert shown.run(title) == "learning rate η"
    choice.select_by_visible_text("mini-batch size m")
    shown.wait(lambda: shown.run(title) == "mini-batch size m")


def test_a_summary_opens_with_the_keyboard(shown):
    summary = shown.driver.find_element(By.CSS_SELECTOR, "#stage-joint summary")
    shown.run("arguments[0].focus()", summary)
    shown.press(Keys.ENTER)
    assert shown.driver.find_element(By.CSS_SELECTOR, "#stage-joint .numbers").is_displayed()


def test_a_heading_sorts_the_trials_up_and_down(shown, staged):
    values = [
        trial.result.validation_accuracy
        for stage in staged.stages()
        for trial in stage.search.trials()
        if trial.result.validation_accuracy is not None
    ]
    column = (
        "return [...document.querySelectorAll('.sortable tbody tr')]"
        ".map(row => row.cells[2].textContent)"
    )
    heading = shown.driver.find_element(By.CSS_SELECTOR, ".sortable th:nth-child(3) button")
    for order in (sorted(values), sorted(values, reverse=True)):
        shown.run("arguments[0].focus()", heading)
        shown.press(Keys.ENTER)
        cells = [cell for cell in shown.run(column) if cell]
        assert cells == [f"{100 * value:.2f}" for value in order]
    sort = "return document.querySelector('.sortable th:nth-child(3)').getAttribute('aria-sort')"
    assert shown.run(sort) == "descending"


def test_a_button_copies_a_command(shown):
    shown.devtools("Browser.grantPermissions",
                   permissions=["clipboardReadWrite", "clipboardSanitizedWrite"])  # fmt: skip
    block = shown.driver.find_element(By.CSS_SELECTOR, ".commands pre")
    button = block.find_element(By.XPATH, "following-sibling::button")
    button.click()
    shown.wait(lambda: button.text == "Copied")
    copied = shown.driver.execute_async_script(
        "navigator.clipboard.readText().then(arguments[arguments.length - 1])"
    )
    assert copied == block.get_attribute("textContent")
    assert copied.startswith("python -m nndl_exp.")


def test_the_navigation_stays(shown):
    shown.run("document.getElementById('trials').scrollIntoView()")
    top = "return document.querySelector('nav').getBoundingClientRect().top"
    shown.wait(lambda: shown.run("return scrollY") > 500)
    assert shown.run(top) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_has_the_contrast_of_wcag_aa(browser, staged, scheme):
    browser.emulate(scheme=scheme)
    browser.open(staged.directory / "report.html")
    browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    found = browser.run(CONTRASTS)
    assert len(found) > 300
    assert [one for one in found if one[0] < one[1]] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_line_of_a_figure_is_invisible(browser, staged, scheme):
    browser.emulate(scheme=scheme)
    browser.open(staged.directory / "report.html")
    strokes = browser.run(STROKES)
    assert len(strokes) > 50
    assert [one for one in strokes if one[0] < 1.5] == []


def test_the_charts_follow_the_colour_scheme(shown):
    colour = "return getComputedStyle(document.querySelector('.chart .xtick text')).fill"
    ink = "return getComputedStyle(document.body).color"
    light = shown.run(colour)
    assert light == shown.run(ink)
    shown.emulate(scheme="dark")
    shown.wait(lambda: shown.run(colour) != light)
    assert shown.run(colour) == shown.run(ink)


def test_a_phone_never_scrolls_the_page_sideways(browser, staged):
    browser.emulate(width=390)
    browser.open(staged.directory / "report.html")
    browser.run("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert browser.run("return document.documentElement.scrollWidth") == 390
    widths = (
        "return [...document.querySelectorAll('.picture')].map(p => p.scrollWidth - p.clientWidth)"
    )
    assert max(browser.run(widths)) <= 0, "a figure that is no chart fits"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_prints_charts_as_wide_as_the_paper_in_its_colours(browser, staged, scheme):
    browser.emulate(scheme=scheme)
    browser.open(staged.directory / "report.html")
    width = "document.querySelector('[data-chart=history] .main-svg').getBoundingClientRect().width"
    colour = "getComputedStyle(document.querySelector('.chart .xtick text')).fill"
    browser.run(f"addEventListener('beforeprint', () => window.seen = [{width}, {colour}])")
    printed = base64.b64decode(browser.devtools("Page.printToPDF")["data"])
    assert printed.startswith(b"%PDF-")
    assert 3 < len(re.findall(rb"/Type\s*/Page\b", printed)) < 15
    assert browser.run("return window.seen") == [660, "rgb(0, 0, 0)"]
    browser.wait(lambda: browser.run(f"return {width}") > 660)


def test_without_scripts_it_says_where_the_data_of_the_charts_are(browser, staged):
    browser.devtools("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.open(staged.directory / "report.html", drawn=False)
        find = browser.driver.find_element
        assert "needs a browser that runs scripts" in find(By.CSS_SELECTOR, "#history .needs").text
        assert find(By.CSS_SELECTOR, "#weights .picture svg, #weights .picture img").is_displayed()
        assert not find(By.CSS_SELECTOR, "select").is_displayed()
        assert find(By.CSS_SELECTOR, "#trials table").is_displayed()
    finally:
        browser.devtools("Emulation.setScriptExecutionDisabled", value=False)


def test_nothing_of_a_strangers_runs(browser, hostile):
    browser.emulate()
    browser.open(hostile.directory / "report.html")
    assert browser.driver.title == "stranger: what the study found"
    assert browser.complaints() == []
    assert browser.driver.find_elements(By.CSS_SELECTOR, "#confusion_matrix svg")


@pytest.mark.timeout(1800)
@pytest.mark.skipif("NNDL_SCREENSHOTS" not in os.environ, reason="NNDL_SCREENSHOTS names no folder")
def test_the_picture_for_the_documentation(browser, cli):
    """Its top and its charts side by side, of what `python -m nndl_exp.sweep` leaves: it takes
    minutes."""
    sweeping = cli.start("nndl_exp.sweep", "study.name=digits")
    try:
        _, said = sweeping.communicate(timeout=1500)
    finally:
        sweeping.kill()
    assert sweeping.returncode == 0, said
    cli.ok("nndl_exp.report", "digits")
    browser.emulate()
    browser.open(cli.folder / "nndl-output/studies/digits/report.html")
    top = "return document.getElementById('slices').getBoundingClientRect().top + scrollY - 24"
    halves = [browser.picture(at, 1500) for at in (0, browser.run(top))]
    picture = Image.new("RGB", (2560, 1500))
    for i, half in enumerate(halves):
        picture.paste(half, (1280 * i, 0))
    path = Path(os.environ["NNDL_SCREENSHOTS"], "report.png")
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = picture.resize((1536, 900), Image.Resampling.LANCZOS)
    picture.quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)
    assert path.stat().st_size < 300_000
