"""Manifests: read strictly, refused with line and column, published as JSON Schema."""

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from labkit import paths
from labkit.deploy import check
from labkit.deploy.manifest import json_schema, load
from labkit.deploy.plan import plan
from labkit.errors import ConfigError

MANIFESTS = Path(__file__).with_name("manifests")
GOOD = sorted(MANIFESTS.glob("*.yaml"))
BROKEN = sorted((MANIFESTS / "broken").glob("*.yaml"))
HERE = check.Hardware("laptop", 0, None, 16 * 2**30)


@pytest.mark.parametrize("file", GOOD, ids=lambda path: path.stem)
def test_a_good_manifest_is_planned(file, golden):
    found = plan(load(file), HERE, ask=False)
    assert found.ok, found.text()
    golden(f"manifests/{file.stem}.txt", found.text())


@pytest.mark.parametrize("file", BROKEN, ids=lambda path: path.stem)
def test_the_exact_refusal_of_a_broken_manifest(file, golden):
    try:
        found = plan(load(file), HERE, ask=False)
        assert not found.ok
        said = found.text()
    except ConfigError as error:
        said = str(error)
    assert "swordfish" not in said and "0123456789" not in said, "a secret is never shown"
    golden(f"broken/{file.stem}.txt", said)


def test_the_published_schema_is_that_of_the_classes():
    text = (paths.data_dir() / "manifest.schema.json").read_text(encoding="utf-8")
    assert json.loads(text) == json.loads(json.dumps(json_schema())), "labkit deploy schema > data/manifest.schema.json"
    jsonschema.Draft202012Validator.check_schema(json.loads(text))


@pytest.mark.parametrize("name", ["unknown_key", "impossible_numbers", "impossible_settings"])
def test_an_editor_sees_the_same_with_the_schema(name):
    validator = jsonschema.Draft202012Validator(json_schema())
    assert not validator.is_valid(yaml.safe_load((MANIFESTS / "broken" / f"{name}.yaml").read_text(encoding="utf-8")))
    for file in GOOD:
        validator.validate(yaml.safe_load(file.read_text(encoding="utf-8")))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"\xff\xfe\x00", "no text in UTF-8"),
        (b"", "holds no keys"),
        (b"- 1\n- 2\n", "holds no keys"),
        (b"a: 1\n---\nb: 2\n", "line 2, column 1: a second document"),
        (b"a: !!python/object/apply:os.system [ls]\n", "the tag"),
        (b"a: " + b"[" * 3000, "nested deeper"),
        (b"a: 2026-99-99\n", "is no YAML"),
        (b"? [a, b]\n: 1\n", "a key is a plain word"),
        (b"<<: {a: 1}\n", "a key is a plain word"),
        (b"#" * 300_000, "longer than 256 KiB"),
        (b"schema_version: 1\nname: no\nmodels: []\n", "line 2, column 1"),
    ],
)
def test_what_is_no_manifest(tmp_path, text, said):
    file = tmp_path / "shop.yaml"
    file.write_bytes(text)
    with pytest.raises(ConfigError) as caught:
        load(file)
    assert said in str(caught.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        load(tmp_path)
