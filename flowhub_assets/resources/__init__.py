"""What lies outside: storage, profiles, settings; one file for each outside system."""
