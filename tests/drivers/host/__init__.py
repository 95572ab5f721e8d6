"""Tests of drivers.host."""
