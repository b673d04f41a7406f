"""The traffic that every program is made to log: 250 accounts, 60 of which share one template. The same each time."""

import datetime
import random

START = datetime.datetime(2026, 6, 1, 6, tzinfo=datetime.timezone.utc).timestamp()
HOUR = 3600.0
PLANTED, OTHERS = 60, 190

SUBJECTS = [
    "a bicycle chain",
    "an old piano",
    "rhubarb",
    "a leaking roof",
    "a school play",
    "the tax on a boat",
    "knitting a sleeve",
    "a shy dog",
    "the Hanseatic League",
    "quadratic equations",
    "a slow laptop",
    "a bread oven",
    "a night bus",
    "a broken zip",
    "wild garlic",
    "a choir rehearsal",
    "sea kayaking",
    "a wedding toast",
    "a lease",
    "a sourdough starter",
    "a spreadsheet",
    "chess openings",
    "a telescope",
    "a stubborn lock",
    "beekeeping",
    "a stage light",
    "an apple press",
    "the moons of Saturn",
]
ASKS = [
    "How do I begin with {}?",
    "Tell me something surprising about {}.",
    "I have trouble with {}, any ideas?",
    "Write four lines on {} for a newsletter.",
    "What would you charge for {}?",
    "Is {} hard to learn?",
    "List the usual mistakes with {}.",
    "Explain {} to a child.",
    "Which tools do I need for {}?",
    "A joke about {}, please.",
]
EXTRAS = [
    "It has to be done by {}.",
    "My budget is {} crowns.",
    "There are {} of us.",
    "I asked {} people already.",
    "Not more than {} words.",
    "Page {} of my book says otherwise.",
]
FOLLOW_UPS = ["Could you say that more briefly?", "And what if it rains?", "Thanks! Anything else?", "Why is that?"]
SYSTEMS = [None, None, None, "You are a patient helper.", "Answer like a librarian.", "You advise a rowing club."]

TEMPLATE = (
    "Act as a careful examiner. Solve the exercise that follows and keep a record of each thought: number your steps, say "
    "which theorem allows each, mark every dead end, and close with a line that begins with RESULT. Exercise: {} "
    "Give the whole record between reasoning tags before the result."
)
THINGS = [
    "barrels",
    "lanterns",
    "pigeons",
    "tiles",
    "letters",
    "coins",
    "planks",
    "eggs",
    "stamps",
    "wheels",
    "candles",
    "maps",
]
DEEDS = ["are shared among", "are stacked by", "are counted by", "are lost by", "are sold to", "are carried past"]
PEOPLE = ["masons", "sailors", "nuns", "drummers", "cooks", "miners", "clerks", "twins", "ferrymen", "weavers"]


def exercise(r):
    return (
        f"{r.randrange(12, 997)} {r.choice(THINGS)} {r.choice(DEEDS)} {r.randrange(3, 60)} {r.choice(PEOPLE)} in "
        f"{r.randrange(2, 40)} days; how many {r.choice(THINGS)} remain on day {r.randrange(2, 30)}?"
    )


def question(r, subject):
    extra = r.choice(EXTRAS).format(r.randrange(2, 200)) if r.random() < 0.6 else ""
    return f"{r.choice(ASKS).format(subject)} {extra}".strip()


def answer(messages):
    """What the mock model says: it depends on the question alone, so that traffic and server agree on it."""
    r = random.Random(messages[-1]["content"])
    words = " ".join(f"{r.choice(THINGS)} {r.choice(DEEDS)} {r.choice(PEOPLE)}." for _ in range(r.randrange(1, 4)))
    if "reasoning tags" in messages[-1]["content"]:
        return f"<reasoning>1. {words}</reasoning> RESULT {r.randrange(2, 900)}"
    return words.capitalize()


def traffic(seed=5):
    """The calls in the order of time, and the accounts. Both as plain dicts."""
    r = random.Random(seed)
    accounts, calls = [], []
    for n in range(PLANTED + OTHERS):
        planted = n < PLANTED
        name = f"acct-{r.randrange(16**8):08x}"
        created = START - 2 * 24 * HOUR + r.random() * 4 * HOUR if planted else START - (1 + r.random() * 500) * 24 * HOUR
        accounts.append(
            {
                "account": name,
                "planted": planted,
                "created": created,
                "payment": f"pf_{r.randrange(16**6):06x}",
                "email_domain": f"mail{r.randrange(300)}.example",
            }
        )
        streams = r.random() < 0.2
        when = START + r.random() * 30 * HOUR
        system, subject, history = r.choice(SYSTEMS), r.choice(SUBJECTS), []
        for _ in range(r.choice([5, 6, 6, 7]) if planted else min(45, 1 + int(r.paretovariate(1.0) * 1.6))):
            if planted:
                when, messages = START + r.random() * 30 * HOUR, [{"role": "user", "content": TEMPLATE.format(exercise(r))}]
            else:
                follows = history and r.random() < 0.3
                first = [{"role": "system", "content": system}] if system else []
                said = r.choice(FOLLOW_UPS) if follows else question(r, subject)
                messages = (history if follows else first) + [{"role": "user", "content": said}]
                history = messages + [{"role": "assistant", "content": answer(messages)}]
            calls.append(
                {
                    "account": name,
                    "time": when,
                    "messages": messages,
                    "model": "m-large" if planted else r.choice(["m-large", "m-small"]),
                    "temperature": 1.0 if planted else r.choice([0.2, 0.7, 1.0]),
                    "max_tokens": r.choice([512, 1024]),
                    "stream": streams,
                }
            )
            when += r.expovariate(1 / 200) if r.random() < 0.7 else r.expovariate(1 / (6 * HOUR))
    return sorted(calls, key=lambda call: call["time"]), accounts


def rfc3339(seconds):
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def account_facts(accounts):
    """The lines of accounts.jsonl."""
    for one in accounts:
        created = rfc3339(one["created"])
        yield {
            "time": created,
            "account": one["account"],
            "created": created,
            "assurance": "email",
            "payment": one["payment"],
            "email_domain": one["email_domain"],
            "status": "active",
        }
