"""The service of the room, made of its parts."""

from __future__ import annotations

from aimass.models.service.aliases import Aliases
from aimass.models.service.cards import Cards
from aimass.models.service.erasing import Erasing
from aimass.models.service.graphs import Graphs
from aimass.models.service.kept import Kept
from aimass.models.service.library import Library
from aimass.models.service.reviews import Reviews
from aimass.models.service.zoo import Zoo


class Models(Library, Graphs, Cards, Reviews, Aliases, Kept, Erasing, Zoo):
    """The model library: packages, versions, cards, reviews and aliases."""
