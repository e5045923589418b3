"""vLLM's own `bench serve`, run by the python of vLLM's venv: arguments as of the command, one line with the result.

The program `vllm` is passed by: in the build for CPUs it looks for a package of another name, and fails. The prompts are read
here, because bench serve reads them with pandas, which vLLM does not bring; all that measures and counts is vLLM's.

Explained in README.md, section "The command".
"""

import json
import sys
import threading
from pathlib import Path

KEYS = ("completed", "failed", "duration", "total_input_tokens", "total_output_tokens", "request_throughput",
        "output_throughput", "median_ttft_ms", "median_tpot_ms", "median_itl_ms", "mean_ttft_ms", "mean_tpot_ms")  # fmt: skip


def samples(args, tokenizer) -> list:
    """Return the requests of `--dataset-path`, a file with a JSON object {"prompt", "output_tokens"} a line."""
    from vllm.benchmarks.datasets import SampleRequest

    asked = [json.loads(line) for line in Path(args.dataset_path).read_text().splitlines()]
    return [
        SampleRequest(
            prompt=one["prompt"], prompt_len=1, expected_output_len=one["output_tokens"], request_id=str(number)
        )
        for number, one in enumerate(asked)
    ]


def main() -> None:
    """Run the benchmark that sys.argv describes and print `VLLM BENCH {…}`; then wait to be ended."""
    from vllm.benchmarks import serve
    from vllm.utils.argparse_utils import FlexibleArgumentParser

    parser = FlexibleArgumentParser()
    serve.add_cli_args(parser)
    serve.get_samples = samples
    result = serve.main(parser.parse_args(sys.argv[1:]))
    print("VLLM BENCH", json.dumps({key: float(result[key]) for key in KEYS}), flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
