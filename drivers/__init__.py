"""What a device says: its protocol as pure code, and one small class per device."""
