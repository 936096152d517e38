"""None of the attack strings runs code, hangs or fills the memory, in templates or in conditions."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from flowhub_assets_tests.checkout import ROOT

HERE = Path(__file__).parent
ATTACKS: dict[str, dict[str, list[Any]]] = yaml.safe_load((HERE / "attacks.yaml").read_text(encoding="utf-8"))

#: What only Python's insides would have printed.
GIVEN_AWAY = ("<class", "<function", "<built-in", "<bound method", "<module", " object at 0x", "root:x:", "uid=")


def written_out(attack: Any) -> str:
    if isinstance(attack, str):
        return attack
    text, times = attack["repeat"]
    return str(attack["before"] + text * times + attack["after"])


@pytest.mark.parametrize(("language", "sort"), [(one, sort) for one, sorts in ATTACKS.items() for sort in sorts])
def test_attacks_are_told_or_give_harmless_text(language: str, sort: str) -> None:
    attacks = [written_out(attack) for attack in ATTACKS[language][sort]]
    run = subprocess.run(
        [sys.executable, HERE / "attack_run.py"],
        input=json.dumps([[language, attack] for attack in attacks]),
        capture_output=True,
        text=True,
        timeout=110,
        check=True,
        cwd=ROOT,
    )
    outcomes = json.loads(run.stdout)
    assert len(outcomes) == len(attacks)
    wrong = [
        (attack[:100], outcome, text)
        for attack, (outcome, text) in zip(attacks, outcomes, strict=True)
        if outcome not in ("told", "text") or any(word in text for word in GIVEN_AWAY)
    ]
    assert wrong == []
