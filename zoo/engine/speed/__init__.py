"""Speed optimisations: one file each, with its measured gain in its first lines.

`trainer.tricks` switches them: all, or a list of names; [] trains by the plain step of zoo/engine/module.py. None
changes a result, but for cuda_graphs.py, which all leaves out. `seeds=[0,1]` switches the last one, stacked.py, which
trains several seeds at once.
"""
