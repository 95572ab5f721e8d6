"""The daemon and the command line: looks, judges, repairs, reports."""

__version__ = "0.1.0"
