"""Draws a real trace.

    picture.py FILE.svg

Starts the stack with a collector of its own, uploads a file, and draws the spans
of its import. `make trace` does all of it.
"""

import sys
import tempfile
from dataclasses import dataclass
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from stack import Stack, generate

ROWS = 30
COLOURS = {"importer-api": "#2f6db3", "billing-worker": "#a8572b", "send-mail-worker": "#3d7d4f"}

WIDTH, NAMES, LINE, TOP, EDGE = 1000, 430, 24, 64, 16
TEXT = 'font-family="system-ui, sans-serif" font-size="13"'


@dataclass
class Span:
    service: str
    name: str
    trace: bytes
    id: bytes
    parent: bytes
    start: int
    end: int
    attributes: dict


class Collector(ThreadingHTTPServer):
    """Keeps the spans that it is sent."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.spans: list[Span] = []
        Thread(target=self.serve_forever, daemon=True).start()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        for of_resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            service = _texts(of_resource.resource.attributes)["service.name"]
            for of_scope in of_resource.scope_spans:
                self.server.spans += [_span(service, span) for span in of_scope.spans]
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        pass


def _span(service: str, span) -> Span:
    times = (span.start_time_unix_nano, span.end_time_unix_nano)
    ids = (span.trace_id, span.span_id, span.parent_span_id)
    return Span(service, span.name, *ids, *times, _texts(span.attributes))


def _texts(attributes) -> dict:
    def text(value):
        return str(getattr(value, value.WhichOneof("value")))

    return {attribute.key: text(attribute.value) for attribute in attributes}


def recorded() -> list[Span]:
    """The spans of the upload of a file, from a running stack."""
    collector = Collector()
    with Stack(LOG_LEVEL="ERROR", OTEL_EXPORTER_OTLP_ENDPOINT=collector.endpoint) as stack:
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "debts.csv"
            generate(file, ROWS, "--duplicates", "0", "--invalid", "0")
            import_id = stack.upload(file)
        stack.finished(import_id)
    # The services have had their last spans exported.
    root = next(span for span in collector.spans if span.attributes.get("import_id") == import_id)
    return [span for span in collector.spans if span.trace == root.trace]


def in_order(spans: list[Span]) -> list[tuple[int, Span]]:
    """Each span behind the one that it is below, with its depth."""
    below: dict[bytes, list[Span]] = {}
    for span in sorted(spans, key=lambda span: span.start):
        below.setdefault(span.parent, []).append(span)
    ordered: list[tuple[int, Span]] = []

    def add(parent: bytes, depth: int) -> None:
        for span in below.get(parent, []):
            ordered.append((depth, span))
            add(span.id, depth + 1)

    add(b"", 0)
    return ordered


def drawn(spans: list[Span]) -> str:
    """The spans as a picture: a line each, over their time."""
    ordered = in_order(spans)
    begin = min(span.start for span in spans)
    whole = max(span.end for span in spans) - begin
    scale = (WIDTH - NAMES - EDGE - 70) / whole
    height = TOP + LINE * len(ordered) + EDGE
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}">',
        "<title>The trace of an import, from its upload to its last e-mail</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    at = EDGE
    for service, colour in COLOURS.items():
        parts.append(f'<rect x="{at}" y="18" width="12" height="12" rx="2" fill="{colour}"/>')
        parts.append(f'<text x="{at + 18}" y="29" {TEXT} fill="#222222">{service}</text>')
        at += 160
    total = f"one trace, {len(spans)} spans, {whole / 1e6:.0f} ms"
    parts.append(
        f'<text x="{WIDTH - EDGE}" y="29" {TEXT} fill="#555555" text-anchor="end">{total}</text>'
    )
    for number, (depth, span) in enumerate(ordered):
        y = TOP + LINE * number
        if number % 2 == 0:
            parts.append(f'<rect y="{y}" width="{WIDTH}" height="{LINE}" fill="#f5f5f5"/>')
        count = span.attributes.get("messaging.batch.message_count")
        name = escape(span.name + (f" × {count}" if count else ""))
        x, width = NAMES + (span.start - begin) * scale, max(2, (span.end - span.start) * scale)
        parts.append(
            f'<text x="{EDGE + 18 * depth}" y="{y + 17}" {TEXT} fill="#222222">{name}</text>'
            f'<rect x="{x:.1f}" y="{y + 5}" width="{width:.1f}" height="14" rx="2" '
            f'fill="{COLOURS[span.service]}"/>'
            f'<text x="{x + width + 6:.1f}" y="{y + 17}" {TEXT} fill="#555555">'
            f"{(span.end - span.start) / 1e6:.1f} ms</text>"
        )
    return "\n".join([*parts, "</svg>\n"])


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(drawn(recorded()))
