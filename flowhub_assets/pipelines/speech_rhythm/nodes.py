"""Three kinds of node of the pipeline's own: what a team writes when the built-in ones do not do."""

import re
from pathlib import Path
from typing import Any

from pydantic import Field

from flowhub.nodes import Node, NodeError, NodeInput, NodeOutput, registry

HERE = Path(__file__).parent

SENTENCE_END = re.compile(r"(?<=[.?!])\s+|(?<=[.?!][\"”])\s+")
WORD = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*")


class SpeechParagraphs(Node):
    """Reads the speeches that lie beside the pipeline, paragraph by paragraph."""

    name = "speech-paragraphs"
    category = "text"
    primary = "paragraphs"

    class Input(NodeInput):
        """Which speeches."""

        speeches: list[str] = Field(min_length=1, description="Names of speeches: files without their ending .txt.")

    class Output(NodeOutput):
        """All of their paragraphs, in order."""

        paragraphs: list[dict[str, Any]] = Field(description="speech, number (from 1) and text of each paragraph.")

    def execute(self, input: Input) -> Output:
        """Reads the files."""
        paragraphs = []
        for speech in input.speeches:
            texts = read_speech(speech).split("\n\n")
            paragraphs += [
                {"speech": speech, "number": number, "text": text} for number, text in enumerate(texts, start=1)
            ]
        return self.Output(paragraphs=paragraphs)


class SplitSentences(Node):
    """Splits a text into its sentences."""

    name = "split-sentences"
    category = "text"
    primary = "sentences"

    class Input(NodeInput):
        """The text."""

        text: str = Field(description="The text, in a language that ends its sentences with . ? or !")

    class Output(NodeOutput):
        """Its sentences."""

        sentences: list[str] = Field(description="The sentences, in order, with their marks.")

    def execute(self, input: Input) -> Output:
        """Splits behind each mark that a space follows, quotation marks included."""
        return self.Output(sentences=[one for one in SENTENCE_END.split(input.text.strip()) if one])


class MeasureSentences(Node):
    """Measures how long sentences are, in words."""

    name = "measure-sentences"
    category = "text"

    class Input(NodeInput):
        """The sentences."""

        sentences: list[str] = Field(min_length=1, description="The sentences, one text each.")

    class Output(NodeOutput):
        """Their lengths."""

        words: int = Field(description="How many words there are in all.")
        lengths: list[int] = Field(description="How many words each sentence has, in order.")
        longest: str = Field(description="The sentence with most words; the first of several.")

    async def execute(self, input: Input) -> Output:
        """Counts words; what a hyphen or an apostrophe joins is one."""
        lengths = [len(WORD.findall(sentence)) for sentence in input.sentences]
        return self.Output(words=sum(lengths), lengths=lengths, longest=input.sentences[lengths.index(max(lengths))])


def read_speech(name):
    """The text of a speech. Raises NodeError for one that is not there."""
    known = sorted(path.stem for path in HERE.glob("*.txt"))
    if name not in known:
        raise NodeError(f"there is no speech {name!r}", remedy=f"Name one of {', '.join(known)}.", retry=False)
    return (HERE / f"{name}.txt").read_text("utf-8").strip()


for kind in (SpeechParagraphs, SplitSentences, MeasureSentences):
    registry.register(kind)
