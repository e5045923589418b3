"""Operating agents: guardrails, access and audit, resources, monitoring and alerts."""
