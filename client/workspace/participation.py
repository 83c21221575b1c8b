"""A site's part in a study: its data, on the study's terms, within the site's own policy."""

from __future__ import annotations

from dataclasses import dataclass

from ...federation.protocol import RoundRequest
from ...imaging.labels.fit import require_fitting
from ...privacy.ledger import Ledger, release_digest, request_digest
from ...privacy.mechanism import SubsampledGaussian
from ..data.identity import DatasetIdentity
from ..policy import SitePolicy, load_policy
from ..proposed_step import ProposedStep, check_step
from ..site import Site
from ..spending import known_spending
from ..terms import StudyTerms
from .opened import OpenData, open_study_data, software


@dataclass(frozen=True, kw_only=True, eq=False)
class Participation:
    """What everything that a study pays for at a site is done with.

    Attributes:
        site: Where things are kept.
        study: Digest of the study.
        terms: The study's terms.
        policy: The site's policy.
        data: The site's data.
    """

    site: Site
    study: str
    terms: StudyTerms
    policy: SitePolicy
    data: OpenData

    @classmethod
    def open(cls, request: RoundRequest, terms: StudyTerms, site: Site) -> Participation:
        """Read the site's policy, and open the data that the study of a request began with.

        Raises:
            ConfigurationError: If the policy cannot be read.
            DataError: If the scans cannot be used, or the site's labels fit none of them.
        """
        study = request.study()
        part = cls(
            site=site,
            study=study,
            terms=terms,
            policy=load_policy(site.policy),
            data=open_study_data(site, study, terms.data, terms.trainable, terms.vocabulary),
        )
        require_fitting(part.data.dataset.labels)
        return part

    @property
    def patients(self) -> tuple[str, ...]:
        """Opaque keys of the patients who are trained on. Their number is private."""
        return self.data.dataset.train_patients

    def check(
        self, mechanism: SubsampledGaussian | None, *, clip_norm: float, subset: str | None = None
    ) -> None:
        """Ask the policy about a step on this data; see :class:`~..proposed_step.ProposedStep`.

        Raises:
            PrivacyError: If the policy does not allow it.
        """
        check_step(
            self.policy,
            ProposedStep(
                mechanism=mechanism,
                clip_norm=clip_norm,
                patients=len(self.patients),
                burned_in=self.terms.data.burned_in,
                captions=self.terms.data.captions,
                subset=subset,
                joint=self.terms.privacy if self.terms.is_joint else None,
            ),
        )

    def ledger(self) -> Ledger:
        """Open the data set's ledger under the policy's ceiling; to be closed after use.

        Raises:
            AuditError: If a line of the audit log was changed.
            LedgerError: If the ledger cannot be used, or the home proves that it is not whole.
        """
        return _ledger(self.site, self.policy, self.data.dataset.identity)

    def asked(self, ledger: Ledger, message: str, attempt: int = 1) -> str:
        """Name an answer for the ledger, which pays once for each name.

        Args:
            ledger: The data set's open ledger.
            message: Digest of what the study asks for.
            attempt: 1, or more where the answer cannot be made again as it was.
        """
        # Earlier releases named the scans and the software too: what they paid for stays paid.
        if attempt == 1:
            earlier = request_digest(
                message=message, data=self.data.listing, software=software(self.site)
            )
            if ledger.find(earlier) is not None:
                return earlier
        return release_digest(message=message, attempt=attempt)


def data_set_ledger(site: Site, policy: SitePolicy) -> Ledger:
    """Open the ledger of a data set whose images are not needed; to be closed after use.

    Raises:
        AuditError: If a line of the audit log was changed.
        LedgerError: If the ledger cannot be used, or the home proves that it is not whole.
    """
    return _ledger(site, policy, DatasetIdentity.load_or_create(site.state).name)


def _ledger(site: Site, policy: SitePolicy, identity: str) -> Ledger:
    if site.home is not None:
        known_spending(site.home, site.state, allow_non_private=policy.allow_non_private)
    return Ledger.open(
        site.ledger,
        identity,
        epsilon_ceiling=policy.epsilon_ceiling,
        collusion_ceiling=policy.collusion_ceiling_in_force,
        colluding_sites=policy.max_colluding_sites,
        delta=policy.delta,
    )
