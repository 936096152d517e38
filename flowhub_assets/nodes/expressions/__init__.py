"""Templates and conditions: text that users write, evaluated within bounds and never run."""
