"""The database of tuning jobs: schema, engine, queries."""
