"""The one place where the version of this package is written."""

__version__ = '0.1.0'
