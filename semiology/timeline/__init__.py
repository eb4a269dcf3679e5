"""Signs over time: prediction on one video, streams of any length, events, localisation."""
