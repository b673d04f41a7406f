//! `stillwatch audit`: whether the controls against extraction are there. Facts are gathered here; the crate `audit` judges them.
//!
//! Promises that nothing is changed by looking, that what could not be looked at is told with why, and that each audit is kept.

mod of_configuration;
mod of_control;
mod of_endpoint;
mod of_host;
mod of_ledger;
mod of_models;
mod of_records;
mod told;

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

use ::audit::facts::Facts;
use ::audit::{Accepted, Assumptions, Audit, Changes, Part, rules};
use exchange::Time;
use serde::Deserialize;
use store::bounded::{read_file, read_text};
use store::whole;
use zeroize::Zeroizing;

use super::seal;
use crate::admin_client::AdminClient;
use crate::cli::{self, AuditFormat};
use crate::failure::{Exit, Failure};
use crate::output::{OutputFile, print};
use crate::{configuration, data_folder, progress};

/// Bytes of an audit that was kept, and of a file of accepted risks.
const FILE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Bytes of the file with the key of an endpoint.
const KEY_BYTES_MAX: usize = 16 * 1024;
/// The folder of the data folder in which audits are kept.
const KEPT: &str = "audits";
/// Audits that are kept; the oldest go.
const KEPT_MAX: usize = 1_000;

/// Does what was asked.
pub(crate) fn run(args: &cli::Audit) -> Result<Exit, Failure> {
    if args.rules {
        print(&told::rules())?;
        return Ok(Exit::Nothing);
    }
    if let Some(id) = &args.explain {
        let rule = rules::all().into_iter().find(|rule| rule.id == id.as_str());
        let rule =
            rule.ok_or_else(|| Failure::usage(format!("--explain: there is no rule `{id}`; --rules names them")))?;
        print(&told::rule(rule))?;
        return Ok(Exit::Nothing);
    }
    let Some(hours) = args.schedule else { return once(args) };
    loop {
        once(args)?;
        thread::sleep(Duration::from_secs(u64::from(hours) * 3_600));
    }
}

/// An audit.
fn once(args: &cli::Audit) -> Result<Exit, Failure> {
    // What was typed wrong is told before anything is looked at.
    let accepted = accepted(args.accept.as_deref())?;
    let baseline = args.baseline.as_deref().map(read).transpose()?;
    let (_, config) = configuration::read(&args.configuration)?;
    let data = config.data.clone();
    // What a running gateway goes by counts, where nobody names another.
    let file = args.configuration.config.clone().or_else(|| data_folder::running(&data).ok()?.config);
    let config = match &file {
        Some(file) if args.configuration.config.is_none() => {
            let of_gateway = cli::Configuration {
                config: Some(file.clone()),
                data: Some(data.clone()),
                ..cli::Configuration::default()
            };
            configuration::read(&of_gateway)?.1
        }
        _ => config,
    };
    // A configuration by itself may be looked at before anything runs by it.
    if args.configuration.data.is_some() && args.configuration.config.is_none() {
        has_data(&data)?;
    }
    let now = seal::now()?;
    let Gathered { facts, unlooked } = gather(args, &config, file.as_deref(), now)?;
    let audit = Audit::of(&facts, now, args.persona, &accepted);
    let before = if args.no_history { None } else { last(&data)? };
    let changes = baseline.as_ref().or(before.as_ref()).map(|before| Changes::between(before, &audit));
    if !args.no_history {
        keep(&data, &audit)?;
    }
    let version = env!("CARGO_PKG_VERSION");
    let written = match args.format {
        AuditFormat::Text => told::text(&audit, changes.as_ref(), &unlooked),
        AuditFormat::Json => told::lines(&audit)?,
        AuditFormat::Sarif => told::lines(&::audit::sarif::sarif(&audit, changes.as_ref(), version))?,
        AuditFormat::Oscal => told::lines(&::audit::oscal::oscal(&audit, version))?,
        AuditFormat::Html => {
            report::audit_page::page(&audit, changes.as_ref(), &unlooked, version).map_err(Failure::unreadable)?
        }
    };
    match &args.out {
        Some(out) => OutputFile::create(out)?.write_whole(written.as_bytes())?,
        None => print(&written)?,
    }
    let counts = |fingerprint: &str| match (&baseline, &changes) {
        (Some(_), Some(changes)) => changes.new.iter().any(|new| new == fingerprint),
        _ => true,
    };
    let gravest = audit.open().filter(|finding| counts(&finding.fingerprint)).map(|finding| finding.severity).max();
    Ok(gravest.map_or(Exit::Nothing, Exit::Audited))
}

/// What was found out, and what could not be, with why.
struct Gathered {
    facts: Facts,
    unlooked: Vec<(Part, String)>,
}

fn gather(
    args: &cli::Audit,
    config: &gateway::config::Config,
    file: Option<&Path>,
    now: Time,
) -> Result<Gathered, Failure> {
    let data = config.data.as_path();
    let mut unlooked = Vec::new();
    let mut facts = Facts {
        assumptions: Assumptions {
            exchanges: args.budget_exchanges,
            accounts: args.budget_accounts,
            days: args.budget_days,
            ..Assumptions::default()
        },
        ..Facts::default()
    };
    let mut unread = 0;
    let mut look = |part: Part, work: &mut dyn FnMut() -> Result<(), Failure>| {
        if args.without.contains(&part) {
            unlooked.push((part, "left out (--without)".to_owned()));
        } else if let Err(failure) = work() {
            unlooked.push((part, failure.to_string()));
        }
    };
    look(Part::Configuration, &mut || {
        facts.configuration = Some(of_configuration::facts(config, file));
        Ok(())
    });
    look(Part::Control, &mut || {
        let server = cli::Server { data: data.to_owned(), server: None, admin_key_file: None, json: true };
        facts.control = Some(of_control::facts(&AdminClient::new(&server)?, now)?);
        Ok(())
    });
    look(Part::Ledger, &mut || {
        has_data(data)?;
        facts.ledger = Some(of_ledger::facts(data)?);
        Ok(())
    });
    look(Part::Records, &mut || {
        let missing = || Failure::bad_input(format!("`{}` has no recorded exchanges", data.display()));
        facts.records = Some(of_records::facts(&data_folder::recorded(data).ok_or_else(missing)?)?);
        Ok(())
    });
    look(Part::Models, &mut || {
        if args.search.is_empty() {
            has_data(data)?;
        }
        let threads = thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let work = |progress: &vault::Progress| of_models::facts(data, &args.search, threads, now, progress);
        let (models, left_out) = progress::of_models(of_models::bytes(data), work)?;
        facts.models = Some(models);
        unread = left_out;
        Ok(())
    });
    look(Part::Host, &mut || {
        let own: Vec<std::net::SocketAddr> = [config.listen, config.admin].into();
        facts.host = Some(of_host::facts(data, &named_secrets(config), &own)?);
        Ok(())
    });
    if unread > 0 {
        unlooked.push((Part::Models, format!("{unread} files and folders below --search may not be looked at")));
    }
    if let (Some(url), Some(key_file), Some(model)) = (&args.endpoint, &args.endpoint_key_file, &args.endpoint_model) {
        // Somebody asked for it: that it cannot be looked at is a failure.
        let unread = |error| Failure::io(format!("`{}` cannot be read", key_file.display()), error);
        let key = read_text(key_file, KEY_BYTES_MAX).map(Zeroizing::new).map_err(unread)?;
        let asked =
            of_endpoint::Asked { url, key: Zeroizing::new(key.trim().to_owned()), model, burst: args.endpoint_burst };
        facts.endpoint = Some(of_endpoint::facts(&asked)?);
    } else {
        unlooked.push((Part::Endpoint, "asked only where it is named (--endpoint)".to_owned()));
    }
    Ok(Gathered { facts, unlooked })
}

fn has_data(data: &Path) -> Result<(), Failure> {
    if data.is_dir() {
        Ok(())
    } else {
        Err(Failure::bad_input(format!("there is no data folder `{}`", data.display())))
    }
}

/// Files with secrets that the configuration names.
fn named_secrets(config: &gateway::config::Config) -> Vec<PathBuf> {
    let tls = config.tls.iter().map(|tls| tls.key.clone());
    let servers = config.upstream.iter().filter_map(|upstream| upstream.key_file.clone());
    tls.chain(servers).chain(config.key_pepper_file.clone()).collect()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AcceptFile {
    #[serde(default)]
    accept: Vec<Accepted>,
}

fn accepted(path: Option<&Path>) -> Result<Vec<Accepted>, Failure> {
    let Some(path) = path else { return Ok(Vec::new()) };
    let text = read_text(path, FILE_BYTES_MAX)
        .map_err(|error| Failure::io(format!("`{}` cannot be read", path.display()), error))?;
    let told = |why: &dyn std::fmt::Display| Failure::bad_input(format!("`{}`: {why}", path.display()));
    let file: AcceptFile = toml::from_str(&text).map_err(|error| told(&error))?;
    let names: Vec<&str> = rules::all().into_iter().map(|rule| rule.id).collect();
    Accepted::check(&file.accept, &names).map_err(|error| told(&error))?;
    Ok(file.accept)
}

fn read(path: &Path) -> Result<Audit, Failure> {
    let bytes = read_file(path, FILE_BYTES_MAX)
        .map_err(|error| Failure::io(format!("`{}` cannot be read", path.display()), error))?;
    let not = |why: String| Failure::bad_input(format!("`{}` is no audit (`--format json`): {why}", path.display()));
    let audit: Audit = serde_json::from_slice(&bytes).map_err(|error| not(error.to_string()))?;
    if audit.kind == ::audit::audit::KIND {
        Ok(audit)
    } else {
        Err(not(format!("expected `{}`", ::audit::audit::KIND)))
    }
}

/// Audits that were kept, the oldest first.
fn kept(data: &Path) -> Result<Vec<PathBuf>, Failure> {
    let folder = data.join(KEPT);
    let failed = |error| Failure::io(format!("`{}`", folder.display()), error);
    let entries = match fs::read_dir(&folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed)?,
    };
    let mut paths =
        entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect::<Result<Vec<_>, _>>()?;
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "json"));
    paths.sort();
    Ok(paths)
}

fn last(data: &Path) -> Result<Option<Audit>, Failure> {
    kept(data)?.last().map(|path| read(path)).transpose()
}

/// Keeps an audit, where there is a data folder.
fn keep(data: &Path, audit: &Audit) -> Result<(), Failure> {
    if !data.is_dir() {
        return Ok(());
    }
    let folder = data.join(KEPT);
    fs::create_dir_all(&folder).map_err(|error| Failure::unwritable(&folder, &error))?;
    // Sorted by name they are sorted by time; several of one moment by which came first.
    let named = |at: i64| folder.join(format!("{at:020}.json"));
    let mut at = audit.at.nanos();
    while named(at).exists() {
        at = at.saturating_add(1);
    }
    let path = named(at);
    whole::write(&path, told::lines(audit)?.as_bytes()).map_err(|error| Failure::unwritable(&path, &error))?;
    let all = kept(data)?;
    for old in all.iter().take(all.len().saturating_sub(KEPT_MAX)) {
        fs::remove_file(old).map_err(|error| Failure::unwritable(old, &error))?;
    }
    Ok(())
}
