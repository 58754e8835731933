"""Bundles that act: a transaction keeps all or nothing, a batch each entry for itself."""
