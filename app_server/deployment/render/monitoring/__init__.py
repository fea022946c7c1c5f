"""What Prometheus and Grafana read about a deployment."""
