"""A headless Chromium of the tests' own: it reaches loopback only, and says what it asked for."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import needs
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

FLAGS = """--headless=new --no-sandbox --disable-gpu --disable-quic --no-first-run --lang=en-US
    --disable-background-networking --disable-component-update --disable-sync --no-proxy-server
    --disable-dev-shm-usage --window-size=1500,950"""
ONLY_LOOPBACK = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


@contextmanager
def chromium(profile: Path, *more: str, console: str = "ALL") -> Iterator[webdriver.Chrome]:
    """A browser with a profile of its own, ended by its driver; of flags the last one counts.
    ``console`` is what is kept of what its console says."""
    options = webdriver.ChromeOptions()
    options.binary_location = str(needs.program("chromium"))
    for flag in (*FLAGS.split(), ONLY_LOOPBACK, f"--user-data-dir={profile}", *more):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": console, "performance": "ALL"})
    driver = webdriver.Chrome(options, Service(needs.program("chromedriver")))
    try:
        yield driver
    finally:
        driver.quit()


def complaints(driver: webdriver.Chrome) -> list[str]:
    """What the console has said since it was last looked at."""
    return [entry["message"] for entry in driver.get_log("browser")]


def addresses(driver: webdriver.Chrome) -> set[str]:
    """What the browser has asked for since it was last looked at, whatever came of it."""
    events: list[dict[str, Any]] = [
        json.loads(entry["message"])["message"] for entry in driver.get_log("performance")
    ]
    asked = [e["params"] for e in events if e["method"] == "Network.requestWillBeSent"]
    return {params["request"]["url"] for params in asked}


def media(driver: webdriver.Chrome, scheme: str) -> None:
    """Prefer a colour scheme, "light" or "dark"."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


@contextmanager
def narrow(driver: webdriver.Chrome, width: int, height: int) -> Iterator[None]:
    """As wide and high as a telephone."""
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": True}
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    try:
        yield
    finally:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


# Every element with text of its own that is seen: [text, colour, background, pixels, weight].
_TEXTS = """
const shown = [];
for (const element of document.body.querySelectorAll('*')) {
  const own = [...element.childNodes].filter(n => n.nodeType === 3 && n.textContent.trim());
  if (!own.length || !element.checkVisibility()) continue;
  const behind = [];
  for (let e = element; e; e = e.parentElement) behind.push(getComputedStyle(e).backgroundColor);
  const style = getComputedStyle(element);
  shown.push([own[0].textContent.trim(), style.color,
    behind.find(colour => colour !== 'rgba(0, 0, 0, 0)'), parseFloat(style.fontSize),
    Number(style.fontWeight)]);
}
return shown"""


def poor_contrasts(driver: webdriver.Chrome) -> tuple[int, list[tuple[str, float]]]:
    """How many texts are seen, and those that miss WCAG 2.2, level AA (1.4.3), with their ratio."""
    texts = driver.execute_script(_TEXTS)
    poor = []
    for text, colour, behind, pixels, weight in texts:
        is_large = pixels >= 24 or (pixels >= 18.66 and weight >= 700)
        ratio = contrast(colour, behind)
        if ratio < (3 if is_large else 4.5):
            poor.append((text, ratio))
    return len(texts), poor


def contrast(one: str, other: str) -> float:
    """WCAG's contrast ratio of two colours as computed styles have them, rgb(r, g, b)."""
    light = sorted((_luminance(one), _luminance(other)))
    return (light[1] + 0.05) / (light[0] + 0.05)


def _luminance(colour: str) -> float:
    assert colour.startswith("rgb("), colour
    parts = [int(part) / 255 for part in colour.removeprefix("rgb(").removesuffix(")").split(",")]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
