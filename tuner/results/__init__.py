"""What jobs came to: tables, weight files, plots, replays, and studies in Optuna."""
