"""Many rows of a sheet as XML, byte for byte as XlsxWriter writes them, in a fraction of the time.

A workbook is a zip of XML files (ECMA-376, part 1). XlsxWriter makes it, with one row as the
pattern; the rows behind it are written here, because a hundred thousand tenants are two million
cells, and XlsxWriter takes several microseconds for each.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ["LineCells", "fill"]

_CELL = re.compile(r'<c r="([A-Z]+)2"(?: s="(\d+)")?')
_LOOKS_ESCAPED = re.compile(r"_(x[0-9a-fA-F]{4}_)")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\ufffe\uffff]")


@dataclass(frozen=True, slots=True)
class LineCells:
    """What stands in a row, from the first column on.

    Attributes:
        texts: Its first cells.
        numbers: The cells behind them.
        formulas: The cells behind those, written like the last but one of the numbers: formula, or
            nothing for a plain number, and value.
    """

    texts: tuple[str, ...]
    numbers: tuple[float, ...]
    formulas: tuple[tuple[str, float], ...] = ()


def fill(book: bytes, sheet: str, letters: list[str], rows: Iterable[LineCells]) -> bytes:
    """A workbook with more rows behind a sheet's second row, whose styles they take.

    Args:
        book: The workbook. In row 2 stand as many texts and numbers as in every new row.
        sheet: Path of the sheet in it.
        letters: Of the sheet's columns.
        rows: From row 3 on.
    """
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(book)) as source,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as target,
    ):
        for item in source.infolist():
            content = source.read(item)
            if item.filename != sheet:
                target.writestr(item, content)
                continue
            xml = content.decode()
            start = xml.index('<row r="2"')
            end = xml.index("</row>", start) + len("</row>")
            styles = {letter: f' s="{style}"' for letter, style in _CELL.findall(xml, start, end)}
            with target.open(item, "w") as raw, io.TextIOWrapper(raw, "utf-8", newline="") as file:
                file.write(xml[:end])
                file.writelines(_rows(letters, styles, rows))
                file.write(xml[end:])
    return out.getvalue()


def _rows(letters: list[str], styles: dict[str, str], rows: Iterable[LineCells]) -> Iterator[str]:
    numbers, behind, money = "", 0, ""
    for number, row in enumerate(rows, start=3):
        texts = len(row.texts)
        if not numbers:
            behind = texts + len(row.numbers)
            money = styles[letters[behind - 2]]
            numbers = "".join(
                f'<c r="{letter}{{0}}"{styles[letter]}><v>{{{index}:.16G}}</v></c>'
                for index, letter in enumerate(letters[texts:behind], start=1)
            )
        xml = [f'<row r="{number}">']
        xml += [
            f'<c r="{letter}{number}" t="inlineStr"><is>{_text(text)}</is></c>'
            for letter, text in zip(letters, row.texts, strict=False)
        ]
        xml.append(numbers.format(number, *row.numbers))
        for letter, (formula, value) in zip(letters[behind:], row.formulas, strict=False):
            shown = f"<f>{formula}</f><v>{value}</v>" if formula else f"<v>{value:.16G}</v>"
            xml.append(f'<c r="{letter}{number}"{money}>{shown}</c>')
        xml.append("</row>")
        yield "".join(xml)


def _text(text: str) -> str:
    """A cell's text: what XML cannot hold as Excel writes it, and white space at its ends kept."""
    if text.isalnum():
        return f"<t>{text}</t>"
    # What only looks like such an escape is escaped itself.
    text = _LOOKS_ESCAPED.sub(r"_x005F_\1", text)
    text = _CONTROL.sub(lambda found: f"_x{ord(found[0]):04X}_", text)
    keep = ' xml:space="preserve"' if text != text.strip() else ""
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return f"<t{keep}>{text}</t>"
