"""From presets and manifests to commands and files that real engines and schedulers accept."""
