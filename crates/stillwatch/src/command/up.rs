//! `stillwatch up`: the gateway, its record of exchanges and its admin API, in one process.

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use admin::{Admin, Registry};
use alert::{Counts, Origin};
use arc_swap::ArcSwap;
use gateway::clock::{Clock, DrillClock, SystemClock};
use gateway::config::{Config, SyncWhen, Upstream};
use gateway::mock::Mock;
use gateway::owners::Owners;
use gateway::record::queue_of_lines;
use gateway::recorder::{Recorder, Recording, Setup, Sync};
use gateway::server::Listen;
use gateway::tls::Certificates;
use gateway::worker::{Settings, Shared, Stats};
use policy::key::Keys;
use sensor::Sensors;
use sensor::newcomers::Newcomers;
use store::control::Control;
use store::segment::{Rotation, Segments};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;
use watch::Watcher;

use crate::cli;
use crate::configuration::{self, Checked, upstream};
use crate::data_folder::{AdminKey, DataFolder, Running, write_ready};
use crate::failure::{Exit, Failure};
use crate::log::say;
use crate::output::print;
use crate::sensors;

mod detection;
mod keep;

use detection::{Reconciler, Teller, alerter, watch};
use keep::{Arrivals, IdentityKeeper, Keeper};

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
    let Checked { path, mut config, mut settings, certificates, alerts, sensors } = checked;
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
    if watcher.is_none() {
        detection::forget(&registry, &source, clock.now()).await?;
    }

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
    let newcomers = Arc::new(Newcomers::default());
    let sensor_counts = Arc::default();
    let tier = config.sensor.tier;
    let sensors = match sensors {
        Some(configured) => {
            let listener = listen(configured.listen).await?;
            let setup = sensor::Setup {
                shared: Arc::clone(&shared),
                listener,
                certificates: certificates.clone(),
                key: configured.key,
                naming: configured.naming,
                options: configured.options,
                received: folder.received(),
                newcomers: Arc::clone(&newcomers),
                counts: Arc::clone(&sensor_counts),
                say,
            };
            Some(Sensors::start(setup).map_err(|error| Failure::io("sensors cannot be listened to", error))?)
        }
        None => None,
    };
    let address = config.listen;
    let listen_to = Listen { address, certificates: certificates.clone(), workers: config.workers, shared };
    // It has runtimes of its own, which may not go within this one.
    let gateway = tokio::task::block_in_place(|| gateway::server::start(listen_to));
    let gateway = gateway.map_err(|error| Failure::io(format!("{} cannot be listened on", config.listen), error))?;
    let listener = listen(config.admin).await?;
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
        sensors: sensors.as_ref().map(|_| sensors::counted(&sensor_counts)),
        folder: source.clone(),
    });
    let reconciler = watcher.as_ref().map(|watcher| {
        let (watched, registry) = (Arc::clone(watcher.watched()), Arc::clone(&registry));
        tokio::spawn(
            Reconciler {
                watched,
                registry,
                settings: Arc::clone(&settings),
                clock: Arc::clone(&clock),
                folder: source,
                last: None,
                reconciled: None,
            }
            .run(),
        )
    });
    let (end, ended) = oneshot::channel::<()>();
    let api = tokio::spawn(admin::serve(listener, admin, async move {
        let _ = ended.await;
    }));
    let newcomers =
        Arrivals { registry: Arc::clone(&registry), newcomers, tier, clock: Arc::clone(&clock), trouble: None };
    let arrivals = tokio::spawn(newcomers.run());
    let keeper = tokio::spawn(Keeper::new(Arc::clone(&registry), &folder, &clock).run());

    let scheme = if certificates.is_some() { "https" } else { "http" };
    let running = Running {
        gateway: format!("{scheme}://{}", gateway.address()),
        admin: format!("http://{admin_address}"),
        admin_key_file: admin_key.file.clone(),
        sensors: sensors.as_ref().map(|sensors| format!("{scheme}://{}", sensors.address())),
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
    // First, so that what they tell at last is recorded.
    if let Some(sensors) = sensors {
        sensors.finish(patience).await;
    }
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
    arrivals.abort();
    identities.abort();
    reconciler.iter().for_each(tokio::task::JoinHandle::abort);
    let mut last = Keeper::new(Arc::clone(&registry), &folder, &clock);
    let kept = registry.save_uses().await.map_err(|error| Failure::io("what is known", error));
    let (kept, stepped) = (kept.err(), last.step().await.err());
    kept.into_iter().chain(stepped).for_each(|failure| say(&format!("not kept at the end: {failure}")));
    let _ = end.send(());
    let _ = api.await;
    folder.leave();
    Ok(())
}

async fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|error| Failure::io(format!("{address} cannot be listened on"), error))
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
    let Running { gateway, admin, sensors, .. } = running;
    let sensors = sensors.as_ref().map_or_else(String::new, |sensors| format!("\n  sensors  {sensors}"));
    let folder = if config.data == Path::new("stillwatch-data") { String::new() } else { format!(" --data {data}") };
    let model_name = if is_mock { "mock-1" } else { "MODEL" };
    print(&format!(
        "Stillwatch {version} is up.\n  gateway  {gateway}\n  admin    {admin}{sensors}\n  data     {data}\n  model    {model}\n{made}\n\
         Try it:\n  stillwatch account add --id acc_1{folder}\n  stillwatch key add --account acc_1{folder}\n  \
         curl {gateway}/v1/chat/completions -H 'authorization: Bearer KEY' -H 'content-type: application/json' \\\n    \
         -d '{{\"model\":\"{model_name}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'\n  \
         stillwatch hunt {data}\n",
        version = env!("CARGO_PKG_VERSION"),
    ))
}
