"""The one place that prints. Data goes to stdout; errors, warnings, prompts and progress to stderr."""
