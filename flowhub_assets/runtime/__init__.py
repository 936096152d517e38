"""What happens inside one step, whoever runs it, and a whole pipeline on this machine."""
