"""The shipped pipelines, one folder each: the tested examples, and what a newcomer sees in the UI."""
