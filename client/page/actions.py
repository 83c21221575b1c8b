"""What the page can do: each action calls what the command of the same kind calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...common.audit import AuditHead, verify
from ...common.progress import Progress
from ...errors import ConfigurationError, NotApprovedError
from ...federation.invitation import Invitation
from ...federation.pki.enrolment import Welcome
from ...federation.pki.keys import is_same_fingerprint
from ...imaging.labels.fit import fit_sentences
from ...privacy.mechanism import SubsampledGaussian
from ..declining import decline_study
from ..doctor import examine_site
from ..evidence.write import write_evidence
from ..steward.adding import NewDataSet, add_data_set
from ..steward.approvals import Approvals
from ..steward.charge import charge
from ..steward.contents import look_into
from ..steward.data_set_life import move_data_set, retire_data_set
from ..steward.data_sets import Registry
from ..steward.enrolment import join, renew_keys
from ..steward.home import SiteHome
from ..steward.labelling import change_labels
from ..steward.opt_outs import CANNOT_UNDO, add_opt_outs, identifiers_in, remains
from ..steward.pausing import pause, resume
from ..steward.proposal import Proposal, propose
from ..steward.refreshing import refresh_data_set
from ..study_end import end_study
from . import forms

#: What a person typed into the field, for errors.
_TYPED = "The field"


@dataclass
class Actions:
    """The actions of one home.

    Attributes:
        home: The site's home.
    """

    home: SiteHome
    # What was shown since the page was started: nobody approves what they have not seen.
    _proposals: dict[tuple[str, str, str], Proposal] = field(default_factory=dict)

    def table(self) -> Mapping[str, tuple[type[forms.PageForm], Callable[[Any, Progress], object]]]:
        """Return all actions by name: the form of what they are told, and what they do."""
        return {
            "take-in": (forms.InvitationFile, self.take_in),
            "propose": (forms.ForDataSet, self.propose),
            "approve": (forms.ForDataSet, self.approve),
            "decline": (forms.Refusal, self.decline),
            "withdraw": (forms.OfStudy, self.withdraw),
            "end-study": (forms.OfStudy, self.end_study),
            "pause": (forms.PageForm, lambda form, report: pause(self.home)),
            "resume": (forms.PageForm, lambda form, report: resume(self.home)),
            "look": (forms.OfDataSet, self.look),
            "add-data": (forms.NewSource, self.add_data),
            "refresh": (forms.OfDataSet, self.refresh),
            "labels": (forms.Labels, self.labels),
            "move-data": (forms.NewFolder, self.move_data),
            "retire-data": (forms.OfDataSet, self.retire_data),
            "charge": (forms.Charge, self.charge),
            "opt-out": (forms.Identifiers, self.opt_out),
            "check-opt-outs": (forms.Identifiers, self.check_opt_outs),
            "doctor": (forms.PageForm, self.doctor),
            "verify-audit": (forms.NotedHead, self.verify_audit),
            "evidence": (forms.NewEvidence, self.evidence),
            "join": (forms.WelcomeFile, self.join),
            "new-keys": (forms.PageForm, self.new_keys),
        }

    def take_in(self, form: forms.InvitationFile, report: Progress) -> object:
        """Let a study wait whose invitation is a file of the steward's."""
        invitation = Approvals(self.home).take_in(form.content.encode())
        return {"study": invitation.digest, "name": invitation.name}

    def propose(self, form: forms.ForDataSet, report: Progress) -> object:
        """Say what a study would do to a data set."""
        report("steps", 0, 3)
        entry = Registry(self.home).usable(form.data)
        base = str(path.resolve()) if (path := forms.path_of(form.base)) else ""
        invitation = self._invitation(form.study)
        proposal = propose(self.home, invitation, entry, base, report=report)
        self._proposals[form.study, form.data, form.base] = proposal
        cost = proposal.cost
        return {
            "facts": proposal.facts,
            "cost": cost,
            "problem": cost.problem if cost and cost.after is None else "",
        }

    def approve(self, form: forms.ForDataSet, report: Progress) -> object:
        """Approve what was shown.

        Raises:
            NotApprovedError: If it was not shown.
        """
        proposal = self._proposals.get((form.study, form.data, form.base))
        if proposal is None:
            raise NotApprovedError(
                "Nobody has looked at what this study would do to this data set.",
                hint="Show it first; then approve it.",
            )
        proposal.require_payable()
        base = str(path.resolve()) if (path := forms.path_of(form.base)) else ""
        return Approvals(self.home).approve(self._invitation(form.study), form.data, base)

    def decline(self, form: forms.Refusal, report: Progress) -> object:
        """Decline a study."""
        result = decline_study(self.home, self._invitation(form.study), form.reason)
        return {"study": result.study, "name": result.name}

    def withdraw(self, form: forms.OfStudy, report: Progress) -> object:
        """Take an approval back."""
        Approvals(self.home).withdraw(form.study)
        return {"study": form.study}

    def end_study(self, form: forms.OfStudy, report: Progress) -> object:
        """Erase the keys of a joint study that is over."""
        return {"study": form.study, "erased": end_study(self.home, form.study)}

    def look(self, form: forms.OfDataSet, report: Progress) -> object:
        """Say what is in a data set."""
        return look_into(self.home, form.data, report=report)

    def add_data(self, form: forms.NewSource, report: Progress) -> object:
        """Add a data set."""
        request = NewDataSet(
            name=form.name,
            folder=forms.path_of(form.folder),
            dicomweb=form.dicomweb.strip(),
            receive=form.receive.strip(),
            query=dict(map(_condition, form.query.split())),
            modalities=forms.words_of(form.modalities),
            authority=forms.path_of(form.authority),
            credentials=forms.path_of(form.credentials),
            senders=forms.words_of(form.senders),
            labels=forms.path_of(form.labels),
            labels_by=form.labels_by,
        )
        result = add_data_set(self.home, request, report=report)
        fit = fit_sentences(result.labels, before_study=True) if result.labels else []
        return {
            "data": result.entry.name,
            "mirror": result.mirror,
            "labels": fit,
            "shared": result.patients_elsewhere,
        }

    def refresh(self, form: forms.OfDataSet, report: Progress) -> object:
        """Fetch what is new, and remove what is left of patients who are gone."""
        return refresh_data_set(self.home, form.data, report=report)

    def labels(self, form: forms.Labels, report: Progress) -> object:
        """Say how a table fits, and give the data set another one if there is one."""
        table = forms.path_of(form.table)
        _, fit = change_labels(self.home, form.data, table, labels_by=form.labels_by, report=report)
        return {"labels": fit_sentences(fit, before_study=True) if fit else []}

    def move_data(self, form: forms.NewFolder, report: Progress) -> object:
        """Say that a data set's scans lie elsewhere."""
        folder = forms.path_of(form.folder)
        if folder is None:
            raise ConfigurationError("Say where the scans lie now.")
        return {"folder": move_data_set(self.home, form.data, folder, report=report).folder}

    def retire_data(self, form: forms.OfDataSet, report: Progress) -> object:
        """Use a data set in no study any more."""
        return {"withdrawn": retire_data_set(self.home, form.data)}

    def charge(self, form: forms.Charge, report: Progress) -> object:
        """Enter what a ledger has forgotten."""
        mechanism = SubsampledGaussian(
            sample_rate=form.sample_rate, noise_multiplier=form.noise, steps=form.steps
        )
        return {"epsilon": charge(self.home, form.data, mechanism, form.purpose)}

    def opt_out(self, form: forms.Identifiers, report: Progress) -> object:
        """Put patients on the list of those who take part in nothing."""
        result = add_opt_outs(self.home, identifiers_in(form.identifiers, _TYPED))
        return {"result": result, "cannot": CANNOT_UNDO}

    def check_opt_outs(self, form: forms.Identifiers, report: Progress) -> object:
        """Look for anything that is left of those who opted out."""
        text = form.identifiers.strip()
        return remains(self.home, identifiers_in(text, _TYPED) if text else (), report=report)

    def doctor(self, form: forms.PageForm, report: Progress) -> object:
        """Look at all that a site needs."""
        findings = []
        for finding in examine_site(self.home.folder):
            findings.append(finding)
            report(f"checks, last {finding.check}", len(findings), 0)
        return {"findings": findings}

    def verify_audit(self, form: forms.NotedHead, report: Progress) -> object:
        """Check every line of the audit log."""
        text = form.head.strip()
        head = verify(self.home.audit, AuditHead.parse(text) if text else None)
        return {"lines": head.length, "head": str(head)}

    def evidence(self, form: forms.NewEvidence, report: Progress) -> object:
        """Write the signed document for information governance."""
        folder = forms.path_of(form.folder)
        if folder is None:
            raise ConfigurationError("Say where the document belongs.")
        return write_evidence(self.home, folder)

    def join(self, form: forms.WelcomeFile, report: Progress) -> object:
        """Take in the coordinator's welcome, if its fingerprint is the one that was read out."""
        welcome = Welcome.from_json(form.content.encode())
        authority = welcome.authority_fingerprint
        is_confirmed = is_same_fingerprint(authority, form.fingerprint, whose="the authority")
        if is_confirmed:
            join(self.home, welcome)
        return {
            "coordinator": welcome.coordinator,
            "authority": authority,
            "joined": is_confirmed,
        }

    def new_keys(self, form: forms.PageForm, report: Progress) -> object:
        """Make new keys in place of the old ones."""
        return {"request": self.home.request, "fingerprint": renew_keys(self.home).fingerprint}

    def _invitation(self, study: str) -> Invitation:
        invitation = Approvals(self.home).known().get(study)
        if invitation is None:
            raise NotApprovedError(
                f"No study {study[:12]} waits here.",
                hint="Take its invitation's file in, or wait until it asks.",
            )
        return invitation


def _condition(text: str) -> tuple[str, str]:
    keyword, _, value = text.partition("=")
    if not keyword or not value:
        raise ConfigurationError(
            "A condition is not of the form KEYWORD=VALUE.", hint="For example StudyDate=20200101-."
        )
    return keyword, value
