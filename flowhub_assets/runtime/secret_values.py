"""Keeps secret literals of a profile out of every text that is shown, logged or stored."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from flowhub_assets.runtime.profile_references import referenced_variable

_SECRET_NAME = re.compile(
    r"(^|_)(ACCESS_KEY(_ID)?|SECRETS?|SECRET_\w+|API_?KEY|PRIVATE_KEY|TOKEN|PASS|PASSWORD|PASSWD|PASSPHRASE|CREDENTIALS?"
    r"|AUTHORIZATION)$",
    re.IGNORECASE,
)
#: Where a word ends in X-API-Key and in clientSecret.
_END_OF_WORD = re.compile(r"-|(?<=[a-z0-9])(?=[A-Z])")
_PASSWORD_IN_URL = re.compile(r"(?<=://)([^/\s:@]*):[^/\s@]+(?=@)")
_MASK = "***"
#: A shorter secret is masked only where it stands alone: 'a' must not blot out every word.
_SHORTEST_ANYWHERE = 4


def is_secret_name(name: str) -> bool:
    """Whether a profile's key holds a credential: ACCESS_KEY, *_TOKEN, clientSecret, X-API-Key and the like."""
    return _SECRET_NAME.search(_END_OF_WORD.sub("_", name)) is not None


def mask_secrets(text: str, env: Mapping[str, Any]) -> str:
    """``text`` with *** for each secret literal of ``env`` and for the password of any URL in it."""
    # The longest first, so that no secret which contains another one stays half visible.
    for secret in sorted(set(_spellings(env)), key=len, reverse=True):
        if len(secret) >= _SHORTEST_ANYWHERE:
            text = text.replace(secret, _MASK)
        else:
            text = re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", _MASK, text)
    return _PASSWORD_IN_URL.sub(rf"\1:{_MASK}", text)


def _spellings(env: Mapping[str, Any]) -> Iterator[str]:
    for secret in _secrets(env, named=False):
        yield secret
        yield repr(secret)[1:-1]


def _secrets(value: Any, named: bool) -> Iterator[str]:
    if referenced_variable(value) is not None:
        return  # the name of a variable is what an error about it has to tell
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _secrets(item, named or (isinstance(key, str) and is_secret_name(key)))
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _secrets(item, named)
    elif named and isinstance(value, (str, int)) and not isinstance(value, bool) and str(value):
        yield str(value)
