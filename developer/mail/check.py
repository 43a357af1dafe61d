"""Sends e-mails through the mail servers of Debian, each restarted in the middle.

    check.py FOLDER

FOLDER holds what `developer/setup_mail_servers.sh` unpacked, and takes what the servers write. Every
set-up of every server gets a stack of its own, whose send-mail-worker sends 2,000 e-mails over SMTP;
when a quarter of them is sent, the server is stopped and started again. The exit code is 1 unless
each e-mail is in the server's Maildir exactly once and the import says the same. Twice is right only
for an e-mail that the server had in hand when it killed its own processes: see `unanswered`.
"""

import re
import signal
import sys
import time
from collections import Counter
from collections.abc import Iterable
from multiprocessing import Process
from pathlib import Path

from exim import Exim
from postfix import Postfix
from server import MailServer, Setup, wait_until
from stack import Stack, generate

ROWS = 2_000
SERVERS = [Postfix, Exim]
SETUPS = [
    Setup("plain"),
    Setup("STARTTLS", tls=True),
    Setup("AUTH-PLAIN", tls=True, login="PLAIN"),
    Setup("AUTH-LOGIN", tls=True, login="LOGIN"),
]
MESSAGE_ID = re.compile(rb"^Message-ID:\s*(<[^>]+>)", re.IGNORECASE | re.MULTILINE)


def message_ids(messages: Iterable[Path]) -> Counter[bytes]:
    """How often each Message-ID is among these e-mails."""
    return Counter(MESSAGE_ID.search(message.read_bytes())[1] for message in messages)


def send(server: MailServer, rows: Path) -> tuple[int, dict]:
    """Uploads the file, restarts the server meanwhile, and waits for the import's end. Gives how many
    were sent before the restart, and the import."""
    with Stack(DEVSTACK_MAIL="external", **server.variables()) as stack:
        import_id = stack.upload(rows)

        def mailed() -> int:
            seen = stack.seen(import_id)
            return seen["rows"]["mailed"] if seen else 0

        wait_until("a quarter of the e-mails", lambda: mailed() >= ROWS / 4)
        server.stop()
        before = mailed()
        server.start()
        try:
            return before, stack.finished(import_id)
        finally:
            server.home.joinpath("stack.log").write_text("".join(stack.lines))


def check(kind: type[MailServer], setup: Setup, folder: Path) -> None:
    """Prints a line of the table, and ends the process with what is wrong."""
    signal.signal(signal.SIGTERM, stop)
    # Ctrl-C reaches this process and its parent, which ends it: once is enough.
    signal.signal(signal.SIGINT, ignore)
    started = time.monotonic()
    home = folder / "runs" / f"{kind.name}-{setup.name}"
    with kind(folder / kind.name.lower(), home, setup) as server:
        before, seen = send(server, folder / "input.csv")
        wait_until("the end of the server's queue", lambda: server.queued() == 0)
        found = message_ids(server.taken())
        unanswered = set(message_ids(server.unanswered()))
    again = {message_id for message_id, times in found.items() if times > 1}
    figures = [before, len(found), len(again - unanswered), len(again & unanswered)]
    print_line(kind.name, setup.name, *figures, round(time.monotonic() - started))
    claims = {
        "restarted in the middle": 0 < before < ROWS,
        "no e-mail missing": len(found) == ROWS,
        "none twice that the server had time to answer": again <= unanswered,
        "none three times": max(found.values()) <= 2,
        "the import completed": seen["state"] == "completed",
        "mailed 2,000": seen["rows"]["mailed"] == ROWS,
        "undeliverable 0": seen["rows"]["undeliverable"] == 0,
    }
    if wrong := [claim for claim, holds in claims.items() if not holds]:
        sys.exit(f"{kind.name}, {setup.name}: not so: {', '.join(wrong)}; see {home}")


def print_line(*columns: object) -> None:
    """A line of the table."""
    print("{:<8} {:<10} {:>14} {:>8} {:>6} {:>11} {:>8}".format(*columns), flush=True)


def check_all(kind: type[MailServer], folder: Path) -> bool:
    """Checks all set-ups of a server at once, as most of their time is a wait of the worker for an
    e-mail that is put off. Gives whether all holds."""
    checks = [Process(target=check, args=(kind, setup, folder)) for setup in SETUPS]
    try:
        for one in checks:
            one.start()
        for one in checks:
            one.join()
    finally:
        for one in checks:
            if one.is_alive():
                one.terminate()
                one.join()
    return all(one.exitcode == 0 for one in checks)


def ignore(*_) -> None:
    """A signal that does nothing here, and what it always does to programs that are started."""


def stop(*_) -> None:
    """Ends this process at a signal as an error does: what is open in a `with` is stopped. A second
    signal does not disturb that."""
    signal.signal(signal.SIGTERM, ignore)
    signal.signal(signal.SIGINT, ignore)
    sys.exit("stopped by a signal")


def closed_folder(folder: Path) -> Path | None:
    """The folder that keeps others out of this one, if there is one."""
    closed = [parent for parent in [folder, *folder.parents] if not parent.stat().st_mode & 0o001]
    return closed[0] if closed else None


def main() -> int:
    folder = Path(sys.argv[1]).resolve()
    if closed := closed_folder(folder):
        sys.exit(f"{closed} lets no other user in, and the mail servers give root away: work in a folder that does")
    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    generate(folder / "input.csv", ROWS, "--duplicates", "0", "--invalid", "0")
    print_line("server", "set-up", "before restart", "e-mails", "twice", "as unknown", "seconds")
    return 0 if all([check_all(kind, folder) for kind in SERVERS]) else 1


if __name__ == "__main__":
    sys.exit(main())
