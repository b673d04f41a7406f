//! From a scenario to files.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use exchange::{AccountFact, write_account, write_native};
use serde::Serialize;

use crate::corpora::Corpora;
use crate::error::SimulateError;
use crate::fields::Fields;
use crate::network::World;
use crate::plan::{Account, Arrival, Label, Plan, Work, plan};
use crate::render::{Renderer, account_id, exchange_id, time};
use crate::role::Role;
use crate::scenario::Scenario;
use crate::script::Scripts;

/// What was simulated.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Records written.
    pub exchanges: u64,
    /// Those of them that belong to a campaign.
    pub campaign_exchanges: u64,
    /// Accounts labelled.
    pub accounts: u64,
    /// Those of them that take part in a campaign.
    pub campaign_accounts: u64,
    /// What could not be done as asked.
    pub notes: Vec<String>,
}

/// Where the three streams go.
pub struct Output<'a> {
    /// Records, in the order of time.
    pub exchanges: &'a mut dyn Write,
    /// Account facts, in the order of time.
    pub accounts: &'a mut dyn Write,
    /// Labels.
    pub labels: &'a mut dyn Write,
}

/// How the exchanges are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Compression {
    /// As plain lines, in `exchanges.jsonl`.
    Plain,
    /// Compressed, in `exchanges.jsonl.zst`.
    Zstd,
}

/// Simulates `scenario` into `output`, with real text and networks from the folder `corpora` if there is one.
///
/// # Errors
///
/// Says which knob is out of range, or which file could not be read or written.
pub fn simulate(
    scenario: &Scenario,
    corpora: Option<&Path>,
    output: &mut Output<'_>,
) -> Result<Summary, SimulateError> {
    scenario.check()?;
    let (mut texts, world) = match corpora {
        Some(folder) => (Corpora::read(folder, scenario)?, Corpora::world(folder, scenario.seed)?),
        None => (Corpora::default(), World::invented(scenario.seed)),
    };
    let world = if scenario.alike { world.with_few_systems(ALIKE_SYSTEMS) } else { world };
    let plan = plan(scenario, &world, &texts.capacity(scenario));
    texts.give(&plan.accounts, &plan.arrivals);
    write_facts(&plan.accounts, &scenario.without, output.accounts).map_err(SimulateError::Output)?;
    let mut active = vec![false; plan.accounts.len()];
    let mut summary =
        Summary { exchanges: 0, campaign_exchanges: 0, accounts: 0, campaign_accounts: 0, notes: plan.notes.clone() };
    let renderer = Renderer::new(scenario);
    let scripts = Scripts::new(scenario, &texts);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    for batch in plan.arrivals.chunks(BATCH) {
        // Each thread writes a part of the batch, and the parts are joined in their order: the same on any machine.
        let parts = batch.chunks(batch.len().div_ceil(threads).max(1));
        let written = std::thread::scope(|scope| {
            let (plan, renderer, scripts, without) = (&plan, &renderer, &scripts, scenario.without.as_slice());
            let write = |part| scope.spawn(move || lines(part, plan, renderer, scripts, without));
            let running: Vec<_> = parts.map(write).collect();
            let join = |handle: std::thread::ScopedJoinHandle<'_, io::Result<Vec<u8>>>| {
                handle.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
            };
            running.into_iter().map(join).collect::<io::Result<Vec<_>>>()
        });
        for bytes in written.map_err(SimulateError::Output)? {
            output.exchanges.write_all(&bytes).map_err(SimulateError::Output)?;
        }
        for arrival in batch {
            let Some(account) = plan.accounts.get(arrival.account as usize) else { continue };
            summary.exchanges += 1;
            summary.campaign_exchanges += u64::from(belongs(account, arrival.work, scenario).is_some());
            if let Some(active) = active.get_mut(arrival.account as usize) {
                *active = true;
            }
        }
    }
    write_labels(scenario, &plan, &active, &mut summary, output.labels).map_err(SimulateError::Output)?;
    Ok(summary)
}

/// Simulates into `exchanges.jsonl` (or `.zst`), `accounts.jsonl` and `labels.jsonl` of `folder`, which is made if need
/// be.
///
/// # Errors
///
/// As [`simulate`].
pub fn simulate_into(
    scenario: &Scenario,
    corpora: Option<&Path>,
    folder: &Path,
    compression: Compression,
) -> Result<Summary, SimulateError> {
    std::fs::create_dir_all(folder).map_err(|cause| SimulateError::File { path: folder.to_owned(), cause })?;
    let (mut accounts, mut labels) = (Part::create(folder, "accounts.jsonl")?, Part::create(folder, "labels.jsonl")?);
    let summary = match compression {
        Compression::Plain => {
            let mut exchanges = Part::create(folder, "exchanges.jsonl")?;
            let mut output =
                Output { exchanges: &mut exchanges.file, accounts: &mut accounts.file, labels: &mut labels.file };
            let summary = simulate(scenario, corpora, &mut output)?;
            exchanges.finish()?;
            summary
        }
        Compression::Zstd => {
            let mut part = Part::create(folder, "exchanges.jsonl.zst")?;
            let mut exchanges = zstd::Encoder::new(&mut part.file, ZSTD_LEVEL).map_err(SimulateError::Output)?;
            let mut output =
                Output { exchanges: &mut exchanges, accounts: &mut accounts.file, labels: &mut labels.file };
            let summary = simulate(scenario, corpora, &mut output)?;
            exchanges.finish().map_err(SimulateError::Output)?;
            part.finish()?;
            summary
        }
    };
    accounts.finish()?;
    labels.finish()?;
    Ok(summary)
}

/// A file that is written beside its place and put there when it is whole.
struct Part {
    path: PathBuf,
    beside: PathBuf,
    file: BufWriter<File>,
}

impl Part {
    fn create(folder: &Path, name: &str) -> Result<Self, SimulateError> {
        let (path, beside) = (folder.join(name), folder.join(format!("{name}.part")));
        let file = File::create(&beside).map_err(|cause| SimulateError::File { path: beside.clone(), cause })?;
        Ok(Part { path, beside, file: BufWriter::with_capacity(BUFFER_BYTES, file) })
    }

    fn finish(mut self) -> Result<(), SimulateError> {
        let written = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        let put = written.and_then(|()| std::fs::rename(&self.beside, &self.path));
        put.map_err(|cause| SimulateError::File { path: self.path, cause })
    }
}

/// The records of these requests, one a line.
fn lines(
    arrivals: &[Arrival],
    plan: &Plan,
    renderer: &Renderer,
    scripts: &Scripts<'_>,
    without: &[Fields],
) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::with_capacity(arrivals.len() * 2048);
    for arrival in arrivals {
        let Some(account) = plan.accounts.get(arrival.account as usize) else { continue };
        let mut exchange = renderer.exchange(account, arrival, scripts.asked(account, arrival));
        without.iter().for_each(|fields| fields.leave(&mut exchange));
        write_native(&exchange, &mut bytes)?;
    }
    Ok(bytes)
}

/// The campaign that a request belongs to: cover traffic belongs to none.
fn belongs<'s>(account: &Account, work: Work, scenario: &'s Scenario) -> Option<&'s str> {
    let Label::Campaign(number) = account.label else { return None };
    let campaign = scenario.campaigns.get(number as usize)?;
    let own = matches!(work, Work::Campaign(_)) || campaign.cover <= 0.0;
    own.then_some(campaign.name.as_str())
}

fn write_facts(accounts: &[Account], without: &[Fields], mut output: &mut dyn Write) -> io::Result<()> {
    let mut facts: Vec<AccountFact<'_>> = Vec::with_capacity(accounts.len());
    for account in accounts {
        let (known, logged) = (&account.facts, &account.logged);
        let fact = AccountFact {
            time: time(known.created),
            account: account_id(account).into(),
            org: known.org.map(|org| format!("org_{:010x}", org >> 24).into()),
            created: Some(time(known.created)),
            plan: logged.plan.then_some(known.plan.into()),
            program: logged.plan.then_some(known.program.into()),
            assurance: Some(known.assurance),
            payment: known.payment.filter(|_| logged.payment).map(|card| format!("pf_{:012x}", card >> 16).into()),
            email_domain: logged.payment.then_some(known.email_domain.as_str().into()),
            phone_country: logged.phone.then_some(known.phone_country.into()),
            status: Some("active".into()),
            closed: None,
            cleared: None,
        };
        if let Some(closed) = known.closed {
            let closed = time(closed);
            let now = AccountFact { time: closed, status: Some("closed".into()), closed: Some(closed), ..fact.clone() };
            facts.push(now);
        }
        facts.push(fact);
    }
    let leave = |fact| without.iter().try_fold(fact, |fact, fields| fields.leave_fact(fact));
    let mut facts: Vec<AccountFact<'_>> = facts.into_iter().filter_map(leave).collect();
    facts.sort_by(|a, b| (a.time, &a.account).cmp(&(b.time, &b.account)));
    facts.iter().try_for_each(|fact| write_account(fact, &mut output))
}

/// One line of `labels.jsonl`.
#[derive(Serialize)]
struct LabelLine<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    account: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exchange: Option<String>,
    campaign: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    role: Option<Role>,
}

/// Labels of the accounts that were seen, and of single exchanges where accounts mix work and cover.
fn write_labels(
    scenario: &Scenario,
    plan: &Plan,
    active: &[bool],
    summary: &mut Summary,
    output: &mut dyn Write,
) -> io::Result<()> {
    let mut write = |line: &LabelLine<'_>| {
        serde_json::to_writer(&mut *output, line)?;
        output.write_all(b"\n")
    };
    let mut lines: Vec<LabelLine<'_>> = Vec::new();
    for (account, _) in plan.accounts.iter().zip(active).filter(|&(_, &active)| active) {
        let (campaign, role) = match account.label {
            Label::Honest(role) => (None, Some(role)),
            Label::Campaign(number) => (scenario.campaigns.get(number as usize).map(|c| c.name.as_str()), None),
        };
        summary.accounts += 1;
        summary.campaign_accounts += u64::from(campaign.is_some());
        lines.push(LabelLine { account: Some(account_id(account)), exchange: None, campaign, role });
    }
    lines.sort_by(|a, b| a.account.cmp(&b.account));
    lines.iter().try_for_each(&mut write)?;
    for arrival in &plan.arrivals {
        let Some(account) = plan.accounts.get(arrival.account as usize) else { continue };
        let mixed = matches!(account.label, Label::Campaign(number)
            if scenario.campaigns.get(number as usize).is_some_and(|campaign| campaign.cover > 0.0));
        if let (true, Some(campaign)) = (mixed, belongs(account, arrival.work, scenario)) {
            let exchange = Some(exchange_id(scenario.seed, account, arrival));
            write(&LabelLine { account: None, exchange, campaign: Some(campaign), role: None })?;
        }
    }
    Ok(())
}

/// Requests whose records are made at a time.
const BATCH: usize = 8192;
/// Systems of each kind where everybody is alike.
const ALIKE_SYSTEMS: usize = 2;
const BUFFER_BYTES: usize = 1 << 20;
/// Quick, and still a quarter of the size.
const ZSTD_LEVEL: i32 = 3;
