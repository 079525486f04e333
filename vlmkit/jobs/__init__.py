"""Runs a step over shards: plan, processes, resume, reasons, progress, manifest, report. Knows nothing of CLIP."""
