"""fedscan: hospitals train one medical image generator together, and no scan leaves its site."""

__version__ = "0.1.0"
