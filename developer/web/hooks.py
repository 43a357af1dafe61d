"""What schemathesis cannot know from the OpenAPI document: what a CSV of debts
looks like, how a PDF begins, and which imports there are."""

import io
import itertools
import json
import os
import re
import uuid
import zipfile

import schemathesis
from hypothesis import strategies as st

HEADER = "name,governmentId,email,debtAmount,debtDueDate,debtId"

fields = st.text(st.characters(blacklist_characters='",;\t\r\n\0', max_codepoint=0xFFFF), max_size=20)
records = st.one_of(
    # Any fields at all: a bad row is no bad file.
    st.lists(fields, min_size=6, max_size=6).map(",".join),
    st.integers(1, 10**9).map(lambda debt: f"Ana,52998224725,ana@example.com,150.00,2030-01-15,{debt}"),
)


@st.composite
def debts(draw) -> bytes:
    """A file that the service takes: at least one record is a debt."""
    lines = draw(st.lists(records, max_size=5))
    debt = draw(st.integers(1, 10**9))
    last = f"Ana,52998224725,ana@example.com,150.00,2030-01-15,{debt}"
    return "\n".join([HEADER, *lines, last]).encode("utf-8", "replace")


schemathesis.openapi.media_type("text/csv", debts())


@schemathesis.deserializer("application/pdf")
def pdf(context, response):
    assert response.content.startswith(b"%PDF-"), "no PDF"
    return response.content.decode("latin-1")


@schemathesis.deserializer("application/zip")
def archive(context, response):
    with zipfile.ZipFile(io.BytesIO(response.content)) as files:
        assert files.testzip() is None, "a damaged archive"
    return response.content.decode("latin-1")


@schemathesis.deserializer("application/x-ndjson")
def row(context, response):
    """The schema is that of one row; an answer may have none."""
    rows = [json.loads(line) for line in response.content.split(b"\n") if line]
    return rows[0] if rows else {"row": 1, "outcome": "pending"}


@schemathesis.hook
def map_path_parameters(context, path_parameters):
    """Half of the imports asked for are one that there is: finished, or cancelled; one of its own
    where it is erased."""
    try:
        asked = uuid.UUID((path_parameters or {}).get("import_id")).int
    except (TypeError, ValueError, AttributeError):
        return path_parameters
    if asked % 2 == 0:
        known = "CANCELLED" if asked % 4 else "FINISHED"
        known = "ERASED" if context.operation.method.upper() == "DELETE" else known
        path_parameters["import_id"] = os.environ[known]
    return path_parameters


@schemathesis.hook
def filter_case(context, case):
    """The head of a form's part carries no control characters, whatever JSON takes as a name. A
    preview that is billed comes without a form, which OpenAPI cannot say."""
    if not isinstance(case.body, dict):
        return True
    return all(str(name).isprintable() for name in case.body) and "preview" not in (case.query or {})


numbers = itertools.count()


@schemathesis.hook
def map_headers(context, headers):
    """A key for each upload: one that is used for another file is a 422, as it should be."""
    for name in headers or {}:
        if name.lower() == "idempotency-key" and re.fullmatch("[!-~]{1,200}", str(headers[name])):
            headers[name] += f"-{next(numbers)}"
    return headers
