"""What a person does with components of Panel's that are more than one model with one value."""
