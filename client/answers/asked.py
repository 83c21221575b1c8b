"""A request that was let in, understood once for everything that answers it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from ...federation.protocol import RoundRequest
from ..site import Site
from ..terms import StudyTerms
from ..workspace.opened import Start
from .start_store import find_start


def _announce_nowhere(event: str, **facts: str) -> None:
    """A simulated site has no audit log."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Asked:
    """What a site was asked: the answer and the last look at it go by the same reading.

    Attributes:
        request: The request.
        terms: Its terms.
        site: The site, with the data set that was approved for it.
        announce: Puts on record, by a short name and facts, what a steward should know of it.
    """

    request: RoundRequest
    terms: StudyTerms
    site: Site
    announce: Callable[..., object] = _announce_nowhere

    @classmethod
    def read(
        cls,
        request: RoundRequest,
        site: Site,
        announce: Callable[..., object] = _announce_nowhere,
    ) -> Asked:
        """Read a request's terms; raises like :meth:`StudyTerms.from_request`."""
        terms = StudyTerms.from_request(request)
        return cls(request=request, terms=terms, site=site, announce=announce)

    @cached_property
    def start(self) -> Start | None:
        """What the study starts from beside the base; looked up once.

        Raises:
            StartNeededError: If neither the request nor the site has it.
        """
        return find_start(self.request, self.site.starts)
