"""Screenshots of the studio's pages, light and dark, 1400 and 390 px wide, in headless Chromium.

    python examples/shoot_studio.py coigan-demo/coigan --run 000-steel --out examples/results/studio

Paints a crack, a scratch and a pit, waits for what the screen says, and visits every page. Needs Chromium and the extras
studio and dev.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parent))
from bench_studio import opened

SIZES = ((1400, 900), (390, 844))
STROKES = (
    ("2", 5, [(250, 30), (268, 52), (262, 70), (280, 96)]),
    ("3", 3, [(420, 70), (520, 58)]),
    ("1", 14, [(640, 84), (646, 86)]),
)


def paint(page: Any, *, wide: bool) -> None:
    """Paint one defect of each of three classes."""
    page.evaluate("() => document.getElementById('left').scrollIntoView({ block: 'center' })")
    for key, size, points in STROKES:
        page.keyboard.press(key)
        page.evaluate(f"() => {{ window.studio.state.size = {size}; window.studio.panel.show(); }}")
        box = page.locator("#left").bounding_box()
        x, y, zoom = page.evaluate("() => { const v = window.studio.views; return [v.x, v.y, v.zoom]; }")
        on_page = [(box["x"] + x + zoom * across, box["y"] + y + zoom * down) for across, down in points]
        page.mouse.move(*on_page[0])
        page.mouse.down()
        for point in on_page[1:]:
            page.mouse.move(*point, steps=5)
        page.mouse.up()
        page.wait_for_function("() => document.body.dataset.busy === 'no'")
    if wide:
        page.fill("#variant-count", "6")
        page.keyboard.press("Enter")
        page.click("#generate")
        page.wait_for_function("() => document.querySelectorAll('.variant canvas').length === 6")
    page.wait_for_function(
        "() => document.querySelector('#verdict table') && !document.querySelector('#verdict').textContent.includes('…')",
        timeout=120_000,
    )
    page.mouse.move(2, 2)


def shoot(page: Any, path: Path, *, whole: bool) -> None:
    """Write a JPEG, the whole page where it scrolls."""
    page.evaluate("() => scrollTo(0, 0)")
    page.wait_for_timeout(400)
    page.wait_for_function("() => [...document.images].every(i => i.complete || i.loading === 'lazy')")
    page.screenshot(path=path, full_page=whole, type="jpeg", quality=72)


def visit(page: Any, out: Path, name: str, *, wide: bool) -> None:
    """Shoot every page in one size and scheme."""
    paint(page, wide=wide)
    shoot(page, out / f"paint-{name}.jpg", whole=not wide)
    page.evaluate("() => { location.hash = '#runs'; }")
    page.wait_for_selector("#curves svg, #curves-none:not([hidden])")
    page.wait_for_function(
        "() => { const i = document.querySelector('#sample-picture'); return !i.src || i.complete; }"
    )
    shoot(page, out / f"runs-{name}.jpg", whole=False)
    page.evaluate("() => { location.hash = '#data/coco'; }")
    page.wait_for_selector("#grid .card img")
    page.wait_for_timeout(1500)
    shoot(page, out / f"data-{name}.jpg", whole=False)
    page.locator("#grid .card").first.click()
    page.wait_for_function("() => document.querySelector('#look-picture').naturalWidth > 0")
    shoot(page, out / f"look-{name}.jpg", whole=False)


def main() -> None:
    """Shoot all of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path)
    parser.add_argument("--run")
    parser.add_argument("--out", type=Path, default=Path("examples/results/studio"))
    asked = parser.parse_args()
    asked.out.mkdir(parents=True, exist_ok=True)
    chromium = next(path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name)))
    with opened(asked.workspace, asked.run) as (_, address), sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for scheme in ("light", "dark"):
            for width, height in SIZES:
                context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme)
                page = context.new_page()
                page.goto(address)
                page.wait_for_selector("body[data-ready=yes]")
                visit(page, asked.out, f"{scheme}-{width}", wide=width > 1000)
                context.close()
        browser.close()


if __name__ == "__main__":
    main()
