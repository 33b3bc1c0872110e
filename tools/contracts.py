"""The import contract of our own: another room may be imported only by its front door."""

from __future__ import annotations

from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output


class FrontDoors(Contract):
    """A room is the first two name parts (three below a shelf); rooms meet at ``aimass.<room>`` alone."""

    root = fields.StringField()
    shelves = fields.ListField(subfield=fields.StringField())
    exempt = fields.ListField(subfield=fields.StringField())
    open = fields.ListField(subfield=fields.StringField())

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        """Return every import that goes past a door."""
        del verbose
        broken = [
            (importer, imported)
            for importer in sorted(graph.modules)
            for imported in sorted(graph.find_modules_directly_imported_by(importer))
            if self._goes_past(importer, imported)
        ]
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def _goes_past(self, importer: str, imported: str) -> bool:
        if not imported.startswith(f"{self.root}.") or not importer.startswith(f"{self.root}."):
            return False
        if self._below(importer, self.exempt) or self._below(imported, self.open):
            return False
        return self._room(importer) != self._room(imported) and imported != self._room(imported)

    def _below(self, module: str, places: Any) -> bool:
        return any(module == place or module.startswith(f"{place}.") for place in places)

    def _room(self, module: str) -> str:
        parts = module.split(".")
        depth = 3 if ".".join(parts[:2]) in self._shelves() else 2
        return ".".join(parts[:depth])

    def _shelves(self) -> list[str]:
        shelves: Any = self.shelves
        return list(shelves)

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print the broken pairs."""
        for importer, imported in check.metadata["broken"]:
            output.print_error(f"{importer} imports {imported}: use the door {self._room(imported)}")
