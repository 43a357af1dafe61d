"""The three services and their ledger as processes, on queues, topic and bucket that are there already."""

import json
import os
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from recorder import Recorder
from stack import free_ports

DEADLINE = 60  # seconds for a process to start or to stop, and for an import
PORT_VARIABLES = {"importer-api": "PORT", "billing-worker": "METRICS_PORT", "send-mail-worker": "METRICS_PORT"}


def until(what: str, look, deadline: float = DEADLINE):
    """What `look` gives once that is something; raises after the deadline."""
    end = time.monotonic() + deadline
    while time.monotonic() < end:
        if found := look():
            return found
        time.sleep(0.05)
    raise TimeoutError(f"waited {deadline:.0f} s for {what}")


class Suite:
    """Services that are started and stopped one by one; use it as a context manager.

    Each program reaches AWS through a recorder of its own, and by nothing but what it is given here.
    """

    def __init__(self, programs: Path, files: Path, environment: dict, recorders: dict[str, Recorder], smtp_port: int):
        """`environment` has the variables of each program as Terraform sets them, secrets included."""
        self._programs, self._files = programs, files
        self._recorders = recorders
        self._processes: dict[str, subprocess.Popen] = {}
        redis_port, *ports = free_ports(1 + len(PORT_VARIABLES))
        self._ports = dict(zip(PORT_VARIABLES, ports))
        self._redis_port = redis_port
        self._environment = {
            program: {
                "PATH": os.environ["PATH"],
                **environment[program],
                "AWS_ACCESS_KEY_ID": "test",
                "AWS_SECRET_ACCESS_KEY": "test",
                "AWS_ENDPOINT_URL": recorder.url,
                "S3_ENDPOINT_URL": recorder.url,
                "LEDGER_URL": f"redis://127.0.0.1:{redis_port}",
                # The answer to a poll that a stop cancels is soon there
                "SQS_WAIT_TIME_SECONDS": "1",
                "REDIS_CONNECTION_RETRY_INTERVAL": "0",
                "REDIS_CONNECTION_MAX_RETRIES": "1000",
            }
            for program, recorder in recorders.items()
        }
        for program, variable in PORT_VARIABLES.items():
            self._environment[program][variable] = str(self._ports[program])
        # What is not that of the account: the mail server
        self._environment["send-mail-worker"] |= {
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(smtp_port),
            "SMTP_TLS": "none",
            "MAIL_MAX_PER_SECOND": "0",
        }
        self._token = environment["importer-api"]["API_TOKENS"].split(",")[0]
        self.url = f"http://127.0.0.1:{self._ports['importer-api']}"

    def __enter__(self) -> "Suite":
        self._data = tempfile.TemporaryDirectory()
        options = ["--port", str(self._redis_port), "--dir", self._data.name, "--appendonly", "yes", "--save", ""]
        self._spawn("redis-server", ["redis-server", *options, "--maxmemory-policy", "noeviction"], dict(os.environ))
        return self

    def __exit__(self, *_) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait()
        self._data.cleanup()

    def start(self, service: str) -> None:
        """Returns once the service and all that it depends on answer."""
        self._spawn(service, [str(self._programs / service)], self._environment[service])
        url = f"http://127.0.0.1:{self._ports[service]}/ready"

        def ready() -> bool:
            if self._processes[service].poll() is not None:
                raise RuntimeError(f"{service} ended; its log is {self._files / service}.log")
            try:
                with urllib.request.urlopen(url, timeout=5) as answer:
                    return answer.status == 200
            except (urllib.error.URLError, ConnectionError):
                return False

        until(f"{service} to be ready", ready)

    def stop(self, service: str) -> None:
        """Tells it to stop, and waits for its orderly end, and that of the last poll at the emulator."""
        process = self._processes.pop(service)
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=DEADLINE)
        if code != 0:
            raise RuntimeError(f"{service} ended with {code}; its log is {self._files / service}.log")
        until(f"the last call of {service}", lambda: self._recorders[service].is_idle)

    def freeze_ledger(self) -> None:
        """Has the ledger answer nothing until it is thawed."""
        self._processes["redis-server"].send_signal(signal.SIGSTOP)

    def thaw_ledger(self) -> None:
        self._processes["redis-server"].send_signal(signal.SIGCONT)

    def calls(self, program: str, action: str) -> int:
        """How often a program has used a right so far."""
        return sum(count for call, count in self._recorders[program].calls.items() if call.action == action)

    def operate(self, *arguments: str) -> str:
        """What a command of the operator prints."""
        done = subprocess.run(
            [self._programs / "operator", *arguments],
            env=self._environment["operator"],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )
        if done.returncode != 0:
            raise RuntimeError(f"operator {' '.join(arguments)}: {done.stdout}{done.stderr}")
        return done.stdout

    def ask(self, method: str, path: str, body: bytes | None = None, **headers: str) -> dict:
        """The JSON that importer-api answers."""
        request = urllib.request.Request(self.url + path, body, self.authorization | headers, method=method)
        with urllib.request.urlopen(request, timeout=DEADLINE) as answer:
            return json.load(answer)

    @property
    def authorization(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self._token}"}

    def upload(self, content: bytes, route: str = "/v1/upload", **headers: str) -> dict:
        boundary = "part-of-a-form"
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="debts.csv"\r\n\r\n'
        body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
        content_type = f"multipart/form-data; boundary={boundary}"
        return self.ask("POST", route, body, **{"Content-Type": content_type}, **headers)

    def imported(self, import_id: str) -> dict:
        return self.ask("GET", f"/v1/imports/{import_id}")

    def _spawn(self, name: str, command: list[str], environment: dict[str, str]) -> None:
        with (self._files / f"{name}.log").open("a") as log:
            self._processes[name] = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
