"""Workbooks of several programs, looked at by a running importer-api.

    check.py IMPORTER_API

openpyxl and XlsxWriter make the same debts in workbooks as people keep them, LibreOffice saves those
anew, and of each must be said what is said of the same debts as a CSV, or which cell is wrong. Others
are made to do harm: each must be refused, in bounded time and memory, and nothing be fetched. One line
a workbook; the exit code is 1 if one of them is wrong. `make test/workbooks` does all of it.
"""

import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from habits import HABITS, SAME, Twin, by_xlsxwriter, many
from hostile import external, hostile, with_parts
from importer import Importer

MOST_MEMORY = 400  # MiB: two workbooks that are held, and what one of them takes to be read
MOST_SECONDS = 30
ROWS = 100_000
MEMORY_OF_ROWS = 200  # MiB
SECONDS_OF_ROWS = 20


class Listener:
    """Counts who connects."""

    def __init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.connections = 0
        threading.Thread(target=self._listen, daemon=True).start()

    def _listen(self):
        while True:
            self._socket.accept()[0].close()
            self.connections += 1


def said(importer: Importer, file: bytes) -> dict:
    """What does not differ from one preview to the next."""
    status, answer = importer.preview(file)
    if status == 200:
        return {name: answer[name] for name in ["rows", "amount", "due", "problems"]}
    return {"kind": answer["type"].removeprefix("urn:problem:"), "cell": answer.get("cell")}


def expected(importer: Importer, twin: Twin) -> dict:
    if twin.csv is None:
        return {"kind": twin.kind, "cell": twin.cell}
    return said(importer, twin.bytes())


def saved_by_libreoffice(files: dict[str, bytes], form: str) -> dict[str, bytes]:
    """The files as LibreOffice saves them."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "saved").mkdir()
        paths = {name: folder / f"{number}.xlsx" for number, name in enumerate(files)}
        for name, path in paths.items():
            path.write_bytes(files[name])
        command = ["soffice", f"-env:UserInstallation=file://{folder}/profile", "--headless"]
        command += ["--convert-to", form, "--outdir", folder / "saved", *paths.values()]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        saved = {name: folder / "saved" / f"{path.stem}.{form}" for name, path in paths.items()}
        return {name: path.read_bytes() for name, path in saved.items()}


def workbooks() -> dict[str, tuple[bytes, Twin]]:
    made = {name: habit.bytes() for name, habit in HABITS.items()}
    saved = saved_by_libreoffice(made, "xlsx")
    of = {f"openpyxl: {name}": (made[name], habit.twin) for name, habit in HABITS.items()}
    of |= {f"LibreOffice: {name}": (saved[name], habit.saved) for name, habit in HABITS.items()}
    of["XlsxWriter: shared texts"] = (by_xlsxwriter(False, False), SAME)
    of["XlsxWriter: texts in cells"] = (by_xlsxwriter(True, False), SAME)
    formula = by_xlsxwriter(False, True)
    of["XlsxWriter: formula"] = (formula, Twin(kind="workbook-formula", cell="F2"))
    of["LibreOffice: formula of XlsxWriter"] = (saved_by_libreoffice({"": formula}, "xlsx")[""], SAME)
    for form in ["ods", "xls"]:
        other = saved_by_libreoffice({"": made["plain"]}, form)[""]
        of[f"LibreOffice: {form}"] = (other, Twin(kind="file-not-csv"))
    return of


def main(program: Path) -> int:
    wrong = 0

    def tell(name: str, is_right: bool, remark: str) -> None:
        nonlocal wrong
        wrong += not is_right
        print(f"{'ok   ' if is_right else 'WRONG'} {name}: {remark}", flush=True)

    def measured(file: bytes):
        importer.forget_peak()
        began = time.monotonic()
        status, answer = importer.preview(file)
        return status, answer, time.monotonic() - began, importer.peak()

    listener = Listener()
    with Importer(program) as importer:
        for name, (file, twin) in workbooks().items():
            found, wanted = said(importer, file), expected(importer, twin)
            remark = found.get("kind") or f"{found['rows']['valid']} of {found['rows']['total']} rows"
            tell(name, found == wanted, remark if found == wanted else f"{found}, not {wanted}")

        file = with_parts(external(listener.url))
        tell("links to elsewhere", said(importer, file) == expected(importer, SAME), "as without")
        for name, (status, kind, file) in hostile(listener.url).items():
            found, answer, seconds, peak = measured(file)
            is_right = (found, answer.get("type")) == (status, f"urn:problem:{kind}")
            is_right &= peak < MOST_MEMORY and seconds < MOST_SECONDS
            remark = f"{found} {answer.get('type')}, {len(file) / 1e6:.1f} MB, {seconds:.1f} s, peak {peak} MiB"
            tell(name, is_right, remark)
        tell("nothing is fetched", listener.connections == 0, f"{listener.connections} connections")

        file = many(ROWS)
        found, answer, seconds, peak = measured(file)
        is_right = found == 200 and answer["rows"]["valid"] == ROWS
        is_right &= peak < MEMORY_OF_ROWS and seconds < SECONDS_OF_ROWS
        tell(f"{ROWS} rows", is_right, f"{len(file) / 1e6:.1f} MB, {seconds:.1f} s, peak {peak} MiB")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
