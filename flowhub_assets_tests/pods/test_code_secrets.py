"""The copy of the code that travels: literals are read from the environment, on the same line; others are refused."""

from __future__ import annotations

import ast
import textwrap
from typing import Any

import pytest

from flowhub_assets.pods.code_secrets import CleanCode, clean_code

LITERAL = "pl4nted-secret-7f3a"
LITERALS = {LITERAL: ("SECRET_KEY",)}
AWS_KEY = "AKIA" + "Q4R7T2W9Y6U3I8O5"


def clean(code: str, literals: dict[str, tuple[str, ...]] | None = None, name: str = "workflow.py") -> CleanCode:
    files = {name: textwrap.dedent(code).encode()}
    return clean_code(files, {name: f"/home/me/{name}"}, LITERALS if literals is None else literals)


def copy_of(code: str, literals: dict[str, tuple[str, ...]] | None = None) -> str:
    found = clean(code, literals)
    assert found.refusals == ()
    text = found.files["workflow.py"].decode()
    assert text.count("\n") == textwrap.dedent(code).count("\n")
    ast.parse(text)
    return text


def run(
    code: str, monkeypatch: pytest.MonkeyPatch, literals: dict[str, tuple[str, ...]] | None = None
) -> dict[str, Any]:
    """The names of the copy, run where the secret is in the environment."""
    monkeypatch.setenv("SECRET_KEY", LITERAL)
    found: dict[str, Any] = {}
    exec(copy_of(code, literals), found)
    return found


@pytest.mark.parametrize(
    "code",
    [
        f"value = {{'SECRET_KEY': '{LITERAL}'}}['SECRET_KEY']",
        f'value = "{LITERAL}"',
        "value = ('pl4nted-'\n    'secret-7f3a')",
        f"value = '''{LITERAL}'''",
        "value = 'pl4nted\\x2dsecret-7f3a'",
        'value = """pl4nted-\\\nsecret-7f3a""".strip()',
        f"def f():\n    return'{LITERAL}'if True else''\nvalue = f()",
        f"value = b'{LITERAL}'.decode()",
        f"def f(password='{LITERAL}'):\n    return password\nvalue = f()",
        f"import os\nvalue = os.environ.get('SECRET_KEY', '{LITERAL}')",
        f"value = dict(한글='가나다', key='{LITERAL}')['key']",
        f"value = ['{LITERAL}', 'x'][0].strip()",
    ],
)
def test_a_literal_is_read_from_the_environment(code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert LITERAL not in copy_of(code)
    assert run(code, monkeypatch)["value"] == LITERAL


def test_the_copy_differs_in_the_literal_alone() -> None:
    code = f"""\
        # a flow
        ENV = {{
            "airflow": {{"BUCKET": "b", "SECRET_KEY": "{LITERAL}"}},  # the key
        }}
    """
    assert copy_of(code) == textwrap.dedent("""\
        # a flow
        ENV = {
            "airflow": {"BUCKET": "b", "SECRET_KEY": (__import__("os").environ.get("SECRET_KEY", ""))},  # the key
        }
    """)


def test_a_file_without_credentials_is_the_same_bytes() -> None:
    files = {"a.py": b"\xef\xbb\xbfx = 1\r\ny = 'z'\r\n", "data.bin": b"\xff\xfe\x00", "bad.py": b"def ("}
    assert clean_code(files, {}, LITERALS).files == files


def test_comments_and_docstrings_lose_what_they_give_away() -> None:
    code = f'''\
        """The key is {LITERAL}.

        Or {AWS_KEY}."""
        x = 1  # {LITERAL} and postgresql://me:{"hunter2"}@db/x
    '''
    text = copy_of(code)
    assert text == '"""The key is ***.\n\nOr ***."""\nx = 1  # *** and postgresql***db/x\n'


@pytest.mark.parametrize(
    ("code", "line"),
    [
        (f"x = 1\ny = f'Bearer {LITERAL} {{x}}'", 2),
        (f"x = 'Bearer {LITERAL}'", 1),
        (f"\n\nx = '{AWS_KEY}'", 3),
        (f"match x:\n    case '{LITERAL}':\n        pass", 2),
        ("x = 'postgresql://me:" + "hunter2@db/x'", 1),
        ("\nx = f'pl4nted\\x2dsecret-7f3a'", 2),
        ("\nx = 'Bearer pl4nted\\x2dsecret-7f3a'", 2),
        ("x = ('Bearer pl4nted-'\n    'secret-7f3a')", 1),
        ("x = 'pl4nted-' + 'secret-7f3a'", 1),
        ("x = 'pl4nted-' + ('secret-' + '7f3a') + f'{x}'", 1),
        ("x = b'Bearer pl4nted-' + b'secret-7f3a'", 1),
    ],
)
def test_what_no_look_into_the_environment_can_stand_for_is_refused_at_its_line(code: str, line: int) -> None:
    (refusal,) = clean(code).refusals
    assert refusal.where == f"/home/me/workflow.py:{line}"
    assert "so nothing was exported" in refusal.effect
    assert "os.environ" in refusal.remedy
    assert LITERAL not in str(refusal)
    assert "hunter2" not in str(refusal)


@pytest.mark.parametrize("content", [f"key: {LITERAL}\n", f'{{"a": "{AWS_KEY}"}}', f"def (\n{LITERAL}"])
def test_other_files_that_hold_one_are_refused(content: str) -> None:
    for name in ("config.yaml", "bad.py"):
        assert len(clean(content, name=name).refusals) == 1


def test_a_literal_that_another_text_is_added_to_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(f"value = 'Bearer ' + '{LITERAL}'", monkeypatch)["value"] == f"Bearer {LITERAL}"


def test_a_file_of_wide_letters_is_searched_as_well() -> None:
    for encoding in ("utf-16", "utf-16-be", "utf-32-le"):
        content = f"the key is {LITERAL}".encode(encoding)
        assert len(clean_code({"notes.txt": content}, {}, LITERALS).refusals) == 1
        assert clean_code({"notes.txt": content}, {}, {"another-literal-1": ("X",)}).files["notes.txt"] == content


def test_an_ordinary_word_is_a_credential_only_under_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    code = """\
        # minio is the server
        ENV = {"minio": {"ACCESS_KEY": "minio", "SECRET_KEY": "minio", "KIND": "minio"}}
        parser.add_argument("--secret-key", default="minio")
        kind = "minio store"
    """
    text = copy_of(code, {"minio": ("ACCESS_KEY", "SECRET_KEY")})
    assert text.splitlines()[0] == "# minio is the server"
    assert '"minio": {"ACCESS_KEY": (__import__("os").environ.get("ACCESS_KEY", ""))' in text
    assert '"SECRET_KEY": (__import__("os").environ.get("SECRET_KEY", "")), "KIND": "minio"}' in text
    assert 'default=(__import__("os").environ.get("SECRET_KEY", ""))' in text
    assert 'kind = "minio store"' in text


def test_an_ordinary_word_that_stands_under_no_name_is_taken_where_it_stands() -> None:
    text = copy_of("KEY = 'minio'\nENV = {'SECRET_KEY': KEY}\n", {"minio": ("SECRET_KEY",)})
    assert "minio" not in text


def test_a_number_is_read_as_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIN_TOKEN", "12345")
    found: dict[str, Any] = {}
    exec(copy_of("value = {'PIN_TOKEN': 12345, 'n': 12345}", {"12345": ("PIN_TOKEN",)}), found)
    assert found["value"] == {"PIN_TOKEN": 12345, "n": 12345}


def test_a_literal_that_no_profile_has_is_told() -> None:
    found = clean("API_TOKEN = 'abc123def456'\ntoken_url = '/oauth/token'\npassword = ''\nTOKEN = 'MY_TOKEN'\n")
    assert found.refusals == ()
    (warning,) = found.warnings
    assert warning.startswith("/home/me/workflow.py:1: API_TOKEN is a literal")
    assert "abc123def456" not in warning


@pytest.mark.parametrize(
    "name",
    [
        *("access_key", "ACCESS_KEY_ID", "secret", "SECRETS", "secret_value", "APIKEY", "api_key", "private_key"),
        *("accessKey", "privateKey", "apiKey", "db_pass", "authorization", "clientSecret"),
        *("hf_token", "password", "DB_PASSWD", "passphrase", "credential", "CREDENTIALS"),
        *("DB_PASS", "clientSecret", "accessKey", "privateKey", "Authorization"),
    ],
)
def test_a_literal_of_which_the_profile_knows_nothing_is_told_under_every_name_of_a_credential(name: str) -> None:
    for code in (
        f"{name} = 'h7-literal-91'",
        f"add('--{name.replace('_', '-')}')\ngiven = {{'{name}': 'h7-literal-91'}}",
    ):
        (warning,) = clean(code, {}).warnings
        assert f"{name} is a literal" in warning


def test_what_looks_like_a_credential_is_taken_out_of_comments_where_the_profile_has_none() -> None:
    assert AWS_KEY not in copy_of(f'"""Uses {AWS_KEY}."""\nvalue = 1  # {AWS_KEY}\n', {})
