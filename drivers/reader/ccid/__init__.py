"""Smart-card readers of the USB CCID class."""
