import base64
import json
import re
from dataclasses import fields, is_dataclass, replace
from html.parser import HTMLParser

import pytest
from fedscan.errors import DataError
from fedscan.evaluation.report.build import write_report
from fedscan.evaluation.report.numbers import duration, exact, number, percent, size
from fedscan.evaluation.report.results import RoundStep, RunResults

VOID = {"meta", "img", "link", "br", "hr", "input"}


class Page(HTMLParser):
    """Collects what a browser would see, and fails on tags that do not match."""

    def __init__(self, html):
        super().__init__()
        self.open, self.texts, self.attributes, self.tags = [], [], [], set()
        self.feed(html)
        self.close()
        assert not self.open, self.open

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.texts).split())


def page(run, folder, gallery=None):
    html = write_report(run, folder / "report.html", gallery=gallery).read_text("utf-8")
    return html, Page(html)


def leaves(value, path=""):
    """All plain values of nested results, with the path to each."""
    if is_dataclass(value):
        for field in fields(value):
            yield from leaves(getattr(value, field.name), f"{path}.{field.name}")
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, f"{path}.{key}")
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from leaves(item, f"{path}[{index}]")
    else:
        yield path, value


def test_every_number_and_word_of_the_results_shows(run, tmp_path, gallery):
    _, seen = page(run, tmp_path, gallery)
    text = seen.text.replace("\u202f", " ")
    for path, value in leaves(run):
        if path.endswith((".schema", ".file", ".synthetic", ".task", ".key", ".private")):
            continue
        if ".captions" in path or ".evaluation.settings" in path or value is None:
            continue
        if isinstance(value, str | bool):
            forms = [exact(value)]
        else:
            forms = [number(value), number(value, 4), exact(value), percent(value)]
            forms += [duration(value), size(int(abs(value)))]
        assert any(form.replace("\u202f", " ") in text for form in forms), (path, value)


def test_nothing_is_loaded_from_elsewhere(run, tmp_path, gallery):
    html, seen = page(run, tmp_path, gallery)
    assert not re.search(r"https?:|//[a-z]|@import|url\(", html)
    assert not seen.tags & {"script", "iframe", "link", "object", "embed", "form"}
    for tag, name, value in seen.attributes:
        assert not name.startswith("on"), (tag, name)
        if name in {"src", "href"}:
            assert value.startswith(("data:", "#")), (tag, name, value[:40])
    policy = [value for _, name, value in seen.attributes if name == "content"]
    assert any("default-src 'none'" in value for value in policy)


def test_internal_links_lead_somewhere(run, tmp_path, gallery):
    _, seen = page(run, tmp_path, gallery)
    targets = {value for _, name, value in seen.attributes if name == "id"}
    links = {value[1:] for _, name, value in seen.attributes if name == "href" and value[0] == "#"}
    assert links == targets


def test_a_number_that_heads_a_row_says_what_it_counts(run, tmp_path):
    page = write_report(run, tmp_path / "report.html").read_text("utf-8")
    assert '<th scope="row" data-label="Round">1</th>' in page


def test_gallery_is_embedded_and_marked(run, tmp_path, gallery):
    html, seen = page(run, tmp_path, gallery)
    encoded = base64.b64encode((gallery / "01-fedscan.png").read_bytes()).decode()
    assert f"data:image/png;base64,{encoded}" in html
    alternatives = [value for _, name, value in seen.attributes if name == "alt"]
    assert [value.split()[0] for value in alternatives] == [
        "Real",
        "Synthetic",
        "Synthetic",
        "Real",
    ]
    assert "Synthetic images, not for diagnosis" in seen.text
    assert "keep this file where those may be seen" in seen.text


def test_all_values_can_be_taken_out_again(run, tmp_path, gallery):
    _, seen = page(run, tmp_path, gallery)
    link = next(
        value
        for tag, name, value in seen.attributes
        if (tag, name) == ("a", "href") and value.startswith("data:application/json")
    )
    plain = json.loads(base64.b64decode(link.partition("base64,")[2]))
    assert RunResults.from_dict(plain) == run


def test_joint_noise_shows_both_promises_and_both_noises(run, tmp_path):
    _, seen = page(run, tmp_path)
    assert "collude" not in seen.text
    sites = tuple(
        replace(
            site,
            privacy=replace(
                site.privacy,
                collusion_epsilon=15.5 + index,
                collusion_ceiling=19.75,
                mechanisms=tuple(
                    replace(one, joint_noise_multiplier=4.4321) for one in site.privacy.mechanisms
                ),
            ),
        )
        for index, site in enumerate(run.sites)
    )
    _, seen = page(replace(run, sites=sites), tmp_path)
    for words in (
        "ε if all others collude",
        f"{number(15.5)} of {number(19.75)}",
        f"{number(16.5)} of {number(19.75)}",
        number(4.4321, 4),
        f"ε = {number(16.5)} if all others did",
    ):
        assert words in seen.text.replace("\u202f", " "), words


def test_a_warm_up_that_moved_nothing_says_so(run, tmp_path):
    _, seen = page(replace(run, warm_up_groups=3), tmp_path)
    assert "towards noised mean images of 3 groups" in seen.text
    _, seen = page(replace(run, warm_up_groups=0), tmp_path)
    assert "the base stayed as it was" in seen.text


def test_what_each_round_did_to_the_model_is_shown_and_harm_named(run, tmp_path):
    _, seen = page(run, tmp_path)
    assert "What each round did to the model" not in seen.text
    steps = (
        RoundStep(round=1, loss_before=0.5, loss=0.4321, movement=0.0123, step=0.00205),
        RoundStep(round=2, loss_before=0.4321, loss=0.6789, worse=True),
        RoundStep(round=3, loss_before=0.6789, loss=0.2, movement=0.3, step=0.05, far=True),
    )
    _, seen = page(replace(run, steps=steps, image="cd" * 32), tmp_path)
    text = seen.text.replace("\u202f", " ")
    for words in (
        "1 1.23 % 0.205 % 0.500 0.432",
        "2 – – 0.432 0.679",
        "rose in round 2:",
        "more than 1 % of their length in round 3:",
        "draws what it drew before (image cdcdcdcdcdcd)",
    ):
        assert words in text, words
    _, seen = page(replace(run, steps=steps[:1]), tmp_path)
    assert "calibrate" not in seen.text
    assert "rose in" not in seen.text


def test_a_run_that_nobody_answered_shows_who_was_asked(run, tmp_path):
    assert "Nobody answered" not in page(run, tmp_path)[1].text
    rounds = tuple(
        replace(entry, code="not-approved" if entry.site == "south" else "no-answer", epsilon=None)
        for entry in run.rounds
    )
    _, seen = page(replace(run, rounds=rounds), tmp_path)
    assert "rounds" in {value for _, name, value in seen.attributes if name == "id"}
    assert f"of {len(run.sites)} sites that were asked, none gave a usable answer" in seen.text
    assert "were asked in 3 rounds to train one generator" in seen.text
    assert "trained one generator" not in seen.text
    for one in (1, 2, 3):
        assert f"{one} south not-approved" in seen.text
    assert sum(text == "no-answer" for text in seen.texts) == 3 * (len(run.sites) - 1)


def test_hostile_names_stay_text(run, tmp_path):
    evil = "</title><script>alert(1)</script>\"'><img src=x onerror=alert(2)>"
    site = replace(run.sites[0], name=evil, set_aside={evil: 1})
    rounds = tuple(replace(entry, site=evil, code=evil) for entry in run.rounds)
    honest = replace(rounds[0], code="ok")
    generators = tuple(replace(g, name=evil) for g in run.evaluation.generators)
    evaluation = replace(
        run.evaluation,
        generators=generators,
        extractor=evil,
        tasks=(replace(run.evaluation.tasks[0], title=evil),),
    )
    html, seen = page(
        replace(
            run,
            name=evil,
            sites=(site,),
            rounds=(honest, *rounds[1:]),
            evaluation=evaluation,
            settings={evil: {evil: evil}},
        ),
        tmp_path,
    )
    assert "script" not in seen.tags
    assert "img" not in seen.tags
    assert "<script" not in html
    assert not [name for _, name, _ in seen.attributes if name.startswith("on")]
    assert "<script>alert(1)</script>" in seen.text  # as text, on the page


def test_parts_that_are_missing_are_left_out(run, tmp_path):
    _, seen = page(replace(run, evaluation=None, rounds=()), tmp_path)
    ids = {value for _, name, value in seen.attributes if name == "id"}
    assert ids == {"privacy", "limits", "settings"}


def test_no_task_and_no_reconstruction(run, tmp_path):
    strip_utility = [replace(g, utility=(), ms_ssim=None) for g in run.evaluation.generators]
    bare = replace(
        run.evaluation,
        tasks=(),
        generators=tuple(strip_utility),
        real=replace(run.evaluation.real, utility=(), ms_ssim=None),
        reconstruction=None,
    )
    _, seen = page(replace(run, evaluation=bare), tmp_path)
    assert "allow no classification task" in seen.text
    assert "PSNR" not in seen.text


def test_a_run_without_privacy_says_so_first(run, tmp_path):
    sites = tuple(replace(site, privacy=None) for site in run.sites)
    rounds = tuple(replace(entry, epsilon=None) for entry in run.rounds)
    _, seen = page(replace(run, private=False, sites=sites, rounds=rounds), tmp_path)
    assert "Not private." in seen.text
    assert "ε =" not in seen.text
    assert "Privacy spent (ε)" not in seen.text
    assert "ε and δ protect" not in seen.text


def test_results_may_come_as_json_and_errors_are_named(run, tmp_path, gallery):
    first = write_report(run, tmp_path / "a" / "report.html", gallery=gallery)
    second = write_report(run.to_dict(), tmp_path / "b.html", gallery=gallery)
    assert first.read_bytes() == second.read_bytes()
    (gallery / "01-real.png").unlink()
    with pytest.raises(DataError, match=r"01-real\.png"):
        write_report(run, tmp_path / "c.html", gallery=gallery)
    group = run.evaluation.gallery[0]
    outside = replace(group, strips=(replace(group.strips[0], file="../secret.png"),))
    evaluation = replace(run.evaluation, gallery=(outside,))
    with pytest.raises(DataError, match="plain file name"):
        write_report(replace(run, evaluation=evaluation), tmp_path / "d.html", gallery=gallery)
