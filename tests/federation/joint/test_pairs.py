"""Two sites come to one secret, which nobody between them can replace or take away unnoticed."""

from __future__ import annotations

import stat
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fedscan.errors import RosterError
from fedscan.federation.joint.keys import HAS_MLKEM, StudyKey
from fedscan.federation.joint.pairs import PairSecrets
from fedscan.federation.joint.roster import Roster
from fedscan.federation.pki.keys import new_key

needs_mlkem = pytest.mark.skipif(not HAS_MLKEM, reason="The cryptography package has no ML-KEM.")
STUDY = "5" * 64


def _received(pairs: dict[str, PairSecrets], site: str) -> dict[str, bytes]:
    return {
        other: one.encapsulations()[site]
        for other, one in pairs.items()
        if other < site and one.encapsulations()
    }


def _secrets(pairs: dict[str, PairSecrets], roster: Roster) -> dict[frozenset[str], set[bytes]]:
    found: dict[frozenset[str], set[bytes]] = {}
    for site, one in pairs.items():
        for other, secret in one.secrets(roster.names, _received(pairs, site)).items():
            found.setdefault(frozenset((site, other)), set()).add(secret)
    return found


def test_both_sides_of_each_pair_have_one_secret_of_their_own(
    make_roster: Callable[..., Roster], make_pairs: Callable[[Roster], dict[str, PairSecrets]]
) -> None:
    roster = make_roster()
    found = _secrets(make_pairs(roster), roster)
    assert len(found) == 6
    assert all(len(secrets) == 1 for secrets in found.values())
    assert len(set.union(*found.values())) == 6
    assert all(len(secret) == 32 for secrets in found.values() for secret in secrets)


def test_another_roster_has_other_secrets(
    make_roster: Callable[..., Roster], make_pairs: Callable[[Roster], dict[str, PairSecrets]]
) -> None:
    first, second = make_roster(), make_roster(min_sites=2)
    secrets = _secrets(make_pairs(first), first), _secrets(make_pairs(second), second)
    assert not set.union(*secrets[0].values()) & set.union(*secrets[1].values())


def test_a_site_that_starts_anew_has_the_same_secrets(
    make_roster: Callable[..., Roster], make_pairs: Callable[[Roster], dict[str, PairSecrets]]
) -> None:
    roster = make_roster()
    before = make_pairs(roster)
    assert _secrets(before, roster) == _secrets(make_pairs(roster), roster)
    assert before["east"].encapsulations() == make_pairs(roster)["east"].encapsulations()


@needs_mlkem
def test_what_is_encapsulated_cannot_be_replaced_or_left_out(
    make_roster: Callable[..., Roster], make_pairs: Callable[[Roster], dict[str, PairSecrets]]
) -> None:
    roster = make_roster()
    pairs = make_pairs(roster)
    honest = _received(pairs, "south")
    # The coordinator can encapsulate to a site, but not make the code of the site it claims to be.
    _, ciphertext = roster.keys["south"].encapsulation_key().encapsulate()
    flipped = bytes([honest["east"][0] ^ 1]) + honest["east"][1:]
    for wrong in (
        {**honest, "east": ciphertext + honest["east"][len(ciphertext) :]},
        {**honest, "east": flipped},
        {**honest, "east": honest["north"]},
        {**honest, "east": honest["east"][:-1]},
        {"north": honest["north"]},
    ):
        with pytest.raises(RosterError, match="east"):
            pairs["south"].secrets(roster.names, wrong)
    # From another roster of the same sites.
    other = make_pairs(make_roster(min_sites=2))
    with pytest.raises(RosterError):
        pairs["south"].secrets(roster.names, _received(other, "south"))


@needs_mlkem
def test_the_secrets_that_a_site_encapsulates_are_its_owner_s(
    make_roster: Callable[..., Roster],
    make_pairs: Callable[[Roster], dict[str, PairSecrets]],
    tmp_path: Path,
) -> None:
    roster = make_roster()
    pairs = make_pairs(roster)
    assert sorted(pairs["north"].encapsulations()) == ["south", "west"]
    path = tmp_path / "north" / f"{roster.digest}.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    path.write_bytes(b"{}")
    with pytest.raises(RosterError, match="damaged"):
        pairs["north"].encapsulations()


def test_one_site_without_mlkem_leaves_all_pairs_with_x25519(
    keys: dict[str, StudyKey], make_roster: Callable[..., Roster], tmp_path: Path
) -> None:
    old = StudyKey.generate(STUDY, "west", None)
    old = replace(old, mlkem=b"", public=replace(old.public, mlkem=""))
    all_keys = {**keys, "west": old}
    roster = make_roster(members=tuple(all_keys[name].public for name in sorted(all_keys)))
    pairs = {name: PairSecrets(key, roster, tmp_path / name) for name, key in all_keys.items()}
    assert not any(one.encapsulations() for one in pairs.values())
    assert all(len(secrets) == 1 for secrets in _secrets(pairs, roster).values())


def test_a_site_notices_that_the_roster_has_other_keys_for_it(
    keys: dict[str, StudyKey], make_roster: Callable[..., Roster], tmp_path: Path
) -> None:
    invented = StudyKey.generate(STUDY, "west", new_key())
    roster = make_roster(members=(*make_roster().members[:3], invented.public))
    with pytest.raises(RosterError, match="west"):
        PairSecrets(keys["west"], roster, tmp_path)
    with pytest.raises(RosterError):
        PairSecrets(keys["west"], make_roster(members=make_roster().members[:3]), tmp_path)


def test_a_key_with_which_all_would_agree_on_the_same_is_refused(
    keys: dict[str, StudyKey], make_roster: Callable[..., Roster], tmp_path: Path
) -> None:
    public = replace(StudyKey.generate(STUDY, "west", None).public, x25519="A" * 43 + "=")
    roster = make_roster(members=(*make_roster().members[:3], public))
    pairs = PairSecrets(keys["north"], roster, tmp_path)
    with pytest.raises(RosterError, match="west"):
        pairs.secrets(("north", "west"), {})


def test_nobody_masks_with_a_stranger(
    make_roster: Callable[..., Roster], make_pairs: Callable[[Roster], dict[str, PairSecrets]]
) -> None:
    with pytest.raises(RosterError, match="stranger"):
        make_pairs(make_roster())["north"].secrets(("north", "stranger"), {})
