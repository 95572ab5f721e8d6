"""Card readers: asked for status, version and counters, never for a card's data."""
