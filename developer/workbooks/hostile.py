"""Workbooks that are made to do harm."""

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator

from habits import HABITS

MIB = 1 << 20
SHEET = "xl/worksheets/sheet1.xml"
TEXTS = "xl/sharedStrings.xml"
BEGIN = b'<worksheet><sheetData><row r="1">'


def with_parts(parts: dict[str, bytes | Iterator[bytes]]) -> bytes:
    """A good workbook with other parts; in pieces where they are large."""
    to = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(HABITS["plain"].bytes())) as good:
        with zipfile.ZipFile(to, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as made:
            for name in good.namelist():
                if name not in parts:
                    made.writestr(name, good.read(name))
            for name, part in parts.items():
                with made.open(name, "w", force_zip64=True) as file:
                    for piece in [part] if isinstance(part, bytes) else part:
                        file.write(piece)
    return to.getvalue()


def repeated(begin: bytes, piece: bytes, size: int) -> Iterator[bytes]:
    yield begin
    block = piece * (MIB // len(piece))
    for _ in range(size // len(block)):
        yield block


def lying(file: bytes) -> bytes:
    """The archive says that each of its files has ten bytes."""
    file = bytearray(file)
    for signature, place in [(b"PK\x01\x02", 24), (b"PK\x03\x04", 22)]:
        at = file.find(signature)
        while at >= 0:
            file[at + place : at + place + 4] = struct.pack("<I", 10)
            at = file.find(signature, at + 4)
    return bytes(file)


def many_files(count: int) -> bytes:
    """An archive whose directory alone is large."""
    to = io.BytesIO()
    with zipfile.ZipFile(to, "w", zipfile.ZIP_STORED) as made:
        made.writestr("_rels/.rels", "")
        for number in range(count):
            made.writestr(str(number), b"")
    return to.getvalue()


def overlapping(times: int) -> bytes:
    """Names for one stream of zeros, as David Fifield's bombs have them."""
    size = 64 * MIB
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    packed = packer.compress(bytes(size)) + packer.flush()
    checksum = zlib.crc32(bytes(size))
    fields = (8, 0, 0, checksum, len(packed), size)
    names = [SHEET.encode(), TEXTS.encode(), b"_rels/.rels"]
    names += [b"%d" % number for number in range(times)]
    local = struct.pack("<4sHHHHHIIIHH", b"PK\x03\x04", 20, 0, *fields, len(names[0]), 0)
    local += names[0] + packed
    directory = b"".join(
        struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\x01\x02", 20, 20, 0, *fields, len(name), 0, 0, 0, 0, 0, 0) + name
        for name in names
    )
    end = struct.pack("<4sHHHHIIH", b"PK\x05\x06", 0, 0, len(names), len(names), len(directory), len(local), 0)
    return local + directory + end


def declared(declaration: str, text: str) -> dict[str, bytes]:
    table = f'<?xml version="1.0"?><!DOCTYPE sst [{declaration}]><sst><si><t>{text}</t></si></sst>'
    return {TEXTS: table.encode()}


def columns(count: int) -> Iterator[bytes]:
    yield BEGIN
    yield b"<c><v>1</v></c>" * count
    yield b"</row></sheetData></worksheet>"


def external(url: str) -> dict[str, bytes]:
    """What refers to elsewhere, in all the ways that a workbook has."""
    relation = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        + "".join(
            f'<Relationship Id="rId{number}" TargetMode="External" Target="{url}/{kind}" '
            f'Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{kind}"/>'
            for number, kind in enumerate(["externalLinkPath", "image", "oleObject", "hyperlink", "attachedTemplate"], 1)
        )
        + "</Relationships>"
    )
    link = '<externalLink><externalBook r:id="rId1"/><ddeLink ddeService="cmd" ddeTopic="/c calc"/></externalLink>'
    return {
        "xl/externalLinks/externalLink1.xml": link.encode(),
        "xl/externalLinks/_rels/externalLink1.xml.rels": relation.encode(),
        "xl/worksheets/_rels/sheet1.xml.rels": relation.encode(),
        "xl/connections.xml": f'<connections><connection><webPr url="{url}/web"/></connection></connections>'.encode(),
    }


def hostile(url: str) -> dict[str, tuple[int, str, bytes]]:
    """Each with the status and the kind of problem that it must have."""
    laughs = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 12))
    too_large, unreadable = (422, "workbook-too-large"), (422, "workbook-unreadable")
    rows = (b"<row><c><v>1</v></c></row>", BEGIN[:-13])
    made = {
        "bomb: zeros": (*too_large, {SHEET: repeated(b"", b"\0", 4096 * MIB)}),
        "bomb: rows": (*too_large, {SHEET: repeated(rows[1], rows[0] + b" " * 998, 1024 * MIB)}),
        "bomb: blank texts": (*too_large, {TEXTS: repeated(b"<sst>", b"<si/>", 1024 * MIB)}),
        "bomb: texts": (*too_large, {TEXTS: repeated(b"<sst>", b"<si><t>" + b"x" * 1000 + b"</t></si>", 512 * MIB)}),
        "bomb: one text": (*too_large, {TEXTS: repeated(b"<sst><si>", b"<r><t>xxxxxxxx</t></r>", 512 * MIB)}),
        "bomb: one cell": (*too_large, {SHEET: repeated(BEGIN + b"<c><is>", b"<r><t>xxxxxxxx</t></r>", 512 * MIB)}),
        "bomb: one tag": (*too_large, {SHEET: repeated(BEGIN + b'<c r="', b"A", 512 * MIB)}),
        "bomb: one comment": (*too_large, {SHEET: repeated(b"<!--", b"A", 512 * MIB)}),
        "bomb: formats": (*too_large, {"xl/styles.xml": repeated(b"<styleSheet><cellXfs>", b"<xf/>", 512 * MIB)}),
        "bomb: sheets": (*too_large, {"xl/workbook.xml": repeated(b"<workbook><sheets>", b"<sheet/>", 512 * MIB)}),
        "announced texts": (*too_large, {TEXTS: b'<sst uniqueCount="99999999999"></sst>'}),
        "a million columns": (*too_large, {SHEET: columns(1_000_000)}),
        "XXE": (*unreadable, declared(f'<!ENTITY x SYSTEM "{url}/xxe">', "&x;")),
        "XXE: parameter": (*unreadable, declared(f'<!ENTITY % x SYSTEM "{url}/dtd"> %x;', "a")),
        "XXE: file": (*unreadable, declared('<!ENTITY x SYSTEM "file:///etc/passwd">', "&x;")),
        "billion laughs": (*unreadable, declared('<!ENTITY l0 "ha">' + laughs, "&l11;")),
        "quadratic blowup": (*unreadable, declared(f'<!ENTITY x "{"x" * 50_000}">', "&x;" * 50_000)),
        "entity without DTD": (*unreadable, {TEXTS: b"<sst><si><t>&x;</t></si></sst>"}),
    }
    ready = {
        "lying sizes": (*unreadable, lying(with_parts({SHEET: repeated(b"", b"\0", 1024 * MIB)}))),
        "overlapping files": (*too_large, overlapping(9_000)),
        "half a million files": (*too_large, many_files(500_000)),
        "noise": (*unreadable, b"PK\x03\x04" + os.urandom(40 * MIB)),
        "50 MiB and more": (413, "workbook-too-large", with_parts({"xl/media/a.png": os.urandom(50 * MIB)})),
    }
    return {name: (status, kind, with_parts(parts)) for name, (status, kind, parts) in made.items()} | ready
