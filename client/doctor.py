"""What may keep a site from taking part, found before a study is: ``fedscan doctor --site``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ..common.counted import counted
from ..errors import ConfigurationError, DataError
from ..federation.bundle import bundle_hash
from ..federation.diagnosis.audit_log import check_audit_log
from ..federation.diagnosis.certificates import check_certificate, check_secret
from ..federation.diagnosis.finding import (
    DoubtError,
    Finding,
    NotApplicableError,
    examine,
    examine_in_turn,
)
from ..federation.diagnosis.machine import (
    VERSIONS_PATH,
    check_room,
    compare_versions,
    installed_versions,
)
from ..federation.diagnosis.network import HttpAnswer, ask, compare_clocks, reach, resolve
from ..federation.diagnosis.route import describe_route
from ..imaging.dicom.folder import list_files
from ..imaging.dicom.index import index_files
from ..imaging.settings import DataSettings
from ..privacy.joint.plan import both_epsilons
from .border.connection import Address, check_connection, client_context
from .border.counter_signature import check_counter_signature
from .counter_signed import noted_before, require_lines
from .data.holdout import count_patients
from .policy import load_policy
from .sources.pacs import Pacs
from .sources.refresh import dicomweb_source, store_source
from .spending import spending_under
from .steward.data_sets import DataSet, Registry
from .steward.home import SiteHome
from .steward.opt_outs import require_list
from .steward.secrets import secrets_of
from .steward.status import StatusFile

_RENEW = "Enrol anew: send request.json to the coordinator, then `fedscan site join WELCOME`."
_JOIN = "`fedscan site join WELCOME` sets it."
#: Above this a privacy loss over a data set's life protects little.
_WEAK_EPSILON = 10.0
#: So many files say whether a folder is what it should be.
_LOOKED_AT = 40


def examine_site(folder: Path) -> Iterator[Finding]:
    """Look at everything that a site needs, one finding at a time.

    Nothing is changed, nothing is spent, and no finding holds a name, identifier or header value.

    Raises:
        ConfigurationError: If there is no site in the folder.
    """
    home = SiteHome.open(folder)
    yield examine("settings", lambda: _settings(home))
    yield examine("daemon", lambda: _daemon(home))
    yield from _certificates(home)
    is_member = False
    for finding in _connection(home):
        is_member = finding.check == "membership" and finding.state == "ok"
        yield finding
    yield examine("room", lambda: check_room(home.folder))
    yield examine("base", lambda: _base(home))
    yield examine("memory", lambda: _memory(home))
    yield examine("policy", lambda: _policy(home))
    yield examine("audit log", lambda: check_audit_log(home.audit))
    yield examine("opt-outs", lambda: _opt_outs(home))
    yield from _data(home)
    yield examine("counter-signature", lambda: _counter_signature(home, is_member))


def _settings(home: SiteHome) -> str:
    settings = home.settings()
    if not settings.coordinator:
        raise ConfigurationError("The site has no coordinator yet.", hint=_JOIN)
    return f"Site {settings.name} belongs to {settings.coordinator}."


def _daemon(home: SiteHome) -> str:
    now = StatusFile(home).read()
    if now.running and now.connected:
        return f"The site runs and is connected since {now.since}."
    if now.running:
        raise DoubtError(f"The site runs and is not connected: {now.problem}", hint=now.hint)
    if now.problem:
        raise DoubtError(f"The site ended at {now.since}: {now.problem}", hint=now.hint)
    raise NotApplicableError("The site does not run; `fedscan site start` starts it.")


def _certificates(home: SiteHome) -> Iterator[Finding]:
    for name, path in (("authority", home.authority), ("certificate", home.certificate)):
        yield examine(name, partial(check_certificate, path, home.authority, renew=_RENEW))
    for name, path in secrets_of(home).items():
        yield examine(name, partial(check_secret, path))


def _connection(home: SiteHome) -> Iterator[Finding]:
    """Each step only where the one before it succeeded: the first that fails is the cause."""
    syntax = examine("address", lambda: str(Address.parse(home.settings().coordinator)))
    if syntax.state == "problem":
        yield syntax
        return
    address = Address.parse(home.settings().coordinator)
    host, port = address.host, address.port
    yield examine("proxy", lambda: describe_route(host, port))
    answers: list[HttpAnswer] = []

    def trusted() -> str:
        answers.append(ask(host, port, client_context(home), VERSIONS_PATH))
        return f"{address} speaks TLS with a certificate of this federation's authority."

    def accepted() -> str:
        check_connection(home)
        return "The coordinator accepts this site's certificate and node key."

    yield from examine_in_turn(
        (
            ("name", lambda: resolve(host, port)),
            ("port", lambda: reach(host, port)),
            ("TLS", trusted),
            ("clock", lambda: compare_clocks(answers[0])),
            ("versions", lambda: _versions(answers[0])),
            ("membership", accepted),
        ),
        regardless="versions",
    )


def _versions(answer: HttpAnswer) -> str:
    own = {**installed_versions(), "bundle": bundle_hash()}
    if answer.status != 200:
        raise NotApplicableError("The coordinator does not tell its versions.")
    try:
        theirs = {str(name): str(value) for name, value in json.loads(answer.content).items()}
    except (ValueError, AttributeError):
        raise NotApplicableError("The coordinator does not tell its versions.") from None
    return compare_versions(own, theirs)


def _base(home: SiteHome) -> str:
    from ..model.storage import base_folder  # slow to import, and not needed by the rest

    setting = home.settings().base
    folder = base_folder(setting)
    if not (folder / "model_index.json").is_file():
        raise ConfigurationError(
            f"There is no generator in {folder}, which site.toml names as base.",
            hint="Copy the study's base there, or leave the setting empty.",
        )
    return f"The base is {folder if setting else 'the one that ships with fedscan'}."


def _memory(home: SiteHome) -> str:
    from .steward.machine import base_memory  # as slow

    return base_memory(home, load_policy(home.policy))


def _policy(home: SiteHome) -> str:
    policy = load_policy(home.policy)
    names = set(Registry(home).data_sets())
    for path in (home.policy, *sorted(home.folder.glob("data/*/policy.toml"))):
        one = load_policy(path)
        if missing := sorted(set(one.data_sets) - names):
            raise DoubtError(
                f"{path} allows data sets that the site does not have: {', '.join(missing)}.",
                hint=f"There are: {', '.join(sorted(names)) or 'none yet'}.",
            )
        if one.epsilon_ceiling > _WEAK_EPSILON:
            raise DoubtError(
                f"The ceiling in {path}, epsilon {one.epsilon_ceiling:g}, promises little.",
                hint=f"Above {_WEAK_EPSILON:g} the promise is weak: lower epsilon_ceiling.",
            )
    if policy.allow_non_private:
        raise DoubtError(
            "The policy allows training without privacy.",
            hint="Set allow_non_private = false, unless no data here needs protection.",
        )
    return f"The policy is valid; its ceiling is epsilon {policy.epsilon_ceiling:g}."


def _opt_outs(home: SiteHome) -> str:
    return f"{counted(len(require_list(home).patients), 'patient')} opted out; the list is whole."


def _data(home: SiteHome) -> Iterator[Finding]:
    finding = examine("data sets", lambda: ", ".join(Registry(home).data_sets()))
    if finding.state == "problem":
        yield finding
        return
    entries = Registry(home).data_sets()
    if not entries:
        yield examine("data", _no_data)
    for name, entry in sorted(entries.items()):
        if entry.retired:
            continue
        if entry.kind != "folder":
            yield examine(f"source of {name}", partial(_source, entry))
        yield examine(f"data {name}", partial(_scans, entry))
        yield examine(f"patients of {name}", partial(_patients, home, entry))
        yield examine(f"ledger of {name}", partial(_ledger, home, name))


def _no_data() -> str:
    raise DoubtError("The site has no data set.", hint="`fedscan site add-data` adds one.")


def _source(entry: DataSet) -> str:
    if entry.kind == "cstore":
        receiver = store_source(entry)
        return f"Scans are received at {receiver.host}:{receiver.port} by `fedscan site receive`."
    source = dicomweb_source(entry)
    with Pacs(source) as pacs:
        if next(pacs.studies(), None) is None:
            raise DataError(
                "The PACS has no study that matches.", hint="Look at the query in data.toml."
            )
    if source.is_readable_on_the_way:
        raise DoubtError(
            f"The PACS at {source.host} answers, but without encryption.",
            hint="Scans and credentials can be read on the way: use https.",
        )
    return f"The PACS at {source.host} answers and has studies that match."


def _scans(entry: DataSet) -> str:
    folder = Path(entry.folder)
    files = list_files(folder)
    if not files:
        raise DataError(
            f"There is no file in {folder}.",
            hint="`fedscan site refresh` fetches scans; a mounted folder may be unmounted.",
        )
    step = max(1, len(files) // _LOOKED_AT)
    some = files[::step][:_LOOKED_AT]
    index = index_files(folder, some, DataSettings())
    if not index.patients:
        reason, count = index.set_aside.most_common(1)[0]
        raise DataError(
            f"None of {counted(len(some), 'file')} looked at in {folder} can be used; {count} of "
            "them: "
            f"{reason.value}.",
            hint=f"`fedscan index {folder}` counts all reasons.",
        )
    return f"{counted(len(files), 'file')}; of {len(some)} looked at, some can be trained on."


def _patients(home: SiteHome, entry: DataSet) -> str:
    least, settings = load_policy(home.policy_of(entry.name)).min_patients, DataSettings()
    index = index_files(Path(entry.folder), list_files(Path(entry.folder)), settings)
    numbers = count_patients(index, settings.holdout_fraction)
    if numbers.training < least:
        raise DoubtError(
            f"{numbers.sentence(settings.holdout_fraction)} The policy asks for {least}.",
            hint="Studies that keep this share will be refused: add patients, or lower "
            "min_patients in policy.toml.",
        )
    return numbers.sentence(settings.holdout_fraction)


def _ledger(home: SiteHome, name: str) -> str:
    policy = load_policy(home.policy_of(name))
    view = spending_under(policy, home.folder, home.state(name))
    if view is None:
        raise NotApplicableError("Nothing was spent yet.")
    total, alone = both_epsilons(view.book.shares(), policy.delta)
    balance = f"epsilon {total:.3g} of {policy.epsilon_ceiling:g} is spent"
    if view.book.has_joint:
        collusion = f"{alone:.3g} of {policy.collusion_ceiling_in_force:g}"
        balance += f", {collusion} if all other sites worked together"
    if total >= 0.9 * policy.epsilon_ceiling or alone >= 0.9 * policy.collusion_ceiling_in_force:
        raise DoubtError(
            f"The ledger is intact; {balance}.",
            hint="Studies will soon be refused; a higher ceiling costs every patient in the data.",
        )
    return f"The ledger is intact; {balance}. Head {view.head}."


def _counter_signature(home: SiteHome, is_reachable: bool) -> str:
    """Compare with what the coordinator signs now, or signed when it was last asked."""
    counter_signed = check_counter_signature(home) if is_reachable else noted_before(home)
    if counter_signed is None or not counter_signed.lines:
        raise NotApplicableError("The coordinator has not counter-signed a ledger of this site.")
    require_lines(home, counter_signed)
    last = counter_signed.time
    return f"This home has every ledger line that the coordinator signed, last on {last}."
