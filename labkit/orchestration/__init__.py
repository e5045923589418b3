"""Several agents on small models: patterns of Agent Framework, driven by an endpoint and traced hop by hop."""
