"""The page of ``python -m nndl_exp.demo`` in a real browser: drawn on by mouse, finger, keyboard.

Where NNDL_SCREENSHOTS names a folder, the picture for the documentation is saved there.
"""

import base64
import json
import os
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from chromium import addresses, chromium, complaints, contrast, media, narrow
from chromium import poor_contrasts as poor
from demo_server import demo, train_digits
from drawn_digits import DIGITS, Points, curve
from needs import needs
from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

from nndl_exp.api import RunDirectory, load_config, load_dataset, run

pytestmark = needs("chromium")
PATIENCE = 30  # seconds until what doesn't appear counts as missing
# Keeps the last drawing that the page sends, to be sent again by the test, and what is read out.
KEEP = """const real = fetch; window.told = [];
window.fetch = (path, options) => {
  if (options?.body) window.sent = options.body;
  return real(path, options);
};
addEventListener('DOMContentLoaded', () => {
  const said = document.getElementById('said');
  new MutationObserver(() => window.told.push(said.textContent)).observe(said, {childList: true});
});"""
SENT = "return btoa(Array.from(window.sent, byte => String.fromCharCode(byte)).join(''))"


class Page:
    """The page of a server in a browser."""

    def __init__(self, driver: webdriver.Chrome, port: int) -> None:
        self.driver, self.address = driver, f"http://127.0.0.1:{port}/"

    def open(self) -> "Page":
        self.driver.get(self.address)
        self.wait(lambda: self.values(), "outputs")
        return self

    def wait(self, condition: Callable[[], Any], wanted: str) -> Any:
        try:
            return WebDriverWait(self.driver, PATIENCE, 0.02).until(lambda _: condition())
        except TimeoutException:
            shown = self.driver.find_element(By.TAG_NAME, "body").text
            pytest.fail(f"the page does not show {wanted} but\n{shown}")

    def find(self, css: str) -> Any:
        return self.driver.find_element(By.CSS_SELECTOR, css)

    def text(self, name: str) -> str:
        script = "return document.getElementById(arguments[0]).textContent"
        return str(self.driver.execute_script(script, name))

    def values(self) -> list[str]:
        return [e.text for e in self.driver.find_elements(By.CSS_SELECTOR, "#outputs .value")]

    def sent(self) -> bytes:
        return base64.b64decode(self.driver.execute_script(SENT))

    def hears(self, start: str) -> None:
        """Wait until a screen reader is told something that starts so."""
        told = "return window.told.some(text => text.startsWith(arguments[0]))"
        self.wait(lambda: self.driver.execute_script(told, start), f"that it reads out {start}")

    def press(self, *keys: str) -> None:
        webdriver.ActionChains(self.driver, duration=0).send_keys(*keys).perform()

    def focused(self) -> str:
        """The id of what has the focus, or its label."""
        script = "const e = document.activeElement; return e.id || e.ariaLabel || e.tagName"
        return str(self.driver.execute_script(script))

    def draw(self, strokes: list[Points], kind: str = "mouse") -> None:
        """Draw with a pointer: a "mouse", a finger ("touch") or a "pen"."""
        box = self.driver.execute_script(
            "const box = document.getElementById('paper').getBoundingClientRect();"
            "return [box.left, box.top, box.width, box.height]"
        )
        builder = ActionBuilder(self.driver, mouse=PointerInput(kind, kind), duration=0)
        for stroke in strokes:
            points = [
                (int(box[0] + x * box[2]), int(box[1] + y * box[3])) for x, y in curve(stroke)
            ]
            builder.pointer_action.move_to_location(*points[0]).pointer_down()
            for point in points[1:]:
                builder.pointer_action.move_to_location(*point)
            builder.pointer_action.pointer_up()
        builder.perform()

    def draw_anew(self, strokes: list[Points]) -> str:
        """Clear the paper, draw, and wait for what the network says."""
        self.find("#clear").click()
        self.wait(lambda: self.text("prediction") == "?", "that nothing is drawn")
        self.draw(strokes)
        self.wait(self.is_answered, "an answer to the last dot")
        return self.text("prediction")

    def is_answered(self) -> bool:
        """Whether what is shown is the answer to what was sent last, asked for again here."""
        return self.values() == texts(self.answer(self.sent()))

    def answer(self, drawing: bytes) -> dict[str, Any]:
        asked = urllib.request.Request(f"{self.address}api/drawing", drawing, method="POST")
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(asked) as response:
            return dict(json.load(response))


def texts(answer: dict[str, Any]) -> list[str]:
    return [f"{value:.3f}" for value in answer["layers"][-1]]


@pytest.fixture(scope="module")
def output(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    train_digits(folder)
    return folder


@pytest.fixture(scope="module")
def driver(tmp_path_factory) -> Iterator[webdriver.Chrome]:
    with chromium(tmp_path_factory.mktemp("browser")) as driver:
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": KEEP})
        yield driver


@pytest.fixture(scope="module")
def server(output) -> Iterator[int]:
    with demo(output, "digits", "--no-browser", "--port", "0") as (port, _):
        yield port


@pytest.fixture
def page(driver, server) -> Iterator[Page]:
    """The page, of which the console and the network are looked at in the end."""
    addresses(driver)  # of the browser's own start
    page = Page(driver, server).open()
    yield page
    assert complaints(driver) == []
    assert {address[: len(page.address)] for address in addresses(driver)} <= {page.address}


def test_a_one_drawn_with_the_mouse_is_a_one(page):
    assert page.text("prediction") == "?"
    assert page.draw_anew(DIGITS["1"][0]) == "1"
    answer = page.answer(page.sent())
    assert page.values() == texts(answer)
    assert page.find("#outputs .best").text.split() == ["1", f"{max(answer['layers'][-1]):.3f}"]
    page.hears("It says 1, activation 0.")
    grid = page.driver.find_elements(By.CSS_SELECTOR, "[role=gridcell]")
    labels = [cell.get_attribute("aria-label") for cell in grid]
    assert labels == [f"neuron {i}: {a:.3f}" for i, a in enumerate(answer["layers"][0])]
    shown = page.driver.execute_script(
        "return [...document.getElementById('input').getContext('2d')"
        ".getImageData(0, 0, 28, 28).data].filter((_, i) => i % 4 === 0)"
    )
    assert shown == pytest.approx([255 * value for value in answer["input"]], abs=0.6)
    assert "no probabilities" in page.text("outputs-note")
    total = sum(answer["layers"][-1])
    assert f"add up to {total:.2f}" in page.text("outputs-note")


def test_most_digits_that_are_drawn_are_recognised(page):
    drawn = [(digit, hands[0]) for digit, hands in DIGITS.items()]  # a second each
    said = [page.draw_anew(hand) for _, hand in drawn]
    missed = [(digit, s) for (digit, _), s in zip(drawn, said, strict=True) if digit != s]
    assert len(drawn) == 10
    assert len(missed) <= 2, missed  # of a network that knows 91 % of the validation images


@pytest.mark.parametrize("kind", ["touch", "pen"])
def test_a_finger_or_a_stylus_draws_without_scrolling(page, kind):
    with narrow(page.driver, 390, 600):
        page.draw(DIGITS["7"][0], kind)
        page.wait(lambda: page.text("prediction") == "7", "a 7")
        assert page.driver.execute_script("return scrollY") == 0


def test_a_one_drawn_by_keyboard_is_a_one(page):
    page.press(Keys.TAB)
    assert page.focused() == "paper"
    page.press(*[Keys.ARROW_UP] * 20, Keys.SPACE)
    page.hears("Pen down")
    page.press(*[Keys.ARROW_DOWN] * 40, Keys.SPACE)
    page.wait(lambda: page.text("prediction") == "1" and page.is_answered(), "a 1")
    page.hears("Pen lifted")
    page.hears("It says 1")
    once = page.values()
    page.press(*[Keys.ARROW_LEFT] * 10)
    assert page.values() == once, "a lifted pen leaves no line"
    page.press(Keys.SPACE, Keys.ARROW_UP, Keys.ARROW_UP, Keys.ESCAPE)
    page.wait(lambda: page.values() != once, "another answer")
    page.press(Keys.BACKSPACE)
    page.wait(lambda: page.values() == once, "the answer before")
    page.press(Keys.DELETE)
    page.wait(lambda: page.text("prediction") == "?", "an empty paper")


def test_everything_is_reached_by_tab_and_seen_to_be(page):
    order, outlines = [], []
    for _ in range(7):
        page.press(Keys.TAB)
        order.append(page.focused())
        outlines.append(page.driver.execute_script(
            "const s = getComputedStyle(document.activeElement);"
            "return [s.outlineStyle, parseFloat(s.outlineWidth)]"))  # fmt: skip
    expected = ["paper", "clear", "undo", "pen", "next", "mistake"]
    assert order[:6] == expected
    assert order[6] == "neuron 0"
    assert all(outline == ["solid", 3] for outline in outlines[:7])
    page.driver.execute_script("document.querySelector('[role=gridcell]').focus()")
    page.press(Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    assert page.focused() == "neuron 7"  # in six columns
    page.wait(lambda: page.text("neuron-heading") == "Neuron 7 of hidden layer 1", "neuron 7")
    assert page.find("[aria-selected=true]").get_attribute("data-neuron") == "7"
    page.press(Keys.END, Keys.ARROW_DOWN)
    assert page.focused() == "neuron 29"


def test_a_neuron_shows_its_weights(page):
    page.find("[data-neuron='4']").click()
    page.wait(lambda: page.find("#incoming").is_displayed(), "the weights")
    url = f"{page.address}api/neurons/1/4"
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url) as response:
        neuron = json.load(response)
    page.wait(lambda: f"bias {neuron['bias']:+.2f}".replace("-", "−") in page.text("neuron-text"),
              "the bias")  # fmt: skip
    shown = [e.text for e in page.driver.find_elements(By.CSS_SELECTOR, "#pushes .value")]
    assert shown == [f"{w:+.2f}".replace("-", "−") for w in neuron["after"]]
    most = max(range(10), key=lambda i: neuron["after"][i])
    assert f"speaks for {most}" in page.text("outgoing-text")
    strongest = max(range(784), key=lambda i: abs(neuron["weights"][i]))
    pixel, full = page.driver.execute_script(
        "const at = arguments[0], style = getComputedStyle(document.documentElement);"
        "const canvas = document.getElementById('incoming');"
        "const dot = canvas.getContext('2d').getImageData(at % 28, Math.floor(at / 28), 1, 1).data;"
        "const name = arguments[1] > 0 ? '--positive' : '--negative';"
        "return ['#' + [...dot].slice(0, 3).map(c => c.toString(16).padStart(2, '0')).join(''),"
        " style.getPropertyValue(name).trim()]",
        strongest, neuron["weights"][strongest],
    )  # fmt: skip
    assert pixel == full


def test_validation_images_come_with_what_they_are_and_undo_brings_back_the_drawing(page):
    page.draw_anew(DIGITS["1"][0])
    drawn, labels = page.values(), load_dataset("mnist_5k").validation.labels
    for number in (1, 2):
        page.find("#next").click()
        page.wait(lambda n=number: f"image {n} of 1,000" in page.text("truth"), "an image")
        said = page.text("prediction")
        outcome = "right" if said == str(labels[number - 1]) else "wrong"
        told = f"it is {labels[number - 1]}; the network is {outcome}."
        assert page.text("truth").endswith(told)
    webdriver.ActionChains(page.driver).key_down(Keys.CONTROL).send_keys("z").key_up(
        Keys.CONTROL
    ).perform()
    page.wait(lambda: "image 1 of" in page.text("truth"), "the image before")
    page.draw(DIGITS["1"][1])  # on the image: a drawing of its own
    page.wait(lambda: page.text("truth") == "" and page.is_answered(), "the drawing alone")
    page.find("#undo").click()
    page.wait(lambda: "image 1 of" in page.text("truth"), "the image again")
    page.find("#undo").click()
    page.wait(lambda: page.values() == drawn, "the answer to the drawing")
    assert page.text("truth") == ""
    page.find("#undo").click()
    page.wait(lambda: page.text("prediction") == "?", "an empty paper")


def test_a_blank_paper_shows_no_answer(page):
    def shown() -> tuple[str, set[str], set[float]]:
        bars = "return [...document.querySelectorAll('#outputs .bar')].map(b => b.offsetWidth)"
        return page.text("prediction"), set(page.values()), set(page.driver.execute_script(bars))

    assert shown() == ("?", {""}, {0})
    assert page.text("outputs-note") == "Nothing is drawn, so there is no answer."
    assert not page.driver.find_elements(By.CSS_SELECTOR, "#outputs .best")
    grid = page.driver.find_elements(By.CSS_SELECTOR, "[role=gridcell]")
    assert grid[3].get_attribute("aria-label") == "neuron 3"
    page.draw_anew(DIGITS["1"][0])
    assert shown() != ("?", {""}, {0})
    page.find("#clear").click()
    page.wait(lambda: shown() == ("?", {""}, {0}), "no answer again")


def test_the_next_mistake_is_shown_and_the_next_image_follows_it(page, output):
    validation = load_dataset("mnist_5k").validation
    outputs = RunDirectory(output / "runs" / "digits").network().predict(validation.x)
    wrong = (outputs.argmax(axis=1) != validation.labels).nonzero()[0]
    for number in (int(wrong[0]), int(wrong[1])):
        page.find("#mistake").click()
        page.wait(lambda n=number: f"image {n + 1} of 1,000" in page.text("truth"), "a mistake")
        label, said = validation.labels[number], page.text("prediction")
        assert page.text("truth").endswith(f"it is {label}; the network is wrong.")
        assert said == str(outputs[number].argmax())
    page.find("#next").click()
    page.wait(lambda: f"image {wrong[1] + 2} of" in page.text("truth"), "the image after it")


def test_a_wider_pen_draws_wider(page):
    page.draw_anew(DIGITS["1"][0])
    thin = sum(page.sent())
    page.find("#pen").send_keys(Keys.END)
    page.draw_anew(DIGITS["1"][0])
    assert sum(page.sent()) > 1.8 * thin


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_and_controls_have_contrast(page, scheme):
    media(page.driver, scheme)
    page.draw_anew(DIGITS["1"][0])
    page.find("#next").click()
    page.find("[data-neuron='4']").click()
    page.wait(lambda: page.text("truth") and page.find("#incoming").is_displayed(), "all of it")
    page.driver.execute_script("document.getElementById('problem').textContent = 'a problem'")
    count, missed = poor(page.driver)
    page.driver.execute_script("document.getElementById('problem').textContent = ''")
    assert count > 40
    assert missed == []
    style = "return getComputedStyle(document.querySelector(arguments[0]))[arguments[1]]"
    back = page.driver.execute_script(style, "body", "background-color")
    assert (contrast(back, "rgb(255, 255, 255)") == 1) == (scheme == "light")
    pairs = [("#clear", "border-top-color"), ("#paper", "border-top-color"), ("#paper", "color"),
             ("#next", "background-color"), ("#outputs .bar", "background-color")]  # fmt: skip
    for css, what in pairs:
        colour = page.driver.execute_script(style, css, what)
        assert contrast(colour, back) >= 3, (css, what)


def test_a_phone_shows_all_of_it_without_scrolling_sideways(page):
    with narrow(page.driver, 390, 844):
        page.open()
        page.find("[data-neuron='4']").click()
        page.wait(lambda: page.find("#incoming").is_displayed(), "the weights")
        width = "return [document.documentElement.scrollWidth, innerWidth]"
        assert page.driver.execute_script(width) == [390, 390]
        small = """return [...document.querySelectorAll('button, input, [role=gridcell]')].map(
            e => e.getBoundingClientRect()).filter(b => b.width < 24 || b.height < 24).length"""
        assert page.driver.execute_script(small) == 0  # WCAG 2.2, 2.5.8
        assert page.driver.execute_script(
            "return document.getElementById('prediction').getBoundingClientRect().bottom"
        ) <= 844, "what it says is seen while one draws"  # fmt: skip


def test_what_a_screen_reader_finds(page):
    tree = page.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    named = [(node["role"]["value"], node.get("name", {}).get("value", "")) for node in tree
             if not node["ignored"]]  # fmt: skip
    wanted = {"application": 1, "button": 4, "slider": 1, "image": 1, "grid": 1, "gridcell": 30,
              "region": 5, "heading": 7}  # fmt: skip
    for role, count in wanted.items():
        names = [name for found, name in named if found == role]
        assert len(names) == count, (role, names)
        assert all(names), role
    assert ("slider", "Pen") in named
    assert ("grid", "Hidden layer 1") in named
    assert page.find("#said").get_attribute("role") == "status"
    assert page.find("#problem").get_attribute("role") == "alert"
    assert page.find("#paper").get_attribute("aria-describedby") == "keys"
    assert "arrow keys move the pen" in page.text("keys")
    assert page.find("html").get_attribute("lang") == "en"


def percents(page: Page) -> list[float]:
    return [float(text.removesuffix(" %")) for text in page.values()]


def test_softmax_outputs_are_probabilities_and_every_layer_is_shown(driver, tmp_path):
    deep = ["dataset=digits_8x8", "network=softmax", "network.activation=relu"]
    deep += ["network.hidden=[20,12]", "training.epochs=10", "training.eta=0.1"]
    run(load_config(deep), tmp_path / "runs" / "deep")
    with demo(tmp_path, "deep", "--no-browser", "--port", "0") as (port, process):
        page = Page(driver, port).open()
        page.draw(DIGITS["0"][0])
        page.wait(lambda: page.text("prediction") == "0", "a 0")
        assert page.text("outputs-heading") == "Probabilities"
        page.wait(lambda: abs(sum(percents(page)) - 100) <= 0.6, "probabilities that add up")
        grids = driver.find_elements(By.CSS_SELECTOR, "[role=grid]")
        cells = [len(grid.find_elements(By.CSS_SELECTOR, "[role=gridcell]")) for grid in grids]
        assert cells == [20, 12]
        size = "const c = document.getElementById(arguments[0]); return [c.width, c.height]"
        assert driver.execute_script(size, "input") == [8, 8]
        grids[0].find_element(By.CSS_SELECTOR, "[data-neuron='3']").click()
        page.wait(lambda: page.find("#outgoing").is_displayed(), "the weights to the next layer")
        assert driver.execute_script(size, "incoming") == [8, 8]
        assert driver.execute_script(size, "outgoing") == [4, 3]
        grids[1].find_element(By.CSS_SELECTOR, "[data-neuron='3']").click()
        page.wait(lambda: page.find("#pushes").is_displayed(), "the weights to the outputs")
        assert driver.execute_script(size, "incoming") == [5, 4]
        assert complaints(driver) == []
        process.kill()
        process.wait()
        page.find("#clear").click()
        page.wait(lambda: "does not answer" in page.text("problem"), "that the server is gone")
        assert any("ERR_CONNECTION_REFUSED" in message for message in complaints(driver))
        assert all(address.startswith(page.address) for address in addresses(driver))


@pytest.mark.skipif("NNDL_SCREENSHOTS" not in os.environ, reason="needs NNDL_SCREENSHOTS")
def test_the_picture_for_the_documentation(driver, tmp_path):
    words = ["network.hidden=[100]", "training.epochs=30", "training.lmbda=0.5"]
    run(load_config(words), tmp_path / "runs" / "digits")
    with demo(tmp_path, "digits", "--no-browser", "--port", "0") as (port, _):
        page = Page(driver, port).open()
        media(driver, "light")
        assert page.draw_anew(DIGITS["3"][0]) == "3"
        answer = page.answer(page.sent())
        weights = RunDirectory(tmp_path / "runs" / "digits").network().weights[1][3]
        page.find(f"[data-neuron='{(weights * answer['layers'][0]).argmax()}']").click()
        page.wait(lambda: page.find("#incoming").is_displayed(), "the weights")
        driver.set_window_size(1500, 1070)
        time.sleep(0.5)  # until it is drawn
        folder = Path(os.environ["NNDL_SCREENSHOTS"])
        folder.mkdir(parents=True, exist_ok=True)
        assert driver.save_screenshot(str(folder / "demo.png"))
        assert (folder / "demo.png").stat().st_size <= 200_000
