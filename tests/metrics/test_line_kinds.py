"""Kinds of records: what differs in numbers only is one kind."""

from lrtui.metrics.capture import Reading
from lrtui.metrics.capture.line_kinds import kinds


def test_lines_that_differ_in_numbers_are_one_kind() -> None:
    lines = [b"epoch 1 loss 2.3e-1", b"epoch 12 loss -0.5", b"epoch 3 loss nan", b"saving", b""]
    found = kinds(lines, Reading(unit="epoch"))
    assert [(each.example, each.times) for each in found] == [(lines[0], 3), (b"saving", 1)]
    assert [each.looks_measured for each in found] == [True, False]


def test_the_states_of_a_bar_are_one_kind() -> None:
    bars = [b"  5%|#  | 1/20 [00:01, loss=5.7]", b" 99%|###| 20/20 [00:02, loss=0.1]"]
    keras = ["1/3 ━━━──── 0s - loss: 0.9", "3/3 ━━━━━━━ 0s - loss: 0.8"]
    assert [k.times for k in kinds(bars, Reading(unit="step"))] == [2]
    assert [k.times for k in kinds([k.encode() for k in keras], Reading(unit="epoch"))] == [2]


def test_what_is_taken_is_what_the_patterns_match_else_the_objects() -> None:
    reading = Reading(unit="epoch", parse=r"loss (?P<train_loss>\S+)")
    text, both = kinds([b"loss 0.5", b'x {"val_acc": 0.9, "n": null} {"lr": 1e-3}'], reading)
    assert text.taken == {"train_loss": 0.5}
    assert both.taken == {"val_acc": 0.9, "lr": 1e-3}
    assert not both.looks_measured


def test_endless_kinds_take_bounded_memory() -> None:
    words = [f"word{'x' * n}".encode() for n in range(1, 390)] * 1
    many = kinds((w + bytes([97 + k]) * k for w in words for k in range(9)), Reading(unit="step"))
    assert len(many) <= 1001
    assert sum(each.times for each in many) == 389 * 9
