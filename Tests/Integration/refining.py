"""What tests of training in the background share: little training on real pictures, and how far it is."""

from datasets import FASHION_NAMES, fashion_mnist

# Little training, so that a test takes seconds: these tests are about behaviour.
QUICK = ("--prompt-judges", "8", "--prompt-steps", "12", "--prompt-episode", "24", "--checkpoint-seconds", "0.2")
SLOW = ("--prompt-judges", "8", "--prompt-steps", "4000", "--prompt-episode", "24", "--checkpoint-seconds", "0.2")
# Enough for prompts or an expert to help with clothes.
HELPFUL = ("--prompt-judges", "8", "--prompt-steps", "60", "--prompt-episode", "48")


def lessons(first=0, classes=3, each=20):
    """[(label, image)] of real photographs of clothes, which the backbone does not know well at this size."""
    images = fashion_mnist("train", 40)
    return [(name, image) for name in FASHION_NAMES[first : first + classes] for image in images[name][:each]]


def served_lines(server):
    """What the log says of every version that served."""
    return [line for line in server.log(100_000).splitlines() if "a version serves" in line]


def trains(task):
    return task["state"] == "training" and (task["progress"] or {}).get("phase") == "training"
