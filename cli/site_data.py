"""``fedscan site add-data``, ``refresh``, ``receive`` and ``charge``: a data set and its scans."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from ..common.counted import counted
from ..errors import ConfigurationError
from .console import output, status
from .json_output import print_json
from .options import SITE_HOME, JsonOption, LabelsByOption, LabelsOption, SiteHomeOption
from .progress import progress
from .site_labels import print_fit

if TYPE_CHECKING:
    from ..client.sources.mirror import MirrorReport
    from ..client.sources.settings import StoreSource

_ADD_EPILOG = """\
Examples:

- `fedscan site add-data chest --folder /data/chest`

- `fedscan site add-data films --folder /data/films --labels labels.csv`

- `fedscan site add-data heads --dicomweb https://pacs.example.org/dicom-web
--query ModalitiesInStudy=CT --query StudyDate=20200101- --modality CT --credentials pacs.txt`

- `fedscan site add-data films --receive FEDSCAN@127.0.0.1:11112 --sender PACS1`
"""

_CHARGE_EPILOG = """\
Example, for rounds 7 to 9 of six steps each, which the restored ledger does not have:

- `fedscan site charge chest --steps 18 --sample-rate 0.25 --noise 1.1 --purpose "rounds 7 to 9"`
"""

_Name = Annotated[str, typer.Argument(help="Name of the data set.", metavar="NAME")]


def register(app: typer.Typer) -> None:
    """Add the commands to those of a site."""
    app.command("add-data", epilog=_ADD_EPILOG)(add_data)
    app.command("refresh", epilog="Example: `fedscan site refresh heads`")(refresh)
    app.command("receive", epilog="Example: `fedscan site receive films`")(receive)
    app.command("charge", epilog=_CHARGE_EPILOG)(charge)


def add_data(
    name: Annotated[str, typer.Argument(help="What the data set is called here.")],
    folder: Annotated[
        Path | None, typer.Option(help="Its folder of DICOM files, any nesting.")
    ] = None,
    dicomweb: Annotated[
        str, typer.Option(help="Root of a DICOMweb service to mirror it from.", metavar="URL")
    ] = "",
    query: Annotated[
        list[str] | None,
        typer.Option(help="What studies must match, by DICOM keyword.", metavar="KEYWORD=VALUE"),
    ] = None,
    modality: Annotated[
        list[str] | None,
        typer.Option(help="Modality of the series to mirror (SEG for masks). Repeatable."),
    ] = None,
    authority: Annotated[
        Path | None,
        typer.Option(help="File with the service's certificate authority.", metavar="FILE"),
    ] = None,
    credentials: Annotated[
        Path | None,
        typer.Option(
            help="File with `user:password` or a bearer token on one line.", metavar="FILE"
        ),
    ] = None,
    receive: Annotated[
        str,
        typer.Option(
            help="Receive it by C-STORE at this AE title and address.", metavar="TITLE@HOST:PORT"
        ),
    ] = "",
    sender: Annotated[
        list[str] | None, typer.Option(help="AE title that may send. Repeatable.")
    ] = None,
    labels: LabelsOption = None,
    labels_by: LabelsByOption = None,
    home: SiteHomeOption = SITE_HOME,
    as_json: JsonOption = False,
) -> None:
    """Add a data set: a folder, a DICOMweb service to mirror, or a C-STORE receiver.

    The source is only read; nothing is trained on it before a study is approved. A data set has
    one privacy ledger for its whole life, so a patient belongs to one data set only. A table of
    labels stays where it is, at the site; `fedscan site labels` says what changing it costs.
    """
    from ..client.steward.adding import NewDataSet, add_data_set
    from ..client.steward.home import SiteHome

    request = NewDataSet(
        name=name,
        folder=folder,
        dicomweb=dicomweb,
        receive=receive,
        query=dict(map(_condition, query or ())),
        modalities=tuple(modality or ()),
        authority=authority,
        credentials=credentials,
        senders=tuple(sender or ()),
        labels=labels,
        labels_by=labels_by or "",
    )
    with progress() as report:
        result = add_data_set(SiteHome.open(home), request, report=report)
    entry = result.entry
    if as_json:
        facts = {"data": name, "kind": entry.kind, "folder": entry.folder}
        print_json(
            {
                **facts,
                "mirror": result.mirror,
                "labels": result.labels,
                "shared": result.patients_elsewhere,
            }
        )
        return
    console = output()
    if result.mirror:
        console.print(Text(_sentence(result.mirror)))
    print_fit(result.labels)
    for other, patients in result.patients_elsewhere.items():
        console.print(
            Text(
                f"Warning: {patients} of its patients are in the data set {other}, too. "
                "Each ledger knows only half of what they spend: keep them in one data set, and "
                f"retire the other before a study begins (`fedscan site retire-data {name}`)."
            )
        )
    console.print(
        Text(f"The data set {name} is added. `fedscan index {entry.folder}` looks into it.")
    )
    if entry.kind == "cstore":
        console.print(
            Text(f"`fedscan site receive {name}` receives; `refresh {name}` takes it in.")
        )


def refresh(name: _Name, home: SiteHomeOption = SITE_HOME, as_json: JsonOption = False) -> None:
    """Fetch what is new at the source, and remove what is gone there. Not between two rounds.

    Whatever was made of patients who are gone (decoded images and latents, of every setting) is
    removed, and patients who opted out are not fetched.

    Scans that changed are other data for the privacy ledger: a round that is repeated on them is
    paid for again. It can be killed at any moment and goes on where it was.
    """
    from ..client.steward.home import SiteHome
    from ..client.steward.refreshing import refresh_data_set

    with progress() as report:
        result = refresh_data_set(SiteHome.open(home), name, report=report)
    if as_json:
        print_json({"data": name, "mirror": result.mirror, "removed": result.files})
        return
    console = output()
    if result.mirror is None:
        console.print(Text(f"The data set {name} is a folder: there is nothing to fetch."))
    else:
        console.print(Text(_sentence(result.mirror)))
    console.print(Text(_removed(result.patients, result.files)))


def receive(name: _Name, home: SiteHomeOption = SITE_HOME) -> None:
    """Receive a data set's scans by C-STORE until stopped (Ctrl-C or SIGTERM).

    What arrives waits beside the data set until `fedscan site refresh NAME` takes it in.
    """
    from ..client.steward.home import SiteHome
    from ..client.steward.receiving import receive as receive_scans
    from ..federation.supervision.service import asked_to_stop

    console = status()

    def on_start(source: StoreSource) -> None:
        senders = ", ".join(source.senders)
        console.print(
            Text(f"{source.title} at {source.host}:{source.port} receives from {senders}.")
        )

    with asked_to_stop() as stop:
        count = receive_scans(
            SiteHome.open(home),
            name,
            stop=stop,
            on_start=on_start,
            on_count=lambda count: console.print(Text(f"{counted(count, 'instance')} received.")),
        )
    console.print(Text(f"Stopped; {counted(count, 'instance')} received."))


def charge(
    name: _Name,
    steps: Annotated[int, typer.Option(min=1, help="How many steps ran, or may have run.")],
    sample_rate: Annotated[
        float, typer.Option(min=0, max=1, help="Each patient's chance to be in a step (q).")
    ],
    noise: Annotated[float, typer.Option(min=0, help="Noise multiplier of a step (sigma).")],
    purpose: Annotated[str, typer.Option(help="Why, for the record.")],
    home: SiteHomeOption = SITE_HOME,
    as_json: JsonOption = False,
) -> None:
    """Enter spending that a restored ledger has forgotten, before anything is trained again.

    It can only make the budget smaller. What a study's steps are is in the ledger's line of its
    plan (`fedscan site ledger`), how many rounds ran in the coordinator's history.
    """
    from ..client.steward.charge import charge as enter
    from ..client.steward.home import SiteHome
    from ..privacy.mechanism import SubsampledGaussian

    mechanism = SubsampledGaussian(sample_rate=sample_rate, noise_multiplier=noise, steps=steps)
    total = enter(SiteHome.open(home), name, mechanism, purpose)
    if as_json:
        print_json({"data": name, "epsilon": total})
        return
    output().print(Text(f"Entered. In all epsilon {total:.4g} is spent."))


def _removed(patients: int, files: int) -> str:
    if not patients:
        return "Nothing is kept of patients who are not there any more."
    return f"Removed of {counted(patients, 'patient')} who left: {counted(files, 'file')}."


def _sentence(mirror: MirrorReport) -> str:
    text = (
        f"{counted(mirror.instances, 'instance')} of {counted(mirror.studies, 'study')}: "
        f"{mirror.fetched} new or changed, {mirror.removed} removed"
    )
    if mirror.opted_out:
        text += f", {mirror.opted_out} of patients who opted out not taken in"
    return f"{text}, {mirror.failed} could not be fetched." if mirror.failed else f"{text}."


def _condition(text: str) -> tuple[str, str]:
    keyword, sign, value = text.partition("=")
    if not sign or not keyword:
        raise ConfigurationError(
            "A --query is not of the form KEYWORD=VALUE.", hint="For example StudyDate=20200101-."
        )
    return keyword, value
