"""ebit: certify entanglement on gate-model quantum processors, and use it."""

from ebit._version import __version__

__all__ = ["__version__"]
