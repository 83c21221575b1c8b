"""DICOM as hospitals have it: headers, pixels, series, segmentations."""
