"""ZVT, which payment terminals speak with tills in Germany, Austria and Switzerland."""
