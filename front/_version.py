"""The version, in one place: setuptools reads it, `ebit --version` prints it."""

__version__ = "0.4.0"
