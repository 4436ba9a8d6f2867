"""Chromium, headless, with a page that was opened from disk."""

import base64
import io
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from chromium import chromium
from PIL import Image
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

PATIENCE = 60  # seconds until what doesn't appear counts as missing
FLAGS = ("--window-size=1280,900", "--force-prefers-reduced-motion")

_COLOURS = """
const parse = (css) => {
  const n = css.match(/[\\d.]+/g).map(Number);
  return n.length < 4 ? [...n, 1] : n;
};
const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const over = (top, below) => [0, 1, 2].map((i) => top[3] * top[i] + (1 - top[3]) * below[i]);
const ground = (element) => {
  const layers = [];
  for (let e = element; e; e = e.parentElement) {
    const colour = parse(getComputedStyle(e).backgroundColor);
    if (colour[3] > 0) layers.push(colour);
    if (colour[3] === 1) break;
  }
  return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
};
"""
CONTRASTS = (
    _COLOURS
    + """
// [ratio, needed, text] of every text, by the relative luminance of WCAG 2.1.
const found = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  const text = walker.currentNode.textContent.trim();
  if (!text || element.closest("script, style, option, .skip, [data-ground]")) continue;
  if (!element.checkVisibility({ visibilityProperty: true })) continue;
  if (!element.getClientRects().length) continue;
  const style = getComputedStyle(element);
  const svg = element.closest("svg");
  if (svg && style.fill === "rgb(26, 26, 26)") continue; // on a colour of its own in the picture
  const back = ground(element);
  const ink = over(parse(svg ? style.fill : style.color), back);
  const [light, dark] = [luminance(ink), luminance(back)].sort((a, b) => b - a);
  const size = parseFloat(style.fontSize), bold = Number(style.fontWeight) >= 700;
  const needed = size >= 24 || (bold && size >= 18.66) ? 3 : 4.5;
  found.push([(light + 0.05) / (dark + 0.05), needed, text.slice(0, 60)]);
}
return found;
"""
)
STROKES = (
    _COLOURS
    + """
// [ratio, colour] of every line and mark of a figure, against what is behind the figure.
const found = [];
const lines = ".picture [id*=line2d] path, .chart .js-line, .chart .points path";
for (const shape of document.querySelectorAll(lines)) {
  if (shape.closest("defs, [id*='matplotlib.axis']") || !shape.getClientRects().length) continue;
  const style = getComputedStyle(shape);
  const back = ground(shape.closest("figure"));
  const inks = [style.stroke, style.fill].filter((colour) => colour.startsWith("rgb"));
  const ratios = inks.map((colour) => {
    const ink = over(parse(colour), back);
    const [light, dark] = [luminance(ink), luminance(back)].sort((a, b) => b - a);
    return (light + 0.05) / (dark + 0.05);
  });
  found.push([Math.max(...ratios), inks.join(), shape.closest("figure").id]);
}
return found;
"""
)


class Browser:
    """A page in Chromium. Its charts are drawn by a script after it has been opened."""

    def __init__(self, driver: webdriver.Chrome) -> None:
        self.driver = driver

    def run(self, script: str, *arguments: object) -> Any:
        return self.driver.execute_script(script, *arguments)

    def devtools(self, command: str, **parameters: object) -> dict[str, Any]:
        return self.driver.execute_cdp_cmd(command, parameters)

    def open(self, path: Path, *, drawn: bool = True) -> None:
        self.driver.get_log("browser")  # what was said of the page before
        self.driver.get_log("performance")
        self.driver.get(path.resolve().as_uri())
        if drawn:
            self.wait(lambda: self.run("return document.documentElement.dataset.drawn"))

    def wait(self, condition: Callable[[], Any]) -> Any:
        return WebDriverWait(self.driver, PATIENCE).until(lambda _: condition())

    def emulate(self, *, scheme: str = "light", media: str = "", width: int = 1280) -> None:
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.devtools("Emulation.setEmulatedMedia", media=media, features=features)
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=width < 500,
        )  # fmt: skip

    def press(self, key: str) -> None:
        self.driver.switch_to.active_element.send_keys(key)

    def tab_stops(self, most: int = 200) -> list[dict[str, str]]:
        """What has the focus after each press of Tab, until it leaves the page."""
        stops: list[dict[str, str]] = []
        self.run("document.activeElement.blur(); window.scrollTo(0, 0)")
        body = self.driver.find_element(By.TAG_NAME, "body")
        body.send_keys(Keys.TAB)
        for _ in range(most):
            stop = self.run(
                """const e = document.activeElement; if (e === document.body) return null;
                const r = e.getBoundingClientRect();
                return {tag: e.tagName, name: e.ariaLabel || e.textContent.trim().slice(0, 50),
                        chart: e.dataset.chart || "", seen: String(r.width > 0 && r.height > 0),
                        outline: getComputedStyle(e).outlineStyle}"""
            )
            if stop is None or (stops and stop == stops[0]):
                break
            stops.append(stop)
            self.press(Keys.TAB)
        return stops

    def requests(self) -> list[str]:
        """The addresses that were asked for since the page was opened."""
        messages = [json.loads(e["message"])["message"] for e in self.driver.get_log("performance")]
        return [
            message["params"]["request"]["url"]
            for message in messages
            if message["method"] == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[str]:
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def picture(self, top: float, height: int) -> Image.Image:
        """The page from ``top`` on, so many pixels high."""
        clip = {"x": 0, "y": top, "width": 1280, "height": height, "scale": 1}
        taken = self.devtools("Page.captureScreenshot", captureBeyondViewport=True, clip=clip)
        return Image.open(io.BytesIO(base64.b64decode(taken["data"]))).convert("RGB")


@contextmanager
def browsing() -> Iterator[Browser]:
    """A browser for pages from disk."""
    with (
        tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile,
        chromium(Path(profile), *FLAGS) as driver,
    ):
        yield Browser(driver)
