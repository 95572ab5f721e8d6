"""Printers, simulated."""
