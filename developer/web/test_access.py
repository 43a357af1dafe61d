"""For everyone: languages, keyboard, small screens, contrast, screen readers."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

DEBT = "7afa83a6-e74f-4975-8a69-b566ed448fb3"
LANGUAGES = ["en-US", "pt-BR"]
THEMES = ["light", "dark"]
PHONE = {"width": 360, "height": 740}
# What stands beyond the right edge of the page.
BEYOND = """() => [...document.querySelectorAll('body *')]
    .filter((it) => it.getBoundingClientRect().right > innerWidth + 1 && getComputedStyle(it).position !== 'absolute')
    .map((it) => it.outerHTML.slice(0, 90))"""

# One debt that is never billed here, and one that cannot be.
PREVIEWED = """name,governmentId,email,debtAmount,debtDueDate,debtId
Ana,52998224725,ana@example.com,99999999.99,2030-01-15,previewed-1
Bia,52998224725,bia,1,2030-01-15,previewed-2
"""


@pytest.fixture(scope="module")
def import_id(stack, sample):
    import_id = stack.upload(sample)
    stack.finished(import_id)
    return import_id


@pytest.fixture
def full(stack, visitor, import_id):
    """Opens the page with all that it can show at a time."""

    def open_page(**options) -> Page:
        page = visitor.open(f"{stack.url}/#{import_id}", **options)
        expect(page.locator("#rejections")).to_be_visible()
        page.locator("#format summary").click()
        page.locator("#boleto-debt").fill("there-is-none")
        page.locator("#boleto-form button").click()
        expect(page.locator("#boleto-error")).to_be_visible()
        page.locator("#boleto-debt").fill(DEBT)
        page.locator("#boleto-form button").click()
        expect(page.locator("#boleto")).to_be_visible()
        return page

    return open_page


def violations(page: Page) -> list[str]:
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{it['id']}: {[node['html'][:120] for node in it['nodes']]}" for it in found]


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("language", LANGUAGES)
def test_an_audit_finds_nothing(full, stack, visitor, tmp_path, theme, language):
    page = full(locale=language, color_scheme=theme, reduced_motion="reduce")
    assert violations(page) == []
    # A file that is chosen, and an error.
    bad = tmp_path / "bad.csv"
    bad.write_text("")
    page.locator("#file").set_input_files(bad)
    expect(page.locator("#upload-error")).to_be_visible()
    assert violations(page) == []
    bad.write_text(PREVIEWED)
    page.locator("#file").set_input_files(bad)
    expect(page.locator("#upload-start")).to_be_visible()
    page.locator("#preview-problems summary").click()
    assert violations(page) == []
    phone = visitor.open(stack.url, locale=language, color_scheme=theme, viewport=PHONE)
    expect(phone.locator("#history")).to_be_visible()
    assert violations(phone) == []


def answer_with(body: dict):
    return lambda route: route.fulfill(json=body)


@pytest.mark.parametrize("theme", THEMES)
def test_an_audit_of_what_is_rare_finds_nothing(token_stack, stack, visitor, import_id, theme):
    page = visitor.open(token_stack.url, color_scheme=theme)
    page.locator("#token-value").fill("wrong-token-of-the-tests")
    page.locator("#token-form button").click()
    expect(page.locator("#token-error")).to_be_visible()
    assert violations(page) == []
    seen = stack.ask(f"/v1/imports/{import_id}")
    for state in ["received", "sending", "processing", "completed", "waiting", "stalled", "cancelled", "abandoned", "failed"]:
        page = visitor.page(color_scheme=theme)
        changed = seen | {"state": state, "over": True}
        page.route(f"**/v1/imports/{import_id}/events", lambda route: route.abort())
        page.route(f"**/v1/imports/{import_id}", answer_with(changed))
        page.goto(f"{stack.url}/#{import_id}")
        expect(page.locator("#import-state")).to_have_attribute("data-state", state)
        assert violations(page) == [], state
        for dialog in ["confirm", "confirm-reopen"]:
            page.evaluate(f"document.getElementById('{dialog}').showModal()")
            assert violations(page) == [], (state, dialog)
            page.evaluate(f"document.getElementById('{dialog}').close()")


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_beyond_the_edge_of_a_phone(full, tmp_path, language):
    page = full(locale=language, viewport=PHONE)
    long = tmp_path / ("um-nome-de-arquivo-sem-espaços-que-não-acaba-" * 4 + ".csv")
    long.write_text(PREVIEWED)
    page.locator("#file").set_input_files(long)
    expect(page.locator("#upload-start")).to_be_visible()
    page.locator("#preview-problems summary").click()
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    inside = page.evaluate(BEYOND)
    assert [html for html in inside if "<code" not in html] == []


@pytest.mark.parametrize("width", [360, 1100])
def test_the_figures_of_a_large_file_stay_in_their_place(stack, visitor, import_id, width):
    seen = stack.ask(f"/v1/imports/{import_id}")
    large = seen | {"rows": {name: 11_000_000 for name in seen["rows"]}, "over": True}
    page = visitor.page(viewport={"width": width, "height": 900})
    page.route(f"**/v1/imports/{import_id}/events", lambda route: route.abort())
    page.route(f"**/v1/imports/{import_id}", answer_with(large))
    page.goto(f"{stack.url}/#{import_id}")
    expect(page.locator('[data-count="total"] .value')).to_have_text("11,000,000")
    wide = "all => all.filter(it => it.scrollWidth > it.clientWidth).map(it => it.textContent)"
    assert page.locator("#import-counts *").evaluate_all(wide) == []


def test_the_language_is_that_of_the_browser(full):
    page = full(locale="pt-BR")
    assert page.evaluate("document.documentElement.lang") == "pt-BR"
    expect(page).to_have_title("Importação de cobranças")
    expect(page.locator("#import-state")).to_have_text("Concluída, com rejeições")
    expect(page.locator("#import-figures")).to_contain_text("2.000 de 2.000")
    expect(page.locator("#boleto-facts")).to_contain_text("15 de nov. de 2027")
    expect(page.locator("#boleto-facts")).to_contain_text("15.187,35")
    expect(page.locator("#rejections-list li").first).to_contain_text("o nome está vazio")
    # A reader may choose the other one, and keeps the import.
    page.get_by_role("link", name="English").click()
    expect(page).to_have_title("Billing imports")
    assert page.evaluate("document.documentElement.lang") == "en"
    expect(page.locator("#import-state")).to_have_text("Complete, with rejections")


def test_all_can_be_done_with_the_keyboard(stack, visitor, tmp_path):
    file = tmp_path / "keys.csv"
    file.write_text(
        "name,governmentId,email,debtAmount,debtDueDate,debtId\n"
        "Ana,52998224725,ana@example.com,150.00,2030-01-15,keyboard-1\n"
        "Ana,52998224725,,150.00,2030-01-15,keyboard-2\n"
    )
    page = visitor.open(stack.url)

    def tab_to(selector: str):
        target = page.locator(selector).first
        for _ in range(60):
            page.keyboard.press("Tab")
            if target.evaluate("it => it === document.activeElement"):
                # Whatever has the focus is seen to have it.
                outline = "it => getComputedStyle(it.matches('.unseen') ? it.nextElementSibling : it).outlineStyle"
                assert target.evaluate(outline) != "none", selector
                return
        raise AssertionError(f"Tab does not reach {selector}")

    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()
    # Chromium learns that it is to open no window some time after it is told: long before the key.
    with page.expect_file_chooser() as choosing:
        tab_to("#file")
        page.keyboard.press("Space")
    choosing.value.set_files(file)
    expect(page.locator("#upload-start")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#import-state")).to_have_text("Complete, with rejections")
    expect(page.locator("#import-name")).to_be_focused()
    tab_to("#rejections-download")
    with page.expect_download():
        page.keyboard.press("Enter")
    tab_to("#boleto-debt")
    page.keyboard.type("keyboard-1")
    page.keyboard.press("Enter")
    expect(page.locator("#boleto-payer")).to_be_focused()
    tab_to("#boleto-pdf")
    tab_to("#history-rows a")
    page.keyboard.press("Enter")
    expect(page.locator("#import-name")).to_be_focused()


def test_progress_is_said_to_those_who_listen(stack, visitor, tmp_path):
    page = visitor.open(stack.url)
    page.evaluate("""() => {
        window.said = [];
        const line = document.getElementById('announcement');
        new MutationObserver(() => window.said.push(line.textContent)).observe(line, { childList: true });
    }""")
    file = tmp_path / "said.csv"
    file.write_text(PREVIEWED.replace("previewed", "said"))
    page.locator("#file").set_input_files(file)
    page.locator("#upload-start").click()
    expect(page.locator("#import-state")).to_have_text("Complete, with rejections")
    said = page.evaluate("window.said")
    assert said[0] == "Uploading said.csv.", said
    assert said[1] == "Bill 1 debt, R$99,999,999.99", said
    assert said[2] == "File accepted. 2 rows are being processed.", said
    assert said[-1] == "Complete, with rejections", said
