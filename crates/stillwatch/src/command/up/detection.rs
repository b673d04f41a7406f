//! What follows from detection in a running gateway: it is started, policies know what it says, and people are alerted.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use admin::Registry;
use admin::registry::RegistryError;
use admin::registry::responses::DetectionReport;
use alert::delivery::World;
use alert::pace::Pace;
use alert::{Alerter, Counts, Destination, Origin};
use arc_swap::ArcSwap;
use exchange::Time;
use gateway::clock::{Clock, SystemClock};
use gateway::config::Config;
use gateway::worker::Settings;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use watch::detector::{Told, What};
use watch::{Board, Watched, Watcher};

use crate::data_folder::DataFolder;
use crate::failure::Failure;
use crate::log::say;
use watch::labels;

/// How far detection stands back: a 68th of the weight of what serves requests (`man 7 sched`), so that it takes next to nothing where they need
/// every processor, and what they leave otherwise.
#[cfg(target_os = "linux")]
const DETECTION_NICENESS: i32 = 19;

/// How often responses are reconciled with what detection says although it says nothing new.
const RECONCILE_ANYWAY_TIME: Duration = Duration::from_secs(10);

/// How often it is looked whether detection says something new.
const RECONCILE_TIME: Duration = Duration::from_millis(500);

/// From how many bytes that detection is behind it may be reading the record anew, so that no campaign counts as gone.
const BEHIND_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The role of detection: campaigns are looked for, policies know what comes out, and people are alerted.
pub(super) struct Detecting {
    watcher: Watcher,
    reconciler: JoinHandle<()>,
    /// What tells alerts that they have other destinations.
    renew: UnboundedSender<Vec<Destination>>,
    /// What tells alerts that it ends, and that they have.
    telling: (oneshot::Sender<()>, JoinHandle<()>),
}

impl Detecting {
    pub(super) fn start(
        config: &Config,
        folder: &DataFolder,
        (alerts, destinations): (Alerts, Vec<Destination>),
        registry: &Arc<Registry>,
        settings: &Arc<ArcSwap<Settings>>,
        source: &str,
        clock: &Arc<dyn Clock>,
    ) -> Result<Detecting, Failure> {
        let watcher = watch(config, folder)?;
        let watched = || Arc::clone(watcher.watched());
        let alerter = alerts.begin(destinations)?;
        let (renew, renewed) = unbounded_channel();
        let (end, ended) = oneshot::channel();
        let (registry, clock) = (Arc::clone(registry), Arc::clone(clock));
        let teller = Teller {
            watched: watched(),
            alerter,
            alerts,
            renewed,
            registry: Arc::clone(&registry),
            clock: Arc::clone(&clock),
        };
        let telling = (end, tokio::spawn(teller.run(ended)));
        let reconciler = Reconciler {
            watched: watched(),
            registry,
            settings: Arc::clone(settings),
            clock,
            folder: source.to_owned(),
            last: None,
            reconciled: None,
        };
        let reconciler = tokio::spawn(reconciler.run());
        Ok(Detecting { watcher, reconciler, renew, telling })
    }

    pub(super) fn watched(&self) -> &Arc<Watched> {
        self.watcher.watched()
    }

    /// Alerts go to these destinations from now on.
    pub(super) fn renew(&self, destinations: Vec<Destination>) {
        // Where nobody hears it any more all ends.
        let _ = self.renew.send(destinations);
    }

    /// Ends, once all that is recorded was read and what came out was told.
    pub(super) async fn finish(self) {
        let watcher = self.watcher;
        let _ = tokio::task::spawn_blocking(move || watcher.finish()).await;
        let (end, telling) = self.telling;
        let _ = end.send(());
        let _ = telling.await;
        self.reconciler.abort();
    }
}

/// Looks for campaigns in what is recorded.
fn watch(config: &Config, folder: &DataFolder) -> Result<Watcher, Failure> {
    let mut generation = [0; 8];
    let filled = aws_lc_rs::rand::fill(&mut generation);
    filled.map_err(|_| Failure::service("the machine gives no random bytes"))?;
    let mut generation = u64::from_be_bytes(generation);
    let setup = watch::Setup {
        folder: folder.exchanges(),
        accounts: folder.accounts().path().to_owned(),
        verdicts: judged(folder.verdicts()),
        checkpoint: Some(folder.detection()),
        past: Some(folder.past_campaigns()),
        settings: watch::Settings {
            alpha: config.detection.alpha,
            lateness_seconds: config.detection.lateness_seconds,
        },
        new_generation: Box::new(move || {
            generation = generation.wrapping_add(1);
            generation
        }),
        begin: Box::new(stand_back),
        say: Box::new(say),
        tell: Box::new(|changes| changes.iter().filter_map(sentence).for_each(|sentence| say(&sentence))),
    };
    Watcher::start(setup).map_err(|error| Failure::io("detection cannot be started", error))
}

/// What detection in this folder said before is no longer said, since it is turned off.
pub(super) async fn forget(registry: &Registry, folder: &str, now: Time) -> Result<(), Failure> {
    let (board, source) = (Board::default(), admin::source(folder, 0));
    let report = DetectionReport { board: &board, source: &source, block_alone_max: 0, rules: &[], is_behind: false };
    let reconciled = registry.reconcile(report, now).await;
    reconciled.map(|_| ()).map_err(|error| Failure::io("what detection said before cannot be taken back", error))
}

/// Has this thread wait for the processor where those that serve requests need it.
pub(super) fn stand_back() {
    // Where that cannot be, detection takes its share.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, DETECTION_NICENESS);
}

/// Reads what people said of findings whenever the file of it is another one.
fn judged(path: PathBuf) -> watch::watcher::Judged {
    let mut looked_at = None;
    Box::new(move |known| {
        // Where there is no file any more, nobody said anything.
        let taken_back = || known.filter(|(_, labels)| !labels.is_empty()).map(|(time, _)| (*time, Vec::new()));
        let Ok(metadata) = std::fs::metadata(&path) else { return taken_back() };
        let there = (metadata.len(), metadata.modified().ok());
        if looked_at.as_ref() == Some(&there) {
            return None;
        }
        looked_at = Some(there);
        match labels::read(&path) {
            Ok(book) => {
                let Some(last) = book.last_said() else { return taken_back() };
                let said = (last, book.in_force().cloned().collect());
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

/// Lets policies know what detection says, and responses follow who joins their campaigns.
struct Reconciler {
    watched: Arc<Watched>,
    registry: Arc<Registry>,
    settings: Arc<ArcSwap<Settings>>,
    clock: Arc<dyn Clock>,
    folder: String,
    /// When it last reconciled anything.
    last: Option<Instant>,
    /// The board that was reconciled last, and whether detection was behind then.
    reconciled: Option<(u64, bool)>,
}

impl Reconciler {
    async fn run(mut self) {
        let mut is_failing = false;
        loop {
            tokio::time::sleep(RECONCILE_TIME).await;
            let failed = self.step().await.err();
            match &failed {
                None if is_failing => say("what detection says is known to policies again"),
                Some(error) if !is_failing => say(&format!("what detection says is not known to policies: {error}")),
                _ => {}
            }
            is_failing = failed.is_some();
        }
    }

    async fn step(&mut self) -> Result<(), RegistryError> {
        let (status, board) = (self.watched.status(), self.watched.board());
        let Some(generation) = status.generation else { return Ok(()) };
        let is_behind = !status.has_caught_up || status.behind_bytes > BEHIND_BYTES_MAX;
        // A rule responds anew once its response is over, whatever changed.
        let is_due = self.last.is_none_or(|last| last.elapsed() >= RECONCILE_ANYWAY_TIME);
        if self.reconciled == Some((board.sequence, is_behind)) && !is_due {
            return Ok(());
        }
        self.last = Some(Instant::now());
        self.reconciled = None;
        let settings = self.settings.load_full();
        let (block_alone_max, rules) = (settings.block_alone_max, settings.rules.as_slice());
        let source = admin::source(&self.folder, generation);
        let report = DetectionReport { board: &board, source: &source, block_alone_max, rules, is_behind };
        self.registry.reconcile(report, self.clock.now()).await?;
        self.reconciled = Some((board.sequence, is_behind));
        Ok(())
    }
}

/// What alerts are told with, whoever the configuration names.
pub(super) struct Alerts {
    pub(super) origin: Origin,
    /// Where what was told is written down.
    pub(super) file: PathBuf,
    pub(super) counts: Arc<Counts>,
}

impl Alerts {
    /// Begins to tell these, if there are any.
    fn begin(&self, destinations: Vec<Destination>) -> Result<Option<Alerter>, Failure> {
        if destinations.is_empty() {
            return Ok(None);
        }
        alerter(self, destinations).map(Some)
    }
}

fn alerter(alerts: &Alerts, destinations: Vec<Destination>) -> Result<Alerter, Failure> {
    let random = || {
        let mut bytes = [0; 8];
        // Without chance, those who failed at once are asked again at once, and no more than that.
        let _ = aws_lc_rs::rand::fill(&mut bytes);
        u64::from_be_bytes(bytes)
    };
    // Receivers compare the time of an alert with their own clock, also in a drill.
    let world = World { now: Arc::new(|| SystemClock.now()), random: Arc::new(random), say: Arc::new(say) };
    let (file, counts, origin) = (alerts.file.clone(), Arc::clone(&alerts.counts), alerts.origin.clone());
    let failed = format!("`{}` cannot be read", file.display());
    let setup = alert::Setup { destinations, origin, file, pace: Pace::default(), counts, world };
    Alerter::start(setup).map_err(|error| Failure::io(failed, error))
}

/// Has alerts follow what detection says.
struct Teller {
    watched: Arc<Watched>,
    /// None where nobody is to be told.
    alerter: Option<Alerter>,
    alerts: Alerts,
    renewed: UnboundedReceiver<Vec<Destination>>,
    registry: Arc<Registry>,
    clock: Arc<dyn Clock>,
}

impl Teller {
    async fn run(mut self, mut ended: oneshot::Receiver<()>) {
        loop {
            tokio::select! {
                () = tokio::time::sleep(RECONCILE_TIME) => self.step().await,
                Some(destinations) = self.renewed.recv() => self.renew(destinations).await,
                _ = &mut ended => break,
            }
        }
        self.step().await;
        if let Some(alerter) = self.alerter {
            alerter.finish().await;
        }
    }

    async fn renew(&mut self, destinations: Vec<Destination>) {
        // What was told, and what waits, is written down first and taken up by those that are named still.
        if let Some(before) = self.alerter.take() {
            before.finish().await;
        }
        match self.alerts.begin(destinations) {
            Ok(alerter) => self.alerter = alerter,
            Err(failure) => say(&format!("nobody is alerted until a reload or a restart: {failure}")),
        }
    }

    async fn step(&mut self) {
        let status = self.watched.status();
        if status.generation.is_none() {
            return;
        }
        let is_behind = !status.has_caught_up || status.behind_bytes > BEHIND_BYTES_MAX;
        let (board, now) = (self.watched.board(), self.clock.now());
        let Some(alerter) = &mut self.alerter else { return };
        for (destination, notice) in tokio::task::block_in_place(|| alerter.step(now, &board, is_behind)) {
            if let Err(error) = self.registry.put_alert(&destination, &notice).await {
                say(&format!("an alert for `{destination}` is told, and not put down: {error}"));
            }
        }
    }
}
