"""DICOM files: how their bytes are parsed, and what is remembered of them."""
