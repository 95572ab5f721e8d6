"""MagTek swipe readers, by HID feature reports."""
