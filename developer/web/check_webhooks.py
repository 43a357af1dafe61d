"""Receives the webhooks of a running stack, and verifies them with the package of Standard Webhooks."""

import base64
import json
import os
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from stack import REPOSITORY, Stack
from standardwebhooks import Webhook, WebhookVerificationError

DEADLINE = 60  # seconds; the first wait of an event that was refused is 5 s
SECRETS = ["whsec_" + base64.b64encode(os.urandom(size)).decode() for size in (24, 64)]


class Receiver(ThreadingHTTPServer):
    """Keeps what it receives; refuses the first attempt."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answer)
        self.attempts: list[tuple[dict, bytes]] = []
        self.refusals = [500]
        self.taken = threading.Event()
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Answer(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.attempts.append((dict(self.headers), body))
        refusal = self.server.refusals.pop(0) if self.server.refusals else None
        self.send_response(refusal or 204)
        self.end_headers()
        if not refusal:
            self.server.taken.set()

    def log_message(self, *_):
        pass


def check(condition: bool, what: str) -> None:
    if not condition:
        sys.exit(f"webhooks: {what}")


def main() -> None:
    receiver = Receiver()
    settings = {
        "WEBHOOK_URL": f"http://127.0.0.1:{receiver.server_port}/hooks",
        "WEBHOOK_SECRET": " ".join(SECRETS),
        "WEBHOOK_ALLOW_PRIVATE": "true",
    }
    with Stack(**settings) as stack:
        import_id = stack.upload(REPOSITORY / "developer/input.csv")
        stack.finished(import_id)
        check(receiver.taken.wait(DEADLINE), f"no event was taken within {DEADLINE} s")
        # Nothing comes after the event is taken.
        time.sleep(3)
        over = stack.seen(import_id)
    for headers, body in receiver.attempts:
        for secret in SECRETS:
            event = Webhook(secret).verify(body, headers)
            check(event == json.loads(body), "the body changed")
        check(event["type"] == "import.completed", f"the type is {event['type']}")
        check(event["data"] == over, f"the import is {event['data']} and not {over}")
        for wrong in (body[:-1], body + b" "):
            try:
                Webhook(SECRETS[0]).verify(wrong, headers, json_parse=False)
            except WebhookVerificationError:
                continue
            check(False, "a forged body is taken")
    check(len(receiver.attempts) == 2, f"{len(receiver.attempts)} attempts, of which the first is refused")
    ids = {headers["webhook-id"] for headers, _ in receiver.attempts}
    check(len(ids) == 1, f"the attempts have the ids {ids}")
    print("webhooks: an event, refused once and then taken, is verified by the package standardwebhooks")


if __name__ == "__main__":
    main()
