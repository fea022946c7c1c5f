"""What the probes saw: values without a judgement."""
