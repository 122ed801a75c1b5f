"""Where closed windows go: one exporter a file, each with its delivery contract on top."""
