"""Scans that a user gives to a command: pictures, NIfTI files and DICOM series."""
