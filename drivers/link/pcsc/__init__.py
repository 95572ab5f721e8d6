"""Card readers that pcscd holds, by way of a child process."""
