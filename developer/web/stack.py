"""The stack of `devstack run` on free ports, for the tests and screenshots."""

import json
import os
import queue
import signal
import socket
import subprocess
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
START_DEADLINE = 60  # seconds
IMPORT_DEADLINE = 120  # seconds
PORTS = ["IMPORTER", "BILLING", "MAIL", "EMULATOR", "REDIS", "POSTGRES", "SMTP"]


def devstack() -> Path:
    """The program; `DEVSTACK` names it where it is not the dev build."""
    return REPOSITORY / os.environ.get("DEVSTACK", "target/debug/devstack")


def generate(path: Path, rows: int, *options: str, seed: int = 1) -> None:
    """Writes a file of debts."""
    arguments = ["generate", "--rows", str(rows), "--seed", str(seed), "--output", str(path)]
    subprocess.run([devstack(), *arguments, *options], check=True, stdout=subprocess.DEVNULL)


class Stack:
    """A running stack; use it as a context manager."""

    def __init__(self, **environment: str):
        self._environment = environment
        # Sent with each request, where the stack asks for one.
        self.token: str | None = None

    def __enter__(self) -> "Stack":
        ports = free_ports(len(PORTS))
        named = {f"DEVSTACK_{name}_PORT": str(port) for name, port in zip(PORTS, ports)}
        self._process = subprocess.Popen(
            [devstack(), "run"],
            cwd=REPOSITORY,
            env=os.environ | named | self._environment,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.url = f"http://127.0.0.1:{ports[0]}"
        self.lines: list[str] = []
        try:
            self._wait_until_up()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(timeout=60)

    def _wait_until_up(self) -> None:
        up = queue.Queue()

        def read():
            for line in self._process.stdout:
                self.lines.append(line)
                if line.startswith("The stack is up"):
                    up.put(True)
            up.put(False)

        threading.Thread(target=read, daemon=True).start()
        if not up.get(timeout=START_DEADLINE):
            raise RuntimeError("the stack did not start:\n" + "".join(self.lines[-20:]))

    def ask(self, path: str, body: bytes | None = None, headers: dict | None = None):
        """The JSON of an answer."""
        request = urllib.request.Request(self.url + path, data=body, headers=headers or {})
        if self.token:
            request.add_header("Authorization", f"Bearer {self.token}")
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def upload(self, file: Path, name: str | None = None) -> str:
        """Uploads a file, and gives its import."""
        boundary = "part-of-a-form"
        body = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="file"; '
            f'filename="{name or file.name}"\r\nContent-Type: text/csv\r\n\r\n'
        ).encode()
        body += file.read_bytes() + f"\r\n--{boundary}--\r\n".encode()
        content_type = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        return self.ask("/v1/upload", body, content_type)["import_id"]

    def seen(self, import_id: str) -> dict | None:
        """An import as it is now; `None` before its first row, or while importer-api has not reached
        its ledger yet: it takes uploads before."""
        try:
            return self.ask(f"/v1/imports/{import_id}")
        except urllib.error.HTTPError as error:
            if error.code not in (404, 503):
                raise
            return None

    def finished(self, import_id: str) -> dict:
        """Waits until an import is at its end, and gives it."""
        deadline = time.monotonic() + IMPORT_DEADLINE
        while time.monotonic() < deadline:
            seen = self.seen(import_id)
            if seen and seen["over"]:
                return seen
            time.sleep(0.05)
        raise TimeoutError(f"import {import_id} is not at its end after {IMPORT_DEADLINE} s")


def free_ports(count: int) -> list[int]:
    """Ports on which nobody listens; all are held until the last is known."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [held.getsockname()[1] for held in sockets]
    for held in sockets:
        held.close()
    return ports
