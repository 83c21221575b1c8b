"""Which requirements of TRE and NHS guidance the document speaks to, and what stays with people.

SATRE is the Standard Architecture for Trusted Research Environments (https://satre-specification.
readthedocs.io); its numbers here are those of release 1. Release 2.0.1 numbers with two digits, and
has as 3.3.07 what was 3.3.5; there it names trained weights and asks which technical controls are
required before they leave. The outcomes of the DSPT are those of the toolkit that follows the Cyber
Assessment Framework. What is asked is told in our own words.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """One requirement.

    Attributes:
        number: Its number.
        asks: What it asks for, in our words.
        answer: What fedscan does about it, with the part of the document that shows it.
        remainder: What stays with the organisation.
    """

    number: str
    asks: str
    answer: str
    remainder: str


SATRE = (
    Requirement(
        number="3.3.5 (2.0.1: 3.3.07)",
        asks="A documented policy for outputs that nobody can check by eye, such as trained "
        "weights: whether they may leave, and which technical controls are required before.",
        answer="Weights leave only as noised updates of studies that the steward approved, through "
        "the controls of part 2, within the policy of part 3. What no study was approved for does "
        "not leave.",
        remainder="To decide that these controls are enough, and to say so in its own policy.",
    ),
    Requirement(
        number="3.3.3",
        asks="A documented process for disclosure control, which all outputs go through.",
        answer="Every message passes one gate, which lets only what part 2 names; part 6 has "
        "everything that passed, and how often it refused.",
        remainder="To approve the process, and to review it.",
    ),
    Requirement(
        number="3.3.4",
        asks="Responsibility for output checking is assigned.",
        answer="The data steward approves or declines each study, for one data set, by its digest; "
        "part 5 has each decision.",
        remainder="To name the steward: the record knows the account, not the person.",
    ),
    Requirement(
        number="3.3.2",
        asks="Intended outputs are established from the outset.",
        answer="Before approval the steward is shown which tensors will leave, in which form, how "
        "often, and at which price; a study that changes any of it asks anew.",
        remainder="To compare that with the purpose that was agreed on.",
    ),
    Requirement(
        number="3.3.6",
        asks="A statistical basis for decisions on the safety of outputs.",
        answer="(ε, δ)-differential privacy for each whole patient, composed over all studies of a "
        "data set's life (part 4); attacks on the trained generator in part 7, if it was examined.",
        remainder="To choose the ceiling of ε, and to judge an examination.",
    ),
    Requirement(
        number="3.3.7",
        asks="Checks of common outputs may be automated in part.",
        answer="The gate checks each message by itself; a person approves each study before.",
        remainder="To look at the record from time to time.",
    ),
    Requirement(
        number="3.3.8",
        asks="Outputs are limited to the minimum.",
        answer="Only the tensors that a study trains leave; no counts, losses or texts do, but "
        "those noised numbers that the policy allows and the ledger has paid for.",
        remainder="–",
    ),
    Requirement(
        number="3.1.10",
        asks="Proof that files were deleted.",
        answer="`fedscan site opt-out check` searches the whole home for anything that is left of "
        "patients who opted out.",
        remainder="Backups and other copies.",
    ),
    Requirement(
        number="3.1.12",
        asks="Data do not come in or go out without authorisation.",
        answer="The site opens one connection, outwards; no program comes in over it, and nothing "
        "goes out that the gate does not know.",
        remainder="The network, the accounts and the machine.",
    ),
    Requirement(
        number="2.5.13",
        asks="Data in transit are encrypted.",
        answer="TLS with certificates of the federation's own authority on both sides.",
        remainder="To compare fingerprints on the telephone when a site joins.",
    ),
    Requirement(
        number="2.5.12",
        asks="Data at rest are encrypted.",
        answer="Secrets can be read by the site's user alone; `fedscan doctor` checks it.",
        remainder="An encrypted disk: fedscan does not encrypt images that it keeps.",
    ),
)

DSPT = (
    Requirement(
        number="E3.b",
        asks="Information is used and shared for other purposes than care lawfully.",
        answer="Approval by study and data set, recorded; patients' images, identifiers and exact "
        "numbers stay (parts 1, 5 and 6).",
        remainder="Lawful basis, the assessment of data protection, agreements.",
    ),
    Requirement(
        number="E2.c",
        asks="The national data opt-out is applied.",
        answer="A patient on the opt-out list is in no round of any study from then on, and what "
        "was made of their images is removed.",
        remainder="To bring the list up to date, and how often; what left before stays outside.",
    ),
    Requirement(
        number="E1.a",
        asks="People are told how information about them is used.",
        answer="Part 1 says in plain words what leaves and what does not.",
        remainder="The privacy notice.",
    ),
    Requirement(
        number="A1.c",
        asks="Decisions are taken by those who carry the risk.",
        answer="The site's own steward and policy decide, on the site's own machine; neither the "
        "coordinator nor another site can.",
        remainder="Who may be the steward.",
    ),
    Requirement(
        number="B2.a",
        asks="Who and what connects is identified and authorised.",
        answer="Certificates and node keys made at each site, enrolled by fingerprint, revocable.",
        remainder="Accounts on the site's machine.",
    ),
    Requirement(
        number="B3.a",
        asks="It is understood which data flow where.",
        answer="Parts 1 and 6: all that can leave, and all that did.",
        remainder="Its own register of data flows.",
    ),
    Requirement(
        number="B3.b",
        asks="Data in transit are protected.",
        answer="TLS on both sides; updates are noised before they are sent.",
        remainder="–",
    ),
    Requirement(
        number="B3.c",
        asks="Stored data are protected.",
        answer="Scans are only read; secrets can be read by the site's user alone.",
        remainder="An encrypted disk, and backups.",
    ),
    Requirement(
        number="C1.b",
        asks="Logs are secured.",
        answer="Each line of the audit log holds the digest of the line before; this document "
        "notes its end, so that a log that is rewritten later is found.",
        remainder="To keep this document, or the noted end, out of the reach of the site's user.",
    ),
)
