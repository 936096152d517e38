"""Webhooks: who may deliver, what a delivery starts, and what it is answered, also when it comes again."""
