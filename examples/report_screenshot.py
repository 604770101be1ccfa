"""Picture a page as a browser shows it: python examples/report_screenshot.py REPORT.html OUT.png [WIDTH] [first] [dark|print]

Needs the `dev` extra and Chromium (Debian: apt-get install chromium). WIDTH in px, default 1280; the height is the page's, or
with `first` that of the first window, 900 px. OUT.jpg makes it a JPEG.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

FLAGS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync",
]  # fmt: skip


def find_chromium() -> str | None:
    """Return the system's Chromium, or None."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


def picture(report: Path, out: Path, *, width: int, look: str, first: bool) -> None:
    """Write a PNG or JPEG of the whole page, or of its first window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        page = browser.new_page(
            viewport={"width": width, "height": 900}, color_scheme="dark" if look == "dark" else "light"
        )
        page.emulate_media(media="print" if look == "print" else "screen")
        page.goto(report.resolve().as_uri())
        page.screenshot(path=out, full_page=not first, quality=70 if out.suffix == ".jpg" else None)
        browser.close()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    given = sys.argv[3:]
    wide = next((int(text) for text in given if text.isdigit()), 1280)
    shown = next((text for text in given if text in ("dark", "print")), "light")
    picture(Path(sys.argv[1]), Path(sys.argv[2]), width=wide, look=shown, first="first" in given)
