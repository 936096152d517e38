"""What Dagster has no place for: accepted requests, keys, deliveries, tokens, the audit log."""
