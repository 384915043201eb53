"""Random programs on two clients, of which one is accelerated: nobody can tell them apart."""
