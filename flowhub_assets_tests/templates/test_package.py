"""The package as users import it, and what every template does with its args."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest

import flowhub_assets.templates as template
from flowhub_assets.errors import InputError, RunError
from flowhub_assets.templates import analyze_speaker, extract_voice, read_pdf, transcript
from flowhub_assets.templates.libraries import library

BODIES = [analyze_speaker, extract_voice, read_pdf, transcript]


def test_flowhub_gives_the_package_and_each_template_is_a_function() -> None:
    from flowhub import template as imported

    assert imported is template
    assert [callable(getattr(imported, name)) for name in imported.__all__] == [True] * 4
    assert imported.__all__ == ["analyze_speaker", "extract_voice", "read_pdf", "transcript"]
    assert set(imported.__all__) <= set(dir(imported))


def test_importing_a_template_brings_no_heavy_library() -> None:
    code = (
        "import sys; from flowhub import template\n"
        "for name in template.__all__: getattr(template, name)\n"
        "heavy = {'numpy', 'scipy', 'sklearn', 'pypdf', 'imageio_ffmpeg', 'dagster', 'pydantic', 'torch'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"


def test_a_body_stays_a_function_after_all_modules_are_imported() -> None:
    code = (
        "import pkgutil, importlib, flowhub_assets.templates as t\n"
        "for m in pkgutil.iter_modules(t.__path__): importlib.import_module(f'{t.__name__}.{m.name}')\n"
        "print([callable(getattr(t, n)) for n in t.__all__])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[True, True, True, True]"


def test_an_unknown_template_names_those_that_exist() -> None:
    with pytest.raises(AttributeError, match=r"read_docx.*analyze_speaker, extract_voice, read_pdf, transcript"):
        template.read_docx  # noqa: B018


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_without_a_profile_the_error_says_how_to_call(body: Callable[..., Any]) -> None:
    with pytest.raises(InputError, match=r"args\['env'\] is missing"):
        body({"pdf_url": "a.pdf", "voice_url": "a.wav", "video_url": "a.mp4"})


@pytest.mark.parametrize("body", BODIES, ids=lambda body: body.__name__)
def test_without_input_the_error_names_the_keys_the_task_and_what_is_there(
    body: Callable[..., Any], env: dict[str, Any]
) -> None:
    with pytest.raises(InputError) as caught:
        body({"env": env, "colour": "red"})
    said = str(caught.value)
    assert "meeting/listen" in said
    assert "'input_url'" in said
    assert "Its args hold colour" in said


def test_a_misspelt_key_is_recognised(env: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="Did you mean 'pdfurl'"):
        read_pdf({"env": env, "pdfurl": "a.pdf"})


def test_a_url_that_is_no_text_is_refused(env: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"args\['pdf_url'\] is 7"):
        read_pdf({"env": env, "pdf_url": 7})


def test_a_missing_library_names_the_package_and_the_image() -> None:
    with pytest.raises(RunError, match="needs the Python package nowhere-lib") as caught:
        library("nowhere_lib", "nowhere-lib", "read_pdf")
    assert "pip install nowhere-lib" in str(caught.value)
    assert "image" in str(caught.value)


def test_a_template_in_an_image_without_its_library_says_what_to_install(env: dict[str, Any]) -> None:
    # -S leaves site-packages out: the image of a user who installed nothing.
    code = (
        f"from flowhub_assets.templates import read_pdf\n"
        f"from flowhub_assets.errors import RunError\n"
        f"try: read_pdf({{'env': {env!r}, 'pdf_url': 'a.pdf'}})\n"
        f"except RunError as error: print(error)"
    )
    root = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    done = subprocess.run(
        [sys.executable, "-S", "-c", code],
        cwd=root,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": root},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "pip install pypdf" in done.stdout
