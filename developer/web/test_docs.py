"""The API documentation, in a real browser."""

import pytest
from playwright.sync_api import expect


def open_docs(visitor, url):
    page = visitor.open(f"{url}/docs/")
    expect(page.locator(".opblock")).not_to_have_count(0)
    return page


def test_each_route_is_shown_with_its_errors(stack, visitor):
    page = open_docs(visitor, stack.url)
    api = stack.ask("/openapi.json")
    operations = [operation for path in api["paths"].values() for operation in path.values()]
    expect(page.locator(".opblock")).to_have_count(len(operations))
    for path, methods in api["paths"].items():
        expect(page.locator(f'.opblock [data-path="{path}"]')).to_have_count(len(methods))
        for operation in methods.values():
            statuses = set(operation["responses"])
            if path.startswith("/v1"):
                assert {"401", "500"} <= statuses, path
                assert "curl " in operation["description"], path
                errors = [answer for status, answer in operation["responses"].items() if status >= "400"]
                for error in errors:
                    shown = error["content"]["application/problem+json"]
                    assert {"example", "examples"} & set(shown), (path, error)


def test_the_sample_is_a_download_and_a_good_file(stack, visitor, tmp_path):
    page = open_docs(visitor, stack.url)
    link = page.get_by_role("link", name="Download a sample")
    answer = page.request.get(stack.url + link.get_attribute("href"))
    assert answer.headers["content-disposition"] == 'attachment; filename="sample.csv"'
    sample = tmp_path / "sample.csv"
    sample.write_bytes(answer.body())
    seen = stack.finished(stack.upload(sample))
    assert seen["rows"]["invalid"] == 0
    assert seen["rows"]["billed"] + seen["rows"]["skipped"] == seen["rows"]["total"] == 5


def test_try_it_out_uploads_a_file(stack, visitor, sample):
    page = open_docs(visitor, stack.url)
    upload = page.locator(".opblock", has=page.locator('[data-path="/v1/upload"]'))
    upload.locator(".opblock-summary-control").click()
    upload.locator("input[type=file]").set_input_files(sample)
    upload.get_by_role("button", name="Execute").click()
    answer = upload.locator(".live-responses-table")
    expect(answer).to_contain_text("202")
    expect(answer).to_contain_text("File accepted, its rows are being processed")
    expect(answer).to_contain_text('"rows": 2000')


@pytest.mark.parametrize("route", ["/docs/", "/"])
def test_nothing_leaves_the_machine_by_whatever_name_it_is_reached(stack, visitor, route):
    # A page may behave otherwise where its host is not localhost.
    port = stack.url.rsplit(":", 1)[1]
    page = visitor.page()
    page.goto(f"http://billing.test:{port}{route}", wait_until="networkidle")
    expect(page.locator("h1, h2").first).to_be_visible()
    # What the visitor refused is looked at when the test ends.
