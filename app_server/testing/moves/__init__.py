"""What a person can do with each class of widget, and the messages that BokehJS sends of it."""
