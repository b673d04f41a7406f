//! `stillwatch up`: the gateway, its record of exchanges and its admin API, in one process.

use std::io::Read as _;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use admin::{Admin, Registry};
use alert::{Counts, Destination, Origin};
use arc_swap::ArcSwap;
use console::{Configured, Console, Parts as ConsoleParts, Scribe};
use exchange::Time;
use gateway::clock::{Clock, DrillClock, SystemClock};
use gateway::config::Config;
use gateway::mock::Mock;
use gateway::owners::Owners;
use gateway::tls::Certificates;
use gateway::worker::Settings;
use policy::key::Keys;
use report::words::minute;
use store::control::Control;
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{Mutex, oneshot};
use tokio::task::JoinHandle;

use crate::cli::{self, Role};
use crate::configuration::{self, Checked};
use crate::data_folder::{AdminKey, DataFolder, Running, write_ready};
use crate::failure::{Exit, Failure};
use crate::log::say;
use crate::output::print;
use crate::playbooks::Runs;
use crate::{alerts, lakes, limited, sensors};

mod bookkeeping;
mod detection;
mod expiry;
mod filling;
mod hunts;
mod keep;
mod playbooks;
mod recorded;
mod serving;

use bookkeeping::{Bookkeeper, Putting, Showing, Stamping};
use detection::{Alerts, Detecting};
use expiry::Expiry;
use filling::Filling;
use hunts::{Hunts, Places as HuntPlaces, Queue as HuntQueue};
use keep::Keeper;
use playbooks::Playbooks;
use recorded::Recorded;
use serving::{Parts, Serving, listen, mock_server};

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

/// How long requests to the console may take to their end, when the process ends.
const CONSOLE_END_TIME: Duration = Duration::from_secs(3);

/// How often it is put down in the ledger what was recorded.
const RECORDS_TIME: Duration = Duration::from_secs(60);

async fn serve(args: &cli::Up, checked: Checked) -> Result<(), Failure> {
    let Checked {
        path,
        mut config,
        settings,
        certificates,
        alerts: destinations,
        sensors,
        witnesses,
        timestamps,
        seals_for,
        sign_in,
    } = checked;
    let roles = Roles::of(&args.roles);
    let mut signals = Signals::new(args.drill_until_stdin_ends)?;
    let clock = clock(args);
    let folder = DataFolder::open(&config.data, &args.roles)?;
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
    let journalled: &[&str] = if config.ledger.enabled { &admin::journal::JOURNALLED } else { &[] };
    let control = control.journalling(journalled);
    let owners = Owners::new(control.clone(), Handle::current());
    let registry = Registry::open(control, *pepper, config.origins.clone()).await;
    let registry = Arc::new(registry.map_err(|error| Failure::io("control state cannot be read", error))?);
    let settings = Arc::new(ArcSwap::from_pointee(settings));
    let source = folder.source()?;
    // Before anybody is served, so that nobody is where nothing can be put down.
    let books = if roles.console && config.ledger.enabled {
        let mut books = Bookkeeper::open(folder.path(), &config, &source, &registry, &clock)?;
        books.note("start", &path)?;
        books.finish_erasing();
        Some(Arc::new(Mutex::new(books)))
    } else {
        None
    };

    let serving = if roles.gateway {
        let (config, registry, settings, certificates) = (&mut config, &registry, &settings, certificates.clone());
        let (path, folder, clock) = (path.as_path(), &folder, &clock);
        let parts = Parts { config, path, folder, registry, settings, certificates, sensors, seals_for, owners, clock };
        Some(Serving::start(parts).await?)
    } else {
        None
    };
    let console = if roles.console { Some(listen(config.admin).await?) } else { None };
    let admin_address = match &console {
        Some(listener) => listener.local_addr().map_err(|error| Failure::io("the admin API", error))?,
        None => config.admin,
    };
    let alert_counts = Arc::new(Counts::default());
    let detecting = if roles.detect && config.detection.enabled {
        let link = format!("http://{admin_address}/api/v1/campaigns/{{id}}");
        let origin = Origin { source: source.clone(), link, version: env!("CARGO_PKG_VERSION").to_owned() };
        let (file, counts) = (folder.alerts(), Arc::clone(&alert_counts));
        let alerts = Alerts { origin, file, counts };
        Some(Detecting::start(&config, &folder, (alerts, destinations), &registry, &settings, &source, &clock)?)
    } else {
        if roles.detect {
            detection::forget(&registry, &source, clock.now()).await?;
        }
        None
    };

    let ledger = match &books {
        Some(books) => Some(books.lock().await.view()),
        None => None,
    };
    let program = std::env::current_exe().map_err(|error| Failure::io("this program", error))?;
    let hunting = Arc::new(HuntQueue::default());
    let configured = tokio::sync::watch::channel(told(&config, &path, clock.now())).0;
    let (end, ended) = oneshot::channel::<()>();
    let (api, scheduling) = match console {
        None => (None, None),
        Some(listener) => {
            let admin = Arc::new(Admin {
                registry: Arc::clone(&registry),
                credential: admin_key.hash,
                keys: Keys::new(*pepper),
                clock: Box::new(Arc::clone(&clock)),
                stats: serving.as_ref().map(|serving| Arc::clone(&serving.stats)).unwrap_or_default(),
                queue: serving.as_ref().map(|serving| Arc::clone(&serving.queue)).unwrap_or_default(),
                recording: serving.as_ref().map(|serving| Arc::clone(&serving.recording)).unwrap_or_default(),
                settings: Arc::clone(&settings),
                detection: detecting.as_ref().map(|detecting| Arc::clone(detecting.watched())),
                alerts: alert_counts,
                sensors: serving
                    .as_ref()
                    .and_then(|serving| serving.sensors().map(|_| sensors::counted(&serving.counts))),
                folder: source,
            });
            let scribe: Arc<dyn Scribe> = Arc::new(Putting { books: books.clone(), runtime: Handle::current() });
            let playbooks = Box::new(Playbooks { runs: Runs::of(folder.path()), scribe: Arc::clone(&scribe) });
            let verdicts = folder.verdicts();
            let place = config.lake.place.clone().unwrap_or_else(|| lakes::of_data(folder.path()));
            let places = HuntPlaces {
                program: program.clone(),
                folder: folder.hunts(),
                data: folder.path().to_owned(),
                lake: place.clone(),
                verdicts: verdicts.clone(),
            };
            let hunter = Hunts::new(places, Arc::clone(&clock), Arc::clone(&hunting));
            let hunter = Box::new(hunter.map_err(|error| Failure::io("the folder of hunts", error))?);
            let records = Box::new(Recorded { folder: folder.exchanges(), place });
            let console = Console::new(ConsoleParts {
                configured: configured.subscribe(),
                sign_in,
                admin: Arc::clone(&admin),
                ledger,
                scribe,
                verdicts,
                records,
                hunter,
                runs: playbooks,
            });
            let scheduling = tokio::spawn(console::keep_to(Arc::clone(&console), say));
            let api = admin::router(&admin, console::endpoints(&console));
            let router = api.merge(console::router(console));
            (Some(tokio::spawn(limited::serve(listener, router, limited::LIMITS, ended))), Some(scheduling))
        }
    };
    let keeper = tokio::spawn(Keeper::new(Arc::clone(&registry), roles.gateway.then_some(&folder), &clock).run());

    let showing = match &books {
        Some(books) if !witnesses.is_empty() => {
            let showing = Showing::new(books.lock().await.view(), witnesses);
            Some(tokio::spawn(showing.run(Duration::from_secs(config.ledger.witness_seconds))))
        }
        _ => None,
    };
    let stamping = match (&books, timestamps, &config.ledger.timestamp) {
        (Some(books), Some(authority), Some(table)) => {
            let stamping = Stamping::new(books.lock().await.view(), authority);
            Some(tokio::spawn(stamping.run(Duration::from_secs(table.seconds))))
        }
        _ => None,
    };
    let expiry = config.sealing.keep_days.filter(|_| roles.console).map(|days| {
        let (data, books, clock) = (folder.path().to_owned(), books.clone(), Arc::clone(&clock));
        tokio::spawn(Expiry { data, days, books, clock }.run())
    });
    let filling = (config.lake.enabled && roles.console).then(|| {
        let data = folder.path().to_owned();
        let place = config.lake.place.clone().unwrap_or_else(|| lakes::of_data(&data));
        let (key, keep_days) = (folder.fingerprint_key()?, config.lake.keep_days);
        let every = Duration::from_secs(config.lake.seconds);
        Filling { data, place, key, every, keep_days, books: books.clone(), clock: Arc::clone(&clock) }.start()
    });
    let filling = filling.transpose()?;
    let bookkeeping = books.clone().map(|books| {
        tokio::spawn(async move {
            let mut put_down = tokio::time::Instant::now();
            loop {
                tokio::time::sleep(admin::limits::REFRESH_TIME).await;
                let mut books = books.lock().await;
                books.step().await;
                if put_down.elapsed() >= RECORDS_TIME {
                    put_down = tokio::time::Instant::now();
                    books.put_down_records(false);
                }
            }
        })
    });

    let scheme = if certificates.is_some() { "https" } else { "http" };
    let url = |address: SocketAddr| format!("{scheme}://{address}");
    let running = Running {
        gateway: serving.as_ref().map(|serving| url(serving.address())),
        admin: api.as_ref().map(|_| format!("http://{admin_address}")),
        admin_key_file: admin_key.file.clone(),
        sensors: serving.as_ref().and_then(Serving::sensors).map(url),
        config: args.configuration.config.as_ref().and_then(|path| path.canonicalize().ok()),
        pid: std::process::id(),
    };
    if api.is_some() {
        folder.tell(&running)?;
    }
    if let Some(path) = &args.ready_file {
        write_ready(path, &running)?;
    }
    let mock = serving.as_ref().and_then(|serving| serving.mock.as_ref());
    greet(&running, &config, &admin_key, roles, mock.is_some())?;

    while signals.next().await == Wanted::Reload {
        match reload(args, &config, &settings, certificates.as_deref(), mock, roles) {
            Ok((destinations, config)) => {
                configured.send_replace(told(&config, &path, clock.now()));
                if let Some(detecting) = &detecting {
                    detecting.renew(destinations);
                }
                if let Some(books) = &books
                    && let Err(failure) = books.lock().await.note("reload", &path)
                {
                    say(&format!("the reload is not put down in the ledger: {failure}"));
                }
                say("the configuration is read anew; what a reload does not take up stays until a restart");
            }
            Err(failure) => say(&format!("the configuration stays as it was: {failure}")),
        }
    }
    say("ending: what is under way comes to its end");
    hunting.end();
    if let Some(serving) = serving {
        serving.finish(Duration::from_secs(config.drain_seconds)).await;
    }
    // Then, so that it reads all that was recorded, and what it found at the end is told.
    if let Some(detecting) = detecting {
        detecting.finish().await;
    }
    keeper.abort();
    scheduling.into_iter().for_each(|scheduling| scheduling.abort());
    let mut last = Keeper::new(Arc::clone(&registry), roles.gateway.then_some(&folder), &clock);
    let kept = registry.save_uses().await.map_err(|error| Failure::io("what is known", error));
    let (kept, stepped) = (kept.err(), last.step().await.err());
    kept.into_iter().chain(stepped).for_each(|failure| say(&format!("not kept at the end: {failure}")));
    let _ = end.send(());
    if let Some(mut api) = api {
        // Pages that follow what changes stay open, and hold up nobody.
        if tokio::time::timeout(CONSOLE_END_TIME, &mut api).await.is_err() {
            api.abort();
        }
        folder.leave();
    }
    expiry.iter().for_each(JoinHandle::abort);
    drop(filling);
    // Last, when nobody changes anything any more.
    if let (Some(books), Some(bookkeeping)) = (books, bookkeeping) {
        let mut books = books.lock().await;
        bookkeeping.abort();
        showing.iter().chain(&stamping).for_each(JoinHandle::abort);
        books.step().await;
        books.put_down_records(true);
        books.note("end", &path)?;
    }
    Ok(())
}

/// What this process is for.
#[derive(Clone, Copy, Debug)]
struct Roles {
    gateway: bool,
    detect: bool,
    console: bool,
}

impl Roles {
    fn of(roles: &[Role]) -> Roles {
        let [gateway, detect, console] = [Role::Gateway, Role::Detect, Role::Console].map(|role| roles.contains(&role));
        Roles { gateway, detect, console }
    }
}

/// Takes up the destinations of alerts, the model servers, identity providers, `trust`, `allow`, `shield`, `recording.required`, `database_stale_seconds` and the
/// certificates anew, all of it or nothing.
fn reload(
    args: &cli::Up,
    old: &Config,
    settings: &ArcSwap<Settings>,
    certificates: Option<&Certificates>,
    mock: Option<&Mock>,
    roles: Roles,
) -> Result<(Vec<Destination>, Config), Failure> {
    let (path, mut config) = configuration::read(&args.configuration)?;
    if let (Some(mock), true) = (mock, config.upstream.is_empty()) {
        config.upstream.push(mock_server(mock)?);
    }
    if config.upstream.is_empty() && roles.gateway {
        return Err(Failure::bad_input("no model server is named any more"));
    }
    if config.tls.is_some() != old.tls.is_some() {
        return Err(Failure::bad_input("TLS can be turned on or off by a restart only"));
    }
    let new = configuration::settings(&config, &path)?;
    let alerts = alerts::destinations(&config, &path)?;
    // Last, since nothing may fail after it.
    certificates.map_or(Ok(()), Certificates::reload).map_err(Failure::unreadable)?;
    settings.store(Arc::new(new));
    Ok((alerts, config))
}

/// A configuration as the console shows it.
fn told(config: &Config, path: &Path, now: Time) -> Configured {
    let text = config.without_secrets().to_toml();
    let text = text.unwrap_or_else(|error| format!("# it cannot be shown: {error}"));
    Configured { file: path.display().to_string(), read: minute(now), text }
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
    /// Comes once standard input ends, where somebody waits for that.
    stdin: Option<oneshot::Receiver<()>>,
}

impl Signals {
    fn new(until_stdin_ends: bool) -> Result<Signals, Failure> {
        let heard = |kind| signal(kind).map_err(|error| Failure::io("signals cannot be heard", error));
        Ok(Signals {
            terminate: heard(SignalKind::terminate())?,
            interrupt: heard(SignalKind::interrupt())?,
            hangup: heard(SignalKind::hangup())?,
            stdin: until_stdin_ends.then(end_of_stdin),
        })
    }

    async fn next(&mut self) -> Wanted {
        let stdin = async {
            match &mut self.stdin {
                // An error is an end as well.
                Some(ended) => drop(ended.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => Wanted::End,
            _ = self.interrupt.recv() => Wanted::End,
            () = stdin => Wanted::End,
            _ = self.hangup.recv() => Wanted::Reload,
        }
    }
}

/// Comes once nothing more comes on standard input: whoever started this process is gone.
fn end_of_stdin() -> oneshot::Receiver<()> {
    let (end, ended) = oneshot::channel();
    std::thread::spawn(move || {
        let mut buffer = [0; 256];
        while std::io::stdin().read(&mut buffer).is_ok_and(|length| length > 0) {}
        // Nobody waits any more where the process ends already.
        let _ = end.send(());
    });
    ended
}

/// What somebody who started it wants to know.
fn greet(running: &Running, config: &Config, admin_key: &AdminKey, roles: Roles, is_mock: bool) -> Result<(), Failure> {
    let data = config.data.display();
    let model = if is_mock {
        "the built-in mock; name a real server by --upstream URL".to_owned()
    } else {
        config.upstream.iter().map(|upstream| upstream.url.to_string()).collect::<Vec<_>>().join(", ")
    };
    let made = admin_key.made.as_ref().map_or_else(String::new, |secret| {
        format!("\nThe admin credential, shown this once and kept in {data}/admin-key:\n  {}\n", secret.expose())
    });
    let mut text = format!("Stillwatch {} is up.\n", env!("CARGO_PKG_VERSION"));
    let mut line = |name: &str, value: Option<&str>| {
        if let Some(value) = value {
            text += &format!("  {name:<8} {value}\n");
        }
    };
    line("gateway", running.gateway.as_deref());
    line("detects", (!roles.gateway && roles.detect).then_some("campaigns in what is recorded there"));
    line("console", running.admin.as_deref());
    line("sensors", running.sensors.as_deref());
    line("data", Some(&data.to_string()));
    line("model", roles.gateway.then_some(model.as_str()));
    text += &made;
    let folder = if config.data == Path::new("stillwatch-data") { String::new() } else { format!(" --data {data}") };
    let model_name = if is_mock { "mock-1" } else { "MODEL" };
    if let (Some(gateway), Some(_)) = (&running.gateway, &running.admin) {
        text += &format!(
            "\nTry it:\n  stillwatch person add ann --role admin{folder}\n  stillwatch account add --id acc_1{folder}\n  stillwatch key add --account acc_1{folder}\n  \
             curl {gateway}/v1/chat/completions -H 'authorization: Bearer KEY' -H 'content-type: application/json' \\\n    \
             -d '{{\"model\":\"{model_name}\",\"messages\":[{{\"role\":\"user\",\"content\":\"Hello\"}}]}}'\n  \
             stillwatch hunt {data}\n"
        );
    }
    print(&text)
}
