"""A real browser on a real stack. No request may leave the machine."""

import os
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright
from stack import REPOSITORY, Stack, generate

# The machine may be busy with other things.
DEADLINE = 60_000  # milliseconds
OWN_SCHEMES = {"blob", "data", "chrome-extension", "about"}

expect.set_options(timeout=DEADLINE)


@pytest.fixture(scope="session")
def stack():
    """One stack for all tests that do not need another."""
    with Stack(ALLOWED_HOSTS="billing.test") as running:
        yield running


@pytest.fixture(scope="session")
def token_stack():
    """A stack whose API asks for a token."""
    with Stack(API_TOKENS="token-of-the-browser-tests") as running:
        yield running


@pytest.fixture(scope="session")
def sample() -> Path:
    """The file of 2,000 rows that `make demo` uploads."""
    return REPOSITORY / "developer/input.csv"


@pytest.fixture(scope="session")
def generated(tmp_path_factory):
    """Makes files of debts; each number of rows has debts of its own."""
    folder = tmp_path_factory.mktemp("files")

    def make(rows: int) -> Path:
        path = folder / f"{rows}.csv"
        if not path.exists():
            generate(path, rows, seed=rows)
        return path

    return make


@pytest.fixture(scope="session")
def browser():
    """Chromium as Debian has it; `CHROMIUM` names another."""
    program = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        pytest.exit("chromium is not in PATH: developer/setup.sh chromium installs it", returncode=2)
    with sync_playwright() as playwright:
        # Its sandbox takes no root; it opens this repository's own pages only.
        running = playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--host-resolver-rules=MAP *.test 127.0.0.1"],
        )
        yield running
        running.close()


class Visitor:
    """Opens pages, and remembers what they should not have done."""

    def __init__(self, browser: Browser):
        self._browser = browser
        self._contexts = []
        self.left: list[str] = []
        self.errors: list[str] = []

    def page(self, **options) -> Page:
        options = {"locale": "en-US", "viewport": {"width": 1100, "height": 900}} | options
        context = self._browser.new_context(**options)
        context.set_default_timeout(DEADLINE)
        context.route(lambda url: not _is_own(url), self._refuse)
        self._contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda line: self._hear(line))
        return page

    def open(self, url: str, **options) -> Page:
        page = self.page(**options)
        page.goto(url)
        return page

    def close(self):
        for context in self._contexts:
            context.close()

    def _refuse(self, route):
        self.left.append(route.request.url)
        route.abort()

    def _hear(self, line):
        # An answer that is an error is written there too; tests cause some.
        if line.type == "error" and "Failed to load resource" not in line.text:
            self.errors.append(line.text)


def _is_own(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme in OWN_SCHEMES or parts.hostname in {"127.0.0.1", "billing.test", "rebound.test"}


@pytest.fixture
def visitor(browser):
    """At the end of a test no request has left, and no script has failed."""
    visitor = Visitor(browser)
    yield visitor
    visitor.close()
    assert visitor.left == []
    assert visitor.errors == []
