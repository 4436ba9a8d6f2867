"""From a command line to the rooms below: settings, runs and studies by name, errors in one line;
and what a command does that prints as it goes."""
