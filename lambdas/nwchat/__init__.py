"""The chat's functions, and what they have in common with the tool."""

__version__ = "0.1.0"
