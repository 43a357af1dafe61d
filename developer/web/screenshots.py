"""Makes the pictures of the documentation from a running stack.

    screenshots.py DIRECTORY

The page in both languages, on a desktop and a phone, in both themes, and the
API documentation. `make screenshots` does all of it.
"""

import os
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect, sync_playwright
from stack import REPOSITORY, Stack

COLOURS = 128


def main(directory: Path) -> None:
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    with Stack(LOG_LEVEL="ERROR") as stack, sync_playwright() as playwright:
        import_id = stack.upload(REPOSITORY / "developer/input.csv", "debts-2026-11.csv")
        stack.finished(import_id)
        stack.finished(stack.upload(REPOSITORY / "importer-api/page/sample.csv", "sample.csv"))
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])

        def shot(name: str, path: str, ready: str, size: tuple[int, int], **options) -> None:
            width, height = size
            options |= {"viewport": {"width": width, "height": height}, "reduced_motion": "reduce"}
            page = browser.new_page(**options)
            page.goto(stack.url + path)
            expect(page.locator(ready).first).to_be_visible()
            page.evaluate("scrollTo(0, 0)")
            page.evaluate("document.activeElement.blur()")
            file = directory / f"{name}.png"
            page.screenshot(path=file, animations="disabled")
            page.close()
            _shrink(file)
            print(f"{file}: {file.stat().st_size // 1024} KiB")

        imported = f"/#{import_id}"
        ready = "#rejections-list li"
        shot("page-en", imported, ready, (1000, 1000), locale="en-US")
        shot("page-pt", imported, ready, (1000, 1000), locale="pt-BR")
        shot("page-dark", imported, ready, (1000, 1000), locale="en-US", color_scheme="dark")
        shot("page-phone", imported, ready, (390, 844), locale="pt-BR", device_scale_factor=2)
        shot("docs", "/docs/", ".opblock", (1000, 1500), locale="en-US")
        browser.close()


def _shrink(file: Path) -> None:
    """As few colours as a page of text needs."""
    with Image.open(file) as picture:
        flat = picture.convert("RGB").quantize(COLOURS, dither=Image.Dither.NONE)
    flat.save(file, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
