"""Made-up hospitals: anatomical and parametric phantoms, written as real DICOM."""
