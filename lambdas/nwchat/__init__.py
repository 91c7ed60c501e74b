"""The chat's Lambda functions, and the modules that they share with `nwchatctl`."""

__version__ = "0.1.0"
