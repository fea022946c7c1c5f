"""The plan of a deployment: `values` is what renderers read, `resolver` computes it from the deployment file."""
