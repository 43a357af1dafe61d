"""What the mail servers of the check have in common."""

import os
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from certificates import make_certificates
from stack import free_ports

USERNAME = "billing"
PASSWORD = "a-password-of-the-check"
DEADLINE = 60  # seconds for a server to start, to stop, and to hand out what it has taken

# Who a server is after root has started it, whether this machine knows such a user or not.
# Debian gives these numbers to nobody.
USER = 59_001
USERS = {"postfix": USER, "Debian-exim": USER, "nobody": 65_534}
GROUPS = {"postfix": USER, "Debian-exim": USER, "postdrop": 59_002, "nogroup": 65_534}


@dataclass(frozen=True)
class Setup:
    """How a server is to be reached."""

    name: str
    tls: bool = False
    # The mechanism of the login that it asks for.
    login: str | None = None


class MailServer:
    """A mail server of Debian with a folder of its own, on a port of 127.0.0.1.

    It takes e-mails for every address and delivers all of them into one Maildir. Everything that is
    not set here or in a subclass is the server's default. Use it as a context manager.
    """

    def __init__(self, files: Path, home: Path, setup: Setup):
        """`files` are its unpacked packages; `home` is its folder, which is made anew."""
        self.files, self.home, self.setup = files, home, setup
        [self.port] = free_ports(1)
        self.maildir = home / "Maildir"
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        self.certificates = make_certificates(home)
        self.environment = {
            "LD_LIBRARY_PATH": ":".join(map(str, self._libraries())),
            "LD_PRELOAD": str(next(files.glob("usr/lib/*/libnss_wrapper.so"))),
            "NSS_WRAPPER_PASSWD": str(self._write_passwd()),
            "NSS_WRAPPER_GROUP": str(self._write_group()),
        }

    def __enter__(self):
        try:
            self.configure()
            self.start()
        except BaseException:
            self.stop_all()
            raise
        return self

    def __exit__(self, *_):
        self.stop_all()

    def configure(self) -> None:
        """Writes its configuration."""
        raise NotImplementedError

    def start(self) -> None:
        """Starts it as an operator does, and returns when it listens."""
        raise NotImplementedError

    def stop(self) -> None:
        """Stops it as an operator does, and returns when it listens no more."""
        raise NotImplementedError

    def stop_all(self) -> None:
        """Ends whatever of it still runs."""
        raise NotImplementedError

    def queued(self) -> int:
        """How many e-mails it has taken and not delivered yet."""
        raise NotImplementedError

    def taken(self) -> list[Path]:
        """The e-mails of the Maildir, one for each that it took."""
        return list(self.maildir.glob("new/*"))

    def unanswered(self) -> set[Path]:
        """What of the Maildir it had in hand when it killed its own processes. No client can know
        whether it has taken such an e-mail."""
        return set()

    def variables(self) -> dict[str, str]:
        """What send-mail-worker is told."""
        variables = {
            "SMTP_HOST": "127.0.0.1",
            "SMTP_PORT": str(self.port),
            "SMTP_TLS": "starttls" if self.setup.tls else "none",
            "MAIL_FROM": "Cobrança <cobranca@example.com>",
        }
        if self.setup.tls:
            variables["SMTP_CA_FILE"] = str(self.certificates.authority)
        if self.setup.login:
            variables |= {"SMTP_USERNAME": USERNAME, "SMTP_PASSWORD": PASSWORD}
        return variables

    def listens(self) -> bool:
        """Whether somebody answers at its port."""
        try:
            socket.create_connection(("127.0.0.1", self.port), timeout=5).close()
        except OSError:
            return False
        return True

    def folder(self, name: str) -> Path:
        """A folder within its own that it may write to."""
        folder = self.home / name
        folder.mkdir()
        os.chown(folder, USER, USER)
        return folder

    def run(self, *command: str | Path) -> None:
        """Runs a program of it, which has to succeed."""
        done = subprocess.run(
            command,
            env=os.environ | self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            # Ctrl-C is answered by `stop_all`, not by half of its processes.
            start_new_session=True,
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, command))}: {done.stdout}; see {self.home}")

    def _libraries(self) -> list[Path]:
        patterns = ["usr/lib/postfix", "usr/lib/*-linux-gnu*", "lib/*-linux-gnu*"]
        return [folder for pattern in patterns for folder in self.files.glob(pattern)]

    def _write_passwd(self) -> Path:
        lines = [f"{name}:x:{uid}:{uid}::/nonexistent:/usr/sbin/nologin\n" for name, uid in USERS.items()]
        file = self.home / "passwd"
        file.write_text("root:x:0:0::/root:/bin/sh\n" + "".join(lines))
        return file

    def _write_group(self) -> Path:
        file = self.home / "group"
        file.write_text("root:x:0:\n" + "".join(f"{name}:x:{gid}:\n" for name, gid in GROUPS.items()))
        return file


def wait_until(what: str, holds) -> None:
    """Asks until it holds."""
    deadline = time.monotonic() + DEADLINE
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {DEADLINE} s")
        time.sleep(0.02)
