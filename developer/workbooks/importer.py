"""An importer-api and its ledger: a file is looked at without a queue."""

import http.client
import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

START_DEADLINE = 30  # seconds
NOBODY = "http://127.0.0.1:1"


class Importer:
    """A running importer-api; use it as a context manager."""

    def __init__(self, program: Path):
        self._program = program

    def __enter__(self) -> "Importer":
        self._spool = tempfile.TemporaryDirectory()
        self._port, redis = free_port(), free_port()
        command = ["redis-server", "--port", str(redis), "--save", "", "--dir", self._spool.name]
        self._redis = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self._wait(self._redis, lambda: socket.create_connection(("127.0.0.1", redis)).close())
        settings = {
            "BIND_ADDRESS": "127.0.0.1",
            "PORT": str(self._port),
            "SPOOL_DIR": self._spool.name,
            "REDIS_HOST": "127.0.0.1",
            "REDIS_PORT": str(redis),
            "SQS_ENDPOINT_URL": NOBODY,
            "SQS_QUEUE_URL": f"{NOBODY}/000000000000/data-process",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "LOG_LEVEL": "ERROR",
        }
        environment = {"PATH": os.environ["PATH"]} | settings
        self._process = subprocess.Popen([self._program], env=environment, stdout=subprocess.DEVNULL)
        self._wait(self._process, lambda: self._ask("GET", "/health"))
        return self

    @staticmethod
    def _wait(process: subprocess.Popen, is_up) -> None:
        deadline = time.monotonic() + START_DEADLINE
        while True:
            try:
                return is_up()
            except OSError:
                if time.monotonic() > deadline or process.poll() is not None:
                    raise
                time.sleep(0.05)

    def __exit__(self, *_):
        for process in [self._process, self._redis]:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)
        self._spool.cleanup()

    def _ask(self, method: str, path: str, body: bytes | None = None, headers: dict | None = None):
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=300)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        return answer.status, answer.read()

    def preview(self, file: bytes) -> tuple[int, dict]:
        """Status and JSON of the answer to a file that is looked at."""
        head = b'--b\r\ncontent-disposition: form-data; name="file"; filename="debts.csv"\r\n\r\n'
        body = head + file + b"\r\n--b--\r\n"
        form = {"Content-Type": "multipart/form-data; boundary=b"}
        status, answer = self._ask("POST", "/v1/uploads/preview", body, form)
        return status, json.loads(answer)

    def forget_peak(self) -> None:
        """Begins anew to look for the most memory."""
        Path(f"/proc/{self._process.pid}/clear_refs").write_text("5")

    def peak(self) -> int:
        """The most memory since then, in MiB."""
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        return int(status.split("VmHWM:")[1].split()[0]) // 1024


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as held:
        return held.getsockname()[1]
