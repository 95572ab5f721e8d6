"""Golden transcripts and the reader of their format."""
