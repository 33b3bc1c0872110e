"""What every page about one dataset shows: its facts, the version that is looked at, and the way to the other tabs."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from aimass.lake.commands import AboutVersion, OneDataset
from aimass.lake.domain import Dataset, DatasetVersion, Finding
from aimass.lake.service.lake import Lake
from aimass.web import PageVisit

TABS = ("", "profile", "quality", "versions", "quarantine", "query", "policies")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """One dataset on its pages.

    Attributes
    ----------
    shown
        The version that is looked at: the wanted one, else the newest; None while there is none.
    findings
        What is known of personal data, by column.
    tab
        Which of the pages this is.
    made_by
        The view that makes it; None for an ordinary one.
    """

    dataset: Dataset
    shown: DatasetVersion | None
    findings: dict[str, Finding]
    tab: str
    home: str
    made_by: str | None = None

    @property
    def is_newest(self) -> bool:
        """Tell whether the newest version is looked at."""
        return self.shown is None or self.shown.number == self.dataset.latest

    @property
    def private(self) -> list[str]:
        """Return the columns with personal data."""
        return [name for name, finding in self.findings.items() if finding.private]

    def href(self, tab: str, **query: object) -> str:
        """Return the address of a tab; it stays with the version that is looked at."""
        if not self.is_newest and self.shown is not None:
            query.setdefault("version", self.shown.number)
        wanted = {name: value for name, value in query.items() if value not in (None, "")}
        return self.home + (f"/{tab}" if tab else "") + (f"?{urlencode(wanted)}" if wanted else "")


def dataset_sheet(visit: PageVisit, slug: str, tab: str = "", number: int | None = None) -> Sheet:
    """Collect what the pages of a dataset share."""
    lake = visit.get(Lake)
    dataset = lake.get_dataset(visit.who, OneDataset(workspace=visit.workspace, dataset=slug))
    known = lake.get_classification(visit.who, OneDataset(workspace=visit.workspace, dataset=slug))
    shown = None
    if dataset.latest is not None:
        wish = AboutVersion(workspace=visit.workspace, dataset=slug, number=number)
        shown = lake.get_version(visit.who, wish)
    return Sheet(
        dataset=dataset,
        shown=shown,
        findings={finding.column: finding for finding in known},
        tab=tab,
        home=f"/{visit.workspace}/data/{slug}",
        made_by=lake.made_by(visit.workspace, slug),
    )
