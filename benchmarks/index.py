"""Files a second of ``index``, first and again, and the memory that it takes.

Writes made-up CT and MR series into a temporary folder::

    python benchmarks/index.py --files 20000
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
from fedscan.imaging.dicom.index import index_folder
from fedscan.imaging.settings import DataSettings
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, MRImageStorage, generate_uid

SLICES = 50


def write_series(folder: Path, number: int) -> None:
    """Write one series of 64 by 64 pixels, CT and MR in turn."""
    folder.mkdir(parents=True)
    is_ct = number % 2 == 0
    ds = Dataset()
    ds.Modality = "CT" if is_ct else "MR"
    ds.SOPClassUID = CTImageStorage if is_ct else MRImageStorage
    ds.PatientID = f"patient {number // 4}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = f"1.2.{number // 4 + 1}", f"1.2.3.{number + 1}"
    ds.FrameOfReferenceUID = f"1.3.{number // 4 + 1}"
    ds.StudyDate, ds.AcquisitionTime = "20200101", "101010"
    ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    ds.BodyPartExamined, ds.PatientSex, ds.PatientAge = "HEAD", "F", "050Y"
    ds.StudyDescription, ds.SeriesDescription = "Head", "axial"
    ds.Manufacturer, ds.AcquisitionNumber = "made up", 1
    if is_ct:
        ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = 1, -1024, "HU"
    else:
        ds.EchoTime, ds.RepetitionTime, ds.ScanningSequence = 90, 3000, "SE"
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.Rows = ds.Columns = 64
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelSpacing, ds.SliceThickness = [4, 4], 3
    ds.ImageOrientationPatient = [1, 0, 0, 0, 1, 0]
    ds.PixelData = np.full((64, 64), 1000, np.uint16).tobytes()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    for index in range(SLICES):
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        ds.InstanceNumber, ds.ImagePositionPatient = index + 1, [-126, -126, 3.0 * index]
        ds.save_as(folder / f"{index}.dcm", enforce_file_format=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=20_000)
    count = parser.parse_args().files // SLICES
    with tempfile.TemporaryDirectory() as name:
        scans, cache = Path(name, "scans"), Path(name, "cache")
        for number in range(count):
            write_series(scans / str(number), number)
        files = count * SLICES
        for run in ("first", "first, remembering", "second"):
            start = time.process_time()
            where = None if run == "first" else cache
            result = index_folder(scans, DataSettings(), cache=where)
            seconds = time.process_time() - start
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
            slices = sum(s.slices for p in result.patients for e in p.studies for s in e.series)
            assert slices == files, result.set_aside
            print(f"{run}: {files / seconds:.0f} files a second, {peak:.0f} MB at most")


if __name__ == "__main__":
    main()
