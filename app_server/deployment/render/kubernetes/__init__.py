"""The objects of a Kubernetes cluster by what they are for, and the two ways to write them down."""
