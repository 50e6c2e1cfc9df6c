"""The suffixes of image files."""

from PIL import Image

from zoo.data.folders import suffix

# The only formats that are opened, whatever a file is called: some of PIL's others run external programs.
FORMATS = ("PNG", "JPEG", "MPO", "BMP", "GIF", "WEBP", "TIFF", "PPM", "TGA", "JPEG2000", "AVIF", "HEIF")
EXTENSIONS = {extension for extension, name in Image.registered_extensions().items() if name in FORMATS}
EXTENSIONS |= {".heic", ".heif", ".hif"}  # listed even without a decoder, so that a message says what they are


def is_image_name(path: str) -> bool:
    """Whether a file has the suffix of an image format."""
    return suffix(path) in EXTENSIONS
