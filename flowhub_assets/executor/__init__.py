"""Where a step runs: in the warm run worker, or where a step handler takes it."""
