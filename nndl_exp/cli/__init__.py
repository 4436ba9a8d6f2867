"""What the commands share: reading the command line, showing errors, runs and studies."""
