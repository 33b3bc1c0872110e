"""The version of AI Mass, read by the build and by ``aimass --version``."""

__version__ = "0.1.0"
