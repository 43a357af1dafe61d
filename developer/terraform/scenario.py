"""A full run of the suite: everything that makes a program call AWS happens once."""

import csv
import re
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from mail_server import PUT_OFF, MailServer
from suite import Suite, until

ROWS = 1000
# Rows that come twice, one after the other: the second waits until the first is told of
TWICE = 50
MAX_RECEIVES = 5
PART = 8 * 1024 * 1024  # bytes: a larger file is a multipart upload


class Scenario:
    def __init__(self, suite: Suite, mails: MailServer, environment: dict, clients: dict, programs: Path, files: Path):
        """`clients` are those of SQS and SNS that no recorder sees."""
        self._suite, self._mails = suite, mails
        self._sqs, self._sns = clients["sqs"], clients["sns"]
        self._programs, self._files = programs, files
        self._queues = {
            "data-process": environment["importer-api"]["SQS_QUEUE_URL"],
            "process-email": environment["send-mail-worker"]["SQS_QUEUE_URL"],
        }
        self._topic = environment["billing-worker"]["SNS_TOPIC_ARN"]

    def run(self) -> Iterator[str]:
        """What was shown, one line each."""
        yield self.lost_rows_are_sent_again()
        yield self.dead_letters_go_back()
        yield self.messages_stay_hidden_while_the_ledger_is_away()
        yield self.a_mail_server_puts_off()
        yield self.large_files_come_in_parts()
        yield self.a_preview_is_billed()

    def lost_rows_are_sent_again(self) -> str:
        """An import whose queue loses all of it ends well after a reconcile."""
        content, expected = self._debts()
        self._suite.start("importer-api")
        import_id = self._suite.upload(content)["import_id"]
        until("all rows to be sent", lambda: self._suite.imported(import_id)["sent_at"])
        self._sqs.purge_queue(QueueUrl=self._queues["data-process"])
        self._suite.start("billing-worker")
        self._suite.start("send-mail-worker")
        self._suite.ask("POST", f"/v1/imports/{import_id}/reconcile")
        ended = until("the import to end", lambda: over(self._suite.imported(import_id)))
        found = {name: ended["rows"][name] for name in expected}
        mailed = len(self._mails.accepted)
        if found != expected or mailed != expected["billed"] or any(n != 1 for n in self._mails.accepted.values()):
            raise AssertionError(f"expected {expected}, found {found}, {mailed} e-mails")
        self._suite.operate("audit", "--import", import_id)
        rows, each = ended["rows"]["total"], self._mails.bytes // mailed
        return f"an import of {rows} rows that the queue lost was sent again: {mailed} billed and mailed, {each} bytes an e-mail"

    def dead_letters_go_back(self) -> str:
        """A message that fails as often as it may is a dead letter, in either queue, and goes back."""
        self._suite.stop("billing-worker")
        self._suite.stop("send-mail-worker")
        self._sqs.send_message(QueueUrl=self._queues["data-process"], MessageBody="no record")
        self._sns.publish(TopicArn=self._topic, Message="no bill")
        for queue in self._queues.values():
            for _ in range(MAX_RECEIVES):
                until("a message to fail", lambda: self._received(queue))
        self._suite.start("billing-worker")
        self._suite.start("send-mail-worker")
        for name, queue in self._queues.items():
            until(f"a dead letter of {name}", lambda: self._depth(f"{queue}-dlq"))
            moved = self._suite.operate("redrive", "--queue", name, "--yes")
            if self._depth(f"{queue}-dlq"):
                raise AssertionError(f"the dead letter of {name} did not go back: {moved}")
        # What is no record is an invalid row, and what is no bill fails again and waits for its next try
        until("the row to be settled", lambda: not self._depth(self._queues["data-process"]))
        until("the bill to fail again", lambda: self._failed(self._queues["process-email"]))
        return "messages that failed were dead letters, and went back by the operator"

    def messages_stay_hidden_while_the_ledger_is_away(self) -> str:
        """A worker that waits keeps what it has in hand, so that no receive is used up."""
        _, row = self._debts(rows=1, seed=5)[0].decode().splitlines()

        def hidden() -> int:
            return self._suite.calls("billing-worker", "sqs:ChangeMessageVisibility")

        before = hidden()
        self._suite.freeze_ledger()
        self._sqs.send_message(QueueUrl=self._queues["data-process"], MessageBody=row)
        until("the message to be kept hidden", lambda: hidden() > before)
        self._suite.thaw_ledger()
        until("the row to be settled", lambda: not self._depth(self._queues["data-process"]))
        return "a message stayed hidden while the ledger was away, and was settled after it"

    def a_mail_server_puts_off(self) -> str:
        """An e-mail that the mail server puts off waits in the queue."""
        header, row, *_ = self._debts(rows=1, seed=2)[0].decode().splitlines()
        fields = next(csv.reader([row]))
        fields[2] = f"somebody@{PUT_OFF}"
        import_id = self._suite.upload(f"{header}\r\n{','.join(fields)}\r\n".encode())["import_id"]
        until("the e-mail to be put off", lambda: self._suite.imported(import_id)["state"] == "waiting")
        return "an e-mail that the mail server put off waits in its queue"

    def large_files_come_in_parts(self) -> str:
        """A large file is stored in parts, and what a client leaves halfway is removed."""
        content = self._generated(rows=130_000, seed=3)
        preview = self._suite.upload(content, "/v1/uploads/preview")
        if len(content) < PART or preview["rows"]["total"] != 130_000:
            raise AssertionError(f"no preview of a large file: {len(content)} bytes, {preview}")
        self._hang_up_after(content[: PART + PART // 2])
        return f"a file of {len(content):,} bytes came in parts, and a client that hung up left nothing"

    def a_preview_is_billed(self) -> str:
        """What was looked at becomes an import, and the mark that it was a preview goes."""
        content, _ = self._debts(rows=1, seed=4)
        preview = self._suite.upload(content, "/v1/uploads/preview")["preview_id"]
        import_id = self._suite.ask("POST", f"/v1/upload?preview={preview}")["import_id"]
        until("the import to end", lambda: over(self._suite.imported(import_id)))
        until("the preview to go", lambda: self._suite.calls("importer-api", "s3:DeleteObject"))
        for service in ("importer-api", "billing-worker", "send-mail-worker"):
            self._suite.stop(service)
        return "a preview was billed"

    def _debts(self, rows: int = ROWS, seed: int = 1) -> tuple[bytes, dict[str, int]]:
        """A file, and what must become of its rows."""
        lines = self._generated(rows, seed, "--duplicates", "0.05", "--invalid", "0.02").decode().splitlines(keepends=True)
        skipped, invalid = self._figures[2], self._figures[3]
        billed = self._figures[1]
        header, lines = lines[0], lines[1:]
        twice = [line for line in lines[:TWICE] for line in (line, line)] if rows == ROWS else lines[:TWICE]
        # A repeated row is skipped if its first is billed or skipped, and invalid if that is
        extra = len(twice) - len(lines[:TWICE])
        content = "".join([header, *twice, *lines[TWICE:]])
        return content.encode(), {"total": rows + extra, "billed": billed, "skipped": skipped + extra, "invalid": invalid}

    def _generated(self, rows: int, seed: int, *options: str) -> bytes:
        file = self._files / "debts.csv"
        arguments = ["generate", "--rows", str(rows), "--seed", str(seed), *options, "--output", str(file)]
        said = subprocess.run([self._programs / "devstack", *arguments], check=True, capture_output=True, text=True).stdout
        # PATH: ROWS rows, DEBTS debts to bill, N duplicates, N invalid
        self._figures = [int(figure) for figure in re.findall(r"(\d+) (?:rows|debts|duplicates|invalid)", said)]
        return file.read_bytes()

    def _hang_up_after(self, content: bytes) -> None:
        """Sends the beginning of an upload, and closes the connection."""
        address = urlsplit(self._suite.url)
        head = '--b\r\nContent-Disposition: form-data; name="file"; filename="debts.csv"\r\n\r\n'
        with socket.create_connection((address.hostname, address.port), timeout=60) as connection:
            connection.sendall(
                f"POST /v1/upload HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Length: {2 * len(content)}\r\n"
                f"Authorization: {self._suite.authorization['Authorization']}\r\n"
                f"Content-Type: multipart/form-data; boundary=b\r\n\r\n{head}".encode()
            )
            connection.sendall(content)

    def _received(self, queue: str) -> bool:
        """Takes a message, and lets it come again at once."""
        return "Messages" in self._sqs.receive_message(QueueUrl=queue, VisibilityTimeout=0, WaitTimeSeconds=1)

    def _attribute(self, queue: str, name: str) -> int:
        answer = self._sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=[name])
        return int(answer["Attributes"][name])

    def _depth(self, queue: str) -> int:
        """Messages that can be received or are in hand."""
        visible = self._attribute(queue, "ApproximateNumberOfMessages")
        return visible + self._attribute(queue, "ApproximateNumberOfMessagesNotVisible")

    def _failed(self, queue: str) -> bool:
        """Whether its one message waits for its next try."""
        return self._attribute(queue, "ApproximateNumberOfMessagesNotVisible") == 1


def over(seen: dict) -> dict | None:
    return seen if seen["over"] else None
