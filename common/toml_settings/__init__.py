"""TOML in and out, strictly: the one reader of studies, policies, gates and every other file.

A settings class says what exists (:mod:`.schema`); a file is parsed within limits
(:mod:`.reading`), held against the class (:mod:`.validation`), and all that is wrong with it is
told at once in the words of people (:mod:`.problems`). :mod:`.writing` makes the file, explained.
"""

from .reading import read_toml, read_value
from .schema import Setting, section_types, settings
from .validation import read_settings, validated
from .writing import write_toml

__all__ = [
    "Setting",
    "read_settings",
    "read_toml",
    "read_value",
    "section_types",
    "settings",
    "validated",
    "write_toml",
]
