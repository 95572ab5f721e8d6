"""ID TECH readers that speak ViVOtech2."""
