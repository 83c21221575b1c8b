"""``fedscan site evaluate``: how well a generator fits patients whom nobody trained on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from ..common.counted import counted
from .console import output
from .json_output import print_json
from .options import SITE_HOME, JsonOption, SiteHomeOption
from .progress import progress
from .site_approval import one_study

if TYPE_CHECKING:
    from ..model.statistics.scores import Share

_EPILOG = """\
Examples:

- `fedscan site evaluate generator` keeps the exact result here.

- `fedscan site evaluate generator --release --epsilon 0.5` also pays for noised numbers, and writes
the file that goes to the coordinator.
"""


def register(app: typer.Typer) -> None:
    """Add the command to those of a site."""
    app.command(epilog=_EPILOG)(evaluate)


def evaluate(
    generator: Annotated[Path, typer.Argument(help="Folder of the generator, or of a checkpoint.")],
    study: Annotated[
        str, typer.Option(help="Approved study that it is of. [default: the only one]")
    ] = "",
    finding: Annotated[str, typer.Option(help="Finding that it is to tell from none.")] = "lesion",
    release: Annotated[
        bool, typer.Option("--release", help="Pay for noised numbers that may leave.")
    ] = False,
    epsilon: Annotated[
        float, typer.Option(min=0.01, max=10, help="What the release may cost by itself.")
    ] = 0.5,
    home: SiteHomeOption = SITE_HOME,
    as_json: JsonOption = False,
) -> None:
    """Score a generator on the patients whom a study keeps from training.

    The exact result stays in the site's home. With `--release`, if the policy allows it
    (`release_scores`) and the data set's ledger pays, noised numbers of patients are written to a
    signed file for the coordinator, which sums them over the sites.
    """
    from ..client.scoring.release import release_scores
    from ..client.scoring.score import TOLD, score_approved, scores_file
    from ..client.steward.approvals import Approvals
    from ..client.steward.home import SiteHome
    from ..model.storage import find_generator

    if finding not in TOLD:
        raise typer.BadParameter(f"It must be one of {', '.join(TOLD)}.", param_hint="--finding")
    site_home = SiteHome.open(home)
    approvals = Approvals(site_home)
    digest = one_study(study, {one.study: one.name for one in approvals.all()})
    approval = approvals.require(digest)
    with progress() as report:
        site, scores = score_approved(
            site_home, approval, find_generator(generator), finding=finding, report=report
        )
    release_file = release_scores(site_home, site, scores, epsilon) if release else None
    if as_json:
        print_json(
            {
                "study": scores.study,
                "generator": scores.generator,
                "finding": scores.finding,
                "patients": len(scores.patients),
                "better": scores.better,
                "right": scores.right,
                "exact": scores_file(site, scores),
                "released": release_file,
            }
        )
        return
    console = output()
    console.print(
        Text(f"{counted(len(scores.patients), 'held-out patient')}, exact, for you only:")
    )
    console.print(Text(f"  fits better than the base  {share_text(scores.better)}"))
    console.print(Text(f"  tells {finding} from none  {share_text(scores.right)}"))
    console.print(Text(f"Kept here: {scores_file(site, scores)}"))
    if release_file:
        console.print(Text(f"Noised, for the coordinator: {release_file}"))


def share_text(share: Share | None) -> str:
    """Return a share of patients with its interval, in per cent."""
    if share is None:
        return "cannot be told"
    return f"{share.value:.0%} of patients [{share.low:.0%}, {share.high:.0%}]"
