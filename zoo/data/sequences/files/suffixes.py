"""The suffixes of files of arrays and of recordings."""

ARRAYS = (".npz", ".npy")
# what libsndfile reads, except MATLAB's files and samples without a header
SOUNDS = (
    *(".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aiff", ".aif", ".aifc", ".au", ".snd", ".caf", ".w64"),
    *(".rf64", ".wave", ".voc", ".sph", ".nist", ".sf", ".htk", ".svx", ".iff", ".avr", ".paf", ".pvf", ".sds"),
)
