"""The tabs of an operator's page. Each has its widgets, and shows what the instances say."""
