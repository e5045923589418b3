"""The table of names against the installed opentelemetry-semantic-conventions: a rename there is red here."""

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.semconv._incubating.attributes import error_attributes, gen_ai_attributes
from opentelemetry.semconv._incubating.metrics import gen_ai_metrics

from labkit.operate import semconv


def constants(module) -> set[str]:
    return {value for name, value in vars(module).items() if name.isupper() and isinstance(value, str)}


def test_every_attribute_is_one_of_the_conventions():
    assert set(semconv.ATTRIBUTES) <= constants(gen_ai_attributes) | constants(error_attributes)
    assert len(set(semconv.ATTRIBUTES)) == len(semconv.ATTRIBUTES)
    assert set(semconv.METRIC_LABELS) | set(semconv.CONTENT) <= set(semconv.ATTRIBUTES)


def test_every_metric_is_one_of_the_conventions_with_its_unit():
    makers = {name: make for name, make in vars(gen_ai_metrics).items() if name.startswith("create_")}
    meter = MeterProvider().get_meter("test")
    theirs = {
        made.name: made._unit if hasattr(made, "_unit") else made.unit for made in (m(meter) for m in makers.values())
    }
    for name, (unit, meaning) in semconv.METRICS.items():
        assert theirs[name] == unit and meaning
    assert not set(semconv.OURS) & set(theirs), "what the conventions have by now needs no name of ours"


def test_what_people_wrote_never_labels_a_metric():
    assert not set(semconv.METRIC_LABELS) & set(semconv.CONTENT)


def test_operations_are_those_of_the_conventions():
    assert set(semconv.OPERATIONS) <= {one.value for one in gen_ai_attributes.GenAiOperationNameValues}
