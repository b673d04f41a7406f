//! The command line: every flag is defined here once, with its help. No logic.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use drill::Difficulty;
use drill::limits::MINUTES_MAX;
use exchange::{Format, Time};
use findings::Verdict;

/// Finds illicit distillation of AI models in the logs of their APIs.
#[derive(Debug, Parser)]
#[command(name = "stillwatch", version, about, long_about = None, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Inspect(Inspect),
    Hunt(Hunt),
    Watch(Watch),
    Simulate(Simulate),
    Evaluate(Evaluate),
    Fingerprint(Fingerprint),
    Label(Label),
    Demo(Demo),
    Up(Up),
    Config(Config),
    Account(Account),
    Key(Key),
    Quota(Quota),
    Policy(Policy),
    Findings(Findings),
    Response(Response),
    Appeal(Appeal),
    Person(PersonArgs),
    Ledger(Ledger),
    Seal(Seal),
    Lake(LakeArgs),
    Case(CaseArgs),
    Vault(VaultArgs),
    Audit(Audit),
    Playbook(PlaybookArgs),
    Drill(DrillArgs),
    Verify(Verify),
}

/// See what a log holds, and what is made of it, before a hunt.
///
/// Says which formats were recognised, how many records, accounts and end users, over which time, which fields are there,
/// what one record became, what a hunt could not see, and what to look at before trusting one. Looks for nobody.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stillwatch inspect logs/\n  stillwatch inspect july.jsonl.zst --account metadata.user_id\n  \
                        stillwatch inspect --formats"
)]
pub(crate) struct Inspect {
    /// Files or folders of exchanges; `-` is standard input
    #[arg(required_unless_present = "formats", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Account facts, instead of an accounts.jsonl beside the exchanges
    #[arg(long, value_name = "FILE")]
    pub(crate) accounts: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) records: Records,
    /// List every format with the source of its names
    #[arg(long)]
    pub(crate) formats: bool,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Find the campaigns in a log of exchanges.
///
/// Reads files and folders of exchanges (JSON lines, plain or compressed with zstd or gzip) in any of the known formats,
/// finds groups of accounts that harvest the model together, and says who, since when, what they take, how sure that is
/// and why. An accounts.jsonl beside the exchanges is used; labels.jsonl is never read.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stillwatch hunt logs/\n  stillwatch hunt july.jsonl.zst --accounts accounts.jsonl --report july.html\n  \
                        zcat *.gz | stillwatch hunt - --json"
)]
pub(crate) struct Hunt {
    /// Files or folders of exchanges; `-` is standard input
    #[arg(required_unless_present = "schema", value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Account facts, instead of an accounts.jsonl beside the exchanges
    #[arg(long, value_name = "FILE")]
    pub(crate) accounts: Option<PathBuf>,
    /// What people said of earlier findings, as `stillwatch label` writes it
    #[arg(long, value_name = "FILE")]
    pub(crate) labels: Option<PathBuf>,
    /// Hunt only in what was sent from this time on, such as 2026-07-20T00:00:00Z
    #[arg(long, value_name = "TIME")]
    pub(crate) from: Option<Time>,
    /// Hunt only in what was sent before this time
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<Time>,
    /// Go on from what an earlier hunt with this file remembered, if it is there, and write down what is remembered now: logs that come
    /// day by day, each given once, are hunted as one (it quotes prompts)
    #[arg(long, value_name = "FILE")]
    pub(crate) state: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) records: Records,
    /// Write one line of JSON per campaign
    #[arg(long, value_name = "FILE")]
    pub(crate) campaigns_out: Option<PathBuf>,
    /// Write every account of every campaign as CSV
    #[arg(long, value_name = "FILE.csv")]
    pub(crate) accounts_out: Option<PathBuf>,
    /// Prices of a million tokens by model (TOML), to say what a campaign's tokens cost
    #[arg(long, value_name = "FILE")]
    pub(crate) prices: Option<PathBuf>,
    /// Write one line of JSON per exchange that belongs to a campaign; reads the files a second time
    #[arg(long, value_name = "FILE")]
    pub(crate) exchanges_out: Option<PathBuf>,
    /// Write a self-contained page about what was found, to read, print or mail (it quotes prompts)
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
    /// Print everything as JSON instead of a table
    #[arg(long)]
    pub(crate) json: bool,
    /// End when standard input does: whoever began this is gone
    #[arg(long, hide = true)]
    pub(crate) ends_with_input: bool,
    /// Print the JSON schema of findings, as `--json` writes them, and hunt nothing
    #[arg(long, conflicts_with = "paths")]
    pub(crate) schema: bool,
    #[command(flatten)]
    pub(crate) run: Run,
}

/// Follow logs while they grow, and tell what comes out.
///
/// Reads what is there and then what is added: files, also as they are rotated, folders, or the data folder of a gateway
/// (`stillwatch up`), beside which it changes nothing. Tells when a campaign is detected, who joins and who leaves it, and
/// when it stands no longer. Compressed files do not grow and are not read.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stillwatch watch /var/log/litellm/\n  stillwatch watch stillwatch-data --json\n  \
                        stillwatch watch july.jsonl --once\n\n\
                        Exit codes: 0 no campaign stands at the end, 10 one does, 2 wrong usage, 65 input that cannot be read, \
                        74 a file that cannot be read on."
)]
pub(crate) struct Watch {
    /// Files or folders of exchanges, or the data folder of a gateway
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Account facts, instead of an accounts.jsonl beside the exchanges
    #[arg(long, value_name = "FILE")]
    pub(crate) accounts: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) records: Records,
    /// Level at which the share of false findings is held
    #[arg(long, default_value_t = detect::Config::default().alpha, value_name = "LEVEL", value_parser = level)]
    pub(crate) alpha: f64,
    /// By how many seconds an exchange may be logged later than one that began after it
    #[arg(long, default_value_t = 30, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=3600))]
    pub(crate) lateness_seconds: u32,
    /// Read what is there, tell what came out, and end
    #[arg(long)]
    pub(crate) once: bool,
    /// Print a line of JSON for each change
    #[arg(long)]
    pub(crate) json: bool,
}

/// How records are read, where they leave a choice.
#[derive(Clone, Debug, Default, Args)]
pub(crate) struct Records {
    /// Format of every record, such as native, openai or litellm; recognised by content otherwise. `inspect --formats` lists them all
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
    /// Which field is the account: a path such as metadata.user_id, or several of which the first found wins
    #[arg(long = "account", value_name = "PATH", value_delimiter = ',')]
    pub(crate) account: Vec<String>,
    /// How many of your own proxies stand at the end of forwarded addresses; the first public address is taken otherwise
    #[arg(long, value_name = "N")]
    pub(crate) trusted_proxies: Option<usize>,
}

/// How a hunt is run.
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Run {
    /// Level at which the share of false findings is held; each honest explanation must be 1 / LEVEL times as unlikely
    #[arg(long, default_value_t = detect::Config::default().alpha, value_name = "LEVEL", value_parser = level)]
    pub(crate) alpha: f64,
    /// Threads that parse; all cores otherwise. The result is the same
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<std::num::NonZeroUsize>,
    /// Fail (65) when more than this share of the lines of exchanges cannot be read
    #[arg(long, default_value_t = 1.0, value_name = "SHARE", value_parser = share)]
    pub(crate) bad_lines_max: f64,
}

/// Replace the texts of a log by keyed fingerprints, for detection without texts.
///
/// Runs where the texts are. What it writes has no prompt, no answer, no credential, no end user and no session, and of each
/// address its block only; a hunt in it finds the campaigns that it finds in the texts. The key must stay the same for all
/// logs that are hunted together, and is needed by nobody else.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  openssl rand -hex 16 > key\n  stillwatch fingerprint logs/ --key-file key --out sealed.jsonl\n  \
                        stillwatch hunt sealed.jsonl --accounts logs/accounts.jsonl"
)]
pub(crate) struct Fingerprint {
    /// Files or folders of exchanges; `-` is standard input
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// File with the key: 32 hexadecimal digits
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: PathBuf,
    /// File to write to
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// Write compact events, which only a hunt reads, instead of records: smaller, read sooner, and with what a record without
    /// text cannot carry (which words vary, and coarsely what they mean)
    #[arg(long)]
    pub(crate) compact: bool,
    #[command(flatten)]
    pub(crate) records: Records,
}

/// Record what a person says of a finding.
///
/// A verdict covers the accounts that were looked at and nobody who comes later. `hunt --labels` does not report those whom
/// somebody vouched for, learns from honest ones as they were then, and tells confirmed campaigns with the accounts that are
/// new. Nothing in the file of labels is ever changed: a verdict is taken back by a further line.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  stillwatch hunt logs/ --json > findings.json\n  \
                        stillwatch label add cmp_1 --verdict benign --reason 'a course' --by ann --from findings.json\n  \
                        stillwatch hunt logs/ --labels verdicts.jsonl")]
pub(crate) struct Label {
    #[command(subcommand)]
    pub(crate) command: LabelCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LabelCommand {
    Add(AddLabel),
    List(ListLabels),
    Undo(UndoLabel),
}

/// Say what a finding is.
#[derive(Debug, Args)]
pub(crate) struct AddLabel {
    /// The finding: a campaign such as cmp_1, or a cleared group such as grp_1
    pub(crate) finding: String,
    /// benign (an honest group), research (approved), or campaign (confirmed)
    #[arg(long, value_parser = verdict)]
    pub(crate) verdict: Verdict,
    /// What `hunt --campaigns-out` or `hunt --json` wrote; cleared groups are in the latter only
    #[arg(long, value_name = "FILE", required_unless_present = "data")]
    pub(crate) from: Option<PathBuf>,
    /// Research ends then: a time, or a date, which means its first moment (UTC)
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub(crate) until: Option<Time>,
    #[command(flatten)]
    pub(crate) says: Says,
    #[command(flatten)]
    pub(crate) book: LabelFile,
}

/// Show what was said.
#[derive(Debug, Args)]
pub(crate) struct ListLabels {
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) book: LabelFile,
}

/// Take a label back.
#[derive(Debug, Args)]
pub(crate) struct UndoLabel {
    /// The label, such as lbl_1
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) says: Says,
    #[command(flatten)]
    pub(crate) book: LabelFile,
}

/// Where labels are.
#[derive(Debug, Args)]
pub(crate) struct LabelFile {
    /// File of labels
    #[arg(long, default_value = LABELS, value_name = "FILE")]
    pub(crate) labels: PathBuf,
    /// The data folder of a running gateway instead: what it has found is labelled, and it heeds that at once
    #[arg(long, value_name = "DIR", conflicts_with = "labels")]
    pub(crate) data: Option<PathBuf>,
}

/// Who says something, and why.
#[derive(Debug, Args)]
pub(crate) struct Says {
    /// Who says so
    #[arg(long, value_name = "NAME", value_parser = said)]
    pub(crate) by: String,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = said)]
    pub(crate) reason: String,
    /// When, instead of now
    #[arg(long, value_name = "TIME", value_parser = date)]
    pub(crate) at: Option<Time>,
}

/// Write labelled traffic with campaigns in it.
///
/// Builds traffic of honest customers, all kinds of honest look-alikes among them, with a campaign hidden in it, and
/// writes exchanges.jsonl, accounts.jsonl and labels.jsonl. The same seed gives the same bytes.
#[derive(Debug, Args)]
pub(crate) struct Simulate {
    /// The scenario; `list` names them all
    #[arg(default_value = "hydra")]
    pub(crate) scenario: String,
    /// Folder to write to
    #[arg(long, value_name = "DIR")]
    pub(crate) out: Option<PathBuf>,
    /// Write over traffic that is there
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Compress the exchanges with zstd
    #[arg(long)]
    pub(crate) zstd: bool,
    #[command(flatten)]
    pub(crate) traffic: Traffic,
}

/// What the traffic is made of.
#[derive(Clone, Debug, Args)]
pub(crate) struct Traffic {
    /// Seed of all randomness
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Folder of real corpora to draw texts, arrivals and networks from; the project's own text otherwise
    #[arg(long, value_name = "DIR")]
    pub(crate) corpora: Option<PathBuf>,
    /// Corpus files to draw texts from, by name without ending, separated by commas; all of the folder otherwise
    #[arg(long, value_name = "NAMES", value_delimiter = ',', requires = "corpora")]
    pub(crate) texts: Vec<String>,
    /// Multiply the number of accounts
    #[arg(long, default_value_t = 1.0, value_name = "FACTOR", value_parser = factor)]
    pub(crate) scale: f64,
    /// Set a knob of the scenario, such as accounts=400; `simulate list` names them
    #[arg(long = "set", value_name = "KNOB=VALUE")]
    pub(crate) knobs: Vec<String>,
}

/// Score a hunt against labels.
///
/// Hunts a folder with labels.jsonl in it and compares: campaigns found, accounts, time to detect, false positives by kind
/// of honest user. With --frontier, draws how detection falls as one knob of the attacker rises. With --worlds, runs
/// small worlds, honest and hostile, that detection has to be right in.
#[derive(Debug, Args)]
pub(crate) struct Evaluate {
    /// Folder with exchanges, accounts.jsonl and labels.jsonl
    #[arg(value_name = "DIR", required_unless_present_any = ["frontier", "worlds"])]
    pub(crate) folder: Option<PathBuf>,
    /// Score these findings instead of hunting
    #[arg(long, value_name = "FILE")]
    pub(crate) campaigns: Option<PathBuf>,
    /// Draw a frontier: a knob and its values, such as cover=0,0.5,0.9
    #[arg(long, value_name = "KNOB=VALUES", conflicts_with = "folder")]
    pub(crate) frontier: Option<String>,
    /// Run worlds that detection has to be right in and print them as one table: all of them, or these, separated by commas
    #[arg(
        long,
        value_name = "NAMES",
        num_args = 0..=1,
        default_missing_value = "all",
        require_equals = true,
        conflicts_with_all = ["folder", "frontier"]
    )]
    pub(crate) worlds: Option<String>,
    /// With --worlds: run each with every family of fields, and with each taken away in turn
    #[arg(long, requires = "worlds")]
    pub(crate) each_without: bool,
    /// The scenario that a frontier starts from
    #[arg(long, default_value = "hydra", value_name = "NAME")]
    pub(crate) scenario: String,
    /// Seeds to take the mean of at each value of a frontier, or to run each world with
    #[arg(long, default_value_t = std::num::NonZeroU64::MIN, value_name = "N")]
    pub(crate) seeds: std::num::NonZeroU64,
    /// Write the frontier as a picture
    #[arg(long, value_name = "FILE.svg")]
    pub(crate) svg: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) traffic: Traffic,
    #[command(flatten)]
    pub(crate) run: Run,
}

/// See it work: simulates a day of traffic with a hydra in it and hunts it.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Folder to write the traffic and the report to
    #[arg(long, default_value = "stillwatch-demo", value_name = "DIR")]
    pub(crate) out: PathBuf,
}

/// Run the gateway in front of a model server: who asks, what is allowed, and a record of every exchange.
///
/// Without any flag it listens on 127.0.0.1:8080, keeps everything in ./stillwatch-data and has a small mock model behind it,
/// so that it can be tried at once. Accounts and keys are made by `stillwatch account` and `stillwatch key`; what was recorded
/// is read by `stillwatch hunt DIR`. SIGTERM lets what is under way come to its end.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stillwatch up\n  stillwatch up --upstream http://127.0.0.1:8000\n  \
                        stillwatch up --config gateway.toml --ready-file ready.json\n\n\
                        Exit codes: 0 ended as asked, 2 wrong usage, 65 a configuration that cannot be used, 74 a file, port or \
                        database that cannot be used.")]
pub(crate) struct Up {
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    /// Written once everything listens: addresses, the file of the admin credential and the process, as JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// What this process is for: several may share a data folder, each role being one process's
    #[arg(
        long,
        value_name = "ROLES",
        env = "STILLWATCH_ROLES",
        value_delimiter = ',',
        default_value = "gateway,detect,console"
    )]
    pub(crate) roles: Vec<Role>,
    /// For drills: what time it is for the gateway when it begins
    #[arg(long, value_name = "TIME", value_parser = date, hide_short_help = true)]
    pub(crate) drill_begins: Option<Time>,
    /// For drills: how many times as fast as the machine's its clock runs, with all quotas and ends of responses
    #[arg(long, value_name = "FACTOR", hide_short_help = true)]
    pub(crate) drill_speed: Option<std::num::NonZeroU32>,
    /// For drills: ends once standard input ends, so that it outlives nobody
    #[arg(long, hide_short_help = true)]
    pub(crate) drill_until_stdin_ends: bool,
}

/// What a process of a running gateway is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Serves callers, listens to sensors and records
    Gateway,
    /// Looks for campaigns in what is recorded, tells policies, and alerts
    Detect,
    /// The admin API
    Console,
}

impl std::fmt::Display for Role {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.to_possible_value().map_or(Ok(()), |value| out.write_str(value.get_name()))
    }
}

/// The configuration of a gateway: a file, and the flags that go before it.
#[derive(Debug, Default, Args)]
pub(crate) struct Configuration {
    /// The configuration; flags go before it
    #[arg(long, value_name = "FILE.toml", env = "STILLWATCH_CONFIG")]
    pub(crate) config: Option<PathBuf>,
    /// Folder for everything that is kept [default: stillwatch-data]
    #[arg(long, value_name = "DIR", env = "STILLWATCH_DATA")]
    pub(crate) data: Option<PathBuf>,
    /// Where callers are served; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR", env = "STILLWATCH_LISTEN")]
    pub(crate) listen: Option<SocketAddr>,
    /// Where it is managed; port 0 takes a free one [default: 127.0.0.1:8081]
    #[arg(long, value_name = "ADDR", env = "STILLWATCH_ADMIN")]
    pub(crate) admin: Option<SocketAddr>,
    /// A model server, such as http://127.0.0.1:8000; may be given several times
    #[arg(long, value_name = "URL", env = "STILLWATCH_UPSTREAM", value_delimiter = ',')]
    pub(crate) upstream: Vec<String>,
}

/// Check, describe or show the configuration of a gateway, without running one.
///
/// Every key with one value can also be set in the environment, as STILLWATCH_KEY or STILLWATCH_SECTION_KEY, such as
/// STILLWATCH_RECORDING_REQUIRED=true. Flags go before the environment, and that before the file.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stillwatch config check --config gateway.toml\n  \
                        stillwatch config show --config gateway.toml --json\n  \
                        stillwatch config schema > gateway.schema.json\n\n\
                        Exit codes: 0 it can be used, 2 wrong usage, 65 it cannot be used.")]
pub(crate) struct Config {
    #[command(subcommand)]
    pub(crate) command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    Check(ConfigCheck),
    /// Print the form of the file as a JSON schema, for editors
    Schema,
    Show(ConfigShow),
}

/// Read and check it as `stillwatch up` does at its start, with the certificates and keys that it names.
#[derive(Debug, Args)]
pub(crate) struct ConfigCheck {
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Print what is in force: the file, what the environment and flags put in its place, and every default; no secrets.
#[derive(Debug, Args)]
pub(crate) struct ConfigShow {
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    /// Print as JSON instead of TOML
    #[arg(long)]
    pub(crate) json: bool,
}

/// A running gateway, for the commands that manage it.
#[derive(Debug, Args)]
pub(crate) struct Server {
    /// Its data folder, in which its address and the admin credential are found
    #[arg(long, value_name = "DIR", default_value = "stillwatch-data", env = "STILLWATCH_DATA")]
    pub(crate) data: PathBuf,
    /// Its admin address, instead of the one in the data folder
    #[arg(long, value_name = "URL", env = "STILLWATCH_SERVER")]
    pub(crate) server: Option<String>,
    /// The file with the admin credential, instead of the one in the data folder
    #[arg(long, value_name = "FILE", env = "STILLWATCH_ADMIN_KEY_FILE")]
    pub(crate) admin_key_file: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// See what a running gateway has found so far.
///
/// Detection follows what the gateway records. Exchanges of the last seconds wait for earlier ones whose answers are still under way
/// (`lateness_seconds`), so what is shown is a little older than the traffic.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stillwatch findings\n  stillwatch findings --json\n  \
                        stillwatch findings --report findings.html\n\n\
                        Exit codes: 0 nothing was found, 10 campaigns were found, 2 wrong usage, 74 no gateway answers.")]
pub(crate) struct Findings {
    #[command(flatten)]
    pub(crate) server: Server,
    /// Write a page for people
    #[arg(long, value_name = "FILE.html")]
    pub(crate) report: Option<PathBuf>,
}

/// See and decide what is done about an account or a campaign.
///
/// The rungs, mildest first: observe, alert, verify (until the account is better known), share-budget (all who are covered share one
/// quota), shield (answers come without what helps most to train on them), block. What each takes away is said by the policies
/// (`stillwatch policy show`). Every response has a reason and an author, may end by itself, and is undone by one command; a caller never
/// learns why. With --shadow it changes nothing, and what it would have changed is in the record.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stillwatch response simulate --campaign cmp_1 --rung shield\n  \
                        stillwatch response apply --campaign cmp_1 --rung share-budget --budget '1000 requests per day' \\\n    \
                        --joiners inherit --hours 72 --by ann --reason 'case 7'\n  \
                        stillwatch response list\n  stillwatch response undo rsp_0123456789ab --by bob --reason 'a class'")]
pub(crate) struct Response {
    #[command(subcommand)]
    pub(crate) command: ResponseCommand,
}

/// Enter and decide what accounts appeal against.
///
/// An appeal that is upheld clears its account: responses to the account itself are undone, no response to a campaign covers it any more, and
/// detection counts it as a member of none. Whoever decides otherwise later takes that back.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stillwatch appeal open --account acc_1 --text 'We teach a class with one template.' --by ann\n  \
                        stillwatch appeal list\n  \
                        stillwatch appeal decide apl_0123456789ab --upheld --by bob --reason 'the school confirms it'"
)]
pub(crate) struct Appeal {
    #[command(subcommand)]
    pub(crate) command: AppealCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AppealCommand {
    /// List all appeals, and what was decided
    List {
        #[command(flatten)]
        server: Server,
    },
    /// Enter an appeal of an account
    Open {
        /// The account
        #[arg(long, value_name = "ID")]
        account: String,
        /// What it says
        #[arg(long, value_name = "TEXT")]
        text: String,
        /// Who enters it
        #[arg(long, value_name = "NAME")]
        by: String,
        #[command(flatten)]
        server: Server,
    },
    /// Decide an appeal, also one that was decided otherwise before
    #[command(group(clap::ArgGroup::new("ruling").required(true)))]
    Decide {
        /// The appeal
        id: String,
        /// The account is in the right
        #[arg(long, group = "ruling")]
        upheld: bool,
        /// It is not
        #[arg(long, group = "ruling")]
        rejected: bool,
        /// Who decides
        #[arg(long, value_name = "NAME")]
        by: String,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        server: Server,
    },
}

/// Say who may sign in to the console, and what they may do there.
///
/// A viewer sees everything but texts; an analyst also what findings quote, and whole exchanges, each of these for a reason, and says what a
/// finding is; a responder also responds and manages accounts and keys; an admin also policies and people. Whatever they do is put down under their names.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  stillwatch person add ann --role admin\n  stillwatch person list\n  \
                        stillwatch person change bob --shut-out\n  stillwatch person reset ann")]
pub(crate) struct PersonArgs {
    #[command(subcommand)]
    pub(crate) command: PersonCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PersonCommand {
    /// Let somebody in, with a password that is shown once
    Add {
        /// The name, of letters, digits, spaces within and -_.@'+
        name: String,
        /// What they may do: viewer, analyst, responder or admin
        #[arg(long, value_name = "ROLE")]
        role: String,
        #[command(flatten)]
        server: Server,
    },
    /// List who may sign in
    List {
        #[command(flatten)]
        server: Server,
    },
    /// Change what somebody may do, shut them out, or let them in again
    #[command(group(clap::ArgGroup::new("change").required(true).multiple(true)))]
    Change {
        /// Who
        name: String,
        /// What they may do: viewer, analyst, responder or admin
        #[arg(long, value_name = "ROLE", group = "change")]
        role: Option<String>,
        /// They may not sign in any more
        #[arg(long, group = "change", conflicts_with = "let_in")]
        shut_out: bool,
        /// They may sign in again
        #[arg(long, group = "change")]
        let_in: bool,
        #[command(flatten)]
        server: Server,
    },
    /// Give somebody another password, which is shown once
    Reset {
        /// Who
        name: String,
        #[command(flatten)]
        server: Server,
    },
}

/// See what was found and done, and prove it.
///
/// A running gateway puts down every change of accounts, keys, quotas, policies and responses, every appeal, verdict and finding: who, why, and
/// the hash of what was there before and after. Each is an entry of a transparency log (C2SP tlog-tiles) in DIR/ledger/log, which can be shown to
/// anybody: an entry is a salted hash. What was said stands beside it, in DIR/ledger/statements.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stillwatch ledger tail\n  stillwatch ledger prove 17 --out entry-17.tlog-proof\n  \
                        stillwatch verify entry-17.tlog-proof --key \"$(stillwatch ledger key)\""
)]
pub(crate) struct Ledger {
    #[command(subcommand)]
    pub(crate) command: LedgerCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LedgerCommand {
    /// Show the last entries, and what was said
    Tail {
        /// How many
        #[arg(short = 'n', long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=100_000))]
        entries: u64,
        #[command(flatten)]
        place: LedgerPlace,
    },
    /// Write a receipt for an entry, which can be checked without the ledger
    Prove {
        /// The entry's number, as `tail` shows it
        index: u64,
        /// Where to write it, instead of standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
        /// Keep back what was said, and show only that it was
        #[arg(long)]
        closed: bool,
        #[command(flatten)]
        place: LedgerPlace,
    },
    /// Print the checkpoint: how many entries there are, and their root, signed
    Checkpoint {
        #[command(flatten)]
        place: LedgerPlace,
    },
    /// Show the checkpoint to a witness, who signs that it goes on from those that were shown before
    ///
    /// Receipts have its signature with them from then on. `[[ledger.witness]]` of the configuration does this all the time.
    Witness {
        /// Where the witness takes checkpoints
        #[arg(long, value_name = "URL")]
        url: String,
        /// The key that it signs with
        #[arg(long, value_name = "KEY")]
        key: String,
        #[command(flatten)]
        place: LedgerPlace,
    },
    /// Have an authority say when the checkpoint was there (RFC 3161)
    ///
    /// Receipts of what is in it have that with them from then on. `[ledger.timestamp]` of the configuration does this all the time.
    Timestamp {
        /// Where the authority takes requests
        #[arg(long, value_name = "URL")]
        url: String,
        /// The certificates (PEM) of whoever vouches for what it signs
        #[arg(long, value_name = "FILE")]
        authority: PathBuf,
        #[command(flatten)]
        place: LedgerPlace,
    },
    /// Print the key that signs the ledger, by which others check it
    Key {
        #[command(flatten)]
        place: LedgerPlace,
    },
}

/// Which ledger.
#[derive(Debug, Args)]
pub(crate) struct LedgerPlace {
    /// The data folder that it is in
    #[arg(long, value_name = "DIR", default_value = "stillwatch-data", env = "STILLWATCH_DATA")]
    pub(crate) data: PathBuf,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Seal recorded texts, and open, hold, erase or close them.
///
/// A gateway whose configuration names an evidence key (`[sealing] key = "FILE.pub"`) records no text in clear: of each exchange stays what detection
/// needs, as keyed fingerprints, and the text itself is encrypted by a key of its account for a day. These keys lie on disk wrapped for the
/// holder of the evidence key only: the gateway itself cannot read what it recorded. Each reading, erasure, expiry, hold, grant and rotation is an entry of the ledger,
/// before it is done.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stillwatch seal key --out evidence.key --name ann --purpose investigation --passphrase-file ann.txt\n  \
                        stillwatch seal open --account acc_7 --key evidence.key --by ann --purpose investigation --reason \"case 12\" --passphrase-file ann.txt --out acc_7.jsonl\n  \
                        stillwatch seal erase --account acc_9 --by ann --reason \"asked to be forgotten\""
)]
pub(crate) struct Seal {
    #[command(subcommand)]
    pub(crate) command: SealCommand,
}

/// What locks a private key.
#[derive(Debug, Args)]
#[group(required = true, multiple = false, args = ["passphrase_file", "pkcs11", "command"])]
pub(crate) struct LockedBy {
    /// The file whose first line is the passphrase
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// The PKCS#11 library of a token that has the key
    #[arg(long, value_name = "LIBRARY", requires = "pin_file")]
    pub(crate) pkcs11: Option<PathBuf>,
    /// A program that is run as `PROGRAM wrap` or `PROGRAM unwrap`, gets a key in base64 as a line, and prints a line
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) command: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) token: OnToken,
}

/// Which key of which token.
#[derive(Debug, Args)]
pub(crate) struct OnToken {
    /// With a token: the file whose first line is its PIN
    #[arg(long, value_name = "FILE")]
    pub(crate) pin_file: Option<PathBuf>,
    /// With a token: its label, where there are several
    #[arg(long, value_name = "LABEL")]
    pub(crate) token: Option<String>,
    /// With a token: the label of the key (AES with 256 bits), which is made there where it is not yet
    #[arg(long, value_name = "LABEL", default_value = "stillwatch evidence")]
    pub(crate) token_key: String,
}

/// Who uses the evidence key.
#[derive(Debug, Args)]
pub(crate) struct Unlocking {
    /// The key file
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Who uses it, by the name that it is granted to
    #[arg(long, value_name = "NAME", value_parser = said)]
    pub(crate) by: String,
    #[command(flatten)]
    pub(crate) locked: LockedBy,
}

/// What locks another grant. A token is the one that is named for the first.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct LockedAnewBy {
    /// The file whose first line is the passphrase of the new grant
    #[arg(long, value_name = "FILE")]
    pub(crate) new_passphrase_file: Option<PathBuf>,
    /// The PKCS#11 library of a token that locks the new grant
    #[arg(long, value_name = "LIBRARY", requires = "pin_file")]
    pub(crate) new_pkcs11: Option<PathBuf>,
    /// The program that locks the new grant
    #[arg(long, value_name = "PROGRAM")]
    pub(crate) new_command: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SealCommand {
    /// Make an evidence key: FILE, which stays with whoever may read, and FILE.pub, which the gateway seals for
    Key {
        /// Where to write it
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// To whom it is granted first, who may grant it to others
        #[arg(long, value_name = "NAME")]
        name: String,
        /// For what besides administration; can be given several times
        #[arg(long, value_name = "WORD")]
        purpose: Vec<String>,
        #[command(flatten)]
        locked: LockedBy,
    },
    /// Let somebody use the evidence key for named purposes
    Grant {
        #[command(flatten)]
        unlocking: Unlocking,
        /// Whom
        #[arg(long, value_name = "NAME")]
        to: String,
        /// For what; can be given several times
        #[arg(long, value_name = "WORD", required = true)]
        purpose: Vec<String>,
        #[command(flatten)]
        locked: LockedAnewBy,
        /// The data folder whose ledger says so
        #[arg(long, value_name = "DIR", default_value = "stillwatch-data", env = "STILLWATCH_DATA")]
        data: PathBuf,
    },
    /// Take what was granted away
    Revoke {
        #[command(flatten)]
        unlocking: Unlocking,
        /// From whom
        #[arg(long, value_name = "NAME")]
        from: String,
        /// The data folder whose ledger says so
        #[arg(long, value_name = "DIR", default_value = "stillwatch-data", env = "STILLWATCH_DATA")]
        data: PathBuf,
    },
    /// Put another evidence key in the place of this one, and wrap the keys of what was sealed for it
    ///
    /// The key file keeps the old one as well, so that nothing is lost whatever is interrupted.
    Rotate {
        #[command(flatten)]
        unlocking: Unlocking,
        #[command(flatten)]
        locked: LockedAnewBy,
        /// The data folder whose keys are wrapped anew
        #[arg(long, value_name = "DIR", default_value = "stillwatch-data", env = "STILLWATCH_DATA")]
        data: PathBuf,
    },
    /// Wrap the keys of what was sealed for earlier evidence keys for the current one, after a rotation
    Rewrap {
        #[command(flatten)]
        unlocking: Unlocking,
        /// The data folder whose keys are wrapped anew
        #[arg(long, value_name = "DIR", default_value = "stillwatch-data", env = "STILLWATCH_DATA")]
        data: PathBuf,
    },
    /// Open sealed records, as they were before they were sealed; the ledger says who read them, and why
    Open(SealOpen),
    /// Keep accounts from being erased or closed by age while a case is open
    Hold {
        #[command(subcommand)]
        command: HoldCommand,
    },
    /// Erase what accounts sent, by destroying its keys: nobody reads it any more, in no copy
    ///
    /// That holds for what was recorded until then. What stands in clear of its records (when, how many tokens, which network) stays.
    Erase(SealErase),
    /// Destroy the keys of all days before the last so many, but for those of accounts that are held
    ///
    /// With `[sealing] keep_days` a gateway does so by itself.
    Expire(SealExpire),
    /// Show by day for how many accounts texts are sealed
    Status {
        /// The data folder
        #[arg(long, value_name = "DIR", default_value = "stillwatch-data", env = "STILLWATCH_DATA")]
        data: PathBuf,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
}

/// What is opened, by whom and why.
#[derive(Debug, Args)]
pub(crate) struct SealOpen {
    #[command(flatten)]
    pub(crate) unlocking: Unlocking,
    /// For what, one of the purposes that are granted
    #[arg(long, value_name = "WORD")]
    pub(crate) purpose: String,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = said)]
    pub(crate) reason: String,
    /// The case that it is for
    #[arg(long, value_name = "ID", value_parser = said)]
    pub(crate) case: Option<String>,
    /// Whose records; can be given several times
    #[arg(long, value_name = "ID", value_parser = said)]
    pub(crate) account: Vec<String>,
    /// Which records; can be given several times
    #[arg(long, value_name = "ID")]
    pub(crate) exchange: Vec<String>,
    /// Only what was sent from then on, as 2026-03-01T09:00:00Z
    #[arg(long, value_name = "TIME", value_parser = date)]
    pub(crate) from: Option<Time>,
    /// Only what was sent before
    #[arg(long, value_name = "TIME", value_parser = date)]
    pub(crate) to: Option<Time>,
    /// Where to write the records, instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// The data folder that they are in
    #[arg(long, value_name = "DIR", default_value = "stillwatch-data", env = "STILLWATCH_DATA")]
    pub(crate) data: PathBuf,
    /// The lake that they are in as well; DIR/lake otherwise, where there is one
    #[arg(long, value_name = "PLACE")]
    pub(crate) lake: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum HoldCommand {
    /// Hold an account for a case
    Add {
        /// The account
        #[arg(long, value_name = "ID", value_parser = said)]
        account: String,
        /// The case
        #[arg(long, value_name = "ID", value_parser = said)]
        case: String,
        /// Who asks for it
        #[arg(long, value_name = "NAME", value_parser = said)]
        by: String,
        /// Why
        #[arg(long, value_name = "TEXT", value_parser = said)]
        reason: String,
        /// The data folder
        #[arg(long, value_name = "DIR", default_value = "stillwatch-data", env = "STILLWATCH_DATA")]
        data: PathBuf,
    },
    /// Hold it no longer
    Release {
        /// The account
        #[arg(long, value_name = "ID", value_parser = said)]
        account: String,
        /// The case
        #[arg(long, value_name = "ID", value_parser = said)]
        case: String,
        /// Who says so
        #[arg(long, value_name = "NAME", value_parser = said)]
        by: String,
        /// Why
        #[arg(long, value_name = "TEXT", value_parser = said)]
        reason: String,
        /// The data folder
        #[arg(long, value_name = "DIR", default_value = "stillwatch-data", env = "STILLWATCH_DATA")]
        data: PathBuf,
    },
    /// List what is held
    List {
        /// The data folder
        #[arg(long, value_name = "DIR", default_value = "stillwatch-data", env = "STILLWATCH_DATA")]
        data: PathBuf,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Who is erased.
#[derive(Debug, Args)]
pub(crate) struct SealErase {
    /// The account; can be given several times
    #[arg(long, value_name = "ID", required = true, value_parser = said)]
    pub(crate) account: Vec<String>,
    /// Who erases
    #[arg(long, value_name = "NAME", value_parser = said)]
    pub(crate) by: String,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = said)]
    pub(crate) reason: String,
    /// Only say what would be destroyed
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The data folder
    #[arg(long, value_name = "DIR", default_value = "stillwatch-data", env = "STILLWATCH_DATA")]
    pub(crate) data: PathBuf,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What is closed by age.
#[derive(Debug, Args)]
pub(crate) struct SealExpire {
    /// Of how many days it can be opened still
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) days: u32,
    /// Who does it
    #[arg(long, value_name = "NAME", value_parser = said)]
    pub(crate) by: String,
    /// Only say what would be destroyed
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// The data folder
    #[arg(long, value_name = "DIR", default_value = "stillwatch-data", env = "STILLWATCH_DATA")]
    pub(crate) data: PathBuf,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Keep recorded exchanges as Parquet, without their texts.
///
/// A lake is a folder of Parquet files by day and by a hash of the account, which DuckDB, Polars and pyarrow read as they are. Of each exchange it has
/// everything but its texts, which are sealed or left out; hunts and `inspect` read it. Whatever is interrupted goes on where it was.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stillwatch lake compact --data stillwatch-data           # take in what a gateway recorded\n  \
                        stillwatch lake add logs/ --lake lake --key-file key     # take in logs of others\n  \
                        stillwatch hunt lake\n  \
                        duckdb -c \"select day, count(*) from read_parquet('lake/**/*.parquet', hive_partitioning=true) group by day\""
)]
pub(crate) struct LakeArgs {
    #[command(subcommand)]
    pub(crate) command: LakeCommand,
}

/// Which lake.
#[derive(Debug, Args)]
pub(crate) struct LakeAt {
    /// The lake, a folder or s3://BUCKET/FOLDER; DIR/lake otherwise
    #[arg(long, value_name = "PLACE")]
    pub(crate) lake: Option<PathBuf>,
    /// The data folder that it belongs to: its ledger, its holds, what its gateway recorded
    #[arg(long, value_name = "DIR", default_value = "stillwatch-data", env = "STILLWATCH_DATA")]
    pub(crate) data: PathBuf,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LakeCommand {
    /// Add logs, in any format that a hunt reads; their texts are left out
    ///
    /// What is added twice is there once. Account facts beside the logs are taken along.
    Add(LakeAdd),
    /// Take in what a gateway recorded, and merge small files
    ///
    /// Recorded files stay where they are. Files of days that are over become one a shard; those of today once there are eight.
    Compact {
        #[command(flatten)]
        at: LakeAt,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
    },
    /// List the files
    Ls {
        #[command(flatten)]
        at: LakeAt,
        /// Only those of a day, as 2026-03-01
        #[arg(long, value_name = "DAY")]
        day: Option<String>,
    },
    /// Show by day how many exchanges, accounts and bytes there are
    Stat {
        #[command(flatten)]
        at: LakeAt,
    },
    /// Remove all days before the last so many, but for exchanges of accounts that are held
    Expire {
        #[command(flatten)]
        at: LakeAt,
        /// How many days are kept
        #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
        days: u32,
        #[command(flatten)]
        why: LakeWhy,
    },
    /// Remove everything that accounts sent until now, also from what is taken in later
    ///
    /// What a gateway recorded in DIR/exchanges is not changed: `stillwatch seal erase` closes its texts, and it goes with its age.
    Erase {
        #[command(flatten)]
        at: LakeAt,
        /// The account; can be given several times
        #[arg(long, value_name = "ID", required = true, value_parser = said)]
        account: Vec<String>,
        #[command(flatten)]
        why: LakeWhy,
    },
    /// Read everything, and say what is damaged, in the wrong place, or not what the ledger has
    Verify {
        #[command(flatten)]
        at: LakeAt,
    },
    /// Copy the lake to where none is; interrupted, it can be made anew
    Backup {
        #[command(flatten)]
        at: LakeAt,
        /// Where to
        #[arg(long, value_name = "PLACE")]
        to: PathBuf,
    },
    /// Remove the lock that a process left on a lake in a store when it was killed
    ///
    /// Only where no other process changes it. The lock of a folder ends with its process.
    Unlock {
        #[command(flatten)]
        at: LakeAt,
    },
    /// Put a backup in the place of a lake that is lost, and erase again what was erased since
    Restore {
        #[command(flatten)]
        at: LakeAt,
        /// The backup
        #[arg(long, value_name = "PLACE")]
        from: PathBuf,
    },
}

/// What is added.
#[derive(Debug, Args)]
pub(crate) struct LakeAdd {
    /// Files or folders of exchanges; `-` is standard input
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) at: LakeAt,
    /// File with the key of fingerprints: 32 hexadecimal digits; that of the data folder otherwise
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Account facts, instead of an accounts.jsonl beside the exchanges
    #[arg(long, value_name = "FILE")]
    pub(crate) accounts: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) records: Records,
}

/// Who removes, and why.
#[derive(Debug, Args)]
pub(crate) struct LakeWhy {
    /// Who does it
    #[arg(long, value_name = "NAME", value_parser = said)]
    pub(crate) by: String,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = said)]
    pub(crate) reason: String,
    /// Only say what would be removed
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do it without a ledger, where the data folder has none: nothing shows later that it was done
    #[arg(long)]
    pub(crate) without_ledger: bool,
}

/// Make a case file: what was found and done about a campaign, with what shows it.
#[derive(Debug, Args)]
pub(crate) struct CaseArgs {
    #[command(subcommand)]
    pub(crate) command: CaseCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CaseCommand {
    /// Write one archive: a report (HTML and PDF), facts, recorded exchanges with receipts, method and error rates, a draft certification
    ///
    /// What is recorded stands apart from what is inferred; what speaks against it has the same room. The ledger has its hash before it is written,
    /// and whoever gets it checks it offline by `stillwatch-verify`, a program of its own.
    #[command(
        after_help = "Examples:\n  stillwatch case export cmp_1 --out case-12.zip --case case-12 --by ann --reason \"for counsel\" --attach terms.pdf\n  \
                            stillwatch case export cmp_1 --out case-12.zip --by ann --reason \"for counsel\" --plain --key evidence.key --passphrase-file ann.txt"
    )]
    Export(CaseExport),
}

/// What goes into a case file.
#[derive(Debug, Args)]
pub(crate) struct CaseExport {
    /// The campaign, as `stillwatch findings` names it
    #[arg(value_name = "CAMPAIGN")]
    pub(crate) campaign: String,
    /// Where to write it
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    /// What the case is called, instead of as the campaign
    #[arg(long, value_name = "ID", value_parser = said)]
    pub(crate) case: Option<String>,
    /// Who exports it
    #[arg(long, value_name = "NAME", value_parser = said)]
    pub(crate) by: String,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = said)]
    pub(crate) reason: String,
    /// What `stillwatch hunt --json` printed, instead of what a running gateway says
    #[arg(long, value_name = "FILE")]
    pub(crate) findings: Option<PathBuf>,
    /// How many recorded exchanges of members go along, spread over accounts and time
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(0..=20_000))]
    pub(crate) records: u32,
    /// A file to put beside: terms, notices, licences; can be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) attach: Vec<PathBuf>,
    /// Open the texts of sealed exchanges; the ledger says so
    #[arg(long)]
    pub(crate) plain: bool,
    #[command(flatten)]
    pub(crate) opening: OpenedBy,
    #[command(flatten)]
    pub(crate) server: Server,
}

/// Who opens sealed texts, where that is asked for.
#[derive(Debug, Args)]
pub(crate) struct OpenedBy {
    /// With --plain: the key file
    #[arg(long, value_name = "FILE", requires = "plain")]
    pub(crate) key: Option<PathBuf>,
    /// With --plain: the file whose first line is the passphrase
    #[arg(long, value_name = "FILE", requires = "plain", conflicts_with_all = ["command", "pkcs11"])]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// With --plain: the PKCS#11 library of a token that unlocks the key
    #[arg(long, value_name = "LIBRARY", requires = "plain", requires = "pin_file", conflicts_with = "command")]
    pub(crate) pkcs11: Option<PathBuf>,
    /// With --plain: the program that unlocks the key
    #[arg(long, value_name = "PROGRAM", requires = "plain")]
    pub(crate) command: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) token: OnToken,
    /// With --plain: for what, one of the purposes that are granted
    #[arg(long, value_name = "WORD", default_value = "investigation")]
    pub(crate) purpose: String,
}

/// Check a case file, a receipt, or a whole ledger, without asking anybody.
///
/// Says what is shown, by which key, and where it fails. A ledger is checked entry by entry, tile by tile, up to its signed root; what was said is
/// checked where it stands beside the log.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stillwatch verify entry-17.tlog-proof --key evidence.example.com/2026+1a2b3c4d+AR...\n  \
                        stillwatch verify stillwatch-data/ledger --key-file ledger.pub\n\n\
                        Exit codes: 0 it is what it says, 65 it is not, 2 wrong usage."
)]
pub(crate) struct Verify {
    /// A case file, a receipt, or the folder of a ledger, of its log, or of a gateway's data
    #[arg(value_name = "PATH")]
    pub(crate) path: PathBuf,
    /// The key that has to have signed it, as `stillwatch ledger key` prints it
    #[arg(long, value_name = "KEY", conflicts_with = "key_file")]
    pub(crate) key: Option<verify::note::VerifierKey>,
    /// The file with that key
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// A witness whose signature has to be there; can be given several times
    #[arg(long, value_name = "KEY")]
    pub(crate) witness: Vec<verify::note::VerifierKey>,
    /// The certificates (PEM) of authorities that say when (RFC 3161); one has to have said so
    #[arg(long, value_name = "FILE")]
    pub(crate) authority: Option<PathBuf>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ResponseCommand {
    /// List all responses, with whom they cover and how they stand
    List {
        #[command(flatten)]
        server: Server,
    },
    /// Show one response and the accounts that it covers
    Show {
        /// The response
        #[arg(value_name = "ID")]
        id: String,
        #[command(flatten)]
        server: Server,
    },
    Apply(ResponseApply),
    /// Approve a block of more accounts than one person may block
    Approve {
        /// The response
        #[arg(value_name = "ID")]
        id: String,
        /// Who approves it; somebody else than who took it
        #[arg(long, value_name = "NAME", value_parser = said)]
        by: String,
        #[command(flatten)]
        server: Server,
    },
    /// Take a response back: everybody whom it covered is as if it had never been
    Undo {
        /// The response
        #[arg(value_name = "ID")]
        id: String,
        /// Who takes it back
        #[arg(long, value_name = "NAME", value_parser = said)]
        by: String,
        /// Why
        #[arg(long, value_name = "TEXT", value_parser = said)]
        reason: String,
        #[command(flatten)]
        server: Server,
    },
    Simulate(ResponseSimulate),
}

/// Respond to an account or a campaign.
#[derive(Debug, Args)]
pub(crate) struct ResponseApply {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) measure: Measure,
    /// With share-budget: what all who are covered may take together, such as '1000 requests per day'
    #[arg(long, value_name = "AMOUNT UNIT per TIME")]
    pub(crate) budget: Option<String>,
    /// How likely an account of the campaign must take part to be covered, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 50, value_parser = clap::value_parser!(u8).range(50..=99))]
    pub(crate) probability: u8,
    /// Whether accounts that join the campaign later are covered as well
    #[arg(long, value_parser = ["leave", "inherit"], default_value = "leave")]
    pub(crate) joiners: String,
    /// Change nothing, and record what it would change
    #[arg(long)]
    pub(crate) shadow: bool,
    /// When it ends by itself
    #[arg(long, value_name = "TIME", value_parser = date, conflicts_with = "hours")]
    pub(crate) until: Option<Time>,
    /// After how many hours it ends by itself
    #[arg(long, value_name = "N")]
    pub(crate) hours: Option<u32>,
    /// Who responds
    #[arg(long, value_name = "NAME", value_parser = said)]
    pub(crate) by: String,
    /// Why; callers never learn it
    #[arg(long, value_name = "TEXT", value_parser = said)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) server: Server,
}

/// Show what a response would have changed of what was recorded, and for whom.
#[derive(Debug, Args)]
pub(crate) struct ResponseSimulate {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) measure: Measure,
    /// Of how many days
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3650))]
    pub(crate) days: u32,
    #[command(flatten)]
    pub(crate) server: Server,
}

/// What a response does.
#[derive(Debug, Args)]
pub(crate) struct Measure {
    /// What is done
    #[arg(long, value_parser = ["observe", "alert", "verify", "share-budget", "shield", "block"])]
    pub(crate) rung: String,
    /// With verify: how well the account has to be known
    #[arg(long, value_parser = ["email", "phone", "payment", "business", "contract"])]
    pub(crate) assurance: Option<String>,
}

/// What a response is about.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Target {
    /// An account
    #[arg(long, value_name = "ID")]
    pub(crate) account: Option<String>,
    /// A campaign that stands, by its name in findings
    #[arg(long, value_name = "ID")]
    pub(crate) campaign: Option<String>,
}

/// Manage the accounts of a running gateway.
#[derive(Debug, Args)]
pub(crate) struct Account {
    #[command(subcommand)]
    pub(crate) command: AccountCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Add an account
    Add(AccountAdd),
    /// List all accounts
    List {
        #[command(flatten)]
        server: Server,
    },
    /// Show one account
    Show {
        /// Its id
        id: String,
        #[command(flatten)]
        server: Server,
    },
    /// Change an account
    Change(AccountChange),
    /// Close an account for good: its keys no longer work
    Close {
        /// Its id
        id: String,
        #[command(flatten)]
        server: Server,
    },
}

/// What is known of an account.
#[derive(Debug, Args)]
pub(crate) struct AccountFacts {
    /// A name for people
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// The verified organisation it belongs to; made if there is none of that id
    #[arg(long, value_name = "ID")]
    pub(crate) org: Option<String>,
    /// What it has bought
    #[arg(long, value_parser = ["free", "standard", "business", "enterprise"])]
    pub(crate) tier: Option<String>,
    /// How well it is known
    #[arg(long, value_parser = ["none", "email", "phone", "payment", "business", "contract"])]
    pub(crate) assurance: Option<String>,
    /// How it came
    #[arg(long, value_parser = ["none", "trial", "education", "research", "startup", "partner"])]
    pub(crate) programme: Option<String>,
    /// A fingerprint of what it pays with: equal for accounts that pay with the same
    #[arg(long, value_name = "ID")]
    pub(crate) payment: Option<String>,
    /// Where it is served, as you name your regions
    #[arg(long)]
    pub(crate) region: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct AccountAdd {
    /// Its id: 1 to 128 letters, digits or -_.:@+
    #[arg(long)]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) facts: AccountFacts,
    #[command(flatten)]
    pub(crate) server: Server,
}

#[derive(Debug, Args)]
pub(crate) struct AccountChange {
    /// Its id
    pub(crate) id: String,
    /// Whether it may do anything at all
    #[arg(long, value_parser = ["active", "suspended"])]
    pub(crate) status: Option<String>,
    #[command(flatten)]
    pub(crate) facts: AccountFacts,
    #[command(flatten)]
    pub(crate) server: Server,
}

/// Manage the keys of a running gateway.
#[derive(Debug, Args)]
pub(crate) struct Key {
    #[command(subcommand)]
    pub(crate) command: KeyCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key; it is shown once
    Add(Box<KeyAdd>),
    /// List keys, without their secrets
    List {
        /// Of this account only
        #[arg(long, value_name = "ID")]
        account: Option<String>,
        #[command(flatten)]
        server: Server,
    },
    /// Make a key that takes the place of another one
    Rotate {
        /// The id of the old one
        id: String,
        /// How long the old one holds on
        #[arg(long, default_value_t = 0, value_name = "SECONDS")]
        overlap: u32,
        #[command(flatten)]
        server: Server,
    },
    /// End a key now
    Revoke {
        /// Its id
        id: String,
        #[command(flatten)]
        server: Server,
    },
}

/// Policies: what each account may do with each model, in Cedar.
///
/// The language is told at docs.cedarpolicy.com; what policies can look at is printed by `stillwatch policy schema`.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stillwatch policy show --default > mine.cedar\n  stillwatch policy check mine.cedar\n  \
                        stillwatch policy simulate mine.cedar\n  stillwatch policy apply mine.cedar\n  \
                        stillwatch policy explain acc_1 --model m-1"
)]
pub(crate) struct Policy {
    #[command(subcommand)]
    pub(crate) command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Check a file of policies, without a gateway; exit code 65 if it cannot be used
    Check {
        /// The file
        file: PathBuf,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print what policies can look at, as a Cedar schema
    Schema,
    /// Print the policies that hold, or those that are shipped
    Show {
        /// Those that are shipped, without a gateway
        #[arg(long)]
        default: bool,
        #[command(flatten)]
        server: Server,
    },
    /// Let the policies of a file hold from now on, whole or not at all
    Apply {
        /// The file
        file: PathBuf,
        #[command(flatten)]
        server: Server,
    },
    /// Let the policies that are shipped hold again
    Reset {
        #[command(flatten)]
        server: Server,
    },
    /// Say what an account may do, and which policies say so
    Explain {
        /// Its id
        account: String,
        /// With this model; without it, what requests may do that name none
        #[arg(long)]
        model: Option<String>,
        #[command(flatten)]
        server: Server,
    },
    /// Say what recorded requests would have got under the policies of a file, and under those that hold
    ///
    /// Reads the exchanges in the data folder. Accounts, keys, responses and what detection says are taken as they are now; quotas are left out.
    Simulate {
        /// The file
        file: PathBuf,
        /// Only requests of so many last days
        #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(1..=3650))]
        days: u32,
        #[command(flatten)]
        server: Server,
    },
}

/// Manage the quotas of a running gateway: how much may be asked for in which time.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stillwatch quota set rpm --of each-account --unit requests --amount 60 --per minute\n  \
                        stillwatch quota set ring --of group=acc_1,acc_2 --unit tokens --amount 100000 --per day\n  \
                        stillwatch quota set spend --of each-organisation --unit cost --amount 250 --per thirty-days"
)]
pub(crate) struct Quota {
    #[command(subcommand)]
    pub(crate) command: QuotaCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum QuotaCommand {
    /// Add or change a quota
    Set(QuotaSet),
    /// List all quotas
    List {
        #[command(flatten)]
        server: Server,
    },
    /// A quota holds no longer
    Remove {
        /// Its name
        id: String,
        #[command(flatten)]
        server: Server,
    },
}

#[derive(Debug, Args)]
pub(crate) struct QuotaSet {
    /// Its name
    pub(crate) id: String,
    /// Whose requests share it: each-key, each-account, each-organisation, each-payment-group, everybody, account=ID or group=ID,ID
    #[arg(long, value_name = "WHOSE")]
    pub(crate) of: String,
    /// What is counted
    #[arg(long, value_parser = ["requests", "tokens", "cost"])]
    pub(crate) unit: String,
    /// How much; of costs an amount of the currency of `prices_file`, such as 12.50
    #[arg(long, value_name = "N")]
    pub(crate) amount: String,
    /// Not for those whom policies allow a high rate
    #[arg(long)]
    pub(crate) except_high_rate: bool,
    /// In which time
    #[arg(long, value_parser = ["second", "minute", "hour", "day", "thirty-days"])]
    pub(crate) per: String,
    #[command(flatten)]
    pub(crate) server: Server,
}

#[derive(Debug, Args)]
pub(crate) struct KeyAdd {
    /// The account it is for
    #[arg(long, value_name = "ID")]
    pub(crate) account: String,
    /// What for; a name for people
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Only these models, by name or by a beginning that ends in *
    #[arg(long = "model", value_name = "MODEL", value_delimiter = ',')]
    pub(crate) models: Vec<String>,
    /// Only these actions, such as infer or stream
    #[arg(long = "action", value_name = "ACTION", value_delimiter = ',')]
    pub(crate) actions: Vec<String>,
    /// Only from these networks, as address/bits
    #[arg(long = "network", value_name = "NETWORK", value_delimiter = ',')]
    pub(crate) networks: Vec<String>,
    /// Only with a proof (RFC 9449) by the private key of this thumbprint
    #[arg(long, value_name = "THUMBPRINT", conflicts_with = "certificate")]
    pub(crate) dpop: Option<String>,
    /// Only with the client certificate (RFC 8705) of this SHA-256, in base64url
    #[arg(long, value_name = "THUMBPRINT")]
    pub(crate) certificate: Option<String>,
    /// Until when it holds
    #[arg(long, value_name = "DATE", value_parser = date)]
    pub(crate) expires: Option<Time>,
    #[command(flatten)]
    pub(crate) server: Server,
}

impl Default for Run {
    fn default() -> Run {
        Run { alpha: detect::Config::default().alpha, threads: None, bad_lines_max: 1.0 }
    }
}

fn factor(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if number > 0.0 && number.is_finite() { Ok(number) } else { Err("expected more than 0".to_owned()) }
}

fn level(text: &str) -> Result<f64, String> {
    let number = share(text)?;
    if number > 0.0 { Ok(number) } else { Err("expected more than 0 and at most 1".to_owned()) }
}

fn share(text: &str) -> Result<f64, String> {
    let number: f64 = text.parse().map_err(|_| "expected a number".to_owned())?;
    if (0.0..=1.0).contains(&number) { Ok(number) } else { Err("expected a number from 0 to 1".to_owned()) }
}

fn verdict(text: &str) -> Result<Verdict, String> {
    match text {
        "benign" => Ok(Verdict::Benign),
        "research" => Ok(Verdict::Research),
        "campaign" => Ok(Verdict::Campaign),
        _ => Err("expected benign, research or campaign".to_owned()),
    }
}

/// Walk through what is done about a campaign, step by step, and see by when others have to be told.
///
/// Playbooks are CACAO 2.0 (OASIS): those that come with the program, or files of your own. Nothing in one is run: what it says to run is shown. Who
/// did which step, when and why is an entry of the ledger.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stillwatch playbook show campaign\n  stillwatch playbook begin campaign --case case_1 --by ann --reason 'a campaign stands'\n  \
                  stillwatch playbook done run_1 2 --by ann --reason 'looked at it' --note 'the template is ours'\n  \
                  stillwatch playbook deadlines --from 2026-03-01T09:30:00Z"
)]
pub(crate) struct PlaybookArgs {
    #[command(subcommand)]
    pub(crate) command: PlaybookCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum PlaybookCommand {
    /// Name the playbooks that come with the program
    List,
    /// Show a playbook as text, or as CACAO 2.0
    Show {
        /// One that comes with the program, or a file with one
        #[arg(value_name = "PLAYBOOK")]
        playbook: String,
        /// As CACAO 2.0
        #[arg(long)]
        cacao: bool,
    },
    /// Begin to walk through a playbook
    Begin {
        /// One that comes with the program, or a file with one
        #[arg(value_name = "PLAYBOOK")]
        playbook: String,
        /// The case that it is about
        #[arg(long, value_name = "CASE")]
        case: Option<String>,
        #[command(flatten)]
        entry: VaultEntry,
    },
    /// Show what was begun; of one run what is done and what is to be done
    Status {
        /// Which run
        #[arg(value_name = "RUN")]
        run: Option<String>,
        /// The data folder
        #[arg(long, value_name = "DIR", default_value = "stillwatch-data", env = "STILLWATCH_DATA")]
        data: PathBuf,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Say that a step is done
    Done {
        /// Which run
        #[arg(value_name = "RUN")]
        run: String,
        /// The step, by its number
        #[arg(value_name = "STEP")]
        step: String,
        /// It failed, or the answer is no
        #[arg(long)]
        failed: bool,
        /// What came of it
        #[arg(long, value_name = "TEXT", default_value = "")]
        note: String,
        #[command(flatten)]
        entry: VaultEntry,
    },
    /// Tell by when others have to be told, counted from a time
    Deadlines {
        /// When somebody became aware
        #[arg(long, value_name = "TIME", value_parser = date)]
        from: Time,
        /// Deadlines of your own, as JSON
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Practise: a campaign runs against a staging gateway, injects arrive, and it is measured what the team does and when.
///
/// The staging gateway is made for the drill, with a mock model behind it and a clock that runs faster; nothing of a drill reaches anybody else. The team works
/// in its console, and answers on the page of the drill. At the end stands an after-action report, of which the ledger of the data folder says that it was
/// written.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stillwatch drill tutorial\n  stillwatch drill list\n  stillwatch drill run hydra --difficulty medium --team ann,bob,chris\n  \
                  stillwatch drill run my-exercise.toml --minutes 40 --seed 7\n  stillwatch drill check --config gateway.toml\n  stillwatch drill scores"
)]
pub(crate) struct DrillArgs {
    #[command(subcommand)]
    pub(crate) command: DrillCommand,
}

/// What can be done with drills.
#[derive(Debug, Subcommand)]
pub(crate) enum DrillCommand {
    /// Name the exercises that come with the program
    List {
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show an exercise as it is written, to begin one of your own from
    Show {
        /// Which
        #[arg(value_name = "EXERCISE")]
        exercise: String,
    },
    /// Hold a drill
    Run {
        /// One that comes with the program, or a file with one
        #[arg(value_name = "EXERCISE")]
        exercise: String,
        /// How hard: easy, medium or hard; without it the easiest that there is
        #[arg(long, value_name = "DIFFICULTY", value_parser = difficulty)]
        difficulty: Option<Difficulty>,
        /// How many minutes the traffic takes; without it, as the exercise says
        #[arg(long, value_name = "MINUTES", value_parser = minutes)]
        minutes: Option<f64>,
        #[command(flatten)]
        played: DrillPlayed,
        #[command(flatten)]
        held: DrillHeld,
    },
    /// Learn the method by yourself, at your own pace, in some twenty minutes
    Tutorial {
        #[command(flatten)]
        played: DrillPlayed,
        #[command(flatten)]
        held: DrillHeld,
    },
    /// Look, with nobody who answers, whether a campaign is detected and an alert tells of it in time, and nobody honest is touched
    #[command(
        after_help = "Exit codes: 0 all is as it should be, 65 something is not, 2 wrong usage, 74 something cannot be used."
    )]
    Check {
        /// One that comes with the program, or a file with one
        #[arg(value_name = "EXERCISE", default_value = "hydra")]
        exercise: String,
        /// How hard: easy, medium or hard; without it the easiest that there is
        #[arg(long, value_name = "DIFFICULTY", value_parser = difficulty)]
        difficulty: Option<Difficulty>,
        /// How many minutes the traffic takes
        #[arg(long, value_name = "MINUTES", value_parser = minutes, default_value = "2")]
        minutes: f64,
        /// Which share of the campaign's exchanges may have been sent when it is detected, from 0 to 1
        #[arg(long, value_name = "SHARE", value_parser = share, default_value = "0.25")]
        sent_max: f64,
        /// How many seconds after that an alert has to have come
        #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "15")]
        alert_seconds: f64,
        #[command(flatten)]
        held: DrillHeld,
    },
    /// Show the report of a drill
    Report {
        /// Which, such as drill_1
        #[arg(value_name = "DRILL")]
        drill: String,
        /// The data folder
        #[arg(long, value_name = "DIR", default_value = "stillwatch-data", env = "STILLWATCH_DATA")]
        data: PathBuf,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Show how drills went, over time
    Scores {
        /// The data folder
        #[arg(long, value_name = "DIR", default_value = "stillwatch-data", env = "STILLWATCH_DATA")]
        data: PathBuf,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
}

/// Who takes part in a drill.
#[derive(Debug, Args)]
pub(crate) struct DrillPlayed {
    /// Who takes part; each may respond and approve in the console
    #[arg(long, value_name = "NAMES", value_delimiter = ',', default_value = "ann,bob", value_parser = said)]
    pub(crate) team: Vec<String>,
    /// Where the page of the drill is served; the staging gateway serves this machine only
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub(crate) listen: SocketAddr,
}

/// How a drill is held.
#[derive(Debug, Args)]
pub(crate) struct DrillHeld {
    /// What the traffic is drawn with; the same seed gives the same traffic
    #[arg(long, value_name = "SEED", default_value_t = 1)]
    pub(crate) seed: u64,
    /// The configuration of your gateway, for the staging gateway: its rules and detection, without what would reach others or your data
    #[arg(long, value_name = "FILE.toml")]
    pub(crate) config: Option<PathBuf>,
    /// Who holds it; without it, the first of the team
    #[arg(long, value_name = "NAME", value_parser = said)]
    pub(crate) by: Option<String>,
    /// Why, for the ledger
    #[arg(long, value_name = "TEXT", value_parser = said, default_value = "an exercise")]
    pub(crate) reason: String,
    /// The data folder whose drills these are, and whose ledger says that one was held
    #[arg(long, value_name = "DIR", default_value = "stillwatch-data", env = "STILLWATCH_DATA")]
    pub(crate) data: PathBuf,
}

/// Look whether the controls against extraction are there: configuration, running gateway, ledger, records, models, machine and, if it is named, an endpoint.
///
/// Every rule says what is wrong, why that matters and what to do, and cites what it speaks to: OWASP AISVS and LLM Top 10, MITRE ATLAS, NIST SP 800-53
/// and the EU's code of practice. What nobody looked at is told, and counts as nothing.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  stillwatch audit --config stillwatch.toml\n  stillwatch audit --persona auditor --search /home --format sarif --out audit.sarif\n  \
                  stillwatch audit --endpoint https://api.example --endpoint-key-file key --endpoint-model m-1\n  stillwatch audit --explain extraction-budget\n\n\
                  Exit codes: 0 nothing that is not accepted, 11 informational, 12 low, 13 medium, 14 high (the gravest), 2 wrong usage, \
                  65 input that cannot be read, 74 a file or service that cannot be used."
)]
pub(crate) struct Audit {
    #[command(flatten)]
    pub(crate) configuration: Configuration,
    /// For whom: regular (what should be mended), pedantic (what is to be had besides), auditor (what has to be a choice)
    #[arg(long, value_name = "PERSONA", default_value = "regular")]
    pub(crate) persona: audit::Persona,
    /// Leave a part out: configuration, control, ledger, records, models or host; can be given several times
    #[arg(long, value_name = "PART", value_parser = part_of_audit)]
    pub(crate) without: Vec<audit::Part>,
    /// Search for weights below this folder that no register has; can be given several times
    #[arg(long, value_name = "DIR")]
    pub(crate) search: Vec<PathBuf>,
    /// Ask an endpoint, without `/v1`, for what it should not give: some twenty requests of a few tokens
    #[arg(long, value_name = "URL", requires_all = ["endpoint_key_file", "endpoint_model"])]
    pub(crate) endpoint: Option<hyper::Uri>,
    /// The file with the key that it is asked with
    #[arg(long, value_name = "FILE", requires = "endpoint")]
    pub(crate) endpoint_key_file: Option<PathBuf>,
    /// The model that it is asked for
    #[arg(long, value_name = "MODEL", requires = "endpoint")]
    pub(crate) endpoint_model: Option<String>,
    /// Send so many requests of a token each at once as well, to see whether any is turned away
    #[arg(long, value_name = "N", requires = "endpoint", default_value_t = 0, value_parser = clap::value_parser!(u32).range(0..=1_000))]
    pub(crate) endpoint_burst: u32,
    /// For the extraction budget: exchanges that somebody wants
    #[arg(long, value_name = "N", default_value_t = audit::Assumptions::default().exchanges)]
    pub(crate) budget_exchanges: u64,
    /// For the extraction budget: accounts that somebody has
    #[arg(long, value_name = "N", default_value_t = audit::Assumptions::default().accounts)]
    pub(crate) budget_accounts: u64,
    /// For the extraction budget: days that it should take at least
    #[arg(long, value_name = "N", default_value_t = audit::Assumptions::default().days)]
    pub(crate) budget_days: u64,
    /// Risks that are accepted, as TOML: `[[accept]]` with rule, place, reason, by and until
    #[arg(long, value_name = "FILE")]
    pub(crate) accept: Option<PathBuf>,
    /// An earlier audit (JSON): only what is new since then counts for the exit code
    #[arg(long, value_name = "FILE")]
    pub(crate) baseline: Option<PathBuf>,
    /// Go on, with an audit every so many hours
    #[arg(long, value_name = "HOURS", value_parser = clap::value_parser!(u32).range(1..=8_784), conflicts_with = "out")]
    pub(crate) schedule: Option<u32>,
    /// Do not keep this audit, or compare it with the last one
    #[arg(long)]
    pub(crate) no_history: bool,
    /// How it is written
    #[arg(long, value_enum, default_value_t = AuditFormat::Text)]
    pub(crate) format: AuditFormat,
    /// Where to write it, instead of standard output
    #[arg(long, value_name = "FILE")]
    pub(crate) out: Option<PathBuf>,
    /// Name every rule, and end
    #[arg(long)]
    pub(crate) rules: bool,
    /// Say what a rule is about, and end
    #[arg(long, value_name = "RULE")]
    pub(crate) explain: Option<String>,
}

/// How an audit is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum AuditFormat {
    /// For people
    Text,
    /// For machines; a baseline
    Json,
    /// SARIF 2.1.0
    Sarif,
    /// OSCAL assessment results
    Oscal,
    /// A page that stands alone
    Html,
}

fn part_of_audit(name: &str) -> Result<audit::Part, String> {
    let parts = || audit::Part::ALL.into_iter().filter(|part| *part != audit::Part::Endpoint);
    let names = || parts().map(audit::Part::name).collect::<Vec<_>>().join(", ");
    parts().find(|part| part.name() == name).ok_or_else(|| format!("expected one of {}", names()))
}

/// Say what the weights of a model consist of, sign that and check it later; lock a model, and read it again.
///
/// A signature is one of OpenSSF model signing, in a Sigstore bundle: other programs check what is signed here, and what they signed is checked here.
/// It tells that no file was changed, added or taken away since, by whoever had the key. It does not tell that a model is harmless.
///
/// A locked model lies encrypted, and its key is divided among holders, of whom so many are needed to read it. Who locked, released and read it is
/// an entry of the ledger, before it is done.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  openssl ecparam -name prime256v1 -genkey -noout -out model.key && openssl ec -in model.key -pubout -out model.pub\n  \
                        stillwatch vault sign models/ours --key model.key --out ours.sig\n  \
                        stillwatch vault verify models/ours --signature ours.sig --key model.pub\n  \
                        stillwatch vault key --out ann.key --passphrase-file ann.txt\n  \
                        stillwatch vault lock models/ours --out locked --holder ann.pub --holder bob.pub --needed 2 --by ann --reason \"at rest\"\n  \
                        stillwatch vault release locked --key ann.key --passphrase-file ann.txt --to machine.pub --hours 8 --out ann.share --by ann --reason \"serving\"\n  \
                        stillwatch vault cat locked model.safetensors --key machine.key --passphrase-file m.txt --share ann.share --share bob.share --by ops --reason \"serving\"\n\n\
                        Exit codes: 0 done, or all is as it was signed, 2 wrong usage, 65 it is not, or something is no model, signature or key, \
                        74 a file that cannot be read."
)]
pub(crate) struct VaultArgs {
    #[command(subcommand)]
    pub(crate) command: VaultCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum VaultCommand {
    /// Hash every file of a model, and all of them together
    Hash {
        /// The folder or file of the model
        #[arg(value_name = "PATH")]
        model: PathBuf,
        #[command(flatten)]
        hashing: Hashing,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Tell what the files of a model are, and which of them may run something when they are loaded
    Formats {
        /// The folder or file of the model
        #[arg(value_name = "PATH")]
        model: PathBuf,
        /// A file or folder within the model that does not count; can be given several times. Those of git never do
        #[arg(long, value_name = "PATH")]
        leave_out: Vec<String>,
        /// Take a link to a file as the file; without it links are refused
        #[arg(long)]
        links: bool,
        #[command(flatten)]
        allowed: AllowedFormats,
        /// Print as JSON
        #[arg(long)]
        json: bool,
    },
    /// Sign what a model consists of
    Sign(VaultSign),
    /// Check that a model is what was signed
    Verify(VaultVerify),
    /// Make the key of a holder, or of a machine that reads: FILE such as ann.key, which stays with it, and ann.pub, which models are locked for
    Key {
        /// Where to write it
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        locked: LockedBy,
    },
    /// Encrypt a model into a new folder, and divide its key among holders; the model itself stays where it is
    Lock(VaultLock),
    /// Show what is locked, and whose shares open it
    Ls(VaultLs),
    /// Give one's share of a locked model on, to one other key and for some hours
    Release(VaultRelease),
    /// Write a file of a locked model, or a part of one, to standard output
    Cat(VaultCat),
    /// Run a program that reads a locked model as files, which are in memory only
    Open(VaultOpen),
    /// Put a place that holds a model down in the register, or put it down anew
    Register(VaultRegister),
    /// Show every place that holds a model, and with --check what became of it
    Inventory(VaultInventory),
    /// Say of places in the register that the model is still needed there, by those who may read it
    Review {
        /// The places, as `stillwatch vault inventory` calls them
        #[arg(value_name = "COPY", required = true)]
        copies: Vec<String>,
        #[command(flatten)]
        entry: VaultEntry,
    },
    /// Take a place that holds no model any more out of the register
    Unregister {
        /// The place, as `stillwatch vault inventory` calls it
        #[arg(value_name = "COPY")]
        copy: String,
        #[command(flatten)]
        entry: VaultEntry,
    },
}

/// What is locked, and for whom.
#[derive(Debug, Args)]
pub(crate) struct VaultLock {
    /// The folder or file of the model
    #[arg(value_name = "PATH")]
    pub(crate) model: PathBuf,
    /// The folder to write, which is not there yet
    #[arg(long, value_name = "DIR")]
    pub(crate) out: PathBuf,
    /// The public half of a holder's key; can be given several times
    #[arg(long, value_name = "FILE", required = true)]
    pub(crate) holder: Vec<PathBuf>,
    /// How many holders are needed to read it
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) needed: usize,
    #[command(flatten)]
    pub(crate) hashing: Hashing,
    #[command(flatten)]
    pub(crate) allowed: AllowedFormats,
    #[command(flatten)]
    pub(crate) entry: VaultEntry,
}

/// Who does something, why, and which ledger says so.
#[derive(Debug, Args)]
pub(crate) struct VaultEntry {
    /// Who does it
    #[arg(long, value_name = "NAME", value_parser = said)]
    pub(crate) by: String,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = said)]
    pub(crate) reason: String,
    /// The data folder whose ledger says so
    #[arg(long, value_name = "DIR", default_value = "stillwatch-data", env = "STILLWATCH_DATA")]
    pub(crate) data: PathBuf,
}

/// What opens a locked model.
#[derive(Debug, Args)]
pub(crate) struct VaultOpened {
    /// The key that shares were released to, or that of a holder, whose own share counts
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    #[command(flatten)]
    pub(crate) locked: LockedBy,
    /// A share that was released to this key; can be given several times
    #[arg(long, value_name = "FILE")]
    pub(crate) share: Vec<PathBuf>,
}

/// What is shown.
#[derive(Debug, Args)]
pub(crate) struct VaultLs {
    /// The folder of the locked model
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// Whose share is given on, and to whom.
#[derive(Debug, Args)]
pub(crate) struct VaultRelease {
    /// The folder of the locked model
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// The holder's key
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    #[command(flatten)]
    pub(crate) locked: LockedBy,
    /// The public half of the key that may use it
    #[arg(long, value_name = "FILE")]
    pub(crate) to: PathBuf,
    /// For how many hours it holds; whoever opens it once could keep it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=8_784))]
    pub(crate) hours: u32,
    /// Where to write the share
    #[arg(long, value_name = "FILE")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) entry: VaultEntry,
}

/// Formats that are taken though loading them may run something.
#[derive(Debug, Args)]
pub(crate) struct AllowedFormats {
    /// Take files of this format as well: pickle, archive, hdf5, program, damaged or unknown; can be given several times
    #[arg(long, value_name = "FORMAT", value_parser = format_of_model)]
    pub(crate) allow_format: Vec<vault::Format>,
}

fn format_of_model(text: &str) -> Result<vault::Format, String> {
    let unlisted = || vault::Format::ALL.into_iter().filter(|format| !format.is_listed());
    let names = || unlisted().map(vault::Format::name).collect::<Vec<_>>().join(", ");
    unlisted().find(|format| format.name() == text).ok_or_else(|| format!("expected one of {}", names()))
}

/// A place that holds a model.
#[derive(Debug, Args)]
pub(crate) struct VaultRegister {
    /// The folder or file of the model, or the folder of a locked one; with --elsewhere anything that says where it is
    #[arg(value_name = "PLACE")]
    pub(crate) place: PathBuf,
    /// The machine or service that has it, where it cannot be read from here
    #[arg(long, value_name = "HOST", value_parser = said, requires = "model", conflicts_with_all = ["signature", "public", "hash", "parts", "leave_out", "links", "threads", "allow_format"])]
    pub(crate) elsewhere: Option<String>,
    /// What the model is called; the name of its folder without it
    #[arg(long, value_name = "NAME", value_parser = said)]
    pub(crate) model: Option<String>,
    /// The hash of all of it, as `stillwatch vault hash` told it there
    #[arg(long, value_name = "HEX", requires = "elsewhere")]
    pub(crate) digest: Option<String>,
    /// A signature, which is checked first
    #[arg(long, value_name = "FILE", requires = "public")]
    pub(crate) signature: Option<PathBuf>,
    /// The public half of the key that signed it, as PEM
    #[arg(long = "key", id = "public", value_name = "FILE", requires = "signature")]
    pub(crate) key: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) hashing: Hashing,
    #[command(flatten)]
    pub(crate) allowed: AllowedFormats,
    #[command(flatten)]
    pub(crate) entry: VaultEntry,
}

/// What is shown of the register.
#[derive(Debug, Args)]
#[command(
    after_help = "Exit codes: 0 all is as it was put down; 65 with --check where something is another, is gone, or waits for a review; 65 with --search \
                  where weights are in no register."
)]
pub(crate) struct VaultInventory {
    /// Read every place that can be read from here, and tell what became of it
    #[arg(long)]
    pub(crate) check: bool,
    /// Search for weights below this folder that are in no register; can be given several times
    #[arg(long, value_name = "DIR")]
    pub(crate) search: Vec<PathBuf>,
    /// Threads that hash; as many as there are processors without it
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// The data folder that has the register
    #[arg(long, value_name = "DIR", default_value = "stillwatch-data", env = "STILLWATCH_DATA")]
    pub(crate) data: PathBuf,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// What a program reads.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  stillwatch vault open locked --at /run/model --key machine.key --passphrase-file m.txt --share ann.share \\\n    \
                  --by ops --reason serving -- llama-server -m /run/model/model.gguf\n\nThe whole model is decrypted into memory before \
                  the program begins, and must have room there. The program takes the place of this one."
)]
pub(crate) struct VaultOpen {
    /// The folder of the locked model
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// Where the program finds the files: a folder that is not there yet, or that an earlier run left
    #[arg(long, value_name = "DIR")]
    pub(crate) at: PathBuf,
    /// Go on where the system may write memory to a disk (swap)
    #[arg(long)]
    pub(crate) allow_swap: bool,
    #[command(flatten)]
    pub(crate) opened: VaultOpened,
    #[command(flatten)]
    pub(crate) entry: VaultEntry,
    /// The program, and its arguments
    #[arg(value_name = "PROGRAM", required = true, last = true)]
    pub(crate) program: Vec<OsString>,
}

/// What is read.
#[derive(Debug, Args)]
pub(crate) struct VaultCat {
    /// The folder of the locked model
    #[arg(value_name = "DIR")]
    pub(crate) folder: PathBuf,
    /// The file, by its name within the model
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// From which byte on
    #[arg(long, value_name = "BYTE", default_value_t = 0)]
    pub(crate) from: u64,
    /// How many bytes; all that follow without it
    #[arg(long, value_name = "N")]
    pub(crate) bytes: Option<u64>,
    #[command(flatten)]
    pub(crate) opened: VaultOpened,
    #[command(flatten)]
    pub(crate) entry: VaultEntry,
}

/// How hashes are made.
#[derive(Debug, Args)]
pub(crate) struct Hashing {
    /// By which hash
    #[arg(long, value_enum, default_value_t = HashAlgorithm::Sha256)]
    pub(crate) hash: HashAlgorithm,
    /// Hash files in parts of so many bytes, each by itself, so that several threads work on one large file
    #[arg(long, value_name = "BYTES")]
    pub(crate) parts: Option<NonZeroU64>,
    /// A file or folder within the model that does not count; can be given several times. Those of git never do
    #[arg(long, value_name = "PATH")]
    pub(crate) leave_out: Vec<String>,
    /// Take a link to a file as the file; without it links are refused
    #[arg(long)]
    pub(crate) links: bool,
    /// Threads that hash; as many as there are processors without it
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
}

/// A hash.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum HashAlgorithm {
    /// SHA-256, which every program knows
    Sha256,
    /// BLAKE3, several times as fast
    Blake3,
}

/// What is signed, and by what.
#[derive(Debug, Args)]
pub(crate) struct VaultSign {
    /// Who signs: then the ledger says it, before it is signed
    #[arg(long, value_name = "NAME", value_parser = said, requires = "reason")]
    pub(crate) by: Option<String>,
    /// Why
    #[arg(long, value_name = "TEXT", value_parser = said, requires = "by")]
    pub(crate) reason: Option<String>,
    /// The data folder whose ledger says so
    #[arg(long, value_name = "DIR", default_value = "stillwatch-data", env = "STILLWATCH_DATA")]
    pub(crate) data: PathBuf,
    /// The folder or file of the model
    #[arg(value_name = "PATH")]
    pub(crate) model: PathBuf,
    /// The private key: ECDSA on P-256, P-384 or P-521, as PEM
    #[arg(long, value_name = "FILE", required_unless_present = "pkcs11", conflicts_with = "pkcs11")]
    pub(crate) key: Option<PathBuf>,
    /// The PKCS#11 library of a token that has the key, which signs there
    #[arg(long, value_name = "LIBRARY", requires_all = ["pin_file", "token_key"])]
    pub(crate) pkcs11: Option<PathBuf>,
    /// With a token: the file whose first line is its PIN
    #[arg(long, value_name = "FILE", requires = "pkcs11")]
    pub(crate) pin_file: Option<PathBuf>,
    /// With a token: its label, where there are several
    #[arg(long, value_name = "LABEL", requires = "pkcs11")]
    pub(crate) token: Option<String>,
    /// With a token: the label of the pair on P-256, P-384 or P-521
    #[arg(long, value_name = "LABEL", requires = "pkcs11")]
    pub(crate) token_key: Option<String>,
    /// Write the public half of the key here, as PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) public_out: Option<PathBuf>,
    /// Where to write the signature
    #[arg(long, value_name = "FILE", default_value = "model.sig")]
    pub(crate) out: PathBuf,
    #[command(flatten)]
    pub(crate) hashing: Hashing,
    #[command(flatten)]
    pub(crate) allowed: AllowedFormats,
}

/// What is checked.
#[derive(Debug, Args)]
pub(crate) struct VaultVerify {
    /// The folder or file of the model
    #[arg(value_name = "PATH")]
    pub(crate) model: PathBuf,
    /// The signature
    #[arg(long, value_name = "FILE", default_value = "model.sig")]
    pub(crate) signature: PathBuf,
    /// The public half of the key, as PEM, from somebody you trust
    #[arg(long, value_name = "FILE")]
    pub(crate) key: PathBuf,
    /// Threads that hash; as many as there are processors without it
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,
    /// Print as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

fn said(text: &str) -> Result<String, String> {
    match text.trim() {
        "" => Err("expected some text".to_owned()),
        text if text.chars().count() > SAID_CHARS_MAX => Err(format!("expected at most {SAID_CHARS_MAX} characters")),
        text => Ok(text.to_owned()),
    }
}

fn difficulty(text: &str) -> Result<Difficulty, String> {
    let known = Difficulty::ALL.into_iter().find(|difficulty| difficulty.name() == text);
    known.ok_or_else(|| "expected easy, medium or hard".to_owned())
}

fn minutes(text: &str) -> Result<f64, String> {
    let minutes = text.parse().ok().filter(|minutes| (DRILL_MINUTES_MIN..=MINUTES_MAX).contains(minutes));
    minutes.ok_or_else(|| format!("expected a number from {DRILL_MINUTES_MIN} to {MINUTES_MAX}"))
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|seconds| (0.0..=ALERT_SECONDS_MAX).contains(seconds));
    seconds.ok_or_else(|| format!("expected a number from 0 to {ALERT_SECONDS_MAX}"))
}

fn date(text: &str) -> Result<Time, String> {
    let time = text.parse().or_else(|_| format!("{text}T00:00:00Z").parse());
    time.map_err(|_| format!("expected a date such as 2026-12-31, or {}", Time::EXPECTED))
}

/// The file of labels where none is named.
const LABELS: &str = "verdicts.jsonl";
/// Minutes that a drill takes at least.
const DRILL_MINUTES_MIN: f64 = 0.1;
/// Seconds that an alert may take at most, as somebody may say.
const ALERT_SECONDS_MAX: f64 = 86_400.0;
/// Characters of a name or a reason.
const SAID_CHARS_MAX: usize = 1_000;
const EXIT_CODES: &str = "Exit codes: 0 nothing found, 10 campaigns found, 11 to 14 an audit found something, 2 wrong usage, 65 input that cannot be read.";

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn shares_end_at_their_limits() {
        assert!(share("0").is_ok() && share("1").is_ok());
        assert!(share("1.01").is_err() && share("-0.1").is_err() && share("x").is_err() && share("NaN").is_err());
        assert!(level("1e-9").is_ok());
        assert!(said(&"x".repeat(SAID_CHARS_MAX)).is_ok() && said(&"x".repeat(SAID_CHARS_MAX + 1)).is_err());
        assert!(said(" ").is_err());
        assert!(level("0").is_err() && level("1.01").is_err());
    }
}
