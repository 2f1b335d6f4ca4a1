"""The HTTP service: an API and live pages over the statistics of tuning jobs (``tuner serve``, docs/service.md)."""
