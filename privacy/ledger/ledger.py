"""The ledger of one data set: budget is taken from it before anything is run."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from ...errors import BudgetExceededError, ChangedResultError, LedgerError, PrivacyError
from ..mechanism import SubsampledGaussian
from .book import Reserved, shares_of
from .entries import Complete, Erase, Refuse, Reserve, make
from .files import LedgerFiles
from .plans import PlanningAccount
from .results import Reservation
from .secret_store import commitment, fresh_secret
from .totals import Totals, require_promise


class Ledger(PlanningAccount):
    """The durable record of what one data set has spent, over all studies, runs and restarts.

    Use :meth:`open` as a context manager. For each step::

        reservation = ledger.reserve(request, mechanisms, purpose="round 3")
        result = run(SecretStream(reservation.secret, ...))
        ledger.complete(reservation, digest(result))
        send(result)

    in that order: budget is taken before the step runs, and a result leaves the site only
    after :meth:`complete` has returned.
    """

    @classmethod
    def open(
        cls,
        path: Path,
        data_set: str,
        *,
        epsilon_ceiling: float,
        delta: float,
        collusion_ceiling: float | None = None,
        colluding_sites: int = 0,
        lock_timeout: float = 10.0,
    ) -> Ledger:
        """Open the ledger of a data set, or begin it, and keep everybody else out.

        Args:
            path: The ledger's folder, on a disk of the site.
            data_set: Identity of the data set: the same for as long as patients stay the same,
                whatever scans are added.
            epsilon_ceiling: The site's own lifetime ceiling for the data set. It is the site's
                word of today: raising it allows more, lowering it stops a data set at once.
            delta: Delta of the ceiling. The ledger keeps mechanisms, not epsilons, so another
                delta than before is sound: all that was spent is composed anew at it.
            collusion_ceiling: The site's ceiling for what joint sums would spend by its own noise
                alone, if all others worked together; ``epsilon_ceiling`` if not given.
            colluding_sites: As :class:`~.book.Book` counts joint sums of the past for.
            lock_timeout: Seconds to wait for another process that has the ledger open.

        Raises:
            LedgerError: If the ledger is damaged, locked, of another data set, older than its
                secrets, readable by others where it must not be, or the disk is full.
            PrivacyError: If a ceiling or delta makes no promise.
        """
        if collusion_ceiling is None:
            collusion_ceiling = epsilon_ceiling
        require_promise(epsilon_ceiling, collusion_ceiling, delta)
        files = LedgerFiles.open(path, data_set, lock_timeout, colluding_sites=colluding_sites)
        return cls(
            files,
            epsilon_ceiling=float(epsilon_ceiling),
            collusion_ceiling=float(collusion_ceiling),
            delta=float(delta),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the ledger and let others in. Nothing is pending: all writes are done."""
        with self._mutex:
            self._files.close()

    def reserve(
        self,
        request_digest: str,
        mechanisms: Sequence[SubsampledGaussian],
        *,
        purpose: str,
        study: str = "",
        joint: Sequence[SubsampledGaussian] | None = None,
        honest_sites: int | None = None,
        colluding_sites: int | None = None,
    ) -> Reservation:
        """Take the budget of a step, durably, before it runs.

        Args:
            request_digest: SHA-256 (hex) of everything the step's result depends on; see
                :func:`~fedscan.privacy.ledger.request.request_digest`.
            mechanisms: All that the step will run on the patients, with the site's own noise.
            purpose: A few words for the record, such as ``"round 3"``.
            study: Digest of the study that the step belongs to, if any.
            joint: The mechanisms, in the same order, with the noise of all sites that are counted
                on: for a step of which only a sum over many sites will ever be seen. What is spent
                then counts twice, against two ceilings.
            honest_sites: How many these are, this one included.
            colluding_sites: How many other sites may work with the coordinator.

        Returns:
            The step's secret. A request that was paid for before gets the same secret again,
            and nothing is spent.

        Raises:
            BudgetExceededError: If everything together would pass a ceiling. Nothing is
                spent; the refusal is put on record once.
            LedgerError: If the disk did not take it or the secret of an old request is gone.
            PrivacyError: If an argument has the wrong form, or an old request comes with other
                mechanisms.
        """
        mechanisms = tuple(mechanisms)
        joint = None if joint is None else tuple(joint)
        with self._mutex:
            self._files.require_open()
            shares = shares_of(mechanisms, joint)
            earlier = self._files.book.find(request_digest)
            if earlier:
                return self._replay(earlier, mechanisms, joint)
            totals = Totals(
                epsilon=self.epsilon_with([share.joint for share in shares]),
                ceiling=self._ceiling,
                collusion_epsilon=self.collusion_epsilon_with(mechanisms),
                collusion_ceiling=self._collusion_ceiling,
                delta=self._delta,
            )
            terms = {
                "request": request_digest,
                "study": study,
                "purpose": purpose,
                "mechanisms": mechanisms,
                "joint": joint,
                **totals.terms(apart=bool(joint) or self._files.book.has_joint),
            }
            if not totals.fit:
                self._refuse(make(Refuse, **terms), totals)
            secret = fresh_secret()
            record = make(
                Reserve,
                **terms,
                commitment=commitment(secret),
                honest_sites=honest_sites,
                colluding_sites=colluding_sites,
            )
            sequence = len(self._files.journal.entries)
            # The secret first: a paid step whose secret is lost could never be repeated.
            try:
                self._files.store.write(sequence, secret)
            except OSError as error:
                self._files.journal.close()
                raise LedgerError(
                    f"The disk did not take a step's secret: {error.strerror}.",
                    hint="Nothing was run or spent. Make room on the site's disk and open the "
                    "ledger again.",
                ) from error
            self._files.append(record)
            return Reservation(secret, sequence, replay=False)

    def complete(
        self,
        reservation: Reservation,
        result_digest: str,
        *,
        roster: str | None = None,
        masked_sum: str | None = None,
    ) -> None:
        """Put the result of a step on record. Only after this may it leave the site.

        At most one result can ever be completed for a reservation. So even if a repeated step
        came out differently (other data, another machine) the second result, with the same
        noise as the first, stays here. To complete the same result again does nothing. The result
        of a joint sum leaves for one roster only, under the masks of that: of two rosters the
        difference could be taken.

        Args:
            reservation: What paid for it.
            result_digest: SHA-256 (hex) of the result.
            roster: SHA-256 of the roster that it is masked for; of a joint sum, and only then.
            masked_sum: SHA-256 of the masked result; likewise.

        Raises:
            ChangedResultError: If another result, roster or masked form is on record.
            PrivacyError: If a digest is not SHA-256 in hex, or a joint sum comes without a roster.
            LedgerError: If the reservation is not this ledger's, or the disk did not take it.
        """
        with self._mutex:
            self._files.require_open()
            entry = self._files.book.reservations.get(reservation.sequence)
            if entry is None or entry.record.commitment != commitment(reservation.secret):
                raise LedgerError(
                    f"Reservation {reservation.sequence} is not one of this ledger.",
                    hint="Complete a step in the ledger that it was reserved in.",
                )
            record = make(
                Complete,
                reservation=reservation.sequence,
                result=result_digest,
                roster=roster,
                masked_sum=masked_sum,
            )
            if (entry.record.joint is None, masked_sum is None) != (roster is None, roster is None):
                raise PrivacyError(
                    f"The result of entry {reservation.sequence} comes "
                    f"{'without' if roster is None else 'with'} a roster.",
                    hint="A joint sum leaves masked, for one roster, and nothing else does.",
                )
            if not entry.result:
                self._files.append(record)
            elif entry.result != result_digest:
                raise ChangedResultError(
                    f"The step of entry {reservation.sequence} was repeated with another result.",
                    hint="Data, software or hardware changed since it first ran. The difference "
                    "of the two would have no noise, so this one does not leave the site.",
                )
            elif (entry.roster, entry.masked_sum) != (roster or "", masked_sum or ""):
                raise ChangedResultError(
                    f"The step of entry {reservation.sequence} was answered for another roster.",
                    hint="From the sums of two rosters that share a site's part the others could "
                    "be subtracted. A new attempt has noise of its own, and is paid for.",
                )

    def erase_secrets(self, before: int) -> int:
        """Erase the secrets of completed steps that can no longer be asked for again.

        Call it once the coordinator has moved past them: its request for the next round says
        that it has stored the last one. Steps that are not completed keep their secrets; as
        nothing of theirs has left the site, there is nothing their secrets could uncover.

        Args:
            before: Sequence number; only reservations before it are erased.

        Returns:
            How many were erased.

        Raises:
            LedgerError: If the disk did not take it.
            PrivacyError: If ``before`` is not a sequence number.
        """
        with self._mutex:
            self._files.require_open()
            record = make(Erase, before=before)
            old = self._files.book.completed_before(before)
            if old:
                # On record first: a secret that is merely missing would look like damage.
                self._files.append(record)
                try:
                    for entry in old:
                        self._files.store.erase(entry.sequence)
                except OSError as error:
                    raise LedgerError(
                        f"A secret could not be erased: {error.strerror}.",
                        hint="It is erased when the ledger is next opened.",
                    ) from error
            return len(old)

    def _replay(
        self,
        earlier: Reserved,
        mechanisms: tuple[SubsampledGaussian, ...],
        joint: tuple[SubsampledGaussian, ...] | None,
    ) -> Reservation:
        if (earlier.record.mechanisms, earlier.record.joint) != (mechanisms, joint):
            raise PrivacyError(
                f"The request of entry {earlier.sequence} was paid for with other mechanisms.",
                hint="The request's digest must cover the noise, sampling and steps.",
            )
        if earlier.erased:
            raise LedgerError(
                f"The step of entry {earlier.sequence} was completed and its secret erased.",
                hint="Nothing was run or spent. It can be run again with new noise, as another "
                "request.",
            )
        secret = self._files.store.read(earlier.sequence, earlier.record.commitment)
        return Reservation(secret, earlier.sequence, replay=True)

    def _refuse(self, record: Refuse, totals: Totals) -> None:
        if record.request not in self._files.book.refusals:
            self._files.append(record)
        raise BudgetExceededError(
            totals.problem(self.spent()),
            hint="Nothing was run or spent. Only the site can raise its ceiling.",
        )
