"""Setting a site up: keys stay, the request goes, the right welcome is taken in."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from fedscan.client.border.connection import client_context
from fedscan.client.steward.enrolment import init_site, join
from fedscan.client.steward.home import SiteHome, SiteSettings
from fedscan.common.audit import AuditLog
from fedscan.errors import ConfigurationError, FederationError
from fedscan.federation.pki.authority import Authority
from fedscan.federation.pki.enrolment import EnrolmentRequest, Welcome


def welcome_for(authority: Authority, request: EnrolmentRequest, site: str = "") -> Welcome:
    certificate = authority.issue_site(request.site, request.public_key(), request.node_key)
    return Welcome(
        site=site or request.site,
        coordinator="coordinator.example:8443",
        authority=authority.certificate_file.read_text(),
        certificate=certificate.decode(),
        record_key="",
    )


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.create(tmp_path / "ca", "test")


@pytest.fixture
def home(tmp_path: Path) -> SiteHome:
    init_site(tmp_path / "north", SiteSettings(name="north"))
    return SiteHome.open(tmp_path / "north")


def test_private_keys_stay_and_only_their_owner_can_read_them(home: SiteHome) -> None:
    for key in (home.tls_key, home.node_key):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        secret = key.read_text().splitlines()[1]
        assert secret not in home.request.read_text()
    EnrolmentRequest.from_json(home.request.read_bytes())


def test_a_welcome_completes_the_site(home: SiteHome, authority: Authority) -> None:
    with pytest.raises(FederationError, match="no certificate yet"):
        client_context(home)
    join(home, welcome_for(authority, EnrolmentRequest.from_json(home.request.read_bytes())))
    client_context(home)
    assert home.settings().coordinator == "coordinator.example:8443"
    assert [one.event for one in AuditLog(home.audit).entries()] == [
        "site-created",
        "welcome-taken",
    ]


def test_a_site_is_not_set_up_over_another(home: SiteHome) -> None:
    keys = home.node_key.read_bytes()
    with pytest.raises(ConfigurationError, match="already: north"):
        init_site(home.folder, SiteSettings(name="south"))
    assert home.node_key.read_bytes() == keys


def test_an_interrupted_set_up_is_gone_on_with(home: SiteHome) -> None:
    keys = home.node_key.read_bytes()
    home.settings_file.unlink()
    init_site(home.folder, SiteSettings(name="north"))
    assert home.node_key.read_bytes() == keys


@pytest.mark.parametrize("wrong", ["site", "key", "authority"])
def test_a_wrong_welcome_is_refused(
    home: SiteHome, authority: Authority, tmp_path: Path, wrong: str
) -> None:
    request = EnrolmentRequest.from_json(home.request.read_bytes())
    if wrong == "site":
        welcome, message = welcome_for(authority, request, "south"), "for site 'south'"
    elif wrong == "key":
        other = init_site(tmp_path / "other", SiteSettings(name="north"))
        welcome, message = welcome_for(authority, other), "not for this site's key"
    else:
        theirs = Authority.create(tmp_path / "other-ca", "other")
        good = welcome_for(authority, request)
        welcome = Welcome(
            **{**vars(good), "authority": theirs.certificate_file.read_text()},
        )
        message = "not issued by"
    with pytest.raises(FederationError, match=message):
        join(home, welcome)
    assert not home.certificate.exists()


def test_a_home_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no site"):
        SiteHome.open(tmp_path)
