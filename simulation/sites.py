"""The simulated sites: their folders of DICOM, their state and the policy each is given."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from flwr.app import UserConfig

from ..client.policy import SitePolicy, write_policy
from ..client.site import Site
from ..common.files import write_atomically
from ..common.names import require_name
from ..config.study import Study
from ..errors import ConfigurationError, DataError
from ..imaging.labels.fit import require_fitting
from ..imaging.labels.source import LabelReport
from ..server.terms import is_joint

#: File in the folder of the sites' state.
_LABELS = "labels.json"


def find_sites(
    data: Path, state: Path, base: Path, *, labels: Path | None = None, labels_by: str = ""
) -> list[Site]:
    """Make one site of every folder in ``data``.

    Args:
        data: Folder whose subfolders are the sites' DICOM files.
        state: Folder that gets one subfolder per site, for what a site keeps.
        base: Folder of the generator that the study starts from.
        labels: Table of labels, the same for all sites; if not given, the one that an earlier
            call of :func:`keep_labels` noted in ``state``.
        labels_by: What its rows are matched by.

    Returns:
        The sites, sorted by name.

    Raises:
        ConfigurationError: If the state would lie among the sites' files.
        DataError: If there is no folder, or a name cannot be a site's.
    """
    if state.is_relative_to(data):
        raise ConfigurationError(
            f"{state} lies in the hospitals' folder {data}, where each folder is a hospital.",
            hint="Choose another --out, beside that folder.",
        )
    folders = sorted(path for path in data.glob("*") if path.is_dir() and path.name[0] != ".")
    if not folders:
        raise DataError(
            f"{data} has no site folders.",
            hint="Give the folder above the sites: each of its subfolders is one hospital.",
        )
    for folder in folders:
        require_name(folder.name, "a site", DataError)
    tables = {} if labels else _noted_labels(state)
    sites = []
    for folder in folders:
        table, by = tables.get(folder.name, (labels.resolve() if labels else None, labels_by))
        sites.append(
            Site(
                name=folder.name,
                data=folder,
                state=state / folder.name,
                base=base,
                labels=table,
                labels_by=by,
            )
        )
    return sites


def require_enough_sites(study: Study, sites: Sequence[Site]) -> None:
    """Refuse fewer sites than a sum or a round of the study needs.

    Raises:
        ConfigurationError: If there are too few.
    """
    count = "is only 1 site" if len(sites) == 1 else f"are only {len(sites)} sites"
    if is_joint(study) and len(sites) < study.privacy.min_sites:
        raise ConfigurationError(
            f"There {count}, and a joint sum is of privacy.min_sites = {study.privacy.min_sites}.",
            hint='Add sites, or set privacy.sum="local".',
        )
    if len(sites) < study.federation.min_results:
        raise ConfigurationError(
            f"There {count}, and federation.min_results is {study.federation.min_results}.",
            hint=f"Add sites, or set federation.min_results={len(sites)}.",
        )


def with_fitting_labels(
    sites: Sequence[Site], fits: Mapping[str, LabelReport | None]
) -> list[Site]:
    """Leave a table out where none of its rows is about an image; it must be about some site's.

    Args:
        sites: The sites.
        fits: How the table fits each of them, by name.

    Raises:
        DataError: If it is about no site's images.
    """
    if not any(fit is not None and fit.matched for fit in fits.values()):
        for fit in fits.values():
            require_fitting(fit)
        return list(sites)
    return [
        site if (fit := fits[site.name]) is None or fit.matched else replace(site, labels=None)
        for site in sites
    ]


def keep_labels(sites: Sequence[Site], state: Path) -> None:
    """Note the sites' tables, so that whoever opens their data later reads the same ones."""
    tables = {site.name: [str(site.labels), site.labels_by] for site in sites if site.labels}
    if tables:
        write_atomically(state / _LABELS, json.dumps(tables, indent=2).encode())
    else:  # beside the sites' folders lies nothing that nobody needs
        (state / _LABELS).unlink(missing_ok=True)


def _noted_labels(state: Path) -> dict[str, tuple[Path, str]]:
    path = state / _LABELS
    tables = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return {name: (Path(table), by) for name, (table, by) in tables.items()}


def state_folder(model: Path, out: Path) -> Path:
    """Return where sites keep what they made of their scans.

    Args:
        model: A run's folder: then what its sites kept is used, and their split of the patients.
            For the folder of a generator alone it is made anew.
        out: Folder for what is made anew.
    """
    return model / "sites" if is_run(model) else out / "sites"


def is_run(model: Path) -> bool:
    """Return whether a folder is that of a run, with its sites' own split of the patients."""
    return (model / "sites").is_dir()


def write_policies(sites: list[Site], study: Study) -> None:
    """Give every simulated site a policy that allows just what the study asks.

    A real site writes its own; here the person who runs the simulation speaks for the sites.
    """
    evaluation = study.evaluation
    policy = SitePolicy(
        epsilon_ceiling=study.privacy.epsilon,
        collusion_ceiling=study.privacy.collusion_epsilon,
        max_colluding_sites=study.privacy.most_colluding,
        delta=study.privacy.delta,
        min_noise_multiplier=0.0,
        # Counts and statistics are clipped to 1 whatever the gradients are clipped to.
        max_clip_norm=max(1.0, study.privacy.clip_norm),
        max_sample_rate=study.privacy.sample_rate,
        max_steps_per_round=study.local.steps,
        min_patients=1,
        allowed_subsets=(study.trainable.definite_subset,),
        burned_in=study.data.burned_in,
        weight=0.0,
        max_update_norm=1e9,
        release_composition=True,
        allow_free_text=study.data.captions == "text",
        allow_non_private=not study.privacy.enabled or evaluation.non_private or evaluation.pooled,
    )
    for site in sites:
        write_policy(site.policy, policy)


def node_config(site: Site) -> UserConfig:
    """Return the node configuration that :meth:`Site.from_config` reads."""
    return {
        "site": site.name,
        "data": str(site.data),
        "state": str(site.state),
        "base": str(site.base),
        "device": site.device,
        "rows-at-once": site.rows_at_once,
        "sharers": round(1 / site.memory_share),
        "labels": str(site.labels or ""),
        "labels-by": site.labels_by,
    }
