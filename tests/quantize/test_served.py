"""A level that is kept: written once, whoever asks for it at the same time."""

import os
import subprocess
import sys

from labkit import catalog, paths, weights

ASK = "from labkit.quantize.serve import level_file; print(level_file('smollm2-135m', 'Q8_0'))"


def test_two_notebooks_that_want_one_level_at_once(endpoint, tmp_path):
    weights.ensure(catalog.default_model(), engine="llamacpp")
    (tmp_path / "weights").symlink_to(paths.weights_dir())
    both = [
        subprocess.Popen(
            [sys.executable, "-c", ASK], env={**os.environ, "LABKIT_HOME": str(tmp_path)}, stdout=-1, text=True
        )
        for _ in range(2)
    ]
    said = [one.communicate(timeout=200)[0] for one in both]
    assert [one.returncode for one in both] == [0, 0]
    assert said[0] == said[1] and said[0].strip() == str(tmp_path / "quantized" / "smollm2-135m-q8_0.gguf")
