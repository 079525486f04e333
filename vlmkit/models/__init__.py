"""Models behind one kind of name (`names`): dual encoders that score pictures against texts, and embedded models.

Nothing heavy is imported here; a module imports its framework when a command first needs it.
"""
