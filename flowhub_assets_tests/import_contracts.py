"""Two import-linter contracts that setup.cfg needs and import-linter does not bring.

Both take patterns (``flowhub_assets.to_*``), so that a rule stands before the room that it is about.
"""

from __future__ import annotations

import sys
from fnmatch import fnmatchcase
from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

Broken = list[tuple[str, str, Any]]


def within(module: str, patterns: Any) -> bool:
    """Whether a module, or a package around it, matches one of the patterns."""
    parts = module.split(".")
    around = [".".join(parts[:length]) for length in range(1, len(parts) + 1)]
    return any(fnmatchcase(name, pattern) for name in around for pattern in patterns)


def _report(graph: ImportGraph, broken: list[tuple[str, str]]) -> ContractCheck:
    found = [(importer, imported, _lines(graph, importer, imported)) for importer, imported in broken]
    return ContractCheck(kept=not found, metadata={"broken": found})


def _lines(graph: ImportGraph, importer: str, imported: str) -> str:
    details = graph.get_import_details(importer=importer, imported=imported)
    return ", ".join(f"line {detail['line_number']}: {detail['line_contents']}" for detail in details)


def _print(check: ContractCheck) -> None:
    for importer, imported, lines in check.metadata["broken"]:
        output.print_error(f"{importer} imports {imported} ({lines})")


class OutsideContract(Contract):
    """From outside the project, ``rooms`` without ``apart`` import the standard library and what ``allowed`` names."""

    type_name = "outside"

    rooms: Any = fields.ListField(subfield=fields.StringField())
    allowed: Any = fields.ListField(subfield=fields.StringField(), required=False)
    apart: Any = fields.ListField(subfield=fields.StringField(), required=False)

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        allowed = {*sys.stdlib_module_names, *(self.allowed or ())}
        broken = [
            (module, imported)
            for module in sorted(graph.modules)
            if within(module, self.rooms) and not within(module, self.apart or ())
            for imported in sorted(graph.find_modules_directly_imported_by(module))
            if graph.is_module_squashed(imported) and imported.partition(".")[0] not in allowed
        ]
        return _report(graph, broken)

    def render_broken_contract(self, check: ContractCheck) -> None:
        _print(check)


class NeverContract(Contract):
    """Modules within ``rooms`` never import a module within ``forbidden`` directly."""

    type_name = "never"

    rooms: Any = fields.ListField(subfield=fields.StringField())
    forbidden: Any = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        broken = [
            (module, imported)
            for module in sorted(graph.modules)
            if within(module, self.rooms)
            for imported in sorted(graph.find_modules_directly_imported_by(module))
            if within(imported, self.forbidden)
        ]
        return _report(graph, broken)

    def render_broken_contract(self, check: ContractCheck) -> None:
        _print(check)
