"""Many networks at once: the run axis, several processes, the memory of a device."""
