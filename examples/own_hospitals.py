"""One's own hospitals: what is in their folders, a private training, and what it has spent.

Run ``python examples/own_hospitals.py DATA OUT``; DATA holds one folder of DICOM files for each
hospital. Further arguments are settings, such as ``federation.rounds=5``.
"""

import sys
from pathlib import Path

import fedscan
from fedscan.imaging.dicom.summary import summarise
from fedscan.privacy.accounting import epsilon


def main() -> None:
    """Run the example."""
    data, out = Path(sys.argv[1]), Path(sys.argv[2])
    study = fedscan.load_study(None, sys.argv[3:])

    for hospital in sorted(path for path in data.iterdir() if path.is_dir()):
        summary = summarise(fedscan.index_folder(hospital, study.data))
        print(f"{hospital.name}: {summary.patients} patients, {summary.slices} slices")
        for reason, files in summary.set_aside.items():
            print(f"  {files} files set aside: {reason}")

    result = fedscan.simulate(study, data, out, evaluate=False)
    print(f"The generator is in {result.generator}")

    # The ledger is at the hospital: what its patients' privacy has paid, over all studies.
    for site in result.results.sites:
        mechanisms = fedscan.LedgerView.read(out / "sites" / site.name / "ledger").book.mechanisms()
        total = epsilon(mechanisms, study.privacy.delta)
        print(f"{site.name} has spent epsilon {total:.3g} at delta {study.privacy.delta:g}")


# Sites compute in processes of their own, which read this file again.
if __name__ == "__main__":
    main()
