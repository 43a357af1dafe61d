"""The page where the API asks for a token."""

import re

import pytest
from playwright.sync_api import expect

TOKEN = "token-of-the-browser-tests"
DEBT = "7afa83a6-e74f-4975-8a69-b566ed448fb3"


@pytest.fixture
def page(token_stack, visitor):
    return visitor.open(token_stack.url)


def give(page, token):
    page.get_by_label("Token", exact=True).fill(token)
    page.get_by_role("button", name="Use token").click()


def test_everything_works_with_the_token_and_nothing_without(page, sample):
    expect(page.get_by_label("Token", exact=True)).to_be_focused()
    expect(page.locator("#history")).to_be_hidden()
    give(page, "wrong-token-of-the-tests")
    expect(page.get_by_role("alert").filter(has_text="does not know this token")).to_be_visible()
    give(page, TOKEN)
    expect(page.locator("#token")).to_be_hidden()

    # The upload, the events, a download and a boleto each send it.
    page.get_by_label("Choose a CSV or .xlsx").set_input_files(sample)
    page.get_by_role("button", name=re.compile("^Bill ")).click()
    expect(page.locator("#import-state")).to_have_text("Complete, with rejections")
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download rejections").click()
    assert downloading.value.suggested_filename.startswith("rejections-")
    assert "email_invalid" in downloading.value.path().read_text()
    page.get_by_label("Debt (debtId)").fill(DEBT)
    page.get_by_role("button", name="Find").click()
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Open PDF").click()
    assert downloading.value.path().read_bytes().startswith(b"%PDF-")


def test_the_token_stays_in_its_tab_and_can_be_forgotten(page, token_stack):
    give(page, TOKEN)
    expect(page.get_by_role("button", name="Forget token")).to_be_visible()
    page.reload()
    expect(page.get_by_role("button", name="Forget token")).to_be_visible()
    expect(page.locator("#token")).to_be_hidden()
    assert page.evaluate("[localStorage.length, document.cookie]") == [0, ""]
    other = page.context.new_page()
    other.goto(token_stack.url)
    expect(other.get_by_label("Token", exact=True)).to_be_visible()
    page.get_by_role("button", name="Forget token").click()
    expect(page.get_by_label("Token", exact=True)).to_be_visible()
