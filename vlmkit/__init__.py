"""vlmkit: composable commands that build vision-language models by improving their data."""

__version__ = "0.1.0"
