"""A printer's own IPP service, and the print queue of this machine, which speaks the same."""
