"""Alarms, dashboard and scraping for Prometheus and Grafana, each from one source."""
