"""Which names hold secrets, and that their literals leave no text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.runtime.secret_values import is_secret_name, mask_secrets


@pytest.mark.parametrize(
    "name",
    "ACCESS_KEY SECRET_KEY ACCESS_KEY_ID SECRET_ACCESS_KEY AWS_SECRET_ACCESS_KEY HF_TOKEN DB_PASSWORD password"
    " api_key OPENAI_API_KEY CLIENT_SECRET SECRET private_key token DB_PASS X-API-Key access-key accessKey clientSecret"
    " dbPassword secretAccessKey Authorization proxy-authorization".split(),
)
def test_secret_names(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    "BUCKET KEY TOKENIZER MAX_TOKENS PASSWORDLESS WORKSPACE SECRETARY COMPASS maxTokens authorizationUrl".split(),
)
def test_other_names(name: str) -> None:
    assert not is_secret_name(name)


@given(st.text(min_size=4, max_size=20).filter(lambda text: text.strip("*")), st.text(max_size=20))
def test_a_literal_is_in_no_text(secret: str, around: str) -> None:
    for spelled in (secret, repr(secret), f"{around}{secret}{around}"):
        masked = mask_secrets(spelled, {"SECRET_KEY": secret})
        assert secret not in masked or secret in "***"


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("key ab, table", "key ***, table"),
        ("nested in-list", "nested ***"),
        ("longer-secret longer", "*** ***"),
        ("amqp://user:p4ss@host:5672/x", "amqp://user:***@host:5672/x"),
        ("pin 1234", "pin ***"),
        ("true", "true"),
    ],
)
def test_masks(text: str, masked: str) -> None:
    env = {
        "A_TOKEN": "ab",
        "list": [{"PASSWORD": "in-list"}],
        "SECRET_1": {"a": "longer", "b": "longer-secret"},
        "DB_PASSWORD": 1234,
        "API_KEY": True,
        "TOKEN": "",
    }
    assert mask_secrets(text, env) == masked


def test_the_name_of_a_variable_is_no_secret() -> None:
    assert mask_secrets("set AAA", {"ACCESS_KEY": {"env": "AAA"}}) == "set AAA"
    assert mask_secrets("set AAA", {"TOKEN": {"value": "AAA"}}) == "set ***"
