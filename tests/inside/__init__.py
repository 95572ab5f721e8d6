"""Programs that run in a guest (`tests.guest`), where the kernel has USB. What they find out they say."""
