"""template.read_pdf: the text of a PDF, page by page."""

from __future__ import annotations

import os
import tempfile
from typing import Any

from flowhub_assets.errors import InputError, RunError
from flowhub_assets.runtime.storage import get_storage
from flowhub_assets.templates.files import env_of, input_url, place
from flowhub_assets.templates.libraries import library


def read_pdf(args: dict[str, Any]) -> dict[str, Any]:
    """Reads the text of the PDF at ``args['pdf_url']`` (or ``'input_url'``), a URL or key in the storage.

    Adds to args:
        text: str, all pages with text, a blank line between two
        pages: list of str, the text of each page; '' for a page without any
        page_count: int
        pages_without_text: list of int, page numbers from 1: scans, drawings, empty pages
        damaged_pages: list of int, page numbers from 1 whose content cannot be decoded
        scanned: bool, True if no page has text; such a PDF needs optical character recognition first

    An encrypted PDF is opened with PDF_PASSWORD of the profile, or the empty password. Needs pypdf, and
    cryptography for PDFs with AES encryption. Raises InputError for what is not a PDF, is damaged as a whole
    or needs another password.
    """
    pypdf = library("pypdf", "pypdf", "read_pdf")
    url = input_url(args, ("pdf_url", "input_url"), "read_pdf")
    with tempfile.TemporaryDirectory(prefix="flowhub-") as folder:
        path = get_storage(env_of(args)).download(url, folder)
        _require_pdf(path, url, args)
        pages, damaged = _page_texts(pypdf, path, url, args)
    return {
        **args,
        "text": "\n\n".join(page for page in pages if page),
        "pages": pages,
        "page_count": len(pages),
        "pages_without_text": [number for number, page in enumerate(pages, 1) if not page and number not in damaged],
        "damaged_pages": damaged,
        "scanned": not any(pages),
    }


def _require_pdf(path: str, url: str, args: dict[str, Any]) -> None:
    with open(path, "rb") as file:
        start = file.read(1024)
    # Readers accept the header anywhere in the first 1024 bytes (ISO 32000, implementation note 13).
    if b"%PDF-" in start:
        return
    found = f"starts with {start[:12]!r}" if start else "is empty"
    raise InputError(
        f"{url} is not a PDF: the file of {os.path.getsize(path)} bytes {found}",
        where=place(args),
        effect="It has no text that read_pdf could find.",
        remedy="Check the URL. A Word file or an image must be converted to PDF first.",
    )


def _page_texts(pypdf: Any, path: str, url: str, args: dict[str, Any]) -> tuple[list[str], list[int]]:
    # A damaged file makes pypdf raise whatever its parser stumbles over: PyPdfError, but also KeyError,
    # ValueError, AttributeError or RecursionError. All of them say the same to the user.
    try:
        reader = pypdf.PdfReader(path)
        if reader.is_encrypted:
            _unlock(pypdf, reader, url, args)
        sheets = list(reader.pages)
    except (InputError, RunError, MemoryError):
        raise
    except Exception as error:
        raise _damaged(url, args, f"{type(error).__name__}: {error}") from error
    pages: list[str] = []
    damaged: list[int] = []
    for number, sheet in enumerate(sheets, 1):
        try:
            pages.append(_clean(sheet.extract_text()))
        except MemoryError:
            raise
        except Exception:  # noqa: BLE001 the parser's errors, as above: the other pages are still of use
            pages.append("")
            damaged.append(number)
    if not pages:
        raise _damaged(url, args, "it has no pages")
    if len(damaged) == len(pages):
        raise _damaged(url, args, "none of its pages can be decoded")
    return pages, damaged


def _unlock(pypdf: Any, reader: Any, url: str, args: dict[str, Any]) -> None:
    password = str(env_of(args).get("PDF_PASSWORD") or "")
    try:
        opened = bool(reader.decrypt(password))
    except pypdf.errors.DependencyError as error:
        library("cryptography", "cryptography", "read_pdf")
        raise RunError(f"{url} cannot be decrypted: {error}", where=place(args)) from error
    if not opened:
        raise InputError(
            f"{url} is encrypted, and "
            + ("the PDF_PASSWORD of the profile does not open it" if password else "no password is given"),
            where=place(args),
            effect="None of its text can be read.",
            remedy="Set PDF_PASSWORD in the flow's env profile, or store an unprotected copy.",
        )


def _damaged(url: str, args: dict[str, Any], reason: str) -> InputError:
    return InputError(
        f"{url} is a damaged PDF: {reason}",
        where=place(args),
        effect="None of its text can be read.",
        remedy="Open it in a PDF viewer. If that fails too, upload it again; else print it to a new PDF.",
    )


def _clean(text: str) -> str:
    # Fonts with a broken character map yield halves of surrogate pairs, which no UTF-8 document can hold.
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").replace("\x00", "").strip()
