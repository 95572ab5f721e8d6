"""`make bench`: what Tillwatch costs, beside peers, in one run. Prints tables; never fails on timing."""
