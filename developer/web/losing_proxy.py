"""A proxy that loses an answer on its way."""

import socket
import threading
from urllib.parse import urlsplit


class LosingProxy:
    """Passes everything on, but of the first answer that begins so only the
    head: whoever asked knows that it was cut off, and not what it said."""

    def __init__(self, url: str, begins: bytes):
        self._target = (urlsplit(url).hostname, urlsplit(url).port)
        self._begins = begins
        self.lost = 0

    def __enter__(self) -> "LosingProxy":
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_):
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._target)
            for pair in [(client, server), (server, client)]:
                threading.Thread(target=self._copy, args=pair, daemon=True).start()

    def _copy(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while piece := source.recv(65536):
                if self.lost == 0 and piece.startswith(self._begins):
                    self.lost += 1
                    sink.sendall(piece.split(b"\r\n\r\n")[0] + b"\r\n\r\n")
                    break
                sink.sendall(piece)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
