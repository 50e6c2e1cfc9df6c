"""Search over settings of a training: which values, trials one after the other, and what mattered."""
