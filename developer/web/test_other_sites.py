"""What another website can do through a visitor's browser, in a real one."""

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit

FILE = "name,governmentId,email,debtAmount,debtDueDate,debtId\na,1,a@example.com,1,2030-01-01,theirs\n"
FORM = """<!doctype html><form method="post" enctype="multipart/form-data" action="{url}/v1/upload">
<textarea name="file">{file}</textarea><button>A kitten</button></form>"""


@contextmanager
def website(page: str):
    """Serves one page on a port of its own, which makes it another origin."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write(page.encode())

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()


def test_a_form_of_another_website_uploads_nothing(stack, visitor):
    page = visitor.page()
    with website(FORM.format(url=stack.url, file=FILE)) as address:
        page.goto(address)
        with page.expect_response("**/v1/upload") as answer:
            page.locator("button").click()
        assert answer.value.status == 403
        assert answer.value.json()["type"] == "urn:problem:cross-site"


def test_a_name_that_a_website_gave_this_address_reads_nothing(stack, visitor):
    port = urlsplit(stack.url).port
    page = visitor.page()
    for route in ["/", "/docs/", "/v1/imports"]:
        answer = page.goto(f"http://rebound.test:{port}{route}")
        assert answer.status == 403
        assert answer.json()["type"] == "urn:problem:foreign-host"
