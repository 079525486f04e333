"""Trains vision-language models from shards: the model, what it is given, the loop, and its checkpoints."""
