"""Sorts what a failed download said into a few reasons that can be counted."""

import re

# In this order: a handshake that timed out is a timeout, and every urllib error speaks of urlopen.
_CLASSES = (
    (r"timed out", "timeout"),
    (r"X-Robots-Tag", "opted out"),
    (r"Name or service not known|name resolution|nodename nor servname|No address associated", "unknown host"),
    (r"SSL|CERTIFICATE|_ssl\.c", "TLS"),
    (
        r"unknown url type|no host given|URL can't contain|Invalid IPv6|nonnumeric port|codec can't encode",
        "invalid URL",
    ),
    (r"Errno|urlopen error|Remote end closed|IncompleteRead|BadStatusLine", "connection"),
)


def error_class(status: str, message: str) -> str:
    """The reason for an img2dataset status and error message; of HTTP errors the code, `HTTP 404`."""
    if status == "failed_to_resize":
        return "unreadable image"
    if code := re.match(r"HTTP Error (\d{3})", message):
        return f"HTTP {code[1]}"
    return next((name for pattern, name in _CLASSES if re.search(pattern, message)), "download failed")
