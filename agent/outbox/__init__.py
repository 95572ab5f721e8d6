"""What must arrive, on disk before any network is touched."""
