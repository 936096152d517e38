"""Checks of what a webhook's trigger is told: who may call it, by which names of keys, and what a delivery starts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from flowhub_assets.ir.pipeline import Source
from flowhub_assets.ir.problem import Problem
from flowhub_assets.ir.spelling import did_you_mean, listed

#: How a delivery is signed; ``none`` lets anybody in.
SIGNATURES = ("standard-webhooks", "github", "stripe", "minio", "mlflow", "none")
#: What deliveries start: each a run, or the latest of those with one key, or one a while after the last of them.
MODES = ("each", "latest", "debounce")
#: When the sender is answered: with the pipeline's own answer where it can be given at once, or always before.
RESPONSES = ("sync", "async")
#: What the trigger of a webhook takes, and that of an arriving object of it.
SIGNED_KEYS = ("signature", "keys", "header", "tolerance")
WEBHOOK_KEYS = ("path", "methods", *SIGNED_KEYS, "headers", "mode", "wait", "by", "params", "response")

#: Words of capitals with _ between them, none of them long: no key that somebody generates looks like that.
_KEY_NAME = re.compile(r"[A-Z][A-Z0-9]{0,15}(_[A-Z0-9]{1,16}){0,9}", re.ASCII)


def is_key_name(text: object) -> bool:
    """Whether it names an environment variable or a profile's value, and cannot well be a key itself."""
    return isinstance(text, str) and _KEY_NAME.fullmatch(text) is not None


def webhook_faults(config: Mapping[str, Any], where: Source) -> Iterator[Problem]:
    """What is wrong with the config of a webhook's trigger. No value of its keys is shown: it may be the key itself."""
    # Whoever reads a YAML file has told of these already, with the line of each.
    unknown = [key for key in config if key not in WEBHOOK_KEYS] if where.file.endswith(".py") else []
    for key in unknown:
        remedy = did_you_mean(key, WEBHOOK_KEYS) or f"it takes {listed(WEBHOOK_KEYS)}"
        yield Problem(f"the webhook has {key!r}, which is nothing that it takes", where, remedy=remedy)
    for key, known in (("mode", MODES), ("response", RESPONSES)):
        value = config.get(key, known[0])
        if value not in known:
            yield Problem(f"the {key} of the webhook is {value!r}", where, remedy=f"write one of {listed(known)}")
    yield from signature_faults(config, where)
    mode = config.get("mode", MODES[0])
    if mode == "debounce" and config.get("wait") is None:
        remedy = "write wait: 30s, the time without a delivery after which the run starts"
        yield Problem("the mode of the webhook is debounce, and it has no wait", where, remedy=remedy)
    if mode != "debounce" and config.get("wait") is not None:
        yield Problem("the webhook has a wait, and no mode: debounce", where, "it would have no effect", "add it")
    if mode == "each" and config.get("by") is not None:
        remedy = "write mode: latest or mode: debounce too, or leave by out"
        yield Problem("the webhook has by, and each delivery starts a run", where, "it would have no effect", remedy)


def signature_faults(config: Mapping[str, Any], where: Source) -> Iterator[Problem]:
    """What is wrong with how deliveries are to be signed."""
    signature, keys = config.get("signature"), config.get("keys")
    if signature is not None and signature not in SIGNATURES:
        remedy = did_you_mean(str(signature), SIGNATURES) or f"write one of {listed(SIGNATURES)}"
        yield Problem("the signature of the webhook is not known", where, "no delivery would be taken", remedy)
        return
    names = [keys] if isinstance(keys, str) else keys
    if signature in (None, "none"):
        if names:
            remedy = f"write how deliveries are signed: signature: {SIGNATURES[0]}, say"
            yield Problem("the webhook has keys, and no signature that takes them", where, "none is asked for", remedy)
    elif not names:
        remedy = "name the environment variables that hold them, the newest first: keys: [SHOP_WEBHOOK_KEY]"
        yield Problem(f"the webhook has signature {signature!r}, and no keys", where, "nobody could sign", remedy)
    if names and not (isinstance(names, (list, tuple)) and all(map(is_key_name, names))):
        what = "one of the keys of the webhook is no name of an environment variable, as SHOP_WEBHOOK_KEY is"
        remedy = "put the key into an environment variable and write its name; take a new key if this was one"
        yield Problem(what, where, "a key in a file is read by all who read the file", remedy)
    if config.get("header") is not None and signature != "stripe":
        remedy = "leave it out: only a signature like Stripe's may stand in another header"
        yield Problem("the webhook has a header for its signature", where, "it would have no effect", remedy)
