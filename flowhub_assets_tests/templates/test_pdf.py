"""template.read_pdf on PDFs written here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pypdf import PdfWriter
from pypdf.generic import DecodedStreamObject, DictionaryObject, NameObject

from flowhub_assets.errors import InputError, ObjectMissing
from flowhub_assets.templates import read_pdf
from flowhub_assets.templates.pdf import _clean

Put = Callable[[Path], str]


def pdf_of(path: Path, *pages: str, password: str = "", algorithm: str = "RC4-128") -> Path:
    writer = PdfWriter()
    font = DictionaryObject(
        {
            NameObject("/Type"): NameObject("/Font"),
            NameObject("/Subtype"): NameObject("/Type1"),
            NameObject("/BaseFont"): NameObject("/Helvetica"),
        }
    )
    for text in pages:
        page = writer.add_blank_page(595, 842)
        page[NameObject("/Resources")] = DictionaryObject(
            {NameObject("/Font"): DictionaryObject({NameObject("/F1"): font})}
        )
        if text:
            content = DecodedStreamObject()
            content.set_data(f"BT /F1 12 Tf 72 720 Td ({text}) Tj ET".encode("latin-1"))
            page[NameObject("/Contents")] = writer._add_object(content)
    if password:
        writer.encrypt(password, algorithm=algorithm)
    with open(path, "wb") as file:
        writer.write(file)
    return path


def test_the_text_of_each_page(env: dict[str, Any], put: Put, tmp_path: Path) -> None:
    url = put(pdf_of(tmp_path / "a.pdf", "Rent due in May", "", "Total 1200"))
    done = read_pdf({"env": env, "pdf_url": url, "tenant": "김"})
    assert done == {
        "env": env,
        "pdf_url": url,
        "tenant": "김",
        "text": "Rent due in May\n\nTotal 1200",
        "pages": ["Rent due in May", "", "Total 1200"],
        "page_count": 3,
        "pages_without_text": [2],
        "damaged_pages": [],
        "scanned": False,
    }


def test_input_url_and_a_bare_key_do_as_well(env: dict[str, Any], put: Put, tmp_path: Path) -> None:
    put(pdf_of(tmp_path / "a.pdf", "hello"))
    from flowhub_assets.runtime.storage import get_storage

    key = get_storage(env).list()[0]
    assert read_pdf({"env": env, "input_url": key})["text"] == "hello"


def test_a_scan_is_flagged(env: dict[str, Any], put: Put, tmp_path: Path) -> None:
    done = read_pdf({"env": env, "pdf_url": put(pdf_of(tmp_path / "scan.pdf", "", ""))})
    assert (done["scanned"], done["text"], done["pages_without_text"]) == (True, "", [1, 2])


@pytest.mark.parametrize("algorithm", ["RC4-128", "AES-256"])
def test_an_encrypted_pdf_opens_with_the_password_of_the_profile(
    env: dict[str, Any], put: Put, tmp_path: Path, algorithm: str
) -> None:
    url = put(pdf_of(tmp_path / "locked.pdf", "secret rent", password="open sesame", algorithm=algorithm))
    with pytest.raises(InputError, match="is encrypted, and no password is given") as caught:
        read_pdf({"env": env, "pdf_url": url})
    assert "PDF_PASSWORD" in caught.value.remedy
    with pytest.raises(InputError, match="does not open it") as caught:
        read_pdf({"env": {**env, "PDF_PASSWORD": "wrong word"}, "pdf_url": url})
    assert "wrong word" not in str(caught.value)
    assert read_pdf({"env": {**env, "PDF_PASSWORD": "open sesame"}, "pdf_url": url})["text"] == "secret rent"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04 a Word file", "is not a PDF"),
        (b"", "is empty"),
        (b"%PDF-1.7\n", "damaged PDF"),
        (b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog", "damaged PDF"),
    ],
)
def test_what_is_no_whole_pdf_is_refused(
    env: dict[str, Any], put: Put, tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "odd.pdf"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said) as caught:
        read_pdf({"env": env, "pdf_url": put(path)})
    assert "odd.pdf" in str(caught.value)


@pytest.mark.parametrize("trailer", [b"trailer\n7 ", b"trailer\n[[", b"x"])
def test_an_error_of_another_kind_inside_the_parser_says_damaged_too(
    env: dict[str, Any], put: Put, tmp_path: Path, trailer: bytes
) -> None:
    whole = pdf_of(tmp_path / "whole.pdf", "one").read_bytes()
    path = tmp_path / "broken.pdf"
    path.write_bytes(whole.replace(b"trailer\n<<", trailer))
    with pytest.raises(InputError, match=r"broken\.pdf is a damaged PDF"):
        read_pdf({"env": env, "pdf_url": put(path)})


def test_a_missing_file_is_the_storage_s_error(env: dict[str, Any]) -> None:
    with pytest.raises(ObjectMissing):
        read_pdf({"env": env, "pdf_url": "nothing/here.pdf"})


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.integers(0, 1200), noise=st.binary(max_size=8), at=st.integers(0, 1200))
def test_a_file_damaged_anywhere_is_read_or_refused_but_never_a_traceback_of_the_parser(
    env: dict[str, Any], put: Put, tmp_path: Path, cut: int, noise: bytes, at: int
) -> None:
    whole = pdf_of(tmp_path / "whole.pdf", "one", "two").read_bytes()
    path = tmp_path / "broken.pdf"
    broken = bytearray(whole[: max(1, len(whole) - cut)])
    broken[at : at + len(noise)] = noise
    path.write_bytes(bytes(broken))
    url = put(path)
    try:
        done = read_pdf({"env": env, "pdf_url": url})
    except InputError as error:
        done = {"refused": str(error)}
    assert "broken.pdf" in done.get("refused", "") or done["page_count"] == len(done["pages"]) > 0


@given(st.text(st.characters()))
def test_cleaned_text_fits_into_utf8(text: str) -> None:
    cleaned = _clean(text + "\ud800")
    assert cleaned.encode("utf-8").decode("utf-8") == cleaned
    assert "\x00" not in cleaned
