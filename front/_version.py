"""The version, in one place: setuptools reads it, `ebit --version` prints it."""

__version__ = "0.2.0"
