"""One real site of a joint study, and the other sites of its roster as their keys alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from fedscan.client.policy import load_policy, write_policy
from fedscan.client.site import study_keys
from fedscan.client.steward.approvals import Approvals
from fedscan.client.steward.home import SiteHome
from fedscan.client.workspace import opened as workspace
from fedscan.config.study import Study, load_study
from fedscan.federation.invitation import Invitation
from fedscan.federation.joint.keys import PublicStudyKey, StudyKey
from fedscan.federation.joint.masks import add_masks
from fedscan.federation.joint.messages import RevealRequest, from_rows
from fedscan.federation.joint.pairs import PairSecrets
from fedscan.federation.joint.roster import ROSTER, Roster
from fedscan.federation.pki.keys import new_key
from fedscan.federation.protocol import ENCAPSULATED, KEY, READY, SUM, RoundReply, RoundRequest
from fedscan.model.storage import generator_digest
from fedscan.privacy.joint.plan import plan_joint
from fedscan.server.joint.answers import without_tensors
from fedscan.server.terms import site_terms
from fedscan.simulation.apps import load_client_app
from fedscan.simulation.grid import InProcessGrid
from flwr.app import Message, RecordDict
from site_homes import begin_anew, make_home

OTHERS = ("east", "south", "west")


def joint_site(folder: Path, base: Path, *settings: str) -> JointSite:
    """A site of a study of four rounds with joint noise, which its policy allows.

    Args:
        folder: An empty folder, for its home and for the other sites' secrets.
        base: Folder of the study's base.
        settings: More of the study's settings, ``SECTION.KEY=VALUE``.
    """
    begin_anew()
    home = make_home(folder, base)
    write_policy(
        home.policy, replace(load_policy(home.policy), epsilon_ceiling=20, collusion_ceiling=60)
    )
    usual = ["data.image_size=32", "privacy.sum=joint", "local.steps=1", "federation.rounds=4"]
    usual += [f"generator.base={base}", "trainable.subset=attention"]
    return JointSite(home, load_study(None, [*usual, *settings]), base, folder / "others")


class JointSite:
    """A site's home, asked as a coordinator asks it.

    Args:
        home: The home of the site, which has one data set, ``chest``.
        study: A joint study.
        base: Folder of its base.
        folder: Where the other sites' secrets lie.
    """

    def __init__(self, home: SiteHome, study: Study, base: Path, folder: Path) -> None:
        self.home, self.study, self._folder = home, study, folder
        self.draft = RoundRequest(
            round=0,
            rounds=study.federation.rounds,
            base=generator_digest(base),
            terms=site_terms(study),
            tensors={},
        )
        opened = workspace.open_generator(base, study.trainable, "cpu")
        self.model = {
            name: np.full(value.shape, 0.01, np.float32)
            for name, value in opened.parameters.items()
        }
        self.others = {
            name: StudyKey.generate(self.draft.study(), name, new_key()) for name in OTHERS
        }
        reply = self.ask(self.draft.to_records(), "query.study_key")
        self.key = PublicStudyKey.from_dict(json.loads(reply.tensors[KEY].tobytes()))
        self.roster = self.make_roster()
        self.terms = {**self.draft.terms, ROSTER: self.roster.to_text()}
        self.invitation = Invitation(
            name="lungs", rounds=self.draft.rounds, base=self.draft.base, terms=self.terms
        )

    def approve(self) -> None:
        """Approve the study with its roster."""
        Approvals(self.home).approve(self.invitation, "chest")

    def make_roster(self, **values: object) -> Roster:
        """Return the roster of the site and the others; values given by name replace its own."""
        privacy = self.study.privacy
        members = (self.key, *(key.public for key in self.others.values()))
        usual = {
            "study": self.draft.study(),
            "members": tuple(sorted(members, key=lambda member: member.site)),
            "min_sites": privacy.min_sites,
            "colluding_sites": privacy.most_colluding,
            "minimum_share": plan_joint(privacy, self.draft.rounds).minimum_share,
            "clip_norm": privacy.clip_norm,
            "sample_rate": privacy.sample_rate,
            "steps": self.draft.rounds + privacy.spare_attempts,
            "spare_attempts": privacy.spare_attempts,
        }
        return Roster(**{**usual, **values})

    def tell(self, records: RecordDict, kind: str) -> RecordDict:
        """Send the site a message and return the answer as it came."""
        with InProcessGrid(load_client_app, [{"home": str(self.home.folder)}]) as grid:
            (reply,) = grid.send_and_receive([Message(records, grid.get_node_ids()[0], kind)])
        assert reply.has_content()
        return reply.content

    def ask(self, records: RecordDict, kind: str = "train") -> RoundReply:
        """Send the site a message and return its answer."""
        return RoundReply.from_records(self.tell(records, kind))

    def request(self, number: int = 1, attempt: int = 1) -> RoundRequest:
        """Return what an honest coordinator asks in a round; 0 for the statistics."""
        return replace(
            self.draft,
            round=number,
            attempt=attempt,
            terms=self.terms,
            tensors=self.model if number else {},
        )

    def begin(self, request: RoundRequest) -> RoundReply:
        """Let the site begin a sum."""
        return self.ask(request.to_records(), "train" if request.round else "query.statistics")

    def reveal(
        self, request: RoundRequest, members: Sequence[str] = ("east", "north", "south")
    ) -> RevealRequest:
        """Return what opens the sum that a request began."""
        name = self.key.site
        given = {other: one.encapsulations() for other, one in self.other_pairs().items()}
        return RevealRequest(
            request=without_tensors(request),
            message=request.digest(),
            members=tuple(sorted(members)),
            encapsulations={
                other: parts[name] for other, parts in given.items() if other < name and parts
            },
        )

    def other_pairs(self) -> dict[str, PairSecrets]:
        """Return the other sites' sides of their pairs."""
        return {
            name: PairSecrets(key, self.roster, self._folder / name)
            for name, key in self.others.items()
        }

    def without_masks(
        self, masked_part: np.ndarray, reveal: RevealRequest, ready: RoundReply
    ) -> np.ndarray:
        """Return the site's part, as all other members see it who work together."""
        own, total = self.key.site, masked_part.copy()
        later = [name for name in self.roster.names if name > own]
        rows = ready.tensors.get(ENCAPSULATED)
        sent = from_rows(rows, later) if rows is not None else {}
        pairs = self.other_pairs()
        for name in set(reveal.members) - {own}:
            ciphertexts = {
                other: one.encapsulations()[name]
                for other, one in pairs.items()
                if other < name and one.encapsulations()
            }
            if name in sent:
                ciphertexts[own] = sent[name]
            secrets = pairs[name].secrets(reveal.members, ciphertexts)
            total += add_masks(np.zeros_like(total), name, secrets, reveal.context)
        return total

    @property
    def state(self) -> Path:
        """Folder of what belongs to the data set."""
        return self.home.state("chest")

    @property
    def sums(self) -> Path:
        """Folder of the site's parts without masks."""
        return self.state / "sums" / self.invitation.digest

    @property
    def keys(self) -> Path:
        """Folder of the private keys for studies."""
        return study_keys(self.home.folder)


def is_ready(reply: RoundReply) -> bool:
    """Return whether an answer says that a part is ready, and nothing else."""
    return (
        reply.code == "ok"
        and set(reply.tensors) <= {READY, ENCAPSULATED}
        and reply.tensors[READY].tolist() == [1.0]
    )


def part_of(reply: RoundReply) -> np.ndarray:
    """Return the masked part in an answer that holds nothing else."""
    assert (reply.code, set(reply.tensors)) == ("ok", {SUM})
    return reply.tensors[SUM]
