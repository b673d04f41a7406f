"""What is simulated: development runs, on which settings and thresholds are chosen, and runs that are scored."""

import contextlib
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import traffic

SCALE = "0.5"  # about 1,050 honest accounts, 200 in a campaign (2,000 in `sparse`)
HONEST_DEVELOPMENT_SEEDS = (101, 102, 103)
CAMPAIGN_DEVELOPMENT_SEED = 111
SEEDS = (1, 2, 3)
HONEST_SEEDS = (1, 2, 3, 4, 5)
FRONTIER_SEEDS = (1, 2)

DEVELOPMENT = ("hydra", "sparse", "covered", "own-infrastructure", "varied", "no-template")
SCENARIOS = DEVELOPMENT + ("failover", "injected-phrase", "judge", "mixed")
HOSTILE_WORLDS = (
    "relay agents paraphrases direct-german probing exits base64 twice people-shared people-own preamble-all preamble-half "
    "preamble-products markup template own nine-in-ten prompts many"
).split()
HONEST_WORLDS = (
    "phrase tutorial plugin workflow seats shops course homework hackathon launch voucher turnover shared-list review-bot "
    "alike everybody"
).split()
WORLD_SEEDS = (1, 2)
FRONTIERS = {
    "share of cover requests": [("cover", value) for value in ("0", "0.5", "0.9")],
    "campaign requests per account": [("requests", value) for value in ("4", "10", "50", "250")],
    "template words that vary": [("variation", value) for value in ("0", "0.1", "0.3")],
    "shared infrastructure": [("sharing", value) for value in ("0", "0.5", "1")],
    "accounts of the campaign": [("accounts", value) for value in ("20", "50", "100", "400")],
}


@dataclass(frozen=True)
class Run:
    scenario: str
    seed: int
    corpora: Path | None = None
    knobs: tuple[tuple[str, str], ...] = field(default=())
    scale: str = SCALE

    def flags(self):
        """Flags of `stillwatch simulate`, but for the folders."""
        knobs = [part for knob, value in self.knobs for part in ("--set", f"{knob}={value}")]
        return [self.scenario, "--seed", str(self.seed), "--scale", self.scale, *knobs]

    @contextlib.contextmanager
    def simulated(self, binary):
        """The folder and its traffic, while the block lasts."""
        with tempfile.TemporaryDirectory() as folder:
            corpora = ["--corpora", self.corpora] if self.corpora else []
            command = [binary, "simulate", *self.flags(), "--out", folder, *corpora]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            yield folder, traffic.load(folder)
