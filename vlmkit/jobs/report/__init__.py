"""The report of a job: one self-contained page that says what came in, what went out, and why."""
