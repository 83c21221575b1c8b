"""A first private federation: three hospitals of made-up patients train one generator.

Run ``python examples/first_federation.py OUT``; no data is needed. Further arguments are settings,
such as ``federation.rounds=5``.
"""

import sys
from pathlib import Path

import fedscan
from fedscan.phantoms.hospital import write_hospitals
from fedscan.phantoms.settings import PhantomSettings


def main() -> None:
    """Run the example."""
    out = Path(sys.argv[1] if len(sys.argv) > 1 else "first-federation")
    patients = PhantomSettings(patients=(3, 3, 3), contrasts=("CT",), slices=3, matrix=64)
    write_hospitals(out / "hospitals", patients)
    # Each patient's privacy is worth epsilon 8; more patients and rounds make better images.
    settings = ["privacy.epsilon=8", "federation.rounds=1", "local.steps=1"]
    study = fedscan.load_study(None, [*settings, *sys.argv[2:]])
    result = fedscan.simulate(study, out / "hospitals", out / "run", workers=1, evaluate=False)
    for site in result.results.sites:
        print(f"{site.name}: {site.train_patients} patients, {site.images} images")
    print(f"The generator is in {result.generator}, the report is {result.report}.")


# Sites compute in processes of their own, which read this file again.
if __name__ == "__main__":
    main()
