"""The same debts in workbooks as people keep them, and as a CSV."""

import csv
import datetime
import io
from collections.abc import Callable
from dataclasses import dataclass, field

import xlsxwriter
from openpyxl import Workbook
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill
from openpyxl.utils.datetime import CALENDAR_MAC_1904
from openpyxl.worksheet.datavalidation import DataValidation
from openpyxl.worksheet.table import Table

HEADER = ["name", "governmentId", "email", "debtAmount", "debtDueDate", "debtId"]
DAY = datetime.date(2027, 1, 31)
DEBTS = [
    ["Ana Araújo", "01234567890", "ana@example.com", 7811.1, DAY, "a-1"],
    ['José "Zé", filho', "52998224725", "ze@example.com", 10.05, DAY, "007"],
    ["Açaí & Cia <Ltda>", "11222333000181", "cia@example.com", 99_999_999.99, DAY, "3"],
    ["Bia", "52998224725", "nobody", 0.1 + 0.2, DAY, "4"],
]


@dataclass
class Twin:
    """What must be said of a workbook: what is said of a CSV, or the problem and the cell."""

    csv: list[list] | None = None
    kind: str | None = None
    cell: str | None = None

    def bytes(self) -> bytes:
        text = io.StringIO()
        writer = csv.writer(text)
        for row in self.csv:
            writer.writerow(row)
        return text.getvalue().encode()


@dataclass
class Habit:
    """A workbook of openpyxl, and what is said of it, and of it once LibreOffice has saved it."""

    make: Callable[[Workbook], None]
    twin: Twin
    saved: Twin = field(default=None)

    def __post_init__(self):
        self.saved = self.saved or self.twin

    def bytes(self) -> bytes:
        workbook = Workbook()
        self.make(workbook)
        return saved(workbook)


def saved(workbook: Workbook) -> bytes:
    to = io.BytesIO()
    workbook.save(to)
    return to.getvalue()


def texts(rows: list[list] = DEBTS) -> list[list]:
    """Rows as a CSV has them: amounts as Excel shows them."""
    def text(value):
        return f"{value:.15g}" if isinstance(value, float) else value

    return [[text(value) for value in row] for row in rows]


def fill(sheet, rows: list[list] = DEBTS, skip: int = 0) -> None:
    for at, row in enumerate([HEADER, *rows], skip + 1):
        for column, value in enumerate(row, 1):
            sheet.cell(at, column, value)


SAME = Twin([HEADER, *texts()])


def plain(workbook):
    fill(workbook.active)


def only_texts(workbook):
    rows = [[str(value) for value in row] for row in texts()]
    fill(workbook.active, rows)
    for row in workbook.active:
        for cell in row:
            cell.number_format = "@"


def decorated(workbook):
    sheet = workbook.active
    fill(sheet)
    sheet.freeze_panes = "A2"
    sheet.add_table(Table(displayName="Debts", ref="A1:F5"))
    sheet["A2"].comment = Comment("liga amanhã", "Ana")
    sheet["C2"].hyperlink = "mailto:ana@example.com"
    sheet.add_data_validation(DataValidation(type="decimal", operator="greaterThan", formula1="0"))
    sheet["D2"].number_format = '"R$" #,##0.00'
    sheet["D3"].number_format = "#,##0.00;[Red]-#,##0.00"
    sheet["D4"].number_format = '_-"R$"* #,##0.00_-;-"R$"* #,##0.00_-;_-"R$"* "-"??_-;_-@_-'
    sheet["E2"].number_format = "dd/mm/yyyy"
    sheet["E3"].number_format = '[$-416]d" de "mmmm" de "yyyy;@'
    for cell in sheet[1]:
        cell.font = Font(bold=True)
    sheet.column_dimensions["H"].hidden = True


def titles(workbook):
    sheet = workbook.active
    fill(sheet, skip=3)
    sheet["A1"] = "Relatório de débitos"
    sheet.merge_cells("A1:F1")
    sheet["A2"], sheet["B2"] = "Gerado em", datetime.date(2026, 12, 1)


def tail(workbook):
    sheet = workbook.active
    fill(sheet)
    yellow = PatternFill("solid", fgColor="FFFF00")
    for row in range(6, 5_000):
        for column in range(1, 7):
            sheet.cell(row, column).fill = yellow
    sheet.cell(1_048_576, 16_384).fill = yellow
    sheet.row_dimensions[6_000].hidden = True


def mac(workbook):
    workbook.epoch = CALENDAR_MAC_1904
    fill(workbook.active)


def further(workbook):
    fill(workbook.active)
    workbook.create_sheet("Resumo")["A1"] = "outra"
    hidden = workbook.create_sheet("Listas", 0)
    hidden["A1"] = "sim"
    hidden.sheet_state = "hidden"
    workbook.active = 1


def filtered(workbook):
    sheet = workbook.active
    fill(sheet)
    sheet.auto_filter.ref = "A1:F5"
    sheet.auto_filter.add_filter_column(0, ["Ana Araújo", "Bia"])
    sheet.row_dimensions[3].hidden = sheet.row_dimensions[4].hidden = True


def formulas(workbook):
    sheet = workbook.active
    fill(sheet)
    sheet["D2"] = "=7811+0.1"
    sheet["F4"] = '=LEFT("345",1)'
    sheet["H1"], sheet["H2"] = "dobro", "=D2*2"


def wrong_numbers(workbook):
    """Documents as Excel makes them: shown with their zeros, whole, and without zeros that they had."""
    sheet = workbook.active
    rows = [list(row) for row in DEBTS]
    rows[0][1], rows[1][1], rows[2][1] = 1_234_567_890, 52_998_224_725, 1_234_567_890
    rows[3][5] = 12_345_678_901_234_567_890
    fill(sheet, rows)
    sheet["B2"].number_format = "00000000000"
    sheet["F3"].number_format = "@"


WRONG = [list(row) for row in texts()]
WRONG[2][1] = "1234567890.0"
WRONG[3][5] = "1.23456789012346E+19"


def odd_values(workbook):
    sheet = workbook.active
    rows = [list(row) for row in DEBTS]
    rows[0][4] = datetime.datetime(2027, 1, 31, 10, 30)
    rows[1][0] = "#N/A"
    rows[2][3] = True
    rows[3][0] = "Bia\nMaria"
    fill(sheet, rows)
    sheet["B3"].number_format = "0"


ODD = [list(row) for row in texts()]
ODD[0][4] = "2027-01-31 10:30:00"
ODD[1][0] = "#N/A"
ODD[2][3] = "TRUE"
ODD[3][0] = "Bia Maria"


def later_table(workbook):
    """A table that begins in the fourth row and the third column, and other columns beside it."""
    sheet = workbook.active
    for at, row in enumerate([[*HEADER[:3], "nota", *HEADER[3:]]] + [[*row[:3], "x", *row[3:]] for row in DEBTS]):
        for column, value in enumerate(row):
            sheet.cell(4 + at, 3 + column, value)


LATER = [[], [], []] + [["", "", *row[:3], "x", *row[3:]] for row in [HEADER, *texts()]]

HABITS = {
    "plain": Habit(plain, SAME),
    "only texts": Habit(only_texts, SAME),
    "decorated": Habit(decorated, SAME),
    "titles": Habit(titles, Twin([[], [], [], HEADER, *texts()])),
    "formatted tail": Habit(tail, SAME),
    "1904": Habit(mac, SAME),
    "further sheets": Habit(further, SAME),
    "filtered": Habit(filtered, Twin(kind="workbook-hidden-row", cell="A3")),
    # openpyxl calculates nothing, LibreOffice does.
    "formulas": Habit(formulas, Twin(kind="workbook-formula", cell="D2"), SAME),
    "wrong numbers": Habit(wrong_numbers, Twin([HEADER, *WRONG])),
    "odd values": Habit(odd_values, Twin([HEADER, *ODD])),
    "table further in": Habit(later_table, Twin(LATER)),
    "empty": Habit(lambda _: None, Twin(kind="file-without-data")),
    "no header": Habit(lambda book: fill(book.active, skip=25) or book.active.delete_rows(26), Twin(kind="file-without-header", cell="A26")),
}


def by_xlsxwriter(constant_memory: bool, formula: bool) -> bytes:
    """The debts by a program that writes texts into the cells, and a 0 for a formula."""
    to = io.BytesIO()
    workbook = xlsxwriter.Workbook(to, {"in_memory": True, "constant_memory": constant_memory})
    sheet = workbook.add_worksheet()
    date = workbook.add_format({"num_format": "yyyy-mm-dd"})
    bold = workbook.add_format({"bold": True})
    for at, row in enumerate([HEADER, *DEBTS]):
        for column, value in enumerate(row):
            if isinstance(value, datetime.date):
                sheet.write_datetime(at, column, value, date)
            elif value == "Ana Araújo":
                sheet.write_rich_string(at, column, bold, "Ana", " Araújo")
            elif formula and value == "a-1":
                sheet.write_formula(at, column, '="a"&"-1"')
            elif isinstance(value, str):
                sheet.write_string(at, column, value)
            else:
                sheet.write(at, column, value)
    workbook.close()
    return to.getvalue()


def many(rows: int) -> bytes:
    """So many debts, with four texts each that no other has."""
    to = io.BytesIO()
    workbook = xlsxwriter.Workbook(to, {"constant_memory": False})
    sheet = workbook.add_worksheet()
    date = workbook.add_format({"num_format": "yyyy-mm-dd"})
    sheet.write_row(0, 0, HEADER)
    for at in range(1, rows + 1):
        sheet.write_string(at, 0, f"Maria Fulana de Tal {at}")
        sheet.write_string(at, 1, f"{at:011}")
        sheet.write_string(at, 2, f"maria.fulana.{at}@example.com")
        sheet.write_number(at, 3, at / 100)
        sheet.write_datetime(at, 4, DAY, date)
        sheet.write_string(at, 5, f"7afa83a6-e74f-4975-8a69-{at:012x}")
    workbook.close()
    return to.getvalue()
