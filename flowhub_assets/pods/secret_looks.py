"""Values that are credentials by their looks, whatever name they stand under."""

from __future__ import annotations

import re

#: What it is called → how it looks. The forms are those that their issuers publish so that scanners find them.
_LOOKS: tuple[tuple[str, re.Pattern[str]], ...] = (
    # What stands for a password in examples is none: {{...}}, ${...}, <password>, ***, ...
    ("a URL with a password", re.compile(r"://[^/\s:@'\"]*:(?![{$<*.])[^/\s@'\"]+@")),
    (
        "a URL with a password or token",
        re.compile(
            r"://[^\s'\"]*[?&;](?:password|passwd|pwd|token|access_token|api_?key|secret|sig|x-amz-signature)"
            r"=(?![{$<*.])[^&\s'\"]+",
            re.IGNORECASE,
        ),
    ),
    ("a private key", re.compile(r"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----")),
    ("an access key of AWS", re.compile(r"(?<![A-Z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}(?![A-Z0-9])")),
    ("a token of GitHub", re.compile(r"\b(?:gh[pousr]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,})")),
    ("a token of GitLab", re.compile(r"\bglpat-[A-Za-z0-9_-]{20,}")),
    ("a token of Slack", re.compile(r"\bxox[abeoprs]-[A-Za-z0-9-]{10,}")),
    ("a webhook of Slack", re.compile(r"hooks\.slack\.com/services/[A-Z0-9]+/[A-Z0-9]+/\w+")),
    ("an API key", re.compile(r"\b(?:sk|rk)[-_](?=[A-Za-z_-]*\d)[A-Za-z0-9_-]{20,}")),
    ("a key of Google", re.compile(r"\bAIza[0-9A-Za-z_-]{35}")),
    ("a token of Hugging Face or npm", re.compile(r"\b(?:hf|npm)_[A-Za-z0-9]{30,}")),
    ("a JSON Web Token", re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}")),
    ("a bearer token", re.compile(r"\bbearer [A-Za-z0-9._~+/-]{20,}", re.IGNORECASE)),
)


def look_of(text: str) -> str:
    """What credential ``text`` is or holds: ``a private key``, say; "" where it looks like none."""
    return next((what for what, look in _LOOKS if look.search(text)), "")


def without_looks(text: str) -> str:
    """``text`` with *** for every credential in it that its looks give away."""
    for _, look in _LOOKS:
        text = look.sub("***", text)
    return text
