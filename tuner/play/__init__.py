"""A job's life: stored, played round by round, concluded."""
