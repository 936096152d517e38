"""HTTP calls of nodes: guarded addresses, bounded bodies, credentials that stay with their connection."""
