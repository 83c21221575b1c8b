"""Opens this folder with diffusers; the code comes from fedscan."""

from fedscan.model import pipeline as _installed


class FedscanPipeline(_installed.FedscanPipeline):
    """The pipeline of the installed fedscan."""
