"""What Kubernetes takes as a name, a label, an annotation or an image.

Each function gives '' for a legal text and else what a legal one looks like (RFC 1123 and 1035 as
Kubernetes' documentation on object names, labels and annotations reads them).
"""

from __future__ import annotations

import re

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?", re.ASCII)
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*", re.ASCII)
_WORD = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]*[A-Za-z0-9])?", re.ASCII)
_IMAGE = re.compile(
    r"([A-Za-z0-9.-]+(:\d+)?/)?"  # registry
    r"[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"  # repository
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"  # tag
    r"(@[a-z0-9]+:[0-9a-f]{32,})?",  # digest
    re.ASCII,
)


def dns_label(text: str) -> str:
    """Namespaces and volumes."""
    legal = len(text) <= 63 and _LABEL.fullmatch(text)
    return "" if legal else "at most 63 small letters, digits and '-', with a letter or digit at both ends"


def dns_subdomain(text: str) -> str:
    """Service accounts, claims, config maps and secrets."""
    legal = len(text) <= 253 and _SUBDOMAIN.fullmatch(text)
    return "" if legal else "small letters, digits, '-' and '.', with a letter or digit at both ends of each part"


def qualified_name(text: str) -> str:
    """The key of a label, an annotation or a taint: a name, with or without ``domain/`` before it."""
    prefix, slash, name = text.rpartition("/")
    if slash and dns_subdomain(prefix):
        return "a domain before the '/', as in 'karpenter.sh/nodepool'"
    legal = len(name) <= 63 and _WORD.fullmatch(name)
    return "" if legal else "at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends"


def label_value(text: str) -> str:
    """The value of a label or of a taint; '' is legal."""
    legal = not text or (len(text) <= 63 and _WORD.fullmatch(text))
    return "" if legal else "at most 63 letters, digits, '-', '_' and '.', with a letter or digit at both ends"


def image(text: str) -> str:
    """A container image: ``registry/repository:tag``."""
    return (
        ""
        if len(text) <= 500 and _IMAGE.fullmatch(text)
        else "registry/repository:tag, the repository in small letters"
    )
