"""Sources: what people have (folders, conversations, URL lists, packaged sets), read as samples."""

from vlmkit.sources.kinds import open_source, source_kinds
from vlmkit.sources.source import Source, SourceOptions

__all__ = ["Source", "SourceOptions", "open_source", "source_kinds"]
