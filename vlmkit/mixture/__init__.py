"""Mixes datasets by weight: a recipe, an index of each source, and the plan, which is the order of the samples."""
