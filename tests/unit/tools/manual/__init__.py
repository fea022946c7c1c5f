"""Tests of what builds the manual."""
