"""nwchatctl builds, keeps and runs one serverless WebSocket chat on AWS."""

__version__ = "0.1.0"
