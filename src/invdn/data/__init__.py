"""Training data: pairs and clean photographs, patches, realistic noise."""
