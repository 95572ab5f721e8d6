"""Tests of drivers.link."""
