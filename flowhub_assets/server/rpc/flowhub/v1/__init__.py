"""flowhub.v1, whose messages and methods stay as they are: what is new gets a new number, or is v2."""
