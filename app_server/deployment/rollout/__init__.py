"""Roll-outs: what is running is replaced by what deploy.yaml says, so that nobody notices, or not at all."""
