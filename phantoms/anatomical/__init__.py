"""Heads from the MNI152 template: deformed patients, lesions, T1, T2 and CT contrasts."""
