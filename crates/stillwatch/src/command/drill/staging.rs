//! The staging instance of a drill: `stillwatch up` as a process of its own, with a mock model behind it and a clock that runs faster.
//!
//! Promises that it ends with the drill, however that ends, and that it serves this machine only.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use exchange::Time;
use gateway::config::{Config, ResponseTable};
use gateway::lake::LakeTable;
use gateway::ledger::LedgerTable;
use gateway::sensors::SensorTable;
use gateway::sign_in::SignInTable;
use hyper::Method;
use report::words::encoded;
use serde_json::{Map, Value, json};

use crate::admin_client::AdminClient;
use crate::data_folder::Running;
use crate::failure::Failure;
use crate::{cli, configuration};

/// How long it may take until it is ready.
const READY_TIME_MAX: Duration = Duration::from_secs(60);
/// How long it may take until it has ended.
const END_TIME_MAX: Duration = Duration::from_secs(60);
/// How often it is looked at meanwhile.
const LOOK_TIME: Duration = Duration::from_millis(50);
/// An address of this machine that nothing else is likely to be served at.
const OTHER_LOOPBACK: &str = "127.0.0.2";
/// Simulated callers say by these headers who they are.
const TRUST: &str =
    "peers = ['127.0.0.0/8']\naddress = 'x-forwarded-for'\nasn = 'x-asn'\ncountry = 'x-country'\nja4 = 'x-ja4'\n";
/// A block of more accounts waits for a second person, so that teams learn it.
const BLOCK_ALONE_MAX: u32 = 20;
/// How often what was recorded goes into the lake, in seconds, so that it can be searched.
const LAKE_SECONDS: u64 = 10;
/// Tiers that accounts may have. Simulated ones have others as well.
const TIERS: [&str; 4] = ["free", "standard", "business", "enterprise"];

/// A staging instance that runs.
#[derive(Debug)]
pub(super) struct Staging {
    process: Process,
    running: Running,
}

impl Staging {
    /// Starts one in a folder, where it is so late and goes so fast.
    pub(super) fn start(folder: &Path, config: &Config, begins: Time, speed: u32) -> Result<Staging, Failure> {
        let failed = |error| Failure::io("the staging instance cannot be started", error);
        let unwritable = |path: &Path, error: &std::io::Error| Failure::unwritable(path, error);
        fs::create_dir_all(folder).map_err(|error| unwritable(folder, &error))?;
        let (configuration, ready, log) = (folder.join("gateway.toml"), folder.join("ready.json"), folder.join("log"));
        let text =
            toml::to_string(config).map_err(|error| Failure::io("the staging instance's configuration", error))?;
        fs::write(&configuration, text).map_err(|error| unwritable(&configuration, &error))?;
        if ready.exists() {
            fs::remove_file(&ready).map_err(|error| unwritable(&ready, &error))?;
        }
        let said = File::create(&log).map_err(|error| unwritable(&log, &error))?;
        let program = std::env::current_exe().map_err(failed)?;
        let process = Command::new(program)
            .arg("up")
            .arg("--config")
            .arg(&configuration)
            .arg("--data")
            .arg(data(folder))
            .arg("--ready-file")
            .arg(&ready)
            .args(["--listen", "127.0.0.1:0", "--admin", &format!("{}:0", console_host())])
            .args(["--drill-begins", &begins.to_string(), "--drill-speed", &speed.to_string()])
            .arg("--drill-until-stdin-ends")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(said)
            // Ctrl-C ends the drill, which then ends this one.
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let mut process = Process(process);
        let running = process.wait_until_ready(&ready, &log)?;
        Ok(Staging { process, running })
    }

    /// Where callers are served, as host and port.
    pub(super) fn authority(&self) -> String {
        let url = self.running.gateway.as_deref().unwrap_or_default();
        url.strip_prefix("http://").unwrap_or(url).to_owned()
    }

    /// Where the team works.
    pub(super) fn console(&self) -> &str {
        self.running.admin.as_deref().unwrap_or_default()
    }

    /// Its admin API.
    pub(super) fn admin(&self) -> Result<AdminClient, Failure> {
        AdminClient::new(&cli::Server {
            server: self.running.admin.clone(),
            admin_key_file: Some(self.running.admin_key_file.clone()),
            data: PathBuf::new(),
            json: false,
        })
    }

    /// Ends it, and waits until it has.
    pub(super) fn end(mut self) -> Result<(), Failure> {
        self.process.end()
    }
}

/// The process of a staging instance, which does not outlive this one.
#[derive(Debug)]
struct Process(Child);

impl Process {
    fn wait_until_ready(&mut self, ready: &Path, log: &Path) -> Result<Running, Failure> {
        let mut waited = Duration::ZERO;
        while waited < READY_TIME_MAX {
            if let Ok(text) = fs::read(ready)
                && let Ok(running) = serde_json::from_slice(&text)
            {
                return Ok(running);
            }
            if let Ok(Some(status)) = self.0.try_wait() {
                return Err(Failure::service(format!(
                    "the staging instance ended at once ({status}); see `{}`",
                    log.display()
                )));
            }
            thread::sleep(LOOK_TIME);
            waited += LOOK_TIME;
        }
        Err(Failure::service(format!("the staging instance is not ready; see `{}`", log.display())))
    }

    fn end(&mut self) -> Result<(), Failure> {
        let process = i32::try_from(self.0.id()).ok().and_then(rustix::process::Pid::from_raw);
        if let Some(process) = process {
            // Whether it is still there is looked at afterwards.
            let _ = rustix::process::kill_process(process, rustix::process::Signal::TERM);
        }
        let mut waited = Duration::ZERO;
        while waited < END_TIME_MAX {
            if self.0.try_wait().map_err(|error| Failure::io("the staging instance", error))?.is_some() {
                return Ok(());
            }
            thread::sleep(LOOK_TIME);
            waited += LOOK_TIME;
        }
        Err(Failure::service("the staging instance did not end, and was killed"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            // It could not be ended otherwise.
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// The configuration of a staging instance: somebody's own or the usual one, without all by which it would reach others or their data, and with alerts
/// to a port of this machine only.
pub(super) fn configuration(own: Option<&Path>, alerts: u16) -> Result<Config, Failure> {
    let config = match own {
        None => Config {
            response: ResponseTable { block_alone_max: BLOCK_ALONE_MAX, ..ResponseTable::default() },
            ..Config::default()
        },
        Some(path) => {
            let path = path.canonicalize().map_err(|error| Failure::io(format!("`{}`", path.display()), error))?;
            let named = cli::Configuration { config: Some(path), ..cli::Configuration::default() };
            configuration::read(&named)?.1
        }
    };
    let unusable = |error: toml::de::Error| Failure::io("the staging instance's configuration", error);
    let alert = format!("name = 'drill'\nsyslog = 'udp://127.0.0.1:{alerts}'\n");
    Ok(Config {
        // Whom it would reach.
        upstream: Vec::new(),
        alert: vec![toml::from_str(&alert).map_err(unusable)?],
        sensor: SensorTable::default(),
        identity: Vec::new(),
        sign_in: SignInTable::default(),
        ledger: LedgerTable::default(),
        // What it would write to, and who would reach it.
        database: None,
        key_pepper_file: None,
        tls: None,
        origins: Vec::new(),
        trust: toml::from_str(TRUST).map_err(unusable)?,
        lake: LakeTable { enabled: true, place: None, seconds: LAKE_SECONDS, ..config.lake },
        ..config
    })
}

/// Where the console is served: browsers keep cookies by host and not by port, so that whoever signs in there would be signed out of another console at the
/// usual address of this machine. Not every system has others.
fn console_host() -> &'static str {
    if TcpListener::bind((OTHER_LOOPBACK, 0)).is_ok() { OTHER_LOOPBACK } else { "127.0.0.1" }
}

/// The data folder of the staging instance in a folder.
pub(super) fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// Makes accounts as the facts say, each with a key; the keys by account.
pub(super) fn make_accounts<'a>(
    admin: &AdminClient,
    facts: &[Value],
    accounts: impl Iterator<Item = &'a String>,
    mut each: impl FnMut(),
) -> Result<BTreeMap<String, String>, Failure> {
    let mut known: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for fact in facts.iter().filter_map(Value::as_object) {
        let Some(account) = fact.get("account").and_then(Value::as_str) else { continue };
        let there = known.entry(account).or_default();
        there.extend(
            fact.iter().filter(|(_, value)| !value.is_null()).map(|(name, value)| (name.clone(), value.clone())),
        );
    }
    let (mut keys, mut organisations) = (BTreeMap::new(), BTreeSet::new());
    let nothing = Map::new();
    for account in accounts {
        let fact = known.get(account.as_str()).unwrap_or(&nothing);
        let mut new = json!({"id": account, "tier": tier(fact)});
        if let Value::Object(new) = &mut new {
            for (name, field) in [
                ("created", "created"),
                ("assurance", "assurance"),
                ("programme", "program"),
                ("payment", "payment"),
                ("organisation", "org"),
            ] {
                new.extend(fact.get(field).map(|value| (name.to_owned(), value.clone())));
            }
        }
        if let Some(organisation) = fact.get("org").and_then(Value::as_str)
            && organisations.insert(organisation)
        {
            admin.ask(Method::POST, "/api/v1/organisations", Some(&json!({"id": organisation})))?;
        }
        admin.ask(Method::POST, "/api/v1/accounts", Some(&new))?;
        let key = admin.ask(Method::POST, "/api/v1/keys", Some(&json!({"account": account})))?;
        let key = key.get("key").and_then(Value::as_str);
        let key = key.ok_or_else(|| Failure::service("the staging instance made a key and does not tell it"))?;
        keys.insert(account.clone(), key.to_owned());
        each();
    }
    Ok(keys)
}

fn tier(fact: &Map<String, Value>) -> &str {
    let plan = fact.get("plan").and_then(Value::as_str);
    plan.filter(|plan| TIERS.contains(plan)).unwrap_or("standard")
}

/// Lets somebody of the team sign in; the password, which has to be changed then.
pub(super) fn let_in(admin: &AdminClient, name: &str) -> Result<String, Failure> {
    let made = admin.ask(Method::POST, "/api/v1/people", Some(&json!({"name": name, "role": "responder"})));
    let made = made.map_err(|failure| Failure::usage(format!("--team `{name}`: {failure}")))?;
    let password = made.get("password").and_then(Value::as_str);
    let password = password.ok_or_else(|| Failure::service("the staging instance tells no password"))?;
    Ok(password.to_owned())
}

/// Every account that a response covers.
pub(super) fn covered(admin: &AdminClient, response: &str) -> Result<BTreeSet<String>, Failure> {
    let accounts = admin.all(&format!("/api/v1/responses/{}", encoded(response)), "accounts")?;
    Ok(accounts.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}
