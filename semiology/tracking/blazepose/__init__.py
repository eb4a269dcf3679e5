"""BlazePose and its family, run by our own code: networks that find people, faces and palms, and
networks that place landmarks in a region of interest.

The networks are Google's (MediaPipe, Apache-2.0), read as data from .tflite files and run by LiteRT
on one core each; how their input is cut out and their output is read repeats MediaPipe's graphs
[C], so that landmarks of a still image are MediaPipe's.
"""
