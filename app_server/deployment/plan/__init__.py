"""A deployment worked out: `values` is what renderers read, `resolver` makes it of the deployment file."""
