"""A network printer's own MIB, asked over SNMP."""
