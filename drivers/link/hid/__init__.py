"""HID feature reports: opened, asked, closed at once."""
