"""The page of the words that ship: one table per kind, made from the vocabulary itself.

``python -m fedscan.model.words.reference > docs/words.md`` renews the page.
"""

from __future__ import annotations

from collections.abc import Iterable

from .tables import shipped_words
from .vocabulary import KINDS, Word

_INTRODUCTION = """\
# Words: what captions and prompts are made of

An image's caption says what it shows in the words of a *vocabulary*. A field of a DICOM header can
only **select** such a word, by a code or by a name; nothing of it is copied, so no name, date or
note has a way into a caption. Prompts are read in the same words.

- Several findings may hold at once: `chest X-ray, PA view, pleural effusion, cardiomegaly`. The
  weightiest stands first; the order of the tables below is their weight. A text encoder hears a
  limited number of tokens (40 in a newly built base, 24 in older ones), and what is said last (sex,
  age) is cut first. `fedscan generate` says what of a prompt is not heard.
- Every word lies **within** a word of the frame: eight regions of the body, five kinds of finding,
  the weightings of MR. Sizes of regions, the warm-up's noised means and the tasks of an evaluation
  are counted in the frame, so they are the same whatever words a study has. The noised numbers for
  a [data card](privacy-model.md#numbers-for-a-data-card) count a study's own findings and body
  parts, too, at no more epsilon.
- Codes come first (AnatomicRegionSequence, AdmittingDiagnosesCodeSequence, ViewCodeSequence, with
  the SRT codes of older equipment translated); texts are looked at only where there is no code.
  What a text denies, doubts, asks for or dates is no finding.
- MR is T1- or T2-weighted by its timing; a sequence is named only if it fits. A side comes from
  FrameLaterality, ImageLaterality or Laterality, or from the series description of a limb. The
  kernel comes from ConvolutionKernel.

## A study's own words

`study.toml` may extend or replace them:

```toml
[vocabulary]
start = "shipped"        # or base, few, none
leave_out = ["hernia"]

[[vocabulary.findings]]
word = "chordoma"
within = "lesion"        # lesion, pneumonia, COVID-19 or other finding
codes = ["ICD10:C41.2"]
names = ["clivus chordoma"]

[[vocabulary.body_parts]]
word = "skull base"
within = "head"
names = ["clivus"]
```

`start` is what the study begins with: the words that its **base** brings (the default), those that
ship, **few** (the frame alone, as older bases have), or **none** (the frame without anything
that selects it). A word of the same name replaces the one that is there. All settings are in
[configuration.md](configuration.md).

The words belong to the terms of a study: a steward sees them on approval, they travel to the sites,
and a change of them is a change of the terms, which is approved anew. A site with other words makes
its training images anew, from its own files; nothing is spent by that. They lie beside a
generator as `vocabulary.toml`, in the form of the table above.

`fedscan index FOLDER` counts patients and images for every word, before any study: that is what a
study would learn from. The numbers are exact and for the site itself. `--to-share` leaves out
whatever fewer than 10 patients have, and rounds the rest down to tens.

## What was really learnt

A word in a vocabulary may still never have been seen. So a generator's card says what base and
study saw **together** (modality, body part, finding):

- of a base everything that it was trained on;
- of a study what its noised statistics tell, by region and kind of finding, since what the sites
  have is nobody else's to know; after a simulation also what at least 10 training patients show.

`fedscan generate` and `fedscan volume` refuse, with status 6, what was never learnt (a knee of a
generator of chests), and what they cannot read: no modality, or another language. An empty prompt
ends with status 2. `--anyway` draws all the same, and says loudly what the image does not show.
Where a record leaves it open, the prompt is drawn and the doubt is said. A generator whose card has
no such record draws everything, as before, and says so.

*The tables are generated: `python -m fedscan.model.words.reference > docs/words.md`.*
"""

_TITLES = {
    "finding": "Findings",
    "body part": "Parts of the body",
    "sequence": "MR sequences",
    "kernel": "CT kernels",
    "view": "Views",
    "laterality": "Sides",
    "contrast": "Contrast media",
}


def reference() -> str:
    """Return the page of the shipped words as Markdown."""
    parts = [_INTRODUCTION]
    for kind in KINDS:
        words = list(shipped_words().of_kind(kind))
        parts += [f"## {_TITLES[kind]}\n", _table(words)]
    return "\n".join(parts)


def _table(words: Iterable[Word]) -> str:
    lines = ["| Word | Within | Codes | Names |", "|---|---|---|---|"]
    for word in words:
        cells = (f"**{word.word}**", word.within, ", ".join(word.codes), ", ".join(word.names))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(reference(), end="")
