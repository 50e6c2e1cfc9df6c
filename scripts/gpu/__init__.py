"""What scripts/maintain/gpu.py measures on a GPU, packs for a machine without network, and writes to a page."""
