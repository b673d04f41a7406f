//! `stillwatch up`: the gateway, its record of exchanges and its admin API, in one process.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use admin::registry::WentBack;
use admin::registry::responses::Heard;
use admin::{Admin, Registry};
use alert::delivery::World;
use alert::pace::Pace;
use alert::{Alerter, Counts, Destination, Origin};
use arc_swap::ArcSwap;
use exchange::Time;
use gateway::clock::{Clock, DrillClock, SystemClock};
use gateway::config::{Config, SyncWhen, Upstream};
use gateway::mock::Mock;
use gateway::owners::Owners;
use gateway::record::queue_of_lines;
use gateway::recorder::{Recorder, Recording, Setup, Sync};
use gateway::server::Listen;
use gateway::tls::Certificates;
use gateway::worker::{Settings, Shared, Stats};
use policy::AccountId;
use policy::key::Keys;
use store::control::Control;
use store::segment::{Rotation, Segments};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use watch::detector::{Told, What};
use watch::{Watched, Watcher};

use crate::cli;
use crate::configuration::{self, Checked, upstream};
use crate::data_folder::{AccountFacts, AdminKey, DataFolder, QuotasUsed, Running, write_ready};
use crate::failure::{Exit, Failure};
use crate::labels;
use crate::output::print;

/// How often it is looked whether detection says something new.
const HEED_TIME: Duration = Duration::from_millis(500);

/// From how many bytes that detection is behind it may be reading the record anew, so that no campaign counts as gone.
const BEHIND_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// How often it is written down when keys were used.
const USES_TIME: Duration = Duration::from_secs(30);

/// How often it is seen whether keys of identity providers are to be fetched.
const IDENTITY_STEP_TIME: Duration = Duration::from_secs(1);

/// Runs until it is told to end.
pub(crate) fn run(args: &cli::Up) -> Result<Exit, Failure> {
    // Whole, before anything is made or opened.
    let checked = Checked::read(&args.configuration)?;
    use_small_pages();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let runtime = runtime.map_err(|error| Failure::io("no threads can be started", error))?;
    runtime.block_on(serve(args, checked))?;
    Ok(Exit::Nothing)
}

/// What tells the time: the machine, or for drills a clock that runs faster.
fn clock(args: &cli::Up) -> Arc<dyn Clock> {
    match (args.drill_begins, args.drill_speed) {
        (None, None) => Arc::new(SystemClock),
        (begins, speed) => {
            Arc::new(DrillClock::new(begins.unwrap_or_else(|| SystemClock.now()), speed.map_or(1, NonZeroU32::get)))
        }
    }
}

/// Has memory given out in pages of 4 KB. Each connection has buffers that are seldom filled, and in huge pages all of every one is
/// taken: 171 MB in place of 109 MB with 2,000 open streams, and nothing is served faster (docs/performance.md).
fn use_small_pages() {
    // Where that cannot be it only takes more.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

async fn serve(args: &cli::Up, checked: Checked) -> Result<(), Failure> {
    let Checked { path, mut config, mut settings, certificates, alerts } = checked;
    let mut signals = Signals::new()?;
    let clock = clock(args);
    let folder = DataFolder::open(&config.data)?;
    let pepper = folder.pepper(config.key_pepper_file.as_deref())?;
    let admin_key = folder.admin_key(*pepper)?;
    if !config.verifies_its_database() {
        say(configuration::UNVERIFIED_DATABASE);
    }
    let control = match &config.database {
        Some(url) => Control::open(url).await,
        None => Control::open_file(&folder.database()).await,
    };
    let control = control.map_err(|error| Failure::io("control state cannot be read", error))?;
    let owners = Owners::new(control.clone(), Handle::current());
    let registry = Registry::open(control, *pepper, config.origins.clone()).await;
    let registry = Arc::new(registry.map_err(|error| Failure::io("control state cannot be read", error))?);

    folder.quotas_used().restore(registry.gate().quotas())?;

    let (tap, records) = queue_of_lines();
    let counters = Arc::clone(tap.counters());
    let recording = Arc::new(Recording::default());
    let recorder = record(&config, &folder, records, &registry, &recording, &clock)?;
    let source = folder.source()?;
    let watcher = config.detection.enabled.then(|| watch(&config, &folder)).transpose()?;

    let mock = if config.upstream.is_empty() {
        let mock = Mock::start(SocketAddr::from(([127, 0, 0, 1], 0)));
        let mock = mock.map_err(|error| Failure::io("the mock model cannot be started", error))?;
        config.upstream.push(mock_server(&mock)?);
        settings = configuration::settings(&config, &path)?;
        Some(mock)
    } else {
        None
    };
    let stats = Arc::new(Stats::default());
    let settings = Arc::new(ArcSwap::from_pointee(settings));
    let mut identities = IdentityKeeper::new(&registry, &settings, &clock);
    // Before anybody can ask, so that tokens hold from the beginning where their issuer can be reached.
    identities.step().await;
    let identities = tokio::spawn(identities.run());
    let shared = Arc::new(Shared {
        gate: Arc::clone(registry.gate()),
        tap,
        recording: Arc::clone(&recording),
        settings: Arc::clone(&settings),
        owners: Some(owners),
        stats: Arc::clone(&stats),
        clock: Box::new(Arc::clone(&clock)),
    });
    let listen = Listen { address: config.listen, certificates: certificates.clone(), workers: config.workers, shared };
    // It has runtimes of its own, which may not go within this one.
    let gateway = tokio::task::block_in_place(|| gateway::server::start(listen));
    let gateway = gateway.map_err(|error| Failure::io(format!("{} cannot be listened on", config.listen), error))?;
    let listener = TcpListener::bind(config.admin).await;
    let listener = listener.map_err(|error| Failure::io(format!("{} cannot be listened on", config.admin), error))?;
    let admin_address = listener.local_addr().map_err(|error| Failure::io("the admin API", error))?;

    let alert_counts = Arc::new(Counts::default());
    let teller = match &watcher {
        Some(watcher) if !alerts.is_empty() => {
            let link = format!("http://{admin_address}/api/v1/campaigns/{{id}}");
            let origin = Origin { source: source.clone(), link, version: env!("CARGO_PKG_VERSION").to_owned() };
            let alerter = alerter(&folder, alerts, origin, &alert_counts)?;
            Some(Teller { watched: Arc::clone(watcher.watched()), alerter, clock: Arc::clone(&clock) })
        }
        _ => None,
    };
    let (end_telling, telling_ended) = oneshot::channel::<()>();
    let teller = teller.map(|teller| tokio::spawn(teller.run(telling_ended)));

    let admin = Arc::new(Admin {
        registry: Arc::clone(&registry),
        credential: admin_key.hash,
        keys: Keys::new(*pepper),
        clock: Box::new(Arc::clone(&clock)),
        stats,
        queue: counters,
        recording,
        settings: Arc::clone(&settings),
        detection: watcher.as_ref().map(|watcher| Arc::clone(watcher.watched())),
        alerts: alert_counts,
        source: source.clone(),
    });
    let listener_of_detection = watcher.as_ref().map(|watcher| {
        let (watched, registry) = (Arc::clone(watcher.watched()), Arc::clone(&registry));
        tokio::spawn(
            Heeder {
                watched,
                registry,
                settings: Arc::clone(&settings),
                clock: Arc::clone(&clock),
                source,
                heard: None,
            }
            .run(),
        )
    });
    let (end, ended) = oneshot::channel::<()>();
    let api = tokio::spawn(admin::serve(listener, admin, async move {
        let _ = ended.await;
    }));
    let keeper = tokio::spawn(Keeper::new(Arc::clone(&registry), &folder, &clock).run());

    let scheme = if certificates.is_some() { "https" } else { "http" };
    let running = Running {
        gateway: format!("{scheme}://{}", gateway.address()),
        admin: format!("http://{admin_address}"),
        admin_key_file: admin_key.file.clone(),
        pid: std::process::id(),
    };
    folder.tell(&running)?;
    if let Some(path) = &args.ready_file {
        write_ready(path, &running)?;
    }
    greet(&running, &config, &admin_key, mock.is_some())?;

    while signals.next().await == Wanted::Reload {
        match reload(args, &config, &settings, certificates.as_deref(), mock.as_ref()) {
            Ok(()) => say("the configuration is read anew; what a reload does not take up stays until a restart"),
            Err(failure) => say(&format!("the configuration stays as it was: {failure}")),
        }
    }
    say("ending: what is under way comes to its end");
    let patience = Duration::from_secs(config.drain_seconds);
    let drained = tokio::task::spawn_blocking(move || {
        gateway.drain(patience);
        recorder.finish();
        // Last, so that it reads all that was recorded.
        watcher.into_iter().for_each(Watcher::finish);
    });
    let _ = drained.await;
    // After detection, so that what it found at the end is told.
    let _ = end_telling.send(());
    if let Some(teller) = teller {
        let _ = teller.await;
    }
    keeper.abort();
    identities.abort();
    listener_of_detection.iter().for_each(tokio::task::JoinHandle::abort);
    let mut last = Keeper::new(Arc::clone(&registry), &folder, &clock);
    let kept = registry.save_uses().await.map_err(|error| Failure::io("what is known", error));
    let (kept, stepped) = (kept.err(), last.step().await.err());
    kept.into_iter().chain(stepped).for_each(|failure| say(&format!("not kept at the end: {failure}")));
    let _ = end.send(());
    let _ = api.await;
    folder.leave();
    Ok(())
}

/// The mock as a model server. Its port is another one at each start, and what it kept is found by its name.
fn mock_server(mock: &Mock) -> Result<Upstream, Failure> {
    Ok(Upstream { name: Some("mock".to_owned()), ..upstream(&format!("http://{}", mock.address()))? })
}

/// Takes up the model servers, identity providers, `trust`, `allow`, `shield`, `recording.required`, `database_stale_seconds` and the
/// certificates anew, all of it or nothing.
fn reload(
    args: &cli::Up,
    old: &Config,
    settings: &ArcSwap<Settings>,
    certificates: Option<&Certificates>,
    mock: Option<&Mock>,
) -> Result<(), Failure> {
    let (path, mut config) = configuration::read(&args.configuration)?;
    if let (Some(mock), true) = (mock, config.upstream.is_empty()) {
        config.upstream.push(mock_server(mock)?);
    }
    if config.upstream.is_empty() {
        return Err(Failure::bad_input("no model server is named any more"));
    }
    if config.tls.is_some() != old.tls.is_some() {
        return Err(Failure::bad_input("TLS can be turned on or off by a restart only"));
    }
    let new = configuration::settings(&config, &path)?;
    // Last, since nothing may fail after it.
    certificates.map_or(Ok(()), Certificates::reload).map_err(Failure::unreadable)?;
    settings.store(Arc::new(new));
    Ok(())
}

fn record(
    config: &Config,
    folder: &DataFolder,
    records: gateway::record::Records,
    registry: &Arc<Registry>,
    recording: &Arc<Recording>,
    clock: &Arc<dyn Clock>,
) -> Result<Recorder, Failure> {
    let failed = |error| Failure::io("exchanges cannot be recorded", error);
    let table = &config.recording;
    let rotation = Rotation {
        bytes_max: table.file_bytes,
        age_max: Duration::from_secs(table.file_seconds),
        kept_bytes_max: table.kept_bytes,
    };
    let sync = match table.sync {
        SyncWhen::Never => Sync::Never,
        SyncWhen::Always => Sync::Always,
        SyncWhen::Seconds(seconds) => Sync::Every(Duration::from_secs(seconds)),
    };
    let users = Arc::clone(registry);
    let setup = Setup {
        records,
        segments: Segments::open(&folder.exchanges(), rotation).map_err(failed)?,
        sync,
        clock: Box::new(Arc::clone(clock)),
        say: Box::new(say),
        used: Box::new(move |key, time| users.used(key, time)),
    };
    Recorder::start(setup, Arc::clone(recording)).map_err(failed)
}

/// Looks for campaigns in what is recorded.
fn watch(config: &Config, folder: &DataFolder) -> Result<Watcher, Failure> {
    let setup = watch::Setup {
        folder: folder.exchanges(),
        accounts: folder.accounts().path().to_owned(),
        verdicts: judged(folder.verdicts()),
        checkpoint: Some(folder.detection()),
        settings: watch::Settings {
            alpha: config.detection.alpha,
            lateness_seconds: config.detection.lateness_seconds,
        },
        say: Box::new(say),
        tell: Box::new(|changes| changes.iter().filter_map(sentence).for_each(|sentence| say(&sentence))),
    };
    Watcher::start(setup).map_err(|error| Failure::io("detection cannot be started", error))
}

/// Reads what people said of findings whenever the file of it is another one.
fn judged(path: PathBuf) -> watch::watcher::Judged {
    let mut looked_at = None;
    Box::new(move |known| {
        let metadata = std::fs::metadata(&path).ok()?;
        let there = (metadata.len(), metadata.modified().ok());
        if looked_at.as_ref() == Some(&there) {
            return None;
        }
        looked_at = Some(there);
        match labels::read(&path) {
            Ok(book) => {
                let said = (book.last_said()?, book.in_force().cloned().collect());
                (known != Some(&said)).then_some(said)
            }
            Err(error) => {
                say(&format!("what people said of findings is left as it was: {error}"));
                None
            }
        }
    })
}

/// A change as a line of the log; none of accounts, which may be many.
fn sentence(change: &Told) -> Option<String> {
    let what = match change.what {
        What::Detected { .. } => "was detected",
        What::Withdrawn => "stands no longer",
        What::Joined(_) | What::Left(_) => return None,
    };
    Some(format!("the campaign {} {what}, by what was sent until {}", change.campaign, change.time))
}

/// Keeps up with other processes, and what is in the data folder with what is known.
struct Keeper {
    registry: Arc<Registry>,
    quotas_used: QuotasUsed,
    accounts: AccountFacts,
    clock: Arc<dyn Clock>,
    /// The revision of the accounts that are written, and who was blocked then.
    written: Option<(i64, BTreeMap<AccountId, Time>)>,
    saved: tokio::time::Instant,
    /// What goes wrong now, and was told.
    trouble: Option<String>,
}

impl Keeper {
    fn new(registry: Arc<Registry>, folder: &DataFolder, clock: &Arc<dyn Clock>) -> Keeper {
        let (quotas_used, accounts, clock) = (folder.quotas_used(), folder.accounts(), Arc::clone(clock));
        Keeper {
            registry,
            quotas_used,
            accounts,
            clock,
            written: None,
            saved: tokio::time::Instant::now(),
            trouble: None,
        }
    }

    async fn run(mut self) {
        loop {
            tokio::time::sleep(admin::limits::REFRESH_TIME).await;
            let trouble = self.step().await.err().map(|failure| failure.to_string());
            match (&self.trouble, &trouble) {
                (None, Some(trouble)) => say(trouble),
                (Some(_), None) => say("accounts, keys and quotas are kept again"),
                _ => {}
            }
            self.trouble = trouble;
        }
    }

    async fn step(&mut self) -> Result<(), Failure> {
        let learned = self.learn().await;
        // Also while the database is away: what is used up stays used up.
        let quotas = self.registry.gate().quotas();
        let saved = tokio::task::block_in_place(|| self.quotas_used.save(quotas, self.clock.now()));
        learned.and(saved)
    }

    async fn learn(&mut self) -> Result<(), Failure> {
        let kept = |error| Failure::io("the last known accounts, keys and quotas hold on", error);
        if let Some(WentBack { from, to }) = self.registry.refresh().await.map_err(kept)? {
            say(&format!(
                "the database went back from revision {from} to {to}, to an older copy most likely: what it has now holds, also \
                 keys that were revoked since"
            ));
        }
        if self.saved.elapsed() >= USES_TIME {
            self.saved = tokio::time::Instant::now();
            self.registry.save_uses().await.map_err(kept)?;
        }
        let now = self.clock.now();
        // A block ends by itself, too.
        let state = (self.registry.revision().await, self.registry.blocks(now).await);
        if self.written.as_ref() != Some(&state) {
            let accounts = self.registry.accounts().await;
            let facts: Vec<_> =
                accounts.into_iter().map(|account| (Arc::clone(&account), state.1.get(&account.id).copied())).collect();
            tokio::task::block_in_place(|| self.accounts.write(&facts, now))?;
            self.written = Some(state);
        }
        Ok(())
    }
}

/// Lets policies know what detection says, and responses follow who joins their campaigns.
struct Heeder {
    watched: Arc<Watched>,
    registry: Arc<Registry>,
    settings: Arc<ArcSwap<Settings>>,
    clock: Arc<dyn Clock>,
    source: String,
    /// The board that was heeded last.
    heard: Option<u64>,
}

impl Heeder {
    async fn run(mut self) {
        let mut is_failing = false;
        loop {
            tokio::time::sleep(HEED_TIME).await;
            match self.step().await {
                Ok(()) if is_failing => say("what detection says is known to policies again"),
                Err(error) if !is_failing => say(&format!("what detection says is not known to policies: {error}")),
                _ => {}
            }
            is_failing = self.heard.is_none();
        }
    }

    async fn step(&mut self) -> Result<(), admin::registry::RegistryError> {
        let board = self.watched.board();
        if self.heard == Some(board.sequence) {
            return Ok(());
        }
        self.heard = None;
        let settings = self.settings.load_full();
        let (block_alone_max, rules) = (settings.block_alone_max, settings.rules.as_slice());
        let heard = Heard { board: &board, source: &self.source, block_alone_max, rules };
        self.registry.heed(heard, self.clock.now()).await?;
        self.heard = Some(board.sequence);
        Ok(())
    }
}

/// Tells whoever the configuration names what becomes of campaigns.
fn alerter(
    folder: &DataFolder,
    destinations: Vec<Destination>,
    origin: Origin,
    counts: &Arc<Counts>,
) -> Result<Alerter, Failure> {
    let random = || {
        let mut bytes = [0; 8];
        // Without chance, those who failed at once are asked again at once, and no more than that.
        let _ = aws_lc_rs::rand::fill(&mut bytes);
        u64::from_be_bytes(bytes)
    };
    // Receivers compare the time of an alert with their own clock, also in a drill.
    let world = World { now: Arc::new(|| SystemClock.now()), random: Arc::new(random), say: Arc::new(say) };
    let (file, counts) = (folder.alerts(), Arc::clone(counts));
    let failed = format!("`{}` cannot be read", file.display());
    let setup = alert::Setup { destinations, origin, file, pace: Pace::default(), counts, world };
    Alerter::start(setup).map_err(|error| Failure::io(failed, error))
}

/// Has alerts follow what detection says.
struct Teller {
    watched: Arc<Watched>,
    alerter: Alerter,
    clock: Arc<dyn Clock>,
}

impl Teller {
    async fn run(mut self, mut ended: oneshot::Receiver<()>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(HEED_TIME) => self.step(),
                _ = &mut ended => break,
            }
        }
        self.step();
        self.alerter.finish().await;
    }

    fn step(&mut self) {
        let is_behind = self.watched.status().behind_bytes > BEHIND_BYTES_MAX;
        let (board, now) = (self.watched.board(), self.clock.now());
        tokio::task::block_in_place(|| self.alerter.step(now, &board, is_behind));
    }
}

/// Keeps the keys of identity providers fresh.
struct IdentityKeeper {
    registry: Arc<Registry>,
    settings: Arc<ArcSwap<Settings>>,
    clock: Arc<dyn Clock>,
    keeper: gateway::identity::Keeper,
}

impl IdentityKeeper {
    fn new(registry: &Arc<Registry>, settings: &Arc<ArcSwap<Settings>>, clock: &Arc<dyn Clock>) -> IdentityKeeper {
        let keeper = gateway::identity::Keeper::default();
        let (registry, settings, clock) = (Arc::clone(registry), Arc::clone(settings), Arc::clone(clock));
        IdentityKeeper { registry, settings, clock, keeper }
    }

    async fn run(mut self) {
        loop {
            tokio::time::sleep(IDENTITY_STEP_TIME).await;
            self.step().await;
        }
    }

    async fn step(&mut self) {
        let providers = Arc::clone(&self.settings.load().identities);
        let failures = self.keeper.step(&providers, self.registry.gate().identities(), self.clock.now()).await;
        for (issuer, failure) in failures {
            say(&format!("the keys of the identity provider `{issuer}` cannot be fetched: {failure}"));
        }
    }
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    End,
    Reload,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> Result<Signals, Failure> {
        let heard = |kind| signal(kind).map_err(|error| Failure::io("signals cannot be heard", error));
        Ok(Signals {
            terminate: heard(SignalKind::terminate())?,
            interrupt: heard(SignalKind::interrupt())?,
            hangup: heard(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) -> Wanted {
        tokio::select! {
            _ = self.terminate.recv() => Wanted::End,
            _ = self.interrupt.recv() => Wanted::End,
            _ = self.hangup.recv() => Wanted::Reload,
        }
    }
}

/// One line of the log, as JSON on standard error. Nothing that a caller wrote goes here.
fn say(message: &str) {
    eprintln!("{}", serde_json::json!({"time": SystemClock.now(), "message": message}));
}

/// What somebody who started it wants to know.
fn greet(running: &Running, config: &Config, admin_key: &AdminKey, is_mock: bool) -> Result<(), Failure> {
    let data = config.data.display();
    let model = if is_mock {
        "the built-in mock; name a real server by --upstream URL".to_owned()
    } else {
        config.upstream.iter().map(|upstream| upstream.url.to_string()).collect::<Vec<_>>().join(", ")
    };
    let made = admin_key.made.as_ref().map_or_else(String::new, |secret| {
        format!("\nThe admin credential, shown this once and kept in {data}/admin-key:\n  {}\n", secret.expose())
    });
    let Running { gateway, admin, .. } = running;
    let folder = if config.data == Path::new("stillwatch-data") { String::new() } else { format!(" --data {data}") };
    let model_name = if is_mock { "mock-1" } else { "MODEL" };
    print(&format!(
        "Stillwatch {version} is up.\n  gateway  {gateway}\n  admin    {admin}\n  data     {data}\n  model    {model}\n{made}\n\
         Try it:\n  stillwatch account add --id acc_1{folder}\n  stillwatch key add --account acc_1{folder}\n  \
         curl {gateway}/v1/chat/completions -H 'authorization: Bearer KEY' -H 'content-type: application/json' \\\n    \
         -d '{{\"model\":\"{model_name}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'\n  \
         stillwatch hunt {data}\n",
        version = env!("CARGO_PKG_VERSION"),
    ))
}
