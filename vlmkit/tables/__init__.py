"""Rows beside shards: row tables, conditions in SQL, joins. Nothing here knows of steps or jobs."""
