"""Applications that are run before they have visitors."""
