"""Operating agents: guards, access and audit, limits and resources, monitoring and alerts, the module's checklists.

    from labkit.operate.guardrails import standard       # each part is imported by its own name; nothing is loaded for all

| modules | what they do |
| --- | --- |
| `guardrails`; `inputs`, `injection`, `pii`, `credentials`, `presidio_guard` | chains of guards; the guards |
| `guard_patterns`, `checksums`, `injection_score`, `guard_fit` | what the guards know, and how it is learned |
| `guard_rates`, `guard_curve`, `counted_results` | what they catch and how often they are wrong |
| `middleware`, `labels` | the guards, and security labels, under Agent Framework |
| `policy`, `access`, `approval`, `access_guard` | roles, checked calls, somebody's yes; the same under Agent Framework |
| `audit`, `chain`, `redaction` | the log, its hash chain, and what does not get in |
| `limits`, `breaker`, `resilience`, `forward_clock` | rate and quota; left alone for a while; retry and fallback; their clock |
| `resources`, `fair_queue`, `ticket`, `fleet`, `soak` | a bounded line before models in a memory budget; the load test |
| `telemetry`, `semconv`, `calls`, `spans`, `bounded_labels` | what a call costs, under OpenTelemetry's names |
| `engine_metrics`, `machine_metrics`, `monitor`, `history`, `health` | what engine and machine say, sampled, kept, summed up |
| `rules`, `alerts`, `scaling`, `exporter`, `prometheus_rules` | alerts as data, advice, and the way to Prometheus |
| `checklist`, `checking`, `checks`, `checks_live`, `service` | the module's checklists as checks of a service |
| `counterparts` | what became of the module's monitoring classes |
"""
