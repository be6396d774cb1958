"""Talk to a trained model, in the template it was trained on.

    python -m workflow_scripts.cli.chat --model results/pocket/training/capybara/final
    echo "Why is granite hard?" | python -m workflow_scripts.cli.chat --model results/pocket/training/capybara/final

At the prompt, /new begins another conversation, /quit (or the end of the input) ends. Every line is one question of the
same conversation.
"""

import argparse
import sys
from pathlib import Path

from workflow_scripts.common.cli import run
from workflow_scripts.common.conversations import Exchange
from workflow_scripts.training.generation import answers, load


def main(argv: list[str] | None = None) -> None:
    """Read questions from the standard input until it ends."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", required=True, type=Path, help="model folder: results/RUN/training/MODEL/final")
    parser.add_argument("--max-new-tokens", type=int, default=512, help="most tokens of an answer")
    parser.add_argument("--temperature", type=float, default=0.0, help="0: always the likeliest token")
    parser.add_argument("--random-seed", type=int, default=0, help="draws other answers, at a temperature above 0")
    args = parser.parse_args(argv)

    model, encoder = load(args.model)
    from transformers import TextStreamer, set_seed

    set_seed(args.random_seed)
    person = sys.stdin.isatty()
    conversation: list[Exchange] = []
    while True:
        if person:
            print("\nUSER: ", end="", flush=True)
        line = sys.stdin.readline()
        question = line.strip()
        if not line or question == "/quit":
            break
        if question == "/new":
            conversation = []
            continue
        if not question:
            continue
        if not person:
            print(f"USER: {question}")
        print("ASSISTANT: ", end="", flush=True)
        streamer = TextStreamer(encoder.tokenizer, skip_prompt=True, skip_special_tokens=True)
        asked = [(conversation, question)]
        (said,) = answers(model, encoder, asked, args.max_new_tokens, args.temperature, streamer)
        conversation.append({"input": question, "output": said})


if __name__ == "__main__":
    run(main)
