"""Roll-outs: what runs is replaced by what deploy.yaml says, without users noticing, or not at all."""
