"""The page for people: upload, progress, counts, rejections, boletos."""

import csv
import io
import json
import re
import zipfile

import pytest
from losing_proxy import LosingProxy
from playwright.sync_api import Page, expect
from stack import Stack

# The first row of the sample is billed, whatever was uploaded before.
DEBT = "7afa83a6-e74f-4975-8a69-b566ed448fb3"
# What the sample gives, as `make demo` has it.
COUNTS = {"total": 2000, "billed": 1897, "skipped": 68, "invalid": 35, "pending": 0, "mailed": 1897}

# Drops a file on an element, as the operating system would.
DROP = """([target, name, text]) => {
    const data = new DataTransfer();
    data.items.add(new File([text], name, { type: 'text/csv' }));
    for (const type of ['dragenter', 'dragover', 'drop']) {
        document.querySelector(target).dispatchEvent(
            new DragEvent(type, { dataTransfer: data, bubbles: true, cancelable: true }));
    }
}"""

# Keeps every value that a progress bar has had.
WATCH = """(id) => {
    const bar = document.getElementById(id);
    const seen = [bar.position];
    window.seen = { ...window.seen, [id]: seen };
    new MutationObserver(() => seen.push(bar.position)).observe(bar, { attributes: true });
}"""


def choose(page: Page, path) -> None:
    page.get_by_label("Choose a CSV or .xlsx").set_input_files(path)


def bill(page: Page) -> None:
    page.get_by_role("button", name=re.compile("^Bill ")).click()


def start_import(page: Page, path) -> None:
    choose(page, path)
    bill(page)


def slow_down(page: Page, bytes_a_second: int) -> None:
    """Lets an upload take its time."""
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    limits = {"offline": False, "latency": 0, "downloadThroughput": -1}
    session.send("Network.emulateNetworkConditions", limits | {"uploadThroughput": bytes_a_second})


def expect_state(page: Page, name: str) -> None:
    expect(page.locator("#import-state")).to_have_text(name)


def counts(page: Page) -> dict[str, int]:
    cells = page.locator("#import-counts > div").all()
    values = {cell.get_attribute("data-count"): cell.locator(".value").inner_text() for cell in cells}
    return {name: int(value.replace(",", "")) for name, value in values.items()}


def debt(name: str, rest: str = "52998224725,ana@example.com,150.00,2030-01-15") -> str:
    return f"name,governmentId,email,debtAmount,debtDueDate,debtId\nAna,{rest},{name}\n"


@pytest.fixture(scope="module")
def fresh():
    """A stack that nothing was uploaded to."""
    with Stack() as running:
        yield running


def test_an_import_from_the_choice_of_its_file_to_its_last_e_mail(fresh, visitor, sample):
    page = visitor.open(fresh.url)
    expect(page.get_by_text("Nothing was imported yet.")).to_be_visible()
    start_import(page, sample)
    expect_state(page, "Complete, with rejections")
    assert counts(page) == COUNTS
    expect(page.locator("#import-name")).to_have_text("input.csv")
    expect(page.locator("#import-figures")).to_contain_text("2,000 of 2,000")
    expect(page.locator("#mail-figures")).to_contain_text("1,897 of 1,897")
    expect(page.locator("#rejections-list li")).to_have_count(5)
    expect(page.locator("#rejections-list li").first).to_contain_text("Line 61")
    expect(page.locator("#rejections-list li").first).to_contain_text("the name is empty")
    expect(page.locator("#reasons-list")).to_contain_text("rows, not billed")
    past = page.locator("#history-rows tr")
    expect(past).to_have_count(1)
    expect(past).to_contain_text("input.csv")
    # The address of the import shows it again.
    page.reload()
    expect_state(page, "Complete, with rejections")
    assert counts(page) == COUNTS

    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download rejections").click()
    import_id = page.evaluate("location.hash").removeprefix("#")
    assert downloading.value.suggested_filename == f"rejections-{import_id}.csv"
    text = downloading.value.path().read_text(encoding="utf-8-sig")
    rejected = list(csv.DictReader(io.StringIO(text)))
    codes = [row["code"] for row in rejected]
    assert sum(code != "conflict" for code in codes) == COUNTS["invalid"]
    lines = sample.read_text(encoding="utf-8").splitlines()
    for row in rejected:
        assert row["name"].lstrip("'").split(" ")[0] in lines[int(row["line"]) - 1]

    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download results").click()
    assert downloading.value.suggested_filename == f"results-{import_id}.csv"
    text = downloading.value.path().read_text(encoding="utf-8-sig")
    results = list(csv.DictReader(io.StringIO(text)))
    assert [int(row["row"]) for row in results] == list(range(1, COUNTS["total"] + 1))
    for outcome in ("billed", "skipped", "invalid"):
        assert sum(row["outcome"] == outcome for row in results) == COUNTS[outcome]
    assert sum(row["mail"] == "sent" for row in results) == COUNTS["mailed"]
    billed = [row for row in results if row["outcome"] == "billed"]
    assert len({row["barcode"] for row in billed}) == COUNTS["billed"]

    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download slips").click()
    assert downloading.value.suggested_filename == f"boletos-{import_id}.zip"
    with zipfile.ZipFile(downloading.value.path()) as slips:
        assert slips.testzip() is None
        assert [int(name.split("-")[0]) for name in slips.namelist()] == [int(row["row"]) for row in billed]


def test_the_whole_way_of_a_file_with_a_bad_row(stack, visitor, tmp_path):
    """Look, bill, take the rejections home, correct them, bill what was wrong."""
    file = tmp_path / "whole-way.csv"
    row = "{name},52998224725,{email},{amount},2030-01-15,{debt}\n"
    file.write_text("".join([
        "name,governmentId,email,debtAmount,debtDueDate,debtId\n",
        row.format(name="Ana", email="ana@example.com", amount="1234.56", debt="whole-1"),
        row.format(name="Bia", email="bia", amount="10.00", debt="whole-2"),
        row.format(name="Caio", email="caio@example.com", amount="0.44", debt="whole-3"),
        row.format(name="Ana", email="ana@example.com", amount="1234.56", debt="whole-1"),
    ]))
    page = visitor.open(stack.url)
    before = len(stack.ask("/v1/imports?limit=100")["imports"])
    choose(page, file)
    button = page.get_by_role("button", name="Bill 2 debts, R$1,235.00")
    expect(button).to_be_visible()
    facts = page.locator("#preview-facts > div")
    seen = dict(fact.inner_text().split("\n", 1) for fact in facts.all())
    assert seen == {
        "To bill": "2 · R$1,235.00",
        "Due dates": "Jan 15, 2030 to Jan 15, 2030",
        "There twice": "1",
        "Cannot be billed": "1",
    }
    page.locator("#preview-problems summary").click()
    expect(page.locator("#preview-problems-list li")).to_have_text(
        "Line 3the e-mail address is not validemail", use_inner_text=False)
    # Nothing is billed by looking.
    assert len(stack.ask("/v1/imports?limit=100")["imports"]) == before
    button.click()
    expect_state(page, "Complete, with rejections")
    assert counts(page)["billed"] == 2
    with page.expect_download() as downloading:
        page.get_by_role("link", name="Download rejections").click()
    corrected = tmp_path / "corrected.csv"
    text = downloading.value.path().read_text(encoding="utf-8-sig")
    assert text.count("bia") == 1
    corrected.write_text(text.replace('"bia"', "bia@example.com").replace(",bia,", ",bia@example.com,"))
    choose(page, corrected)
    expect(page.get_by_role("button", name="Bill 1 debt, R$10.00")).to_be_visible()
    bill(page)
    expect_state(page, "Complete")
    assert counts(page)["billed"] == 1
    # All of it is billed now, and there is nothing to press.
    choose(page, file)
    expect(page.locator("#preview-sure")).to_have_text("There is nothing to bill in this file.")
    expect(page.locator("#upload-start")).to_be_hidden()
    expect(page.get_by_role("button", name="Choose another file")).to_be_focused()


def test_a_file_that_is_dropped_is_imported(stack, visitor):
    page = visitor.open(stack.url)
    page.evaluate(DROP, ["#drop", "dropped.csv", debt("dropped-1")])
    expect(page.locator("#chosen-name")).to_have_text("dropped.csv")
    bill(page)
    expect_state(page, "Complete")
    assert counts(page)["billed"] == 1
    # Beside the zone it does not replace the page.
    page.evaluate(DROP, ["h1", "missed.csv", "x"])
    expect(page.locator("#import-name")).to_have_text("dropped.csv")
    expect(page.locator("#upload-choose")).to_be_visible()


def test_the_upload_and_the_import_are_seen_to_move(stack, visitor, generated):
    page = visitor.open(stack.url)
    slow_down(page, 2_000_000)
    page.evaluate(WATCH, "upload-progress")
    page.evaluate(WATCH, "import-progress")
    # Enough that the import is seen at work on a fast machine as well.
    choose(page, generated(60_000))
    expect(page.locator("#upload-figures")).to_contain_text("MB")
    bill(page)
    expect(page.locator("#import-state")).to_contain_text("Complete")
    seen = page.evaluate("window.seen")
    uploaded, moved = seen["upload-progress"], seen["import-progress"]
    assert len({share for share in uploaded if 0 < share < 1}) >= 3, uploaded
    assert 1 in uploaded, uploaded
    assert len({share for share in moved if 0 < share < 1}) >= 1, moved
    assert moved == sorted(moved)


def test_an_upload_can_be_stopped(stack, visitor, generated):
    page = visitor.open(stack.url)
    slow_down(page, 50_000)
    choose(page, generated(10_000))
    page.get_by_role("button", name="Stop the upload").click()
    expect(page.locator("#upload-choose")).to_be_visible()
    expect(page.get_by_role("status").first).to_have_text("Upload stopped. Nothing was kept.")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "The file holds no debts."),
        (b"name,governmentId,email,debtAmount,debtDueDate,debtId\n", "The file holds no debts."),
        (b"name,governmentId,debtAmount,debtId\nA,1,2,3\n", "email, debtDueDate"),
        (b"A,52998224725,a@example.com,1,2030-01-15,7\n", "The first line does not name the columns."),
        ("name\0,governmentId\n".encode(), "Save it as CSV UTF-8"),
    ],
)
def test_a_bad_file_is_told_in_plain_words(stack, visitor, tmp_path, text, words):
    bad = tmp_path / "bad.csv"
    bad.write_bytes(text)
    page = visitor.open(stack.url)
    choose(page, bad)
    expect(page.get_by_role("alert").filter(has_text=words)).to_be_visible()
    # The next one is not held up by it.
    bad.write_text(debt(tmp_path.name))
    start_import(page, bad)
    expect_state(page, "Complete")
    expect(page.locator("#upload-error")).to_be_hidden()


def test_an_upload_whose_answer_was_lost_is_not_imported_twice(stack, visitor, tmp_path):
    file = tmp_path / "lost.csv"
    file.write_text(debt("lost-answer"))
    with LosingProxy(stack.url, b"HTTP/1.1 202") as proxy:
        page = visitor.open(proxy.url)
        start_import(page, file)
        expect(page.get_by_role("alert").filter(has_text="cannot be reached")).to_be_visible()
        assert proxy.lost == 1
        bill(page)
        expect_state(page, "Complete")
    listed = stack.ask("/v1/imports?limit=100")["imports"]
    assert [found["file_name"] for found in listed].count("lost.csv") == 1


def test_progress_goes_on_where_the_events_break(stack, visitor, tmp_path):
    file = tmp_path / "no-events.csv"
    file.write_text(debt("no-events"))
    page = visitor.open(stack.url)
    page.route("**/events", lambda route: route.abort())
    start_import(page, file)
    expect_state(page, "Complete")


def test_a_service_that_is_away_is_waited_for(stack, visitor, sample):
    import_id = stack.upload(sample)
    stack.finished(import_id)
    page = visitor.page()
    away = {"is": True}
    page.route(
        f"**/v1/imports/{import_id}**",
        lambda route: route.abort() if away["is"] else route.continue_(),
    )
    page.goto(f"{stack.url}/#{import_id}")
    expect(page.get_by_text("The connection broke. The import goes on")).to_be_visible()
    away["is"] = False
    expect_state(page, "Complete, with rejections")
    expect(page.locator("#import-connection")).to_be_hidden()


def test_an_import_is_cancelled_once_that_is_confirmed(visitor, generated):
    # The first batch fills the queue for a while; what is left of it must not
    # hold up the other tests.
    with Stack(MAX_CSV_PROCESS_CONCURRENT_TASKS="1") as running:
        page = visitor.open(running.url)
        start_import(page, generated(300_000))
        cancel = page.get_by_role("button", name="Cancel the import")
        cancel.click()
        dialog = page.get_by_role("dialog", name="Cancel this import?")
        dialog.get_by_role("button", name="Let it go on").click()
        expect(dialog).to_be_hidden()
        expect(page.locator("#import-state")).not_to_have_text("Cancelled")
        cancel.click()
        dialog.get_by_role("button", name="Cancel the import").click()
        expect_state(page, "Cancelled")
        expect(page.get_by_text("The import is cancelled.")).to_be_visible()
        expect(page.locator('[data-count="not_sent"]')).to_be_visible()
        assert counts(page)["not_sent"] > 0


def test_missing_rows_of_an_import_that_stands_still_are_sent_again(stack, visitor, sample):
    import_id = stack.upload(sample)
    seen = stack.finished(import_id)
    still = seen | {"state": "stalled", "over": False}
    page = visitor.page()
    # To be stalled takes ten minutes without progress.
    page.route(f"**/v1/imports/{import_id}/events", lambda route: route.abort())
    page.route(f"**/v1/imports/{import_id}", lambda route: route.fulfill(json=still))
    page.goto(f"{stack.url}/#{import_id}")
    expect_state(page, "No progress")
    page.get_by_role("button", name="Send missing rows again").click()
    expect(page.get_by_text("No row is missing; nothing was sent again.")).to_be_visible()


def test_an_import_that_waits_for_a_mail_server_says_until_when(stack, visitor, sample):
    import_id = stack.upload(sample)
    seen = stack.finished(import_id)
    put_off = {"first_try_at": "2027-03-04T15:32:00Z", "last_try_at": "2027-03-04T16:20:00Z"}
    waiting = seen | {"state": "waiting", "over": False, "rows": seen["rows"] | {"put_off": 12}, "put_off": put_off}
    page = visitor.page()
    page.route(f"**/v1/imports/{import_id}/events", lambda route: route.abort())
    page.route(f"**/v1/imports/{import_id}", lambda route: route.fulfill(json=waiting))
    page.goto(f"{stack.url}/#{import_id}")
    expect_state(page, "E-mails put off")
    expect(page.locator("#import-advice")).to_contain_text("12 of the e-mails")
    expect(page.locator("#import-advice")).to_contain_text("2027")
    assert counts(page)["put_off"] == 12
    expect(page.locator("#import-reconcile")).to_be_hidden()


def test_undeliverable_e_mails_are_sent_again_once_that_is_confirmed(stack, visitor, sample):
    import_id = stack.upload(sample)
    seen = stack.finished(import_id)
    refused = seen | {"rows": seen["rows"] | {"undeliverable": 2}}
    page = visitor.page()
    page.route(f"**/v1/imports/{import_id}/events", lambda route: route.abort())
    page.route(f"**/v1/imports/{import_id}", lambda route: route.fulfill(json=refused))
    asked = []
    page.route(f"**/v1/imports/{import_id}/reopen", lambda route: (asked.append(1), route.fulfill(json={"reopened": 2})))
    page.goto(f"{stack.url}/#{import_id}")
    page.locator("#import-reopen").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Leave them").click()
    expect(dialog).to_be_hidden()
    assert asked == []
    page.locator("#import-reopen").click()
    dialog.get_by_role("button", name="Send them again").click()
    expect(page.get_by_text("E-mails that are sent again: 2.")).to_be_visible()
    assert asked == [1]


def test_undeliverable_e_mails_of_one_reason_are_sent_again(stack, visitor, sample):
    import_id = stack.upload(sample)
    seen = stack.finished(import_id)
    refused = seen | {"rows": seen["rows"] | {"undeliverable": 3}}
    reason = {"outcome": "undeliverable", "code": "mailbox_refused", "reason": "refused", "first_row": 7, "rows": 2}
    page = visitor.page()
    page.route(f"**/v1/imports/{import_id}/events", lambda route: route.abort())
    page.route(f"**/v1/imports/{import_id}", lambda route: route.fulfill(json=refused))
    page.route(f"**/v1/imports/{import_id}/reasons", lambda route: route.fulfill(json={"reasons": [reason]}))
    asked = []
    page.route(f"**/v1/imports/{import_id}/reopen*", lambda route: (asked.append(route.request.url), route.fulfill(json={"reopened": 2})))
    page.goto(f"{stack.url}/#{import_id}")
    expect(page.locator("#reasons-list")).to_contain_text("2 rows, billed, without an e-mail")
    page.get_by_role("button", name="Try again").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("The 2 e-mails")
    dialog.get_by_role("button", name="Send them again").click()
    expect(page.get_by_text("E-mails that are sent again: 2.")).to_be_visible()
    assert [url.rpartition("/")[2] for url in asked] == ["reopen?code=mailbox_refused"]


def test_the_personal_data_of_an_import_is_removed_after_a_yes_that_says_what_goes(stack, visitor, tmp_path):
    file = tmp_path / "erased.csv"
    file.write_text(
        "name,governmentId,email,debtAmount,debtDueDate,debtId\n"
        "Zulmira Quixadá,71428793860,zulmira@example.net,10.00,2027-03-15,erased-1\n",
        encoding="utf-8",
    )
    import_id = stack.upload(file)
    stack.finished(import_id)
    page = visitor.open(f"{stack.url}/#{import_id}")
    page.get_by_role("button", name="Remove personal data").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("It cannot be undone")
    dialog.get_by_role("button", name="Keep it").click()
    expect(page.locator("#import-erasure")).to_be_hidden()
    page.get_by_role("button", name="Remove personal data").click()
    dialog.get_by_role("button", name="Remove for good").click()
    expect(page.locator("#import-erasure")).to_contain_text("was removed")
    expect(page.get_by_role("button", name="Remove personal data")).to_be_hidden()
    expect(page.get_by_role("link", name="Download results (CSV)")).to_be_hidden()
    # The numbers of its boletos are there, and nobody's name.
    page.get_by_label("Debt (debtId)").fill("erased-1")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("heading", name="Personal data removed")).to_be_visible()
    expect(page.locator("#boleto-facts")).to_contain_text("R$10.00")
    expect(page.get_by_role("link", name="Open PDF")).to_be_hidden()
    expect(page.locator("#readdress-form")).to_be_hidden()


def test_a_boleto_is_found_by_its_debt_and_printed(stack, visitor, sample):
    stack.finished(stack.upload(sample))
    page = visitor.open(stack.url)
    page.get_by_label("Debt (debtId)").fill(DEBT)
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("heading", name="Rafael Alves Santos")).to_be_visible()
    facts = page.locator("#boleto-facts")
    expect(facts).to_contain_text("R$15,187.35")
    expect(facts).to_contain_text("Nov 15, 2027")
    link = page.get_by_role("link", name="Open PDF")
    answer = page.request.get(stack.url + link.get_attribute("href"))
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.body().startswith(b"%PDF-")
    # Its e-mail goes to another address.
    expect(facts).to_contain_text("the mail server has the e-mail")
    address = page.get_by_label("Send the e-mail to")
    address.fill("rafael@nowhere")
    page.get_by_role("button", name="Change and send").click()
    expect(page.get_by_role("alert").filter(has_text="No e-mail can be sent to this address.")).to_be_visible()
    address.fill("rafael.novo@example.com")
    page.get_by_role("button", name="Change and send").click()
    expect(facts).to_contain_text("rafael.novo@example.com")
    expect(facts).to_contain_text("Address changed")
    expect(page.locator("#readdress-error")).to_be_hidden()
    # Its import is a click away.
    page.get_by_role("link", name="row 1").click()
    expect(page.locator("#import-state")).to_contain_text("Complete")

    page.get_by_label("Debt (debtId)").fill("a/b ? #")
    page.get_by_role("button", name="Find").click()
    expect(page.get_by_role("alert").filter(has_text="There is no boleto for this debt.")).to_be_visible()
    expect(page.locator("#boleto")).to_be_hidden()


def test_past_imports_are_listed_page_by_page(stack, visitor, tmp_path):
    for number in range(22):
        file = tmp_path / f"past-{number:02}.csv"
        file.write_text(debt(f"past-{number}"))
        stack.upload(file)
    page = visitor.open(stack.url)
    rows = page.locator("#history-rows tr")
    expect(rows).to_have_count(20)
    expect(rows.first).to_contain_text("past-21.csv")
    more = page.get_by_role("button", name="Show older imports")
    while more.is_visible():
        count = rows.count()
        more.click()
        expect(rows.nth(count)).to_be_visible()
    names = [row.get_by_role("link").inner_text() for row in rows.all()]
    listed = json.loads(page.request.get(f"{stack.url}/v1/imports?limit=100").text())["imports"]
    assert names == [found["file_name"] for found in listed]
    page.get_by_role("link", name="past-07.csv").click()
    expect(page.locator("#import-name")).to_have_text("past-07.csv")

    # By name, state and day; the day is that of the reader.
    page.get_by_label("File name").fill("PAST-0")
    page.get_by_role("button", name="Search").click()
    expect(rows).to_have_count(10)
    today = page.evaluate("new Date().toLocaleDateString('sv')")
    page.get_by_label("From").fill(today)
    page.get_by_label("Until").fill(today)
    page.get_by_label("State").select_option("Complete")
    page.get_by_role("button", name="Search").click()
    expect(rows).to_have_count(10)
    page.get_by_label("State").select_option("Failed")
    page.get_by_label("State").press("Tab")
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_text("No import is like that.")).to_be_visible()
    expect(rows).to_have_count(0)


def test_a_name_or_record_is_never_read_as_html(stack, visitor, tmp_path):
    file = tmp_path / "<img src=x onerror=alert(1)>.csv"
    file.write_text(debt("html-1") + "Ana,1,<script>alert(1)</script>,0,2030-01-15,html-2\n")
    page = visitor.open(stack.url)
    choose(page, file)
    expect(page.locator("#chosen-name")).to_have_text(file.name)
    bill(page)
    expect_state(page, "Complete, with rejections")
    expect(page.locator("#import-name")).to_have_text(file.name)
    expect(page.locator("#rejections-list")).to_contain_text("<script>alert(1)</script>")
    assert page.locator("main img, main script").count() == 0
