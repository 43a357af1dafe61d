"""Stands between a program and the emulator, and notes which calls it makes."""

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from calls import Call, call_of

# Longer than a long poll
TIMEOUT = 60  # seconds
OF_A_CONNECTION = {"connection", "keep-alive", "transfer-encoding", "content-length", "expect"}


class Recorder:
    """A proxy on a free port for one program; use it as a context manager."""

    def __init__(self, upstream_port: int, region: str):
        self._lock = threading.Lock()
        self._calls: dict[Call, int] = {}
        self._under_way = 0
        self._bytes = 0
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
        self._server.daemon_threads = True
        self._server.recorder, self._server.upstream_port, self._server.region = self, upstream_port, region
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "Recorder":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_) -> None:
        self._server.shutdown()
        self._server.server_close()

    def begin(self, call: Call) -> None:
        with self._lock:
            self._calls[call] = self._calls.get(call, 0) + 1
            self._under_way += 1

    def end(self, size: int) -> None:
        """Of a call, with the bytes of its request and answer."""
        with self._lock:
            self._under_way -= 1
            self._bytes += size

    @property
    def is_idle(self) -> bool:
        """Whether the emulator has answered every call, also those that nobody waits for any more."""
        with self._lock:
            return self._under_way == 0

    @property
    def bytes(self) -> int:
        """Of all requests and answers so far, without those of TLS."""
        with self._lock:
            return self._bytes

    @property
    def calls(self) -> dict[Call, int]:
        """How often each call was made so far."""
        with self._lock:
            return dict(self._calls)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_) -> None:
        pass

    def pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        self.server.recorder.begin(call_of(self.command, self.path, self.headers, body, self.server.region))
        size = len(str(self.headers)) + len(body)
        upstream = http.client.HTTPConnection("127.0.0.1", self.server.upstream_port, timeout=TIMEOUT)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in OF_A_CONNECTION}
            upstream.request(self.command, self.path, body, headers)
            answer = upstream.getresponse()
            content = answer.read()
            size += len(str(answer.headers)) + len(content)
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name.lower() not in OF_A_CONNECTION:
                    self.send_header(name, value)
            # A HEAD tells the length of what it does not send
            length = answer.getheader("content-length") if self.command == "HEAD" else len(content)
            self.send_header("content-length", str(length or 0))
            self.end_headers()
            self.wfile.write(content)
        except (ConnectionError, TimeoutError):
            # Whoever hung up knows it; the program asks again
            self.close_connection = True
        finally:
            upstream.close()
            self.server.recorder.end(size)

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = pass_on
