"""Tests of `app_server.testing`."""
