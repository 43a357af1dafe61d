"""A mail server that keeps nothing but which e-mails came, and how large; it puts some recipients off."""

import socketserver
import threading
from collections import Counter

# A recipient at this host is told to come again later
PUT_OFF = "later.example.org"


class MailServer:
    """A server on a free port; use it as a context manager."""

    def __init__(self):
        self.lock = threading.Lock()
        # How often each Message-ID was accepted
        self.accepted: Counter[str] = Counter()
        self.bytes = 0
        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Session)
        self._server.daemon_threads = True
        self._server.mails = self
        self.port = self._server.server_address[1]

    def __enter__(self) -> "MailServer":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Session(socketserver.StreamRequestHandler):
    def handle(self) -> None:
        self._say("220 test")
        while line := self.rfile.readline():
            command = line.decode(errors="replace").strip()
            match command[:4].upper():
                case "EHLO":
                    self._say("250-test\r\n250 AUTH PLAIN")
                case "AUTH":
                    self._say("235 2.7.0 welcome")
                case "RCPT" if PUT_OFF in command:
                    self._say("451 4.7.1 come again later")
                case "DATA":
                    self._say("354 go on")
                    self._take()
                    self._say("250 2.0.0 taken")
                case "QUIT":
                    self._say("221 bye")
                    return
                case _:
                    self._say("250 2.0.0 ok")

    def _take(self) -> None:
        message_id, size = "", 0
        while (line := self.rfile.readline()) and line != b".\r\n":
            size += len(line)
            if not message_id and line.lower().startswith(b"message-id:"):
                message_id = line.split(b":", 1)[1].strip().decode()
        with self.server.mails.lock:
            self.server.mails.accepted[message_id] += 1
            self.server.mails.bytes += size

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())
