# Included where Slicer's own files would be.
