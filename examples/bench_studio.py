"""How long a stroke in the studio takes from mouse-up to the new image, beside the network's own time; in headless Chromium.

    python examples/bench_studio.py coigan-demo/coigan

Strokes fill a box of 128 px (or --side). Between two of them the network alone draws the same, in the same process, so that
both meet the same machine. Needs Chromium and the extras studio and dev.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from coigan_aug.folders import Folders
from coigan_aug.studio.model import Model, plan_job
from coigan_aug.studio.serve import listening, make_server
from coigan_aug.studio.session import Session
from coigan_aug.studio.wire import Painted, unpack_layers
from coigan_aug.synthesis.gan import draw_patches

TOKEN = "bench"
WATCH = """() => {
    const { result, views } = window.studio;
    const show = result.show.bind(result);
    addEventListener('pointerup', () => { window.begun = performance.now(); window.took = null; }, true);
    result.show = (picture) => { show(picture); requestAnimationFrame(() => setTimeout(() => {
        window.took = performance.now() - window.begun; })); };
}"""


@contextmanager
def opened(workspace: Path, run: str | None = None) -> Iterator[tuple[Session, str]]:
    """Serve a workspace in a thread."""
    session = Session(Folders(workspace), "coigan-aug studio")
    session.load(run)
    with listening(0) as sock:
        port = sock.getsockname()[1]
        server = make_server(session, TOKEN, port)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [sock]})
        thread.start()
        yield session, f"http://127.0.0.1:{port}/{TOKEN}/"
        server.should_exit = True
        thread.join()
    session.close()


def network_alone(session: Session, model: Model, seen: list[tuple[Painted, bytes]]) -> float:
    """Return the milliseconds that the network takes for what was asked for last, in the worker's thread."""
    asked, bits = seen[-1]
    job = plan_job(model, asked.base, asked.layers, unpack_layers(asked.layers, memoryview(bits)), seed=asked.seeds[0])
    patches = model.engine.cut(job, model.surface(job.base))

    def timed() -> float:
        begun = time.perf_counter()
        draw_patches(patches, model.generator, model.device)
        return 1000 * (time.perf_counter() - begun)

    return session.worker.submit(("bench", "network"), timed).result()


def stroke(page: Any, *, number: int, side: int) -> float:
    """Clear the mask, paint a stroke whose box has that side; return the milliseconds from mouse-up to the new image."""
    page.evaluate("() => { window.studio.clearMask(); window.took = null; }")
    page.wait_for_function("() => document.body.dataset.busy === 'no'")
    views = page.evaluate("() => { const v = window.studio.views; return [v.x, v.y, v.zoom, v.width, v.height]; }")
    box, size = page.locator("#left").bounding_box(), page.evaluate("() => window.studio.state.size")
    reach = side - size
    left = size / 2 + (number * 37) % max(int(views[3] - side), 1)
    height = min(reach, views[4] - size)
    points = [(left, size / 2), (left + reach, size / 2 + height)]
    across, down = ([box["xy"[k]] + views[k] + point[k] * views[2] for point in points] for k in (0, 1))
    page.mouse.move(across[0], down[0])
    page.mouse.down()
    page.mouse.move(across[1], down[1], steps=6)
    page.mouse.up()
    page.wait_for_function("() => window.took !== null")
    return float(page.evaluate("() => window.took"))


def main() -> None:
    """Measure and print one JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("workspace", type=Path, help="such as the demo's, coigan-demo/coigan")
    parser.add_argument("--run", help="its name or number; by default the newest finished one")
    parser.add_argument("--strokes", type=int, default=20)
    parser.add_argument("--side", type=int, default=128, help="of the strokes' box, px")
    asked = parser.parse_args()
    chromium = next(path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name)))
    with opened(asked.workspace, asked.run) as (session, address), sync_playwright() as started:
        model, seen = session.current(), list[tuple[Painted, bytes]]()
        draw = session.draw
        session.draw = lambda asked, bits: (seen.append((asked, bytes(bits))), draw(asked, bits))[1]  # type: ignore[method-assign]
        browser = started.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1400, "height": 900})
        page.goto("about:blank")
        begun = time.perf_counter()
        page.goto(address)
        page.wait_for_selector("body[data-ready=yes]")
        ready = 1000 * (time.perf_counter() - begun)
        page.evaluate(WATCH)
        stroke(page, number=0, side=asked.side)
        rows = []
        for number in range(asked.strokes):
            took = stroke(page, number=number + 1, side=asked.side)
            rows.append((took, network_alone(session, model, seen)))
        browser.close()
    whole, network = (statistics.median(row[k] for row in rows) for k in (0, 1))
    print(
        json.dumps(
            {
                "page_ready_ms": round(ready), "strokes": len(rows), "box_px": asked.side,
                "mouse_up_to_image_ms": round(whole, 1), "network_alone_ms": round(network, 1),
                "ratio": round(statistics.median(took / alone for took, alone in rows), 2),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main()
