"""Objects in pictures by a convolutional net: boxes, labels and key points."""
