"""`make bench`: what Tillwatch costs, beside peers, measured in one run. Prints tables; never fails on timing."""
