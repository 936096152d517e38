"""What the triggers have in common that a delivery over HTTP fires: how it is signed."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from flowhub_assets.ir.webhook_checks import is_key_name
from flowhub_assets.nodes.durations import Seconds
from flowhub_assets.nodes.expressions.conditions import condition_names
from flowhub_assets.nodes.expressions.problem import TemplateProblem
from flowhub_assets.nodes.sdk import NodeConfig
from flowhub_assets.nodes.validation import Unfit
from flowhub_assets.nodes.verbatim import VerbatimText

#: What expressions of a trigger may name: what was brought.
ROOTS = ("trigger",)
#: Headers that hold, or may hold, what opens a door: they reach no run, whatever a trigger says.
_CREDENTIAL_HEADER = re.compile(r"(?i)auth|cookie|signature|token|secret|password|credential|api-?key|hub-sig")


def _key_name(text: str) -> str:
    if not is_key_name(text):
        raise Unfit(
            "must be the name of an environment variable, as SHOP_WEBHOOK_KEY is, never the key itself",
            "Put the key into an environment variable and write its name; take a new key if this was one.",
        )
    return text


def _expression(text: str) -> str:
    try:
        condition_names(text, ROOTS)
    except TemplateProblem as problem:
        raise Unfit(f"must be an expression over trigger: {problem.what}", problem.remedy) from None
    return text


def is_credential_header(name: str) -> bool:
    """Whether a header of that name holds, or may hold, a credential or a signature."""
    return _CREDENTIAL_HEADER.search(name) is not None


def _any_header(name: str) -> str:
    if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}", name):
        raise Unfit("must be the name of an HTTP header", "")
    return name


def _header(name: str) -> str:
    if is_credential_header(_any_header(name)):
        raise Unfit("must not be a header that holds a credential or a signature", "A run needs none of them.")
    return name.lower()


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


KeyName = Annotated[str, AfterValidator(_key_name)]
#: As editors see it.
_Shown = Annotated[str, Field(pattern="^[A-Z][A-Z0-9_]*$")]
HeaderName = Annotated[str, AfterValidator(_header)]
Expression = Annotated[VerbatimText, Field(max_length=1_000), AfterValidator(_expression)]


class SignedConfig(NodeConfig):
    """How deliveries over HTTP are signed."""

    signature: Literal["standard-webhooks", "github", "stripe", "minio", "mlflow", "none"] | None = Field(
        None, description="How deliveries are signed; without it an API token is asked for. none lets anybody in."
    )
    keys: Annotated[list[KeyName], BeforeValidator(_listed, json_schema_input_type=list[_Shown] | _Shown)] = Field(
        default=[],
        max_length=10,
        description="Names of the environment variables, or of the profile's values, that hold the keys: any may sign.",
    )
    header: Annotated[str, AfterValidator(_any_header)] | None = Field(
        None, description="For stripe: the header of the signature, where it is not Stripe-Signature."
    )
    tolerance: Seconds = Field(
        300, gt=0, le=86_400, description="How old a delivery may be by its timestamp, where the signature has one."
    )
