"""MiniStack: the emulator on which Terraform works."""

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

import botocore.session
from stack import free_ports

START_DEADLINE = 60  # seconds


class Emulator:
    """A process of its own on a free port; use it as a context manager."""

    def __init__(self, log: Path):
        self._log = log
        [self.port] = free_ports(1)
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "Emulator":
        program = Path(sys.executable).with_name("ministack")
        environment = os.environ | {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": str(self.port)}
        with self._log.open("w") as log:
            self._process = subprocess.Popen([program], env=environment, stdout=log, stderr=log)
        try:
            self._wait()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_) -> None:
        # It keeps nothing that an orderly end would save
        self._process.kill()
        self._process.wait()

    def _wait(self) -> None:
        deadline = time.monotonic() + START_DEADLINE
        while time.monotonic() < deadline and self._process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=5) as answer:
                    json.load(answer)
                return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.1)
        raise RuntimeError(f"MiniStack did not start; its log is in {self._log}")

    def client(self, service: str, region: str):
        """A client of our own, which no proxy records."""
        return botocore.session.get_session().create_client(
            service,
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
