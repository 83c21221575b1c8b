"""Image files: DICOM, NIfTI and pictures read, made into training images, and written."""
