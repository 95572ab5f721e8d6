"""Exit codes, the same for every command."""

FINE = 0
FOUND = 1  #: a fault was found, or a command failed
USAGE = 2  #: bad usage or configuration
UNTESTED = 3  #: could not be tested
REFUSED = 4  #: refused or unreachable
ANEW = 75  #: the daemon alone: start it again (EX_TEMPFAIL of sysexits.h)
